/* codebook.c - reading a row back */
#include "quant/codebook.h"

#include <string.h>

void codebook_decode_row(const codebook *book, float *out, const uint8_t *tile, unsigned row,
                         size_t cols)
{
	uint8_t code[TILE_BLOCK];
	float row_scale;
	size_t b, i;

	memcpy(&row_scale, tile + sizeof(float) * row, sizeof row_scale);
	for (b = 0; b * TILE_BLOCK < cols; b++) {
		uint8_t scale = tile[codebook_scales(book, b) + row];
		size_t left = cols - b * TILE_BLOCK, n = left < TILE_BLOCK ? left : TILE_BLOCK;

		book->unpack(code, tile + codebook_codes(book, b), row);
		for (i = 0; i < n; i++)
			out[b * TILE_BLOCK + i] =
			        row_scale *
			        (float)(codebook_magnitude(book, scale) *
			                (book->values[code[i]] + codebook_shift(book, scale)));
	}
}
