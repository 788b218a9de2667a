/* q4.c - the codebook, and reading a row back */
#include "quant/q4.h"

#include <string.h>

const int8_t q4_codebook[16] = {
	-63, -46, -35, -27, -20, -14, -8, -3, 2, 7, 12, 17, 23, 30, 38, 47
};
const int8_t q4_magnitudes[16] = { 0, 8, 14, 17, 21, 24, 28, 31, 34, 37, 40, 43, 46, 49, 53, 59 };
const int8_t q4_shifts[8] = { -8, -6, -4, -2, 0, 2, 4, 7 };

void q4_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	const uint8_t *group = tile + Q4_TILE_HEAD;
	float row_scale;
	size_t col;

	memcpy(&row_scale, tile + sizeof(float) * row, sizeof row_scale);
	for (col = 0; col < cols; col++) {
		size_t block = col / TILE_BLOCK % TILE_BLOCKS, in_block = col % TILE_BLOCK;
		uint8_t scale = group[block * TILE_ROWS + row];
		uint8_t byte = group[Q4_GROUP_SCALES + block * Q4_BLOCK_BYTES +
		                     in_block % 16 / 4 * 64 + row * 4 + in_block % 4];
		int code = in_block < 16 ? byte & 15 : byte >> 4;

		out[col] = row_scale *
		           (float)(q4_magnitude(scale) * (q4_codebook[code] + q4_shift(scale)));
		if (col % TILE_GROUP == TILE_GROUP - 1)
			group += Q4_GROUP_BYTES;
	}
}
