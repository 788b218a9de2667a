/* lanes_f16.h - template of the matrix product for f16; arch/lanes.h says what it is made of
 *
 * Block sums from zero, then added in order, as arch/scalar.c defines: nothing is fused.
 */
#ifndef ARCH_LANES_F16_H
#define ARCH_LANES_F16_H

#include "arch/lanes_prefetch.h"
#include "quant/f16.h"

#define F16_TOKENS   4
#define F16_PREFETCH 4096
#define F16_LINES    (TILE_BLOCK * F16_COLUMN_BYTES / 64) /* of a block */

INLINE void multiply_tile_f16(float *y, size_t ldy, const uint8_t *tile, const float *floats,
                              size_t blocks, const int tokens, const bool one_stream)
{
	lanes_float sums[F16_TOKENS][LANES_PARTS];
	int t, part;
	size_t b;
	unsigned i;

	for (t = 0; t < tokens; t++)
		for (part = 0; part < LANES_PARTS; part++)
			sums[t][part] = lanes_fill_float(0);
	for (b = 0; b < blocks; b++) {
		const uint8_t *halves = tile + b * TILE_BLOCK * F16_COLUMN_BYTES;
		const float *x = floats + b * TILE_BLOCK;
		lanes_float block[F16_TOKENS][LANES_PARTS];

		if (one_stream) {
			prefetch_first(halves, true);
			prefetch_lines(halves + 64, F16_LINES - 1, true);
		}
		for (i = 0; tokens == 1 && !one_stream && i < F16_LINES; i++)
			lanes_prefetch(halves + F16_PREFETCH + 64 * i);
		UNROLL
		for (t = 0; t < tokens; t++)
			UNROLL
		for (part = 0; part < LANES_PARTS; part++)
			block[t][part] = lanes_fill_float(0);
		for (i = 0; i < TILE_BLOCK; i++) {
			lanes_float w[LANES_PARTS];

			UNROLL
			for (part = 0; part < LANES_PARTS; part++)
				w[part] = lanes_load_half(halves + i * F16_COLUMN_BYTES +
				                          (size_t)(2 * LANES * part));
			UNROLL
			for (t = 0; t < tokens; t++) {
				lanes_float value =
				        lanes_fill_float(x[(size_t)t * blocks * TILE_BLOCK + i]);

				UNROLL
				for (part = 0; part < LANES_PARTS; part++)
					block[t][part] = lanes_add(block[t][part],
					                           lanes_mul(w[part], value));
			}
		}
		UNROLL
		for (t = 0; t < tokens; t++)
			UNROLL
		for (part = 0; part < LANES_PARTS; part++)
			sums[t][part] = lanes_add(sums[t][part], block[t][part]);
	}
	for (t = 0; t < tokens; t++)
		for (part = 0; part < LANES_PARTS; part++)
			lanes_store_float(y + (size_t)t * ldy + (size_t)(LANES * part),
			                  sums[t][part]);
}

static void lanes_matmul_f16(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                             size_t first, size_t end, float *scratch)
{
	size_t tile, t, row = x->blocks * TILE_BLOCK;

	(void)scratch;
	for (tile = first; tile < end; tile++) {
		const uint8_t *bytes = w->tiles + tile * w->tile_bytes;
		float *out = y + tile * TILE_ROWS;

		for (t = 0; t + F16_TOKENS <= x->n; t += F16_TOKENS)
			multiply_tile_f16(out + t * ldy, ldy, bytes, x->floats + t * row, w->blocks,
			                  F16_TOKENS, false);
		if (x->n - t == 3)
			multiply_tile_f16(out + t * ldy, ldy, bytes, x->floats + t * row, w->blocks,
			                  3, false);
		else if (x->n - t == 2)
			multiply_tile_f16(out + t * ldy, ldy, bytes, x->floats + t * row, w->blocks,
			                  2, false);
		else if (x->n - t == 1)
			multiply_tile_f16(out + t * ldy, ldy, bytes, x->floats + t * row, w->blocks,
			                  1, false);
	}
}

#endif
