/* q8.h - 8-bit weights: int8 codes, and one byte of scale per row and block of 32 columns
 *
 *     weight = row_scale * magnitude * code        magnitude 0..255, code -128..127
 *
 * A tile (16 rows):   float row_scale[16]
 *                     per group of 128 columns:  uint8 magnitude[4 blocks][16 rows]
 *                                                int8 codes[4 blocks][8][16 rows][4]
 * Byte [g][row][k] of a block is the code of column 4g + k. 8.25 bits per weight and one float per
 * row.
 *
 * The encoder makes codes of -127..127; readers take -128 as -128.
 * Largest block sum: 32 * 128 * 127 = 520,192 < 2^19, exact as a float; times the magnitude it
 * rounds once.
 */
#ifndef QUANT_Q8_H
#define QUANT_Q8_H

#include "quant/tile.h"

#define Q8_BLOCK_BYTES 512u
#define Q8_GROUP_BYTES (TILE_SCALES + TILE_BLOCKS * Q8_BLOCK_BYTES)

static inline size_t q8_tile_bytes(size_t cols)
{
	return TILE_HEAD + tile_groups(cols) * Q8_GROUP_BYTES;
}

/* Decodes one row (0..15) of a tile into [cols] floats. */
void q8_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols);

#endif
