/* q8.c - reading a row of an 8-bit tile back */
#include "quant/q8.h"

#include <string.h>

void q8_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	float row_scale;
	size_t col;

	memcpy(&row_scale, tile + sizeof(float) * row, sizeof row_scale);
	for (col = 0; col < cols; col++) {
		const uint8_t *group = tile + TILE_HEAD + col / TILE_GROUP * Q8_GROUP_BYTES;
		size_t block = col / TILE_BLOCK % TILE_BLOCKS, in_block = col % TILE_BLOCK;
		int8_t code = (int8_t)group[TILE_SCALES + block * Q8_BLOCK_BYTES +
		                            in_block / 4 * 64 + row * 4 + in_block % 4];

		out[col] = row_scale * (float)(group[block * TILE_ROWS + row] * code);
	}
}
