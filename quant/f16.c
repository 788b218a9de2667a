/* f16.c - reading a row of a binary16 tile back */
#include "quant/f16.h"

#include "quant/half.h"

void f16_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	size_t col;

	for (col = 0; col < cols; col++) {
		uint16_t half;

		memcpy(&half, tile + (col * TILE_ROWS + row) * 2, sizeof half);
		out[col] = half_decode(half);
	}
}
