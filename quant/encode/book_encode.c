/* book_encode.c - rows without feedback: the best scale of every block, then the nearest codes */
#include "quant/encode/book_encode.h"

#include <math.h>
#include <string.h>

#include "quant/encode/book_feedback.h"
#include "quant/encode/book_row.h"

/* Sums over weights w and what they become, q, weighted and plain. */
typedef struct row_sums {
	double weighted_ww, weighted_wq, weighted_qq, ww, wq, qq;
} row_sums;

/* Codes of a block at its choice, and what its weights become: q [32]. Loops of their own, so that
 * compilers find vectors in all but the one that looks up. */
static void round_weights(const book_row *row, size_t b, const book_choice *choice, float row_scale,
                          uint8_t code[TILE_BLOCK], float q[TILE_BLOCK])
{
	float scale = book_choice_scale(row->tables->book, choice, row_scale),
	      shift = book_pair_shift(row->tables->book, choice->pair);
	float by = 2 / scale, plus = BOOK_CELL_ZERO - 2 * shift, half = scale * 0.5f;
	const float *w = row->w + b * TILE_BLOCK;
	int32_t cell[TILE_BLOCK];
	size_t i;

	for (i = 0; i < TILE_BLOCK; i++) {
		float at = w[i] * by + plus;

		at = at > 0 ? at : 0;
		cell[i] = (int32_t)(at > BOOK_CELLS - 1 ? BOOK_CELLS - 1 : at);
	}
	for (i = 0; i < TILE_BLOCK; i++) {
		code[i] = row->tables->code[cell[i]];
		q[i] = row->tables->value[cell[i]];
	}
	for (i = 0; i < TILE_BLOCK; i++)
		q[i] = half * (q[i] - plus);
	for (i = row->cols - b * TILE_BLOCK; i < TILE_BLOCK; i++)
		q[i] = 0; /* padding */
}

static double dot(const float a[TILE_BLOCK], const float b[TILE_BLOCK])
{
	float lanes[8];
	unsigned k;

	for (k = 0; k < 8; k++)
		lanes[k] = a[k] * b[k] + a[k + 8] * b[k + 8] + a[k + 16] * b[k + 16] +
		           a[k + 24] * b[k + 24];
	return (double)tile_sum_lanes(lanes);
}

static void add_sums(row_sums *sums, const book_row *row, size_t b, const float q[TILE_BLOCK])
{
	const float *w = row->w + b * TILE_BLOCK, *importance = row->importance + b * TILE_BLOCK;
	double ww = dot(w, w), wq = dot(w, q), qq = dot(q, q);

	sums->ww += ww;
	sums->wq += wq;
	sums->qq += qq;
	if (!row->alike) {
		float weighted_w[TILE_BLOCK], weighted_q[TILE_BLOCK];
		unsigned i;

		for (i = 0; i < TILE_BLOCK; i++) {
			weighted_w[i] = importance[i] * w[i];
			weighted_q[i] = importance[i] * q[i];
		}
		ww = dot(weighted_w, w);
		wq = dot(weighted_w, q);
		qq = dot(weighted_q, q);
	}
	sums->weighted_ww += ww;
	sums->weighted_wq += wq;
	sums->weighted_qq += qq;
}

/* Rounding to the nearest code shrinks a row: a code is the centroid of its cell, so at the scale
 * that loses least, wq / qq, w * q = q * q < w * w. Rows that are all too short lose the model more
 * than the small error of scaling q until its projection on w is as long as w, ww / wq. With e,
 * what is lost at the first, the second is longer by e / (1 - e) and loses e / (1 - e); a share k
 * of the way loses e + k^2 e^2 / (1 - e), and leaves rows short by (1 - k) e. */
static float stretch_scale(float scale, const row_sums *sums, double share, tile_error *sum)
{
	double fits = sums->weighted_wq / sums->weighted_qq,
	       full = sums->weighted_ww / sums->weighted_wq,
	       stretch = (1 - share) * fits + share * full;
	float stretched;

	if (!(sums->weighted_wq > 0) || !isfinite(stretch)) /* importance beyond a float's range */
		stretch = 1;
	stretched = (float)(scale * stretch);

	sum->error += sums->ww - 2 * stretch * sums->wq + stretch * stretch * sums->qq;
	sum->norm += sums->ww;
	return stretched;
}

static void encode_row(uint8_t *tile, unsigned index, const book_row *row, const book_plan *plan,
                       tile_error *all)
{
	int exponent;
	float scale = book_find_row_scale(row, plan, &exponent);
	row_sums sums = { 0 };
	tile_error sum = { 0, 0 };
	uint8_t code[TILE_BLOCK];
	size_t b;

	if (scale == 0)
		return;
	for (b = 0; b < row->blocks; b++) {
		book_choice choice = book_choose_block(row, b, scale, &plan->search);
		float q[TILE_BLOCK] = { 0 };

		if (choice.magnitude > 0) {
			round_weights(row, b, &choice, scale, code, q);
			book_put_block(row->tables->book, tile, index, b, book_scale_byte(&choice),
			               code);
		}
		add_sums(&sums, row, b, q);
	}
	scale = ldexpf(stretch_scale(scale, &sums, plan->stretch, &sum), exponent);
	all->error += ldexp(sum.error, 2 * exponent);
	all->norm += ldexp(sum.norm, 2 * exponent);
	memcpy(tile + sizeof scale * index, &scale, sizeof scale);
}

static void encode_alone(const codebook *book, uint8_t *tile, const float *weights, size_t n_rows,
                         size_t cols, const book_encoding *how, float *scratch, tile_error *sum)
{
	size_t padded = tile_padded(cols), i;
	book_row row = { .w = scratch,
		         .importance = scratch + padded,
		         .needs = (book_needs *)(void *)(scratch + 2 * padded),
		         .blocks = tile_blocks(cols),
		         .cols = cols,
		         .alike = !how->importance };
	book_tables tables;
	unsigned r;

	book_fill_tables(&tables, book, how->errors);
	row.tables = &tables;
	memset(scratch, 0, 2 * padded * sizeof *scratch);
	for (i = 0; i < cols; i++)
		row.importance[i] = how->importance ? how->importance[i] : 1;
	for (r = 0; r < n_rows; r++) {
		memcpy(row.w, weights + r * cols, cols * sizeof *weights);
		encode_row(tile, r, &row, book_plan_of(book, how->effort), sum);
	}
}

size_t book_scratch(size_t cols, bool feedback)
{
	return (feedback ? book_feedback_scratch(cols) : 2 * tile_padded(cols)) +
	       tile_blocks(cols) * sizeof(book_needs) / sizeof(float);
}

void book_encode_tile(const codebook *book, uint8_t *tile, const float *weights, size_t n_rows,
                      size_t cols, const book_encoding *how, float *scratch, tile_error *sum)
{
	memset(tile, 0, codebook_tile_bytes(book, cols));
	if (how->feedback)
		book_encode_with_feedback(book, tile, weights, n_rows, cols, how, scratch, sum);
	else
		encode_alone(book, tile, weights, n_rows, cols, how, scratch, sum);
}
