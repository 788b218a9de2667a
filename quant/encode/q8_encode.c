/* q8_encode.c - 8-bit tiles: the largest weight of a block decides its magnitude */
#include "quant/encode/q8_encode.h"

#include <math.h>
#include <string.h>

#define LARGEST_CODE      127
#define LARGEST_MAGNITUDE 255

static float largest_absolute(const float w[TILE_BLOCK])
{
	float largest[8] = { 0 };
	unsigned i, k;

	for (i = 0; i < TILE_BLOCK; i += 8)
		for (k = 0; k < 8; k++) {
			float absolute = fabsf(w[i + k]);

			largest[k] = absolute > largest[k] ? absolute : largest[k];
		}
	for (k = 1; k < 8; k++)
		largest[0] = largest[k] > largest[0] ? largest[k] : largest[0];
	return largest[0];
}

static void encode_block(uint8_t *codes, uint8_t *magnitude_byte, const float w[TILE_BLOCK],
                         float row_scale, tile_error *sum)
{
	float needed = largest_absolute(w) / LARGEST_CODE / row_scale, scale, inverse,
	      error[8] = { 0 }, norm[8] = { 0 };
	int magnitude = needed < LARGEST_MAGNITUDE ? (int)ceilf(needed) : LARGEST_MAGNITUDE;
	uint8_t code[TILE_BLOCK];
	unsigned i, k;

	if (magnitude == 0)
		return;
	*magnitude_byte = (uint8_t)magnitude;
	scale = row_scale * (float)magnitude;
	inverse = 1 / scale;
	for (i = 0; i < TILE_BLOCK; i += 8) {
		for (k = 0; k < 8; k++) {
			float exact = w[i + k] * inverse, value = round_even(exact), rest;

			value = value > LARGEST_CODE ? LARGEST_CODE : value;
			value = value < -LARGEST_CODE ? -LARGEST_CODE : value;
			code[i + k] = (uint8_t)(int32_t)value;
			rest = exact - value;
			/* in units of the scale: squares of weights may leave a float's range */
			error[k] += rest * rest;
			norm[k] += exact * exact;
		}
	}
	for (i = 0; i < TILE_BLOCK; i += 4)
		memcpy(codes + i * TILE_ROWS, code + i, 4);
	sum->error += (double)scale * (double)scale * (double)tile_sum_lanes(error);
	sum->norm += (double)scale * (double)scale * (double)tile_sum_lanes(norm);
}

/* w [blocks][32], zeros where the row has ended. */
static void encode_row(uint8_t *tile, unsigned row, const float *w, size_t blocks, tile_error *sum)
{
	float largest = 0, row_scale;
	size_t b;

	for (b = 0; b < blocks; b++) {
		float absolute = largest_absolute(w + b * TILE_BLOCK);

		largest = absolute > largest ? absolute : largest;
	}
	row_scale = largest / (LARGEST_CODE * LARGEST_MAGNITUDE);
	/* Zeros, or numbers so small that their scale has no inverse. */
	if (!(row_scale > 1e-35f))
		return;
	memcpy(tile + sizeof(float) * row, &row_scale, sizeof row_scale);
	for (b = 0; b < blocks; b++) {
		uint8_t *group = tile + TILE_HEAD + b / TILE_BLOCKS * Q8_GROUP_BYTES;

		encode_block(group + TILE_SCALES + b % TILE_BLOCKS * Q8_BLOCK_BYTES + row * 4,
		             group + b % TILE_BLOCKS * TILE_ROWS + row, w + b * TILE_BLOCK,
		             row_scale, sum);
	}
}

void q8_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols, float *scratch,
                    tile_error *sum)
{
	unsigned row;

	memset(tile, 0, q8_tile_bytes(cols));
	memset(scratch, 0, tile_padded(cols) * sizeof *scratch);
	for (row = 0; row < n_rows; row++) {
		memcpy(scratch, weights + row * cols, cols * sizeof *scratch);
		encode_row(tile, row, scratch, tile_blocks(cols), sum);
	}
}
