/* book_feedback.c - sixteen rows, block by block: correct the block, find candidates for its scale,
 * round with feedback under each, keep the best; then descent, block by block again
 *
 * Several tiles go through the blocks side by side: a block's panels, up to 512 KB of a factor of
 * 64 MB, are read from memory once and stay in a cache until all tiles have been multiplied with
 * them.
 */
#include "quant/encode/book_feedback.h"

#include <math.h>
#include <string.h>

#include "quant/encode/book_descent.h"
#include "quant/encode/book_row.h"

/* scales under which a block is rounded: on breeze 1 diverges by 1.5 % more, 24 by 0.4 % less */
#define CANDIDATES 3

/* One of the tiles. */
typedef struct book_tile {
	uint8_t *out;
	size_t n_rows;
	tile_error *sum;
	book_row row; /* of the current row */
	const book_feedback *feedback;
	const book_plan *plan;
	float *w;           /* [16][padded] */
	float *errors;      /* [padded][16]: weight minus what it became */
	float *corrections; /* [16][32]: what other blocks add to the current block */
	float scales[TILE_ROWS];
	int exponents[TILE_ROWS]; /* the row has been divided by 2 to this */
	size_t padded;
} book_tile;

/* A block rounded under one choice of scale. */
typedef struct book_rounded {
	float cost; /* sum of D (e A)^2 over the block */
	float error[TILE_BLOCK];
	uint8_t code[TILE_BLOCK];
} book_rounded;

/* What the errors [n][16] from column `first` on add to a block, into corrections. panels: the
 * block's two, `apart` floats apart; each is multiplied with all tiles before the other, since it
 * fills half of a small L2. */
static void multiply_panels(book_tile *tiles, size_t n_tiles, const float *panels, size_t apart,
                            size_t first, size_t n)
{
	unsigned half, r;
	book_tile *t;

	for (half = 0; half < 2; half++)
		for (t = tiles; t < tiles + n_tiles; t++) {
			float sums[TILE_ROWS * TILE_ROWS] = { 0 };

			t->feedback->products(sums, t->errors + first * TILE_ROWS,
			                      panels + half * apart, n);
			for (r = 0; r < TILE_ROWS; r++)
				memcpy(t->corrections + r * TILE_BLOCK + half * TILE_ROWS,
				       sums + r * TILE_ROWS, TILE_ROWS * sizeof *sums);
		}
}

/* Rounds the columns one after another. w: [32] weights; target: [32] weights with what earlier
 * blocks add; corner: [32][32] of A. */
static void round_block(book_rounded *out, const book_tables *tables, const float *w,
                        const float *target, const float *variance, const float *corner,
                        const book_choice *choice, float row_scale)
{
	float scale = book_choice_scale(tables->book, choice, row_scale),
	      shift = book_pair_shift(tables->book, choice->pair);
	float by = 2 / scale, plus = BOOK_CELL_ZERO - 2 * shift, half = scale * 0.5f, cost = 0,
	      now[TILE_BLOCK];
	unsigned j, i;

	memcpy(now, target, sizeof now);
	for (j = 0; j < TILE_BLOCK; j++) {
		float at = now[j] * by + plus, rounded, rest;
		/* impossible correlations may make NaN of it */
		int cell = at > BOOK_CELLS - 1 ? BOOK_CELLS - 1 : at > 0 ? (int)at : 0;

		out->code[j] = tables->code[cell];
		rounded = half * (tables->value[cell] - plus);
		rest = now[j] - rounded;
		cost += rest * rest * variance[j];
		out->error[j] = w[j] - rounded;
		for (i = 0; i < TILE_BLOCK; i++)
			now[i] += out->error[j] * corner[j * TILE_BLOCK + i]; /* 0 up to j */
	}
	out->cost = cost;
}

static void encode_block(book_tile *t, unsigned r, size_t b, const float *corner)
{
	const float *w = t->w + r * t->padded + b * TILE_BLOCK,
	            *variance = t->feedback->variance + b * TILE_BLOCK;
	float target[TILE_BLOCK];
	book_needs needs;
	book_choice choices[CANDIDATES];
	book_rounded rounded[2];
	int n, best = 0, i, at = 0;
	unsigned j;

	for (j = 0; j < TILE_BLOCK; j++) {
		target[j] = w[j] + t->corrections[r * TILE_BLOCK + j];
		if (!isfinite(target[j])) /* of impossible correlations */
			target[j] = w[j];
	}
	book_find_needs(&needs, t->row.tables, target, t->plan->search.pairs);
	if (!(needs.scale[0] > 0))
		return; /* zeros stay zeros: errors too */
	n = book_search_block(t->row.tables, target, variance, &needs, t->scales[r],
	                      &t->plan->search, choices, CANDIDATES);
	rounded[0].cost = INFINITY;
	for (i = 0; i < n; i++) {
		round_block(&rounded[!at], t->row.tables, w, target, variance, corner, &choices[i],
		            t->scales[r]);
		if (i == 0 || rounded[!at].cost < rounded[at].cost) {
			at = !at;
			best = i;
		}
	}
	book_put_block(t->row.tables->book, t->out, r, b, book_scale_byte(&choices[best]),
	               rounded[at].code);
	for (j = 0; j < TILE_BLOCK && b * TILE_BLOCK + j < t->feedback->cols; j++) {
		t->errors[(b * TILE_BLOCK + j) * TILE_ROWS + r] = rounded[at].error[j];
		t->sum->error += ldexp((double)rounded[at].error[j] * (double)rounded[at].error[j],
		                       2 * t->exponents[r]);
		t->sum->norm += ldexp((double)w[j] * (double)w[j], 2 * t->exponents[r]);
	}
}

/* ---- descent -------------------------------------------------------------------------------- */

/* Passes over all blocks. */
#define PASSES 2

/* Sweeps over the codes of a block, which end where none changes. */
#define SWEEPS 4

/* Scales that are tried for a block besides its own. */
#define DESCENT_CANDIDATES 4

/* y = x M, x [32], M [32][32] */
static void multiply(float y[TILE_BLOCK], const float *x, const float *m)
{
	float sums[TILE_BLOCK] = { 0 };
	unsigned i, j;

	for (i = 0; i < TILE_BLOCK; i++)
		for (j = 0; j < TILE_BLOCK; j++)
			sums[j] += x[i] * m[i * TILE_BLOCK + j];
	memcpy(y, sums, sizeof sums);
}

static float dot(const float a[TILE_BLOCK], const float b[TILE_BLOCK])
{
	float lanes[8] = { 0 };
	unsigned i, k;

	for (i = 0; i < TILE_BLOCK; i += 8)
		for (k = 0; k < 8; k++)
			lanes[k] += a[i + k] * b[i + k];
	return tile_sum_lanes(lanes);
}

/* Improves code by code what was rounded to the target: error is target minus weight. */
static void sweep_codes(book_rounded *now, const book_tables *tables, const float *target,
                        const book_descent_block *block, const book_choice *choice, float row_scale)
{
	float scale = book_choice_scale(tables->book, choice, row_scale),
	      shift = book_pair_shift(tables->book, choice->pair);
	float by = 2 / scale, plus = BOOK_CELL_ZERO - 2 * shift, half = scale * 0.5f,
	      pull[TILE_BLOCK];
	bool changed = true;
	unsigned sweep, j, i;

	multiply(pull, now->error, block->moments);
	for (sweep = 0; sweep < SWEEPS && changed; sweep++)
		for (j = 0, changed = false; j < TILE_BLOCK; j++) {
			float own = block->moments[j * TILE_BLOCK + j], at, rounded, step;
			int cell;

			if (!(own > 0))
				continue;
			at = (target[j] - now->error[j] + pull[j] / own) * by + plus;
			cell = at > BOOK_CELLS - 1 ? BOOK_CELLS - 1 : at > 0 ? (int)at : 0;
			if (tables->code[cell] == now->code[j])
				continue;
			rounded = half * (tables->value[cell] - plus);
			step = target[j] - rounded - now->error[j];
			now->code[j] = tables->code[cell];
			now->error[j] = target[j] - rounded;
			changed = true;
			for (i = 0; i < TILE_BLOCK; i++)
				pull[i] += step * block->moments[j * TILE_BLOCK + i];
		}
	multiply(pull, now->error, block->moments);
	now->cost = dot(now->error, pull);
}

/* The scale that a block has, and the best others. */
static int list_choices(const book_tile *t, unsigned r, const float *target, const float *variance,
                        uint8_t scale_byte, book_choice choices[])
{
	book_needs needs;
	int n = 0;

	if ((scale_byte & 15) > 0)
		choices[n++] = (book_choice){ 0, scale_byte & 15, scale_byte >> 4 };
	book_find_needs(&needs, t->row.tables, target, t->plan->search.pairs);
	if (needs.scale[0] > 0)
		n += book_search_block(t->row.tables, target, variance, &needs, t->scales[r],
		                       &t->plan->search, choices + n, DESCENT_CANDIDATES);
	return n;
}

/* errors: of the row's first column in the block, TILE_ROWS apart. */
static void replace_block(book_tile *t, unsigned r, size_t b, const float *target,
                          const book_rounded *with)
{
	const float *w = t->w + r * t->padded + b * TILE_BLOCK;
	float *errors = t->errors + b * TILE_BLOCK * TILE_ROWS + r;
	unsigned j;

	for (j = 0; j < TILE_BLOCK && b * TILE_BLOCK + j < t->feedback->cols; j++) {
		double before = (double)errors[j * TILE_ROWS],
		       now = (double)(w[j] - (target[j] - with->error[j]));

		errors[j * TILE_ROWS] = (float)now;
		t->sum->error += ldexp(now * now - before * before, 2 * t->exponents[r]);
	}
}

static void descend_block(book_tile *t, unsigned r, size_t b, const float *gradient)
{
	const book_descent_block *block = &t->feedback->blocks[b];
	const float *w = t->w + r * t->padded + b * TILE_BLOCK,
	            *errors = t->errors + b * TILE_BLOCK * TILE_ROWS + r;
	float target[TILE_BLOCK], step[TILE_BLOCK], least;
	book_choice choices[DESCENT_CANDIDATES + 1];
	book_rounded rounded[2];
	int n, i, at = 0, best = -1;
	unsigned j;

	multiply(step, gradient, block->inverse);
	least = dot(gradient, step) * 0.9999f;
	for (j = 0; j < TILE_BLOCK; j++) {
		target[j] = w[j] - errors[j * TILE_ROWS] + step[j];
		if (!isfinite(target[j]))
			return;
	}
	n = list_choices(t, r, target, block->variance,
	                 book_get_scale(t->row.tables->book, t->out, r, b), choices);
	for (i = 0; i < n; i++) {
		book_rounded *now = &rounded[!at];

		round_block(now, t->row.tables, target, target, block->variance, block->factor,
		            &choices[i], t->scales[r]);
		if (best < 0 || now->cost < rounded[at].cost) {
			at = !at;
			best = i;
		}
	}
	if (best < 0)
		return;
	sweep_codes(&rounded[at], t->row.tables, target, block, &choices[best], t->scales[r]);
	if (!(rounded[at].cost < least))
		return;
	book_put_block(t->row.tables->book, t->out, r, b, book_scale_byte(&choices[best]),
	               rounded[at].code);
	replace_block(t, r, b, target, &rounded[at]);
}

/* Gradients [16][32] of a block, into corrections: what all errors of its span add to it. */
static void find_gradients(book_tile *tiles, size_t n_tiles, size_t b)
{
	const book_feedback *f = tiles->feedback;
	size_t in_span = f->span / TILE_BLOCK, span = b / in_span, first = span * f->span,
	       width = f->span < f->cols - first ? f->span : f->cols - first,
	       n = book_span_columns(width);

	multiply_panels(tiles, n_tiles, f->moments[span] + b % in_span * TILE_BLOCK * n,
	                TILE_ROWS * n, first, n);
}

static void descend(book_tile *tiles, size_t n)
{
	size_t blocks = divide_up(tiles->feedback->cols, TILE_BLOCK), b;
	book_tile *t;
	unsigned pass, r;

	for (pass = 0; pass < PASSES; pass++)
		for (b = 0; b < blocks; b++) {
			find_gradients(tiles, n, b);
			for (t = tiles; t < tiles + n; t++)
				for (r = 0; r < t->n_rows; r++)
					if (t->scales[r] > 0)
						descend_block(t, r, b,
						              t->corrections + r * TILE_BLOCK);
		}
}

/* ---- the tiles ------------------------------------------------------------------------------ */

static void choose_scales(book_tile *t)
{
	unsigned r;

	for (r = 0; r < t->n_rows; r++) {
		float stored;

		t->row.w = t->w + r * t->padded;
		t->scales[r] = book_find_row_scale(&t->row, t->plan, &t->exponents[r]);
		stored = ldexpf(t->scales[r], t->exponents[r]);
		memcpy(t->out + r * sizeof stored, &stored, sizeof stored);
	}
}

static void encode_blocks(book_tile *tiles, size_t n)
{
	const book_feedback *f = tiles->feedback;
	size_t blocks = divide_up(f->cols, TILE_BLOCK), in_span = f->span / TILE_BLOCK, b, j;
	book_tile *t;
	unsigned r;

	for (b = 0; b < blocks; b++) {
		size_t at = b % in_span;
		const float *panel = f->panels[b / in_span] + book_panel(at);
		float corner[TILE_BLOCK * TILE_BLOCK];

		multiply_panels(tiles, n, panel, book_in_panel(at, 0, TILE_ROWS),
		                (b - at) * TILE_BLOCK, at * TILE_BLOCK);
		for (j = 0; j < TILE_BLOCK * TILE_BLOCK; j++)
			corner[j] = panel[book_in_panel(at, at * TILE_BLOCK + j / TILE_BLOCK,
			                                j % TILE_BLOCK)];
		for (t = tiles; t < tiles + n; t++)
			for (r = 0; r < t->n_rows; r++)
				if (t->scales[r] > 0)
					encode_block(t, r, b, corner);
	}
}

/* scratch: book_feedback_scratch for the tile, and behind it what blocks need, which tiles share.
 */
static void begin_tile(book_tile *t, const float *weights, size_t cols, float *scratch)
{
	unsigned r;

	t->padded = tile_padded(cols);
	t->w = scratch;
	t->errors = t->w + TILE_ROWS * t->padded;
	t->corrections = t->errors + TILE_ROWS * t->padded;
	t->row.importance = t->feedback->variance;
	t->row.blocks = tile_blocks(cols);
	t->row.cols = cols;
	for (r = 0; r < t->n_rows; r++)
		memcpy(t->w + r * t->padded, weights + r * cols, cols * sizeof *weights);
	choose_scales(t);
}

void book_encode_with_feedback(const codebook *book, uint8_t *out, const float *weights,
                               size_t n_rows, size_t cols, const book_encoding *how, float *scratch,
                               tile_error *sums)
{
	book_tile tiles[BOOK_TILES];
	book_tables tables;
	size_t n = divide_up(n_rows, TILE_ROWS), floats = book_feedback_scratch(cols), i;

	book_fill_tables(&tables, book, how->errors);
	memset(scratch, 0, n * floats * sizeof *scratch);
	for (i = 0; i < n; i++) {
		size_t first = i * TILE_ROWS, left = n_rows - first;

		tiles[i] = (book_tile){ .out = out + i * codebook_tile_bytes(book, cols),
			                .n_rows = left < TILE_ROWS ? left : TILE_ROWS,
			                .sum = &sums[i],
			                .feedback = how->feedback,
			                .plan = book_plan_of(book, how->effort),
			                .row = { .tables = &tables,
			                         .needs = (book_needs *)(void *)(scratch +
			                                                         n * floats) } };
		begin_tile(&tiles[i], weights + first * cols, cols, scratch + i * floats);
	}
	encode_blocks(tiles, n);
	if (how->feedback->moments)
		descend(tiles, n);
}
