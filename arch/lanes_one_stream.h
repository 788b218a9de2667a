/* lanes_one_stream.h - template of the matrix products for processors on which one token's product
 * is fastest as one stream (arch/lanes_matvec.h); arch/lanes.h says what it is made of
 *
 * Several tokens are multiplied as in every set.
 */
#ifndef ARCH_LANES_ONE_STREAM_H
#define ARCH_LANES_ONE_STREAM_H

#include "arch/lanes_matmul.h"

static void lanes_one_stream_q4(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                                size_t first, size_t end, float *scratch)
{
	const lanes_tables tables = make_tables(LANES_BIAS_VECTOR, -LANES_BIAS_VECTOR);

	if (x->n > 1) {
		lanes_matmul_q4(y, ldy, w, x, first, end, scratch);
		return;
	}
	prefetch_start(w->tiles + first * w->tile_bytes);
	for (; first < end; first++)
		multiply_streams_q4(y, w, x, first, 0, &tables, 1, true);
}

static void lanes_one_stream_q8(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                                size_t first, size_t end, float *scratch)
{
	if (x->n > 1) {
		lanes_matmul_q8(y, ldy, w, x, first, end, scratch);
		return;
	}
	prefetch_start(w->tiles + first * w->tile_bytes);
	for (; first < end; first++)
		multiply_streams_q8(y, w, x, first, 0, 1, true);
}

#ifdef ARCH_LANES_F16_H
static void lanes_one_stream_f16(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                                 size_t first, size_t end, float *scratch)
{
	if (x->n > 1) {
		lanes_matmul_f16(y, ldy, w, x, first, end, scratch);
		return;
	}
	prefetch_start(w->tiles + first * w->tile_bytes);
	for (; first < end; first++)
		multiply_tile_f16(y + first * TILE_ROWS, ldy, w->tiles + first * w->tile_bytes,
		                  x->floats, w->blocks, 1, true);
}
#endif

/* Their entries in the table. */
#define LANES_ONE_STREAM     .one_stream_q4 = lanes_one_stream_q4, .one_stream_q8 = lanes_one_stream_q8
#define LANES_ONE_STREAM_ALL LANES_ONE_STREAM, .one_stream_f16 = lanes_one_stream_f16

#endif
