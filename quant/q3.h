/* q3.h - 3-bit weights: a codebook of 8 entries (quant/codebook.h)
 *
 * A block is uint8 codes[3][16 rows][4]. As in q4, the nibbles of byte [j][row][k] belong to
 * columns 4j + k and 16 + 4j + k. Each holds its column's code in all bits but bit 3 - j. Those
 * bits of the three bytes, 3, 2 and 1, are the codes of columns 12 + k and 28 + k: with (byte 0 &
 * 0x88) | (byte 1 & 0x44) | (byte 2 & 0x22) as the fourth byte, bits 3 to 1 of its nibbles.
 *
 * So the fourth byte takes no shift, and the rest is done as with q4: a nibble is looked up in a
 * table of 16 in which bit 3 - j of the index makes no difference. Decoded and multiplied in L2, a
 * core of Zen 5 goes through more weights a second this way than with a plane of two bits and one
 * of one, where each code is put together from two parts.
 */
#ifndef QUANT_Q3_H
#define QUANT_Q3_H

#include "quant/codebook.h"

#define Q3_BLOCK_BYTES 192u

extern const codebook q3_book;

/* What each nibble of byte j of four means: the codebook, indexed with q3_code. */
extern const int8_t q3_lookup[4][16];

static inline size_t q3_tile_bytes(size_t cols)
{
	return codebook_tile_bytes(&q3_book, cols);
}

/* The code in a nibble of byte j of four: bit 3 - j left out. */
static inline unsigned q3_code(unsigned nibble, unsigned j)
{
	unsigned bit = 3 - j, low = (1u << bit) - 1;

	return (nibble >> 1 & ~low) | (nibble & low);
}

/* Decodes one row (0..15) of a tile into [cols] floats. */
void q3_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols);

#endif
