/* lanes_few.h - template of the products of q4 and q8 with a few tokens; arch/lanes.h says what it
 * is made of
 *
 * Memory is the limit still, or nearly: tiles are read once, in order, as with one token, and each
 * vector of weights is multiplied with all tokens of a pass before the next is looked up. Sums wait
 * in L1 between groups, so that every pass and every part of the rows has all registers.
 *
 * As in a panel, shifts are added to the codes; so a token's dot products begin with the same
 * number in all rows, and these are computed once for all tiles.
 */
#ifndef ARCH_LANES_FEW_H
#define ARCH_LANES_FEW_H

#include "arch/lanes_matvec.h"

/* Tokens of a pass. */
#ifndef LANES_FEW
#define LANES_FEW 2
#endif
/* Most tokens in this way: with more, decoding a panel once is cheaper. Small code has panels
 * alone. */
#ifndef LANES_FEW_MOST
#ifdef __OPTIMIZE_SIZE__
#define LANES_FEW_MOST 1
#else
#define LANES_FEW_MOST 2
#endif
#endif

/* Activations of a few tokens at one block. */
typedef struct lanes_few {
	const int8_t *codes;   /* a token's are SLAB_BLOCKS * TILE_BLOCK further */
	const float *scales;   /* SLAB_BLOCKS further */
	const int32_t *starts; /* with LANES_OWN_FEW: sums of the codes */
} lanes_few;

#define FEW_CODES(t)  ((size_t)(t)*SLAB_BLOCKS * TILE_BLOCK)
#define FEW_SCALES(t) ((size_t)(t)*SLAB_BLOCKS)

/* Numbers with which dot products begin, in the order of x->sums; NULL: there is no room. */
INLINE const int32_t *few_starts(const arch_vectors *x, const int bias, float *scratch)
{
#ifdef LANES_OWN_FEW
	(void)bias, (void)scratch;
	return x->sums;
#else
	int32_t *starts = (int32_t *)(void *)scratch;
	size_t n = vectors_slabs(x->blocks) * x->n * SLAB_BLOCKS, i;

	if (n > ARCH_SCRATCH)
		return NULL;
	for (i = 0; i < n; i++)
		starts[i] = LANES_START - bias * x->sums[i];
	return starts;
#endif
}

INLINE lanes_few few_at(const arch_vectors *x, const int32_t *starts, size_t t, size_t b)
{
	size_t at = vectors_at(x, t, b);

	return (lanes_few){ x->codes + at * TILE_BLOCK, x->scales + at, starts + at };
}

#ifdef LANES_OWN_FEW
INLINE void few_group(float (*sums)[TILE_ROWS], const uint8_t *group, const lanes_scales *scales,
                      lanes_int table, lanes_few x, const int tokens);
#else
/* dots[t] += products of LANES rows of a block of q4. */
INLINE void few_dots_q4(lanes_int dots[], const uint8_t *codes, lanes_int shift, lanes_int table,
                        const int8_t *x, const int tokens)
{
	int j, t;

	UNROLL
	for (j = 0; j < 4; j++) {
		lanes_int bytes = lanes_load(codes + 64 * j),
		          low = lanes_add_bytes(lanes_lookup(table, lanes_low4(bytes)), shift),
		          high = lanes_add_bytes(lanes_lookup(table, lanes_high4(bytes)), shift);

		UNROLL
		for (t = 0; t < tokens; t++)
			dots[t] = lanes_dot(dots[t], low, x + FEW_CODES(t), j);
		UNROLL
		for (t = 0; t < tokens; t++)
			dots[t] = lanes_dot(dots[t], high, x + FEW_CODES(t) + 16, j);
	}
}

INLINE void few_dots_q8(lanes_int dots[], const uint8_t *codes, const int8_t *x, const int tokens)
{
	const lanes_int bias = lanes_fill_bytes(LANES_BIAS_FULL);
	int g, t;

	UNROLL
	for (g = 0; g < 8; g++) {
		lanes_int bytes = lanes_load(codes + 64 * g);

		if (LANES_BIAS_FULL)
			bytes = lanes_add_bytes(bytes, bias);
		UNROLL
		for (t = 0; t < tokens; t++)
			dots[t] = lanes_dot_full(dots[t], bytes, x + FEW_CODES(t) + g / 4 * 16,
			                         g % 4);
	}
}

/* Adds a group to the sums of `tokens` tokens. scales: of q4. */
INLINE void few_group(float (*sums)[TILE_ROWS], const uint8_t *group, const lanes_scales *scales,
                      lanes_int table, lanes_few x, const int tokens)
{
	const uint8_t *codes = group + (scales ? Q4_GROUP_SCALES : Q8_GROUP_SCALES);
	unsigned i;
	int part, t;

	UNROLL
	for (part = 0; part < LANES_PARTS; part++) {
		lanes_float sum[LANES_FEW];

		UNROLL
		for (t = 0; t < tokens; t++)
			sum[t] = lanes_load_float(sums[t] + LANES * part);
		UNROLL
		for (i = 0; i < TILE_BLOCKS; i++) {
			const size_t row = i * TILE_ROWS + (size_t)(LANES * part);
			lanes_int dots[LANES_FEW];
			lanes_float m = lanes_to_float(scales ? lanes_widen(scales->magnitude + row)
			                                      : lanes_widen_unsigned(group + row)),
			            offset = offset_of(m);

			UNROLL
			for (t = 0; t < tokens; t++)
				dots[t] = lanes_fill(x.starts[FEW_SCALES(t) + i]);
			if (scales)
				few_dots_q4(dots, codes + i * Q4_BLOCK_BYTES + 4 * LANES * part,
				            lanes_spread(scales->shift + row), table,
				            x.codes + i * TILE_BLOCK, tokens);
			else
				few_dots_q8(dots, codes + i * Q8_BLOCK_BYTES + 4 * LANES * part,
				            x.codes + i * TILE_BLOCK, tokens);
			UNROLL
			for (t = 0; t < tokens; t++)
				sum[t] = lanes_add(
				        sum[t],
				        lanes_mul(lanes_product(dots[t], m, offset),
				                  lanes_fill_float(x.scales[FEW_SCALES(t) + i])));
		}
		UNROLL
		for (t = 0; t < tokens; t++)
			lanes_store_float(sums[t] + LANES * part, sum[t]);
	}
}

#endif

/* The same for any number up to LANES_FEW. */
INLINE void few_pass(float (*sums)[TILE_ROWS], const uint8_t *group, const lanes_scales *scales,
                     lanes_int table, lanes_few x, size_t tokens)
{
	switch (tokens) {
#define FEW(count)                                                                                 \
	case count:                                                                                \
		few_group(sums, group, scales, table, x, count);                                   \
		break;
#if LANES_FEW >= 8
		FEW(8)
		FEW(7)
#endif
#if LANES_FEW >= 6
		FEW(6)
		FEW(5)
#endif
#if LANES_FEW >= 4
		FEW(4)
		FEW(3)
#endif
		FEW(2)
#undef FEW
	default:
		few_group(sums, group, scales, table, x, 1);
	}
}

INLINE void few_tile(float *y, size_t ldy, const uint8_t *tile, const arch_vectors *x,
                     const int32_t *starts, const lanes_tables *tables, const bool q4)
{
	const size_t group_bytes = q4 ? Q4_GROUP_BYTES : Q8_GROUP_BYTES,
	             passes = (x->n + LANES_FEW - 1) / LANES_FEW;
	const uint8_t *group = tile + (q4 ? Q4_TILE_HEAD : Q8_TILE_HEAD);
	float sums[LANES_FEW_MOST][TILE_ROWS] __attribute__((aligned(64)));
	size_t b, t, pass, tokens;
	int part;

	memset(sums, 0, x->n * sizeof sums[0]);
	for (b = 0; b < x->blocks; b += TILE_BLOCKS, group += group_bytes) {
		lanes_scales scales;

		prefetch_first(group, true);
		prefetch_lines(group + 64,
		               (unsigned)(q4 ? Q4_GROUP_BYTES : Q8_GROUP_BYTES) / 64 - 1, true);
		if (q4)
			read_scales(&scales, group, tables);
		for (t = 0, pass = 0; pass < passes; pass++, t += tokens) {
			tokens = (x->n - t) / (passes - pass);
			few_pass(sums + t, group, q4 ? &scales : NULL, tables->codes,
			         few_at(x, starts, t, b), tokens);
		}
	}
	for (t = 0; t < x->n; t++)
		for (part = 0; part < LANES_PARTS; part++)
			lanes_store_float(
			        y + t * ldy + (size_t)(LANES * part),
			        lanes_mul(lanes_load_float(sums[t] + LANES * part),
			                  lanes_load_float((const float *)(const void *)tile +
			                                   LANES * part)));
}

/* False: not done, because scratch is too small for the rows, or never done. */
INLINE bool lanes_few_tiles(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                            size_t first, size_t end, float *scratch, const bool q4)
{
	const lanes_tables tables = make_tables(0, LANES_BIAS_PANEL);
	const int32_t *starts =
	        LANES_FEW_MOST > 1 ? few_starts(x, q4 ? LANES_BIAS_PANEL : LANES_BIAS_FULL, scratch)
	                           : NULL;

	if (!starts)
		return false;
	prefetch_start(w->tiles + first * w->tile_bytes);
	for (; first < end; first++)
		few_tile(y + first * TILE_ROWS, ldy, w->tiles + first * w->tile_bytes, x, starts,
		         &tables, q4);
	return true;
}

#endif
