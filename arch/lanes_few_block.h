/* lanes_few_block.h - template of a block of weights times a few tokens, for arch/lanes_few.h
 *
 * Vectors of weights are looked up one after another, and each is multiplied with all tokens before
 * the next: so what stays in registers is a dot product for each token and vector. A vector's four
 * columns come with four activations in every lane, one load for as many vectors as are multiplied
 * together; loads are what limits wide vectors.
 *
 * As in a panel, shifts are added to the codes; so a token's dot products begin with the same
 * number in all rows, and these are computed once for all tiles.
 */
#ifndef ARCH_LANES_FEW_BLOCK_H
#define ARCH_LANES_FEW_BLOCK_H

#include "arch/lanes_scales.h"

/* The vectors that are multiplied together, `width` of them: all parts of one tile or two. Vector v
 * is a part of tile FEW_TILE(v), from row FEW_ROW(v) on. */
#define FEW_WIDTH   (LANES_FEW_TILES * LANES_PARTS)
#define FEW_TILE(v) ((v) / LANES_PARTS)
#define FEW_ROW(v)  ((v) % LANES_PARTS * LANES)

/* What a pass over a few tokens needs of a block: the same in each tile, `apart` bytes apart. */
typedef struct few_block {
	const uint8_t *codes;
	const uint8_t *scale_bytes; /* q8: magnitudes */
	const lanes_scales *scales; /* q3, q4: of each tile's group */
	size_t apart;
	size_t index; /* in the group */
} few_block;

INLINE const uint8_t *few_codes(const few_block *block, int i, int v)
{
	return block->codes + (size_t)FEW_TILE(v) * block->apart + 64 * i + 4 * FEW_ROW(v);
}

/* dots[t * width + v] += products of the j-th four columns of 16 at x. full: of q8. */
INLINE void few_multiply(lanes_int dots[], const lanes_int w[], const int8_t *x, const int j,
                         const int tokens, const int width, const bool full)
{
	int k;

	UNROLL
	for (k = 0; k < tokens * width; k++) {
		const int8_t *codes = x + FEW_CODES(k / width);

		dots[k] = full ? lanes_dot_full(dots[k], w[k % width], codes, j)
		               : lanes_dot(dots[k], w[k % width], codes, j);
		lanes_barrier(dots[k]);
	}
}

INLINE void few_dots_book(lanes_int dots[], const few_block *block, const lanes_tables *tables,
                          const int8_t *x, const int tokens, const int width,
                          const enum lanes_type type)
{
	lanes_int shift[FEW_WIDTH], bytes[FEW_WIDTH], fourth[FEW_WIDTH], w[FEW_WIDTH];
	int j, v;

	UNROLL
	for (v = 0; v < width; v++)
		shift[v] = lanes_spread(block->scales[FEW_TILE(v)].shift +
		                        block->index * TILE_ROWS + FEW_ROW(v));
	UNROLL
	for (j = 0; j < 4; j++) {
		const lanes_int table = table_of(tables, j, type);

		UNROLL
		for (v = 0; v < width; v++) {
			bytes[v] = load_nibbles(&fourth[v], few_codes(block, 0, v), j, type);
			w[v] = lanes_add_bytes(lanes_lookup(table, lanes_low4(bytes[v])), shift[v]);
		}
		few_multiply(dots, w, x, j, tokens, width, false);
		UNROLL
		for (v = 0; v < width; v++)
			w[v] = lanes_add_bytes(lanes_lookup(table, lanes_high4(bytes[v])),
			                       shift[v]);
		few_multiply(dots, w, x + 16, j, tokens, width, false);
	}
}

INLINE void few_dots_q8(lanes_int dots[], const few_block *block, const int8_t *x, const int tokens,
                        const int width)
{
	const lanes_int bias = lanes_fill_bytes(LANES_BIAS_FULL);
	lanes_int w[FEW_WIDTH];
	int g, v;

	UNROLL
	for (g = 0; g < 8; g++) {
		UNROLL
		for (v = 0; v < width; v++) {
			w[v] = lanes_load(few_codes(block, g, v));
			if (LANES_BIAS_FULL)
				w[v] = lanes_add_bytes(w[v], bias);
		}
		few_multiply(dots, w, x + g / 4 * 16, g % 4, tokens, width, true);
	}
}

INLINE lanes_float few_magnitude(const few_block *block, int v, const enum lanes_type type)
{
	const size_t row = block->index * TILE_ROWS + (size_t)FEW_ROW(v);

	return lanes_to_float(
	        type != LANES_Q8 ? lanes_widen(block->scales[FEW_TILE(v)].magnitude + row)
	                         : lanes_widen_unsigned(block->scale_bytes +
	                                                (size_t)FEW_TILE(v) * block->apart + row));
}

/* Adds the products of a block to sums [tokens][tiles]. */
INLINE void few_add(float (*sums)[TILE_ROWS], const lanes_int dots[], const few_block *block,
                    const float *scales, const int tokens, const int width,
                    const enum lanes_type type)
{
	lanes_float magnitude[FEW_WIDTH];
	int k;

	UNROLL
	for (k = 0; k < width; k++)
		magnitude[k] = few_magnitude(block, k, type);
	UNROLL
	for (k = 0; k < tokens * width; k++) {
		float *sum = sums[FEW_TILE(k)] + FEW_ROW(k);
		lanes_float m = magnitude[k % width],
		            product = lanes_mul(lanes_product(dots[k], m, offset_of(m)),
		                                lanes_fill_float(scales[FEW_SCALES(k / width)]));

		lanes_store_float(sum, lanes_add(lanes_load_float(sum), product));
	}
}

/* Adds a block to sums [tokens][tiles]. */
INLINE void few_add_block(float (*sums)[TILE_ROWS], const few_block *block,
                          const lanes_tables *tables, lanes_few x, const int tokens,
                          const int tiles, const enum lanes_type type)
{
	const int width = tiles * LANES_PARTS;
	lanes_int dots[LANES_FEW * FEW_WIDTH];
	int k;

	UNROLL
	for (k = 0; k < tokens * width; k++)
		dots[k] = lanes_fill(x.starts[FEW_SCALES(k / width)]);
	if (type != LANES_Q8)
		few_dots_book(dots, block, tables, x.codes, tokens, width, type);
	else
		few_dots_q8(dots, block, x.codes, tokens, width);
	few_add(sums, dots, block, x.scales, tokens, width, type);
}

#endif
