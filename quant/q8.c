/* q8.c - encoding and decoding of 8-bit tiles */
#include "quant/q8.h"

#include <math.h>
#include <string.h>

#define LARGEST_CODE      127
#define LARGEST_MAGNITUDE 255

static float largest_absolute(const float *w, size_t n)
{
	float largest = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		float absolute = fabsf(w[i]);

		largest = absolute > largest ? absolute : largest;
	}
	return largest;
}

/* To nearest, ties to even, by adding and subtracting 1.5 * 2^23; |value| is small. */
static inline float round_even(float value)
{
	return value + 12582912.0f - 12582912.0f;
}

static void encode_block(uint8_t *codes, uint8_t *magnitude_byte, const float *w, size_t n, float row_scale, tile_error *sum)
{
	float needed = largest_absolute(w, n) / LARGEST_CODE / row_scale, scale, inverse, error = 0, norm = 0;
	int magnitude = needed < LARGEST_MAGNITUDE ? (int)ceilf(needed) : LARGEST_MAGNITUDE;
	size_t i;

	if (magnitude == 0)
		return;
	*magnitude_byte = (uint8_t)magnitude;
	scale = row_scale * (float)magnitude;
	inverse = 1 / scale;
	for (i = 0; i < n; i++) {
		float code = round_even(w[i] * inverse), rest;

		code = code > LARGEST_CODE ? LARGEST_CODE : code;
		code = code < -LARGEST_CODE ? -LARGEST_CODE : code;
		codes[i / 4 * 64 + i % 4] = (uint8_t)(int8_t)code;
		rest = w[i] - scale * code;
		error += rest * rest;
		norm += w[i] * w[i];
	}
	sum->error += (double)error;
	sum->norm += (double)norm;
}

void q8_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols, tile_error *sum)
{
	unsigned row;

	memset(tile, 0, q8_tile_bytes(cols));
	for (row = 0; row < n_rows; row++) {
		const float *w = weights + row * cols;
		float row_scale = largest_absolute(w, cols) / (LARGEST_CODE * LARGEST_MAGNITUDE);
		size_t col;

		/* Zeros, or numbers so small that their scale has no inverse. */
		if (!(row_scale > 1e-35f))
			continue;
		memcpy(tile + sizeof(float) * row, &row_scale, sizeof row_scale);
		for (col = 0; col < cols; col += TILE_BLOCK) {
			uint8_t *group = tile + Q8_TILE_HEAD + col / TILE_GROUP * Q8_GROUP_BYTES;
			size_t block = col / TILE_BLOCK % TILE_BLOCKS, n = cols - col < TILE_BLOCK ? cols - col : TILE_BLOCK;

			encode_block(group + Q8_GROUP_SCALES + block * Q8_BLOCK_BYTES + row * 4, group + block * TILE_ROWS + row, w + col, n, row_scale, sum);
		}
	}
}

void q8_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	float row_scale;
	size_t col;

	memcpy(&row_scale, tile + sizeof(float) * row, sizeof row_scale);
	for (col = 0; col < cols; col++) {
		const uint8_t *group = tile + Q8_TILE_HEAD + col / TILE_GROUP * Q8_GROUP_BYTES;
		size_t block = col / TILE_BLOCK % TILE_BLOCKS, in_block = col % TILE_BLOCK;
		int8_t code = (int8_t)group[Q8_GROUP_SCALES + block * Q8_BLOCK_BYTES + in_block / 4 * 64 + row * 4 + in_block % 4];

		out[col] = row_scale * (float)(group[block * TILE_ROWS + row] * code);
	}
}
