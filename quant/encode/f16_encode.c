/* f16_encode.c - binary16 tiles: every weight rounded on its own */
#include "quant/encode/f16_encode.h"

#include "quant/half.h"

bool f16_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                     tile_error *sum)
{
	bool fits = true;
	size_t row, col;

	memset(tile, 0, f16_tile_bytes(cols));
	for (row = 0; row < n_rows; row++) {
		for (col = 0; col < cols; col++) {
			float weight = weights[row * cols + col], rest;
			uint16_t half = half_encode(weight);

			memcpy(tile + (col * TILE_ROWS + row) * 2, &half, sizeof half);
			fits = fits && (half & 0x7c00) != 0x7c00;
			rest = weight - half_decode(half);
			sum->error += (double)rest * (double)rest;
			sum->norm += (double)weight * (double)weight;
		}
	}
	return fits;
}
