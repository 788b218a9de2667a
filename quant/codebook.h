/* codebook.h - what q4 and q3 have in common: weights are looked up in a codebook, and one byte of
 * scale belongs to each row and block of 32 columns
 *
 *     weight = row_scale * magnitude * (codebook[code] + shift)
 *
 * The scale byte holds the index of the magnitude (bits 0-3), the index of the shift (bits 4-6) and
 * the sign of the magnitude (bit 7). The sign lets the asymmetric codebook point either way and the
 * shift moves its dense middle onto the block's mean: both lower the error at no cost in bits, and
 * a block's dot product stays magnitude * (sum code*a + shift * sum a). All three parts are looked
 * up by nibble.
 *
 * A tile (16 rows):   float row_scale[16]
 *                     per group of 128 columns:  uint8 scale[4 blocks][16 rows]
 *                                                uint8 codes[4 blocks][block_bytes]
 */
#ifndef QUANT_CODEBOOK_H
#define QUANT_CODEBOOK_H

#include "quant/tile.h"

/* Bounds of every codebook. Values lie in -CODEBOOK_LOW..63 and shifts in -CODEBOOK_SHIFT..
 * CODEBOOK_SHIFT; kernels that want unsigned codes add one or both. From the lowest to the highest
 * shifted value it spans at most 129, and the lowest plus CODEBOOK_BIAS is at least 0 and the
 * highest at most 129, so that two products of unsigned codes and activations of up to 127 fit in
 * 16 bits: 129 * 127 * 2 = 32,766. */
#define CODEBOOK_LOW   63
#define CODEBOOK_SHIFT 12
#define CODEBOOK_BIAS  (CODEBOOK_LOW + CODEBOOK_SHIFT)

typedef struct codebook {
	unsigned n_values;
	size_t block_bytes;    /* codes of a block, 16 rows */
	int8_t values[16];     /* [n_values], ascending */
	int8_t magnitudes[16]; /* ascending from 0 */
	int8_t shifts[8];      /* ascending */

	/* Stores a row's codes in a block of zeros, and reads them. */
	void (*pack)(uint8_t *codes, unsigned row, const uint8_t code[TILE_BLOCK]);
	void (*unpack)(uint8_t code[TILE_BLOCK], const uint8_t *codes, unsigned row);
} codebook;

static inline size_t codebook_group_bytes(const codebook *book)
{
	return TILE_SCALES + TILE_BLOCKS * book->block_bytes;
}

static inline size_t codebook_tile_bytes(const codebook *book, size_t cols)
{
	return TILE_HEAD + tile_groups(cols) * codebook_group_bytes(book);
}

/* The scale bytes of block b of a tile, [16 rows], and its codes. */
static inline size_t codebook_scales(const codebook *book, size_t b)
{
	return TILE_HEAD + b / TILE_BLOCKS * codebook_group_bytes(book) +
	       b % TILE_BLOCKS * TILE_ROWS;
}

static inline size_t codebook_codes(const codebook *book, size_t b)
{
	return TILE_HEAD + b / TILE_BLOCKS * codebook_group_bytes(book) + TILE_SCALES +
	       b % TILE_BLOCKS * book->block_bytes;
}

static inline int codebook_magnitude(const codebook *book, uint8_t scale)
{
	int magnitude = book->magnitudes[scale & 15];

	return scale & 0x80 ? -magnitude : magnitude;
}

static inline int codebook_shift(const codebook *book, uint8_t scale)
{
	return book->shifts[scale >> 4 & 7];
}

/* Decodes one row (0..15) of a tile into [cols] floats. */
void codebook_decode_row(const codebook *book, float *out, const uint8_t *tile, unsigned row,
                         size_t cols);

#endif
