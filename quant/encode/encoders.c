/* encoders.c - the encoder of each type */
#include "quant/encode/encoders.h"

#include <string.h>

#include "quant/encode/f16_encode.h"
#include "quant/encode/q8_encode.h"
#include "quant/q3.h"
#include "quant/q4.h"

static bool encode_f32(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                       const book_encoding *how, float *scratch, tile_error *sum)
{
	(void)how, (void)scratch, (void)sum;
	memcpy(tile, weights, n_rows * cols * sizeof *weights);
	return true;
}

static bool encode_f16(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                       const book_encoding *how, float *scratch, tile_error *sum)
{
	(void)how, (void)scratch;
	return f16_encode_tile(tile, weights, n_rows, cols, sum);
}

static bool encode_q8(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                      const book_encoding *how, float *scratch, tile_error *sum)
{
	(void)how;
	q8_encode_tile(tile, weights, n_rows, cols, scratch, sum);
	return true;
}

static bool encode_q4(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                      const book_encoding *how, float *scratch, tile_error *sum)
{
	book_encode_tile(&q4_book, tile, weights, n_rows, cols, how, scratch, sum);
	return true;
}

static bool encode_q3(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                      const book_encoding *how, float *scratch, tile_error *sum)
{
	book_encode_tile(&q3_book, tile, weights, n_rows, cols, how, scratch, sum);
	return true;
}

encode_tile_fn *encoder_find(uint32_t type)
{
	static encode_tile_fn *const encoders[TYPE_KINDS] = {
		[TYPE_F32] = encode_f32, [TYPE_F16] = encode_f16, [TYPE_Q8] = encode_q8,
		[TYPE_Q4] = encode_q4,   [TYPE_Q3] = encode_q3,
	};

	return type < TYPE_KINDS ? encoders[type] : NULL;
}

bool encoder_run(uint32_t type, uint8_t *tiles, const float *weights, size_t n_rows, size_t cols,
                 const book_encoding *how, float *scratch, tile_error *sums)
{
	const type_row *row = type_find(type);
	size_t first;

	if (row->book && how->feedback) {
		memset(tiles, 0, divide_up(n_rows, TILE_ROWS) * row->tile_bytes(cols));
		book_encode_with_feedback(row->book, tiles, weights, n_rows, cols, how, scratch,
		                          sums);
		return true;
	}
	for (first = 0; first < n_rows; first += row->tile_rows) {
		size_t left = n_rows - first, n = left < row->tile_rows ? left : row->tile_rows;

		if (!encoder_find(type)(tiles, weights + first * cols, n, cols, how, scratch,
		                        sums++))
			return false;
		tiles += row->tile_bytes(cols);
	}
	return true;
}

size_t encoder_scratch(size_t cols, bool feedback)
{
	return book_scratch(cols, feedback); /* more than a padded row, which q8 needs */
}
