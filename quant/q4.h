/* q4.h - 4-bit weights: a codebook of 16 entries (quant/codebook.h)
 *
 * A block is uint8 codes[4][16 rows][4]: byte [j][row][k] holds the code of column 4j + k in its
 * low nibble and of column 16 + 4j + k in its high one.
 */
#ifndef QUANT_Q4_H
#define QUANT_Q4_H

#include "quant/codebook.h"

#define Q4_BLOCK_BYTES 256u

extern const codebook q4_book;

static inline size_t q4_tile_bytes(size_t cols)
{
	return codebook_tile_bytes(&q4_book, cols);
}

/* Decodes one row (0..15) of a tile into [cols] floats. */
void q4_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols);

#endif
