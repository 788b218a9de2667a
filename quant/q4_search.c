/* q4_search.c - magnitude, sign and shift of one block by squared error
 *
 * For each pair of sign and shift there is a magnitude at which the codebook just covers the block, and smaller ones, which clip the largest weight but
 * resolve the rest better. The best of those tried stays.
 */
#include "quant/q4_search.h"

#include <math.h>
#include <string.h>

void q4_fill_tables(q4_tables *tables)
{
	int cell, pair, i, code = 0;

	for (cell = 0; cell < Q4_CELLS; cell++) {
		float middle = ((float)(cell - Q4_CELL_ZERO) + 0.5f) / 2;

		while (code < 15 && middle > (float)(q4_codebook[code] + q4_codebook[code + 1]) / 2)
			code++;
		tables->code[cell] = (uint8_t)code;
		tables->value[cell] = (float)(2 * q4_codebook[code] + Q4_CELL_ZERO);
	}
	for (pair = 0; pair < Q4_PAIRS; pair++) {
		float bottom = 1 / ((float)q4_codebook[0] + q4_pair_shift(pair)), top = 1 / ((float)q4_codebook[15] + q4_pair_shift(pair));

		tables->of_low[pair] = q4_pair_sign(pair) < 0 ? -top : bottom;
		tables->of_high[pair] = q4_pair_sign(pair) < 0 ? -bottom : top;
	}
	for (i = 0; i < 128; i++) {
		int index = 1;

		while (index < Q4_LARGEST && q4_magnitudes[index] < i)
			index++;
		tables->reach[i] = (uint8_t)index;
	}
}

/* Weighted squared error at a scale and shift. Two plain loops, so that compilers vectorize all but the table look-up. */
static float block_error(const q4_tables *tables, const float *w, const float *importance, float scale, float shift)
{
	float by = 2 / scale, plus = Q4_CELL_ZERO - 2 * shift, position[TILE_BLOCK], sum[8] = { 0 };
	int32_t cell[TILE_BLOCK];
	unsigned i, k;

	for (i = 0; i < TILE_BLOCK; i++) {
		float at = w[i] * by + plus;

		position[i] = at;
		at = at < 0 ? 0 : at;
		at = at > Q4_CELLS - 1 ? Q4_CELLS - 1 : at;
		cell[i] = (int32_t)at;
	}
	for (i = 0; i < TILE_BLOCK; i += 8) {
		float nearest[8];

		for (k = 0; k < 8; k++)
			nearest[k] = tables->value[cell[i + k]];
		for (k = 0; k < 8; k++) {
			float rest = position[i + k] - nearest[k];

			sum[k] += rest * rest * importance[i + k];
		}
	}
	return tile_sum_lanes(sum) * (scale * scale * 0.25f);
}

void q4_block_range(const float *w, float range[2])
{
	float lows[8], highs[8];
	unsigned i, k;

	memcpy(lows, w, sizeof lows);
	memcpy(highs, w, sizeof highs);
	for (i = 8; i < TILE_BLOCK; i += 8) {
		for (k = 0; k < 8; k++) {
			lows[k] = w[i + k] < lows[k] ? w[i + k] : lows[k];
			highs[k] = w[i + k] > highs[k] ? w[i + k] : highs[k];
		}
	}
	range[0] = lows[0];
	range[1] = highs[0];
	for (k = 1; k < 8; k++) {
		range[0] = lows[k] < range[0] ? lows[k] : range[0];
		range[1] = highs[k] > range[1] ? highs[k] : range[1];
	}
}

/* Scales that cover the block, by pair. */
static void cover_scales(const q4_tables *tables, const float range[2], float need[Q4_PAIRS])
{
	int pair;

	for (pair = 0; pair < Q4_PAIRS; pair++) {
		float a = range[0] * tables->of_low[pair], b = range[1] * tables->of_high[pair];

		need[pair] = a > b ? a : b;
	}
}

float q4_least_scale(const q4_tables *tables, const float range[2])
{
	float need[Q4_PAIRS], least;
	int pair;

	cover_scales(tables, range, need);
	least = need[0];
	for (pair = 1; pair < Q4_PAIRS; pair++)
		least = need[pair] < least ? need[pair] : least;
	return least;
}

/* The pair with the smallest need, struck off the list. */
static int take_pair(float need[Q4_PAIRS], float *scale)
{
	int pair, least = 0;

	for (pair = 1; pair < Q4_PAIRS; pair++)
		least = need[pair] < need[least] ? pair : least;
	*scale = need[least];
	need[least] = INFINITY;
	return least;
}

/* Keeps best[0..n) in order; found of them are taken. */
static int keep_choice(q4_choice best[], int n, int found, q4_choice choice)
{
	int at = found;

	while (at > 0 && choice.error < best[at - 1].error) {
		if (at < n)
			best[at] = best[at - 1];
		at--;
	}
	if (at < n)
		best[at] = choice;
	return found < n ? found + 1 : n;
}

int q4_search_block(const q4_tables *tables, const float *w, const float *importance, const float range[2], float row_scale, const q4_reach *reach,
                    q4_choice best[], int n)
{
	float need[Q4_PAIRS], inverse = 1 / row_scale;
	int i, found = 0;

	cover_scales(tables, range, need);
	for (i = 0; i < reach->pairs; i++) {
		float scale;
		int pair = take_pair(need, &scale), index, first;

		scale = scale * inverse * reach->grow + 0.999f; /* rounded up */
		first = scale < 127 ? tables->reach[(int)scale] : Q4_LARGEST;
		for (index = first; index >= 1 && index >= first - reach->clips; index--) {
			float error = block_error(tables, w, importance, row_scale * (float)q4_magnitudes[index] * q4_pair_sign(pair), q4_pair_shift(pair));

			found = keep_choice(best, n, found, (q4_choice){ error, index, pair });
		}
	}
	return found;
}
