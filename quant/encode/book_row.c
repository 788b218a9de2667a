/* book_row.c - a row's scale, and a block's place in the tile
 *
 * The natural row scale is the one at which the largest magnitude just covers the block with the
 * largest weights. Smaller ones clip that block but move all others on the grid of magnitudes: a
 * few are tried with a quick search, and the best is searched thoroughly.
 */
#include "quant/encode/book_row.h"

#include <math.h>

/* Normal weights lose 0.0062, 0.0047 and 0.0047 of their square; one core of a 2023 server encodes
 * 260, 21 and 10 million weights a second with AVX2. Where only one magnitude is tried, a little
 * clipping is the best guess. */
static const book_plan q4_plans[] = {
	[EFFORT_FAST] = { 1, 0, { 1, 0, 0.96f }, { 1, 0, 0.96f }, 1 },
	[EFFORT_NORMAL] = { 8, 0.03f, { 4, 1, 1 }, { BOOK_PAIRS, 2, 1 }, 1 },
	[EFFORT_HIGH] = { 12, 0.02f, { 6, 1, 1 }, { BOOK_PAIRS, 6, 1.1f }, 1 },
	[EFFORT_BEST] = { 12, 0.02f, { 6, 1, 1 }, { BOOK_PAIRS, 6, 1.1f }, 1 },
};

/* Of q3, normal weights lose 0.0252, 0.0194 and 0.0194. Its magnitudes clip more: seven blocks in
 * eight lose least at 0.8 to 1.0 of what covers them. Rows go two thirds of the way to their full
 * length (quant/encode/book_encode.c): a ninth of what shortness costs is left, at four ninths of
 * the error that full length adds. */
static const book_plan q3_plans[] = {
	[EFFORT_FAST] = { 1, 0, { 1, 0, 0.9f }, { 1, 0, 0.9f }, 0.67f },
	[EFFORT_NORMAL] = { 8, 0.03f, { 4, 3, 1 }, { BOOK_PAIRS, 6, 1 }, 0.67f },
	[EFFORT_HIGH] = { 12, 0.02f, { 6, 4, 1 }, { BOOK_PAIRS, 8, 1.1f }, 0.67f },
	[EFFORT_BEST] = { 12, 0.02f, { 6, 4, 1 }, { BOOK_PAIRS, 8, 1.1f }, 0.67f },
};

const book_plan *book_plan_of(const codebook *book, enum book_effort effort)
{
	return book->n_values > 8 ? &q4_plans[effort] : &q3_plans[effort];
}

/* The natural scale. */
static float measure_row(const book_row *row, int pairs)
{
	float largest = 0;
	size_t b;

	for (b = 0; b < row->blocks; b++) {
		book_find_needs(&row->needs[b], row->tables, row->w + b * TILE_BLOCK, pairs);
		largest = row->needs[b].scale[0] > largest ? row->needs[b].scale[0] : largest;
	}
	return largest / (float)row->tables->book->magnitudes[BOOK_LARGEST];
}

/* The weighted error of a block that becomes zeros. */
static float error_of_zeros(const float *w, const float *importance)
{
	float sum = 0;
	unsigned i;

	for (i = 0; i < TILE_BLOCK; i++)
		sum += w[i] * w[i] * importance[i];
	return sum;
}

book_choice book_choose_block(const book_row *row, size_t b, float scale, const book_reach *reach)
{
	const float *w = row->w + b * TILE_BLOCK, *importance = row->importance + b * TILE_BLOCK;
	const book_choice zeros = { 0, 0, 0 };
	book_choice choice;

	if (!(row->needs[b].scale[0] > 0))
		return zeros;
	book_search_block(row->tables, w, importance, &row->needs[b], scale, reach, &choice, 1);
	if (choice.magnitude == 1) { /* beside weights far larger, the smallest may be too large */
		float error = error_of_zeros(w, importance);

		if (error <= choice.error)
			return (book_choice){ error, 0, 0 };
	}
	return choice;
}

/* 0: a row of zeros, or of numbers so small that their scale would have no inverse. */
static float choose_row_scale(const book_row *row, const book_plan *plan)
{
	float base = measure_row(row, plan->search.pairs), best_scale = base;
	double best = INFINITY;
	int i;

	if (!(base > 1e-35f))
		return 0;
	for (i = 0; i < plan->scales && plan->scales > 1; i++) {
		float scale = base * (1 - plan->step * (float)i);
		double error = 0;
		size_t b;

		for (b = 0; b < row->blocks && error < best; b++)
			error += (double)book_choose_block(row, b, scale, &plan->probe).error;
		if (error < best) {
			best = error;
			best_scale = scale;
		}
	}
	return best_scale;
}

/* Divides the row by a power of two that brings its largest weight below 1, and returns the
 * exponent. */
static int divide_row(const book_row *row)
{
	float largest = 0;
	int exponent;
	size_t i;

	for (i = 0; i < row->cols; i++)
		largest = fabsf(row->w[i]) > largest ? fabsf(row->w[i]) : largest;
	(void)frexpf(largest, &exponent);
	for (i = 0; i < row->cols; i++)
		row->w[i] = ldexpf(row->w[i], -exponent);
	return exponent;
}

float book_find_row_scale(const book_row *row, const book_plan *plan, int *exponent)
{
	float scale = choose_row_scale(row, plan);

	*exponent = 0;
	if (scale > 1e-12f && scale < 1e12f)
		return scale;
	*exponent = divide_row(row);
	return choose_row_scale(row, plan);
}

void book_put_block(const codebook *book, uint8_t *tile, unsigned row, size_t b, uint8_t scale,
                    const uint8_t code[TILE_BLOCK])
{
	tile[codebook_scales(book, b) + row] = scale;
	book->pack(tile + codebook_codes(book, b), row, code);
}

uint8_t book_get_scale(const codebook *book, const uint8_t *tile, unsigned row, size_t b)
{
	return tile[codebook_scales(book, b) + row];
}
