/* lanes_vector.h - template of the kernels that go element by element; arch/lanes.h says what it is
 * made of */
#ifndef ARCH_LANES_VECTOR_H
#define ARCH_LANES_VECTOR_H

#include <math.h>

#include "arch/lanes_math.h"

#define BLOCK_VECTORS ((int)TILE_BLOCK / LANES)

/* Bits of the largest absolute value. As integers they are in the order of the values, with
 * infinities and NaN above everything finite. n is a multiple of LANES. */
INLINE int32_t largest_bits(const float *x, size_t n)
{
	lanes_int most = lanes_fill(0);
	size_t i;

	for (i = 0; i < n; i += LANES)
		most = lanes_max_int(most, lanes_and(lanes_as_int(lanes_load_float(x + i)),
		                                     lanes_fill(0x7fffffff)));
	return lanes_largest_int(most);
}

/* The block's codes; returns their sum. */
INLINE int32_t quantize_block(int8_t *codes, const float *x, float inverse)
{
	lanes_int c[BLOCK_VECTORS], sum;
	int i;

	UNROLL
	for (i = 0; i < BLOCK_VECTORS; i++)
		c[i] = lanes_round(
		        lanes_mul(lanes_load_float(x + LANES * i), lanes_fill_float(inverse)));
	sum = c[0];
	UNROLL
	for (i = 1; i < BLOCK_VECTORS; i++)
		sum = lanes_add_int(sum, c[i]);
	lanes_narrow(codes, c);
	return lanes_sum_int(sum);
}

static void lanes_quantize(int8_t *codes, float *scales, int32_t *sums, const float *x,
                           size_t n_blocks)
{
	size_t b;

	for (b = 0; b < n_blocks; b++, codes += TILE_BLOCK, x += TILE_BLOCK) {
		int32_t bits = largest_bits(x, TILE_BLOCK);
		float largest;

		memcpy(&largest, &bits, sizeof largest);
		if (!(largest >= 1e-30f && bits < 0x7f800000)) {
			memset(codes, 0, TILE_BLOCK);
			scales[b] = 0;
			sums[b] = 0;
			continue;
		}
		scales[b] = largest / 127;
		sums[b] = quantize_block(codes, x, 127 / largest);
	}
}

static float lanes_quantize_head(int8_t *codes, const float *head, size_t head_dim, size_t dim)
{
	float padded[ARCH_HEAD_DIM_MAX + TILE_BLOCK], largest;
	int8_t rounded[ARCH_HEAD_DIM_MAX + TILE_BLOCK];
	size_t whole = round_up_size(dim, TILE_BLOCK), i;
	int32_t bits;

	memcpy(padded, head, head_dim * sizeof *head);
	memset(padded + head_dim, 0, (whole - head_dim) * sizeof *head);
	bits = largest_bits(padded, whole);
	memcpy(&largest, &bits, sizeof largest);
	if (!(largest >= 1e-30f && bits < 0x7f800000)) {
		memset(codes, 0, dim);
		return 0;
	}
	for (i = 0; i < whole; i += TILE_BLOCK)
		(void)quantize_block(rounded + i, padded + i, 127 / largest);
	memcpy(codes, rounded, dim);
	return largest / 127;
}

static void lanes_turn(float *head, const float *cosines, const float *sines, size_t half)
{
	size_t i;

	for (i = 0; i + LANES <= half; i += LANES) {
		lanes_float a = lanes_load_float(head + i), b = lanes_load_float(head + half + i);
		lanes_float c = lanes_load_float(cosines + i), s = lanes_load_float(sines + i);

		lanes_store_float(head + i, lanes_sub(lanes_mul(a, c), lanes_mul(b, s)));
		lanes_store_float(head + half + i, lanes_add(lanes_mul(b, c), lanes_mul(a, s)));
	}
	for (; i < half; i++) {
		float a = head[i], b = head[half + i];

		head[i] = a * cosines[i] - b * sines[i];
		head[half + i] = b * cosines[i] + a * sines[i];
	}
}

static void lanes_norm(float *y, const float *x, const float *weight, size_t dim, float eps)
{
	float lanes[TILE_ROWS], scale;
	lanes_float sums[LANES_PARTS];
	size_t i;
	int part;

	for (part = 0; part < LANES_PARTS; part++)
		sums[part] = lanes_fill_float(0);
	for (i = 0; i + TILE_ROWS <= dim; i += TILE_ROWS)
		UNROLL
	for (part = 0; part < LANES_PARTS; part++) {
		lanes_float v = lanes_load_float(x + i + (size_t)(LANES * part));

		sums[part] = lanes_add(sums[part], lanes_mul(v, v));
	}
	for (part = 0; part < LANES_PARTS; part++)
		lanes_store_float(lanes + LANES * part, sums[part]);
	for (; i < dim; i++)
		lanes[i % TILE_ROWS] += x[i] * x[i];
	scale = 1 / sqrtf(math_add_lanes(lanes) / (float)dim + eps);
	for (i = 0; i + LANES <= dim; i += LANES)
		lanes_store_float(y + i, lanes_mul(lanes_mul(lanes_load_float(x + i),
		                                             lanes_fill_float(scale)),
		                                   lanes_load_float(weight + i)));
	for (; i < dim; i++)
		y[i] = x[i] * scale * weight[i];
}

static void lanes_silu(float *gate, const float *up, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += LANES) {
		lanes_float x = lanes_load_float(gate + i),
		            e = lanes_exp(lanes_mul(x, lanes_fill_float(-1)));

		lanes_store_float(gate + i,
		                  lanes_mul(lanes_div(x, lanes_add(lanes_fill_float(1), e)),
		                            lanes_load_float(up + i)));
	}
}

static void lanes_add_vector(float *x, const float *y, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += LANES)
		lanes_store_float(x + i,
		                  lanes_add(lanes_load_float(x + i), lanes_load_float(y + i)));
}

#endif
