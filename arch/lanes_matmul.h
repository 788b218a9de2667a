/* lanes_matmul.h - template of the matrix products for q3, q4 and q8 with LANES_TOKENS tokens to a
 * pass; arch/lanes.h says what it is made of */
#ifndef ARCH_LANES_MATMUL_H
#define ARCH_LANES_MATMUL_H

#include "arch/lanes_few.h"
#include "arch/lanes_panel.h"

#ifndef LANES_KEEP_ORDER
#define LANES_KEEP_ORDER(v) ((void)0)
#endif

#ifndef LANES_OWN_DOTS
/* Where each token's accumulators start in each block. */
INLINE void fill_starts(int32_t starts[][PANEL_BLOCKS], const int32_t (*sums)[SLAB_BLOCKS],
                        const int bias, const int tokens)
{
	int t, i;

	for (t = 0; t < tokens; t++)
		for (i = 0; i < PANEL_BLOCKS; i++)
			starts[t][i] = LANES_START - bias * sums[t][i];
}
#endif

/* Adds the panel's blocks to the sums of `tokens` tokens from token t of the group; x begins at
 * that token. full: q8. */
INLINE void multiply_pass(const lanes_panel *p, lanes_slab x, size_t t, size_t n_blocks,
                          const int tokens, const int tiles, const bool full)
{
	const int width = tiles * LANES_PARTS; /* vectors a token */
	lanes_float sums[LANES_TOKENS * LANES_TILES * LANES_PARTS];
	size_t i;
	int v;
#ifdef LANES_OWN_DOTS
	(void)full;
#else
	int32_t starts[LANES_TOKENS][PANEL_BLOCKS];
	int g, k;

	fill_starts(starts, x.sums, full ? LANES_BIAS_FULL : LANES_BIAS_PANEL, tokens);
#endif
	UNROLL
	for (v = 0; v < tokens * width; v++)
		sums[v] = load_sum(p, v % width / LANES_PARTS, t + (size_t)(v / width),
		                   v % LANES_PARTS);
	for (i = 0; i < n_blocks; i++) {
#ifdef LANES_OWN_DOTS
		/* Token by token: its activations stay in registers, the panel comes from L1. */
		const uint8_t *w[LANES_TILES];
		lanes_columns columns;

		UNROLL
		for (v = 0; v < tokens * width; v++) {
			const int tile = v % width / LANES_PARTS;
			const size_t row = (size_t)(v % LANES_PARTS * LANES);
			lanes_float product;

			if (v % width == 0)
				columns = lanes_columns_at(x.codes[v / width] + i * TILE_BLOCK);
			if (v % LANES_PARTS == 0) {
				w[tile] = p->codes[tile][i];
				lanes_reload(w[tile]);
			}
			product = lanes_product(lanes_dot_block(lanes_fill(LANES_START),
			                                        w[tile] + 4 * row, columns),
			                        lanes_load_float(p->magnitude[tile][i] + row),
			                        lanes_load_float(p->offset[tile][i] + row));
			sums[v] = lanes_add(
			        sums[v],
			        lanes_mul(product, lanes_fill_float(x.scales[v / width][i])));
			lanes_barrier(sums[v]);
		}
#else
		lanes_int dots[LANES_TOKENS * LANES_TILES * LANES_PARTS];

		UNROLL
		for (v = 0; v < tokens * width; v++)
			dots[v] = lanes_fill(starts[v / width][i]);
		ROLL for (g = 0; g < 8; g += 4) UNROLL for (k = 0; k < 4 * tokens * width; k++)
		{
			const uint8_t *w = p->codes[k % width / LANES_PARTS][i] +
			                   64 * (g + k / (tokens * width)) +
			                   4 * LANES * (k % LANES_PARTS);
			const int8_t *codes = x.codes[k / width % tokens] + i * TILE_BLOCK + 4 * g;

			v = k % (tokens * width);
			dots[v] = full ? lanes_dot_full(dots[v], lanes_load(w), codes,
			                                k / (tokens * width))
			               : lanes_dot(dots[v], lanes_load(w), codes,
			                           k / (tokens * width));
			LANES_KEEP_ORDER(dots[v]);
		}
		UNROLL
		for (v = 0; v < tokens * width; v++) {
			size_t tile = (size_t)(v % width / LANES_PARTS),
			       row = (size_t)(v % LANES_PARTS * LANES);
			lanes_float product = lanes_product(
			        dots[v], lanes_load_float(p->magnitude[tile][i] + row),
			        lanes_load_float(p->offset[tile][i] + row));

			sums[v] = lanes_add(
			        sums[v],
			        lanes_mul(product, lanes_fill_float(x.scales[v / width][i])));
		}
#endif
	}
	UNROLL
	for (v = 0; v < tokens * width; v++)
		store_sum(p, v % width / LANES_PARTS, t + (size_t)(v / width), v % LANES_PARTS,
		          sums[v]);
}

/* All n tokens with one panel, in passes of nearly equal size; small code has but one size, and
 * takes the rest one by one. */
INLINE void multiply_passes(lanes_panel *p, lanes_slab x, size_t n, size_t n_blocks,
                            const int tiles, const bool full)
{
	size_t passes = (n + LANES_TOKENS - 1) / LANES_TOKENS, pass, t = 0;

	for (pass = 0; t < n; pass++) {
		size_t tokens = !LANES_SMALL            ? (n - t) / (passes - pass)
		                : n - t >= LANES_TOKENS ? LANES_TOKENS
		                                        : 1;

		prefetch_next(p, passes, tiles);
		prefetch_results(p, t + tokens, LANES_TOKENS, tiles);
		switch (tokens) {
#define PASS(count)                                                                                \
	case count:                                                                                \
		multiply_pass(p, slab_from(x, t), t, n_blocks, count, tiles, full);                \
		break;
#if LANES_SMALL && LANES_TOKENS > 1
			PASS(LANES_TOKENS)
#elif !LANES_SMALL
#if LANES_TOKENS >= 6
			PASS(6)
			PASS(5)
#endif
#if LANES_TOKENS >= 4
			PASS(4)
			PASS(3)
#endif
			PASS(2)
#endif
#undef PASS
		default:
			multiply_pass(p, slab_from(x, t), t, n_blocks, 1, tiles, full);
		}
		t += tokens;
	}
}

ONCE static void multiply_panel_book(lanes_panel *p, lanes_slab x, size_t n, size_t n_blocks,
                                     int tiles)
{
	if (LANES_TILES == 1 || tiles == LANES_TILES)
		multiply_passes(p, x, n, n_blocks, LANES_TILES, false);
	else
		multiply_passes(p, x, n, n_blocks, 1, false);
}

#if defined(LANES_OWN_DOTS) || defined(LANES_ONE_DOT)
_Static_assert(LANES_BIAS_PANEL == LANES_BIAS_FULL, "panels of q8 as of q3 and q4");
#define multiply_panel_q8 multiply_panel_book /* the same function once */
#else
ONCE static void multiply_panel_q8(lanes_panel *p, lanes_slab x, size_t n, size_t n_blocks,
                                   int tiles)
{
	if (LANES_TILES == 1 || tiles == LANES_TILES)
		multiply_passes(p, x, n, n_blocks, LANES_TILES, true);
	else
		multiply_passes(p, x, n, n_blocks, 1, true);
}
#endif

INLINE void lanes_matmul(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                         size_t first, size_t end, float *scratch, const enum lanes_type type)
{
	const size_t few = type == LANES_Q8 ? LANES_FEW_MOST_Q8 : LANES_FEW_MOST;

	if (x->n == 1)
		lanes_matvec(y, w, x, first, end, type);
	else if (x->n > few || !lanes_few_tiles(y, ldy, w, x, first, end, scratch, type))
		multiply_tiles((lanes_job){ y, ldy, w, x, (lanes_sums *)(void *)scratch }, first,
		               end, type,
		               type == LANES_Q8 ? multiply_panel_q8 : multiply_panel_book);
}

LANES_PRODUCT(lanes_matmul_q3, lanes_matmul, LANES_Q3)
LANES_PRODUCT(lanes_matmul_q4, lanes_matmul, LANES_Q4)
LANES_PRODUCT(lanes_matmul_q8, lanes_matmul, LANES_Q8)

/* Their entries in the table. */
#define LANES_MATMUL                                                                               \
	.matmul_q3 = lanes_matmul_q3, .matmul_q4 = lanes_matmul_q4, .matmul_q8 = lanes_matmul_q8

#endif
