/* lanes_one_stream.h - template of the matrix products for processors on which one token's product
 * is fastest as one stream (arch/lanes_matvec.h); arch/lanes.h says what it is made of
 *
 * Several tokens are multiplied as in every set.
 */
#ifndef ARCH_LANES_ONE_STREAM_H
#define ARCH_LANES_ONE_STREAM_H

#include "arch/lanes_matmul.h"

/* several: the product with several tokens. */
INLINE void multiply_one_stream(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                                size_t first, size_t end, float *scratch,
                                const enum lanes_type type, arch_matmul *several)
{
	const lanes_tables tables = make_tables(type, LANES_BIAS_VECTOR, -LANES_BIAS_VECTOR);

	if (x->n > 1) {
		several(y, ldy, w, x, first, end, scratch);
		return;
	}
	prefetch_start(w->tiles + first * w->tile_bytes);
	for (; first < end; first++)
		if (type == LANES_Q8)
			multiply_streams_q8(y, w, x, first, 0, 1, true);
		else
			multiply_streams_book(y, w, x, first, 0, &tables, type, 1, true);
}

LANES_PRODUCT(lanes_one_stream_q3, multiply_one_stream, LANES_Q3, lanes_matmul_q3)
LANES_PRODUCT(lanes_one_stream_q4, multiply_one_stream, LANES_Q4, lanes_matmul_q4)
LANES_PRODUCT(lanes_one_stream_q8, multiply_one_stream, LANES_Q8, lanes_matmul_q8)

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
#define LANES_ONE_STREAM                                                                           \
	.one_stream_q3 = lanes_one_stream_q3, .one_stream_q4 = lanes_one_stream_q4,                \
	.one_stream_q8 = lanes_one_stream_q8
#define LANES_ONE_STREAM_ALL LANES_ONE_STREAM, .one_stream_f16 = lanes_one_stream_f16

#endif
