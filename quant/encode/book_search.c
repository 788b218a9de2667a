/* book_search.c - magnitude, sign and shift of one block by squared error
 *
 * For each pair of sign and shift there is a magnitude at which the codebook just covers the block,
 * and smaller ones, which clip the largest weight but resolve the rest better. The best of those
 * tried is kept.
 */
#include "quant/encode/book_search.h"

#include <math.h>
#include <string.h>

void book_fill_tables(book_tables *tables, const codebook *book, book_errors_fn *errors)
{
	int cell, pair, i, code = 0, last = (int)book->n_values - 1;

	tables->book = book;
	tables->errors = errors;
	for (cell = 0; cell < BOOK_CELLS; cell++) {
		float middle = ((float)cell - BOOK_CELL_ZERO + 0.5f) / 2;

		while (code < last &&
		       middle > (float)(book->values[code] + book->values[code + 1]) / 2)
			code++;
		tables->code[cell] = (uint8_t)code;
		tables->value[cell] = (float)(2 * book->values[code]) + BOOK_CELL_ZERO;
	}
	for (pair = 0; pair < BOOK_PAIRS; pair++) {
		float bottom = 1 / ((float)book->values[0] + book_pair_shift(book, pair)),
		      top = 1 / ((float)book->values[last] + book_pair_shift(book, pair));

		tables->of_low[pair] = book_pair_sign(pair) < 0 ? -top : bottom;
		tables->of_high[pair] = book_pair_sign(pair) < 0 ? -bottom : top;
	}
	for (i = 0; i < 128; i++) {
		int index = 1;

		while (index < BOOK_LARGEST && book->magnitudes[index] < i)
			index++;
		tables->reach[i] = (uint8_t)index;
	}
}

void book_errors(float *errors, const float *w, const float *importance, const float *table,
                 const float *by, const float *plus, size_t n)
{
	size_t c;
	unsigned i, k;

	for (c = 0; c < n; c++) {
		float sum[BOOK_ERROR_LANES] = { 0 };

		for (i = 0; i < TILE_BLOCK; i += BOOK_ERROR_LANES)
			for (k = 0; k < BOOK_ERROR_LANES; k++) {
				float at = w[i + k] * by[c] + plus[c], cell = at > 0 ? at : 0, rest;

				cell = cell > BOOK_CELLS - 1 ? BOOK_CELLS - 1 : cell;
				rest = at - table[(int32_t)cell];
				sum[k] += rest * rest * importance[i + k];
			}
		for (k = 8; k > 0; k /= 2)
			for (i = 0; i < k; i++)
				sum[i] += sum[i + k];
		errors[c] = sum[0];
	}
}

static void block_range(const float *w, float *low, float *high)
{
	float lows[TILE_BLOCK / 2], highs[TILE_BLOCK / 2];
	unsigned i, n;

	for (i = 0; i < TILE_BLOCK / 2; i++) {
		float a = w[i], b = w[i + TILE_BLOCK / 2];

		lows[i] = b < a ? b : a;
		highs[i] = b > a ? b : a;
	}
	for (n = TILE_BLOCK / 4; n > 0; n /= 2)
		for (i = 0; i < n; i++) {
			lows[i] = lows[i + n] < lows[i] ? lows[i + n] : lows[i];
			highs[i] = highs[i + n] > highs[i] ? highs[i + n] : highs[i];
		}
	*low = lows[0];
	*high = highs[0];
}

void book_find_needs(book_needs *needs, const book_tables *tables, const float *w, int n)
{
	float low, high, need[BOOK_PAIRS];
	int pair, at;

	block_range(w, &low, &high);
	for (pair = 0; pair < BOOK_PAIRS; pair++) {
		float a = low * tables->of_low[pair], b = high * tables->of_high[pair];

		need[pair] = a > b ? a : b;
	}
	for (pair = 0; pair < BOOK_PAIRS; pair++) {
		if (pair >= n && need[pair] >= needs->scale[n - 1])
			continue;
		for (at = pair < n ? pair : n - 1; at > 0 && need[pair] < needs->scale[at - 1];
		     at--) {
			needs->scale[at] = needs->scale[at - 1];
			needs->pair[at] = needs->pair[at - 1];
		}
		needs->scale[at] = need[pair];
		needs->pair[at] = (uint8_t)pair;
	}
}

/* Inserts a choice into best[0..n), which stays in order; `found` of them are filled. */
static int keep_choice(book_choice best[], int n, int found, book_choice choice)
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

#define CANDIDATES (BOOK_PAIRS * BOOK_LARGEST)

/* Scales to try, as book_errors wants them. */
typedef struct candidates {
	float by[CANDIDATES], plus[CANDIDATES], errors[CANDIDATES], scale[CANDIDATES];
	uint8_t magnitude[CANDIDATES], pair[CANDIDATES];
	size_t n;
} candidates;

static void add_candidate(candidates *list, const codebook *book, int magnitude, int pair,
                          float row_scale)
{
	float scale = row_scale * (float)book->magnitudes[magnitude] * book_pair_sign(pair);

	list->magnitude[list->n] = (uint8_t)magnitude;
	list->pair[list->n] = (uint8_t)pair;
	list->scale[list->n] = scale;
	list->by[list->n] = 2 / scale;
	list->plus[list->n] = BOOK_CELL_ZERO - 2 * book_pair_shift(book, pair);
	list->n++;
}

static void list_candidates(candidates *list, const book_tables *tables, const book_needs *needs,
                            float row_scale, const book_reach *reach)
{
	float inverse = 1 / row_scale;
	int i;

	list->n = 0;
	for (i = 0; i < reach->pairs; i++) {
		float scale = needs->scale[i] * inverse * reach->grow + 0.999f; /* rounded up */
		int index, first = scale < 127 ? tables->reach[(int)scale] : BOOK_LARGEST;

		for (index = first; index >= 1 && index >= first - reach->clips; index--)
			add_candidate(list, tables->book, index, needs->pair[i], row_scale);
	}
}

int book_search_block(const book_tables *tables, const float *w, const float *importance,
                      const book_needs *needs, float row_scale, const book_reach *reach,
                      book_choice best[], int n)
{
	candidates list;
	int found = 0;
	size_t i;

	list_candidates(&list, tables, needs, row_scale, reach);
	tables->errors(list.errors, w, importance, tables->value, list.by, list.plus, list.n);
	for (i = 0; i < list.n; i++) {
		float error = list.errors[i] * (list.scale[i] * list.scale[i] * 0.25f);

		found = keep_choice(best, n, found,
		                    (book_choice){ error, list.magnitude[i], list.pair[i] });
	}
	return found;
}
