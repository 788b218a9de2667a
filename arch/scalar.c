/* scalar.c - the definition of every kernel, in plain C
 *
 * Written to be clear rather than fast. But machines without a set of their own run it, so loops
 * have forms that compilers vectorize.
 */
#include "arch/kernels.h"

#include <math.h>
#include <string.h>

#include "arch/math.h"
#include "arch/segment.h"
#include "quant/f16.h"
#include "quant/half.h"
#include "quant/q3.h"
#include "quant/q4.h"
#include "quant/q8.h"

#define LANES TILE_ROWS

static bool scalar_supported(const arch_cpu *cpu)
{
	(void)cpu;
	return true;
}

/* One block of 16 rows as small integers, with the magnitude that multiplies each row's dot
 * product. */
typedef struct scalar_block {
	int8_t w[TILE_ROWS][TILE_BLOCK];
	int32_t magnitude[TILE_ROWS];
} scalar_block;

static void load_book_block(scalar_block *block, const codebook *book, const uint8_t *tile,
                            size_t b)
{
	uint8_t code[TILE_BLOCK];
	unsigned row, i;

	for (row = 0; row < TILE_ROWS; row++) {
		uint8_t scale = tile[codebook_scales(book, b) + row];

		book->unpack(code, tile + codebook_codes(book, b), row);
		block->magnitude[row] = codebook_magnitude(book, scale);
		for (i = 0; i < TILE_BLOCK; i++)
			block->w[row][i] =
			        (int8_t)(book->values[code[i]] + codebook_shift(book, scale));
	}
}

static void load_q4_block(scalar_block *block, const uint8_t *tile, size_t b)
{
	load_book_block(block, &q4_book, tile, b);
}

static void load_q3_block(scalar_block *block, const uint8_t *tile, size_t b)
{
	load_book_block(block, &q3_book, tile, b);
}

static void load_q8_block(scalar_block *block, const uint8_t *tile, size_t b)
{
	const uint8_t *group = tile + TILE_HEAD + b / TILE_BLOCKS * Q8_GROUP_BYTES;
	const uint8_t *codes = group + TILE_SCALES + b % TILE_BLOCKS * Q8_BLOCK_BYTES;
	unsigned row, i;

	for (row = 0; row < TILE_ROWS; row++) {
		block->magnitude[row] = group[b % TILE_BLOCKS * TILE_ROWS + row];
		for (i = 0; i < TILE_BLOCK; i++)
			block->w[row][i] = (int8_t)codes[i / 4 * 64 + row * 4 + i % 4];
	}
}

static void add_block(float sums[TILE_ROWS], const scalar_block *block, const int8_t *codes,
                      float scale)
{
	unsigned row, i;

	for (row = 0; row < TILE_ROWS; row++) {
		int32_t dot = 0;

		for (i = 0; i < TILE_BLOCK; i++)
			dot += block->w[row][i] * codes[i];
		sums[row] += (float)(block->magnitude[row] * dot) * scale;
	}
}

typedef void load_block(scalar_block *block, const uint8_t *tile, size_t b);

static void matmul_integer(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                           size_t first, size_t end, load_block *load)
{
	scalar_block block;
	size_t tile, b, t;
	unsigned row;

	for (tile = first; tile < end; tile++) {
		const uint8_t *bytes = w->tiles + tile * w->tile_bytes;
		float row_scale[TILE_ROWS];

		for (t = 0; t < x->n; t++)
			memset(y + t * ldy + tile * TILE_ROWS, 0, TILE_ROWS * sizeof *y);
		for (b = 0; b < w->blocks; b++) {
			load(&block, bytes, b);
			for (t = 0; t < x->n; t++)
				add_block(y + t * ldy + tile * TILE_ROWS, &block,
				          x->codes + vectors_at(x, t, b) * TILE_BLOCK,
				          x->scales[vectors_at(x, t, b)]);
		}
		memcpy(row_scale, bytes, sizeof row_scale);
		for (t = 0; t < x->n; t++)
			for (row = 0; row < TILE_ROWS; row++)
				y[t * ldy + tile * TILE_ROWS + row] *= row_scale[row];
	}
}

static void scalar_matmul_q4(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                             size_t first, size_t end, float *scratch)
{
	(void)scratch;
	matmul_integer(y, ldy, w, x, first, end, load_q4_block);
}

static void scalar_matmul_q3(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                             size_t first, size_t end, float *scratch)
{
	(void)scratch;
	matmul_integer(y, ldy, w, x, first, end, load_q3_block);
}

static void scalar_matmul_q8(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                             size_t first, size_t end, float *scratch)
{
	(void)scratch;
	matmul_integer(y, ldy, w, x, first, end, load_q8_block);
}

/* Block sums from zero, then added in order: two levels keep the rounding error of long rows
 * small. */
static void scalar_matmul_f16(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                              size_t first, size_t end, float *scratch)
{
	size_t tile, b, t;
	unsigned row, i;

	(void)scratch;
	for (tile = first; tile < end; tile++) {
		for (t = 0; t < x->n; t++)
			memset(y + t * ldy + tile * TILE_ROWS, 0, TILE_ROWS * sizeof *y);
		for (b = 0; b < w->blocks; b++) {
			const uint8_t *halves =
			        w->tiles + tile * w->tile_bytes + b * TILE_BLOCK * F16_COLUMN_BYTES;
			float weights[TILE_BLOCK][TILE_ROWS];

			for (i = 0; i < TILE_BLOCK * TILE_ROWS; i++) {
				uint16_t half;

				memcpy(&half, halves + 2 * i, sizeof half);
				weights[i / TILE_ROWS][i % TILE_ROWS] = half_decode(half);
			}
			for (t = 0; t < x->n; t++) {
				const float *floats = x->floats + (t * x->blocks + b) * TILE_BLOCK;
				float sums[TILE_ROWS] = { 0 },
				      *out = y + t * ldy + tile * TILE_ROWS;

				for (i = 0; i < TILE_BLOCK; i++)
					for (row = 0; row < TILE_ROWS; row++)
						sums[row] += weights[i][row] * floats[i];
				for (row = 0; row < TILE_ROWS; row++)
					out[row] += sums[row];
			}
		}
	}
}

static void scalar_quantize(int8_t *codes, float *scales, int32_t *sums, const float *x,
                            size_t n_blocks)
{
	size_t b;
	unsigned i;

	for (b = 0; b < n_blocks; b++, codes += TILE_BLOCK, x += TILE_BLOCK) {
		/* As integers, bits of absolute values are in the order of the values, with
		 * infinities and NaN above everything finite. */
		uint32_t largest_bits = 0;
		float largest, inverse;
		int32_t sum = 0;

		for (i = 0; i < TILE_BLOCK; i++) {
			uint32_t bits = half_to_bits(x[i]) & 0x7fffffff;

			largest_bits = bits > largest_bits ? bits : largest_bits;
		}
		largest = half_from_bits(largest_bits);
		if (!(largest >= 1e-30f && largest_bits < 0x7f800000)) {
			memset(codes, 0, TILE_BLOCK);
			scales[b] = 0;
			sums[b] = 0;
			continue;
		}
		scales[b] = largest / 127;
		inverse = 127 / largest;
		for (i = 0; i < TILE_BLOCK; i++) {
			int32_t code = (int32_t)round_even(x[i] * inverse);

			codes[i] = (int8_t)code;
			sum += code;
		}
		sums[b] = sum;
	}
}

static float scalar_quantize_head(int8_t *codes, const float *head, size_t head_dim, size_t dim)
{
	uint32_t largest_bits = 0;
	float largest, inverse;
	size_t i;

	memset(codes, 0, dim);
	for (i = 0; i < head_dim; i++) {
		uint32_t bits = half_to_bits(head[i]) & 0x7fffffff;

		largest_bits = bits > largest_bits ? bits : largest_bits;
	}
	largest = half_from_bits(largest_bits);
	if (!(largest >= 1e-30f && largest_bits < 0x7f800000))
		return 0;
	inverse = 127 / largest;
	for (i = 0; i < head_dim; i++)
		codes[i] = (int8_t)round_even(head[i] * inverse);
	return largest / 127;
}

static void scalar_turn(float *head, const float *cosines, const float *sines, size_t half)
{
	size_t i;

	for (i = 0; i < half; i++) {
		float a = head[i], b = head[half + i];

		head[i] = a * cosines[i] - b * sines[i];
		head[half + i] = b * cosines[i] + a * sines[i];
	}
}

static void scalar_norm(float *y, const float *x, const float *weight, size_t dim, float eps)
{
	float lanes[LANES] = { 0 }, scale;
	size_t i;

	for (i = 0; i < dim; i++)
		lanes[i % LANES] += x[i] * x[i];
	scale = 1 / sqrtf(math_add_lanes(lanes) / (float)dim + eps);
	for (i = 0; i < dim; i++)
		y[i] = x[i] * scale * weight[i];
}

static void scalar_silu(float *gate, const float *up, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		gate[i] = gate[i] / (1 + math_exp(-gate[i])) * up[i];
}

static void scalar_add(float *x, const float *y, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		x[i] += y[i];
}

static int32_t key_dot(const int8_t *query, const int8_t *span, unsigned position, size_t dim)
{
	int32_t dot = 0;
	size_t d;

	for (d = 0; d < dim; d++)
		dot += query[d] * span[span_key(dim, position, d) + d % 4];
	return dot;
}

/* Scores of the attended positions of a segment; returns the largest. */
static float score_segment(const arch_attention *job, unsigned q, float *scores)
{
	float largest = -INFINITY;
	unsigned p;

	for (p = job->first[q]; p < job->end[q]; p++) {
		const uint8_t *span = job->spans[p / SPAN_POSITIONS];
		const float *key_scales =
		        (const float *)(const void *)(span + span_key_scales(job->dim));
		int32_t dot = key_dot(job->queries + q * job->dim, (const int8_t *)span,
		                      p % SPAN_POSITIONS, job->dim);

		scores[p] = (float)dot * (job->query_scales[q] * key_scales[p % SPAN_POSITIONS]);
		largest = scores[p] > largest ? scores[p] : largest;
	}
	return largest;
}

/* Adds the values of one span, weighted by p [32]: the weights times the values' scales are rounded
 * to 7 bits of the largest. */
static void add_values(float *sum, const uint8_t *span, const float p[SPAN_POSITIONS], size_t dim)
{
	const float *value_scale = (const float *)(const void *)(span + span_value_scales(dim));
	float weights[SPAN_POSITIONS], largest = 0;
	int32_t codes[SPAN_POSITIONS];
	unsigned j;
	size_t d;

	for (j = 0; j < SPAN_POSITIONS; j++) {
		weights[j] = p[j] * value_scale[j];
		largest = weights[j] > largest ? weights[j] : largest;
	}
	if (!(largest >= 1e-30f && largest <= 1e30f))
		return;
	for (j = 0; j < SPAN_POSITIONS; j++)
		codes[j] = (int32_t)round_even(weights[j] * (127 / largest));
	for (d = 0; d < dim; d++) {
		int32_t dot = 0;

		for (j = 0; j < SPAN_POSITIONS; j++)
			dot += codes[j] * (int8_t)span[span_value(dim, j, d)];
		sum[d] += (float)dot * (largest / 127);
	}
}

static void scalar_attend(const arch_attention *job)
{
	unsigned q, s, j;

	for (q = 0; q < job->n_queries; q++) {
		float *scores = job->scores + q * SEGMENT_POSITIONS,
		      largest = score_segment(job, q, scores);
		float lanes[LANES] = { 0 }, segment[ARCH_HEAD_DIM_MAX] = { 0 };

		for (s = job->first[q] / SPAN_POSITIONS; s * SPAN_POSITIONS < job->end[q]; s++) {
			float p[SPAN_POSITIONS];

			for (j = 0; j < SPAN_POSITIONS; j++) {
				unsigned at = s * SPAN_POSITIONS + j;

				p[j] = at >= job->first[q] && at < job->end[q]
				               ? math_exp(scores[at] - largest)
				               : 0;
				lanes[j % LANES] += p[j];
			}
			add_values(segment, job->spans[s], p, job->dim);
		}
		segment_merge(&job->attended[q], job->sums + q * job->dim, largest,
		              math_add_lanes(lanes), segment, job->dim);
	}
}

const arch_kernels arch_scalar = { .name = "scalar",
	                           .supported = scalar_supported,
	                           .matmul_q4 = scalar_matmul_q4,
	                           .matmul_q3 = scalar_matmul_q3,
	                           .matmul_q8 = scalar_matmul_q8,
	                           .matmul_f16 = scalar_matmul_f16,
	                           .quantize = scalar_quantize,
	                           .quantize_head = scalar_quantize_head,
	                           .turn = scalar_turn,
	                           .norm = scalar_norm,
	                           .silu = scalar_silu,
	                           .add = scalar_add,
	                           .attend = scalar_attend };
