/* lanes_attend.h - template of attention over one segment of the int8 ring; arch/lanes.h says what
 * it is made of
 *
 * Spans are the outer loop and queries the inner one, LANES_QUERIES at a time: a key or value is
 * loaded once for all of a group. Positions that a query does not attend to get the score
 * -infinity, whose exp is exactly 0, and so change no sum.
 */
#ifndef ARCH_LANES_ATTEND_H
#define ARCH_LANES_ATTEND_H

#include "arch/lanes_math.h"
#include "arch/segment.h"

#include <math.h>

#define SPAN_VECTORS ((int)SPAN_POSITIONS / LANES)
#define VECTORS      2 /* of positions or dimensions in one pass */

typedef struct span_view {
	const uint8_t *keys;
	const int8_t *values;
	const float *key_scales, *value_scales;
} span_view;

INLINE span_view view_span(const uint8_t *span, size_t dim)
{
	return (span_view){ span, (const int8_t *)span + span_values(dim),
		            (const float *)(const void *)(span + span_key_scales(dim)),
		            (const float *)(const void *)(span + span_value_scales(dim)) };
}

/* Scores of n queries with the 32 positions of a span; starts: where their sums begin. */
INLINE void score_queries(const arch_attention *job, unsigned first, unsigned span,
                          const int32_t *starts, const int n)
{
	const lanes_int bias = lanes_fill_bytes(LANES_BIAS_FULL);
	span_view view = view_span(job->spans[span], job->dim);
	int q, v, k, from;
	size_t g;

	for (from = 0; from < SPAN_VECTORS; from += VECTORS) {
		lanes_int dots[LANES_QUERIES][VECTORS];

		UNROLL
		for (q = 0; q < n; q++)
			UNROLL
		for (v = 0; v < VECTORS; v++)
			dots[q][v] = lanes_fill(starts[q]);
		for (g = 0; g < job->dim / 4; g += 4)
			UNROLL
		for (k = 0; k < 4; k++) {
			lanes_int keys[VECTORS];

			UNROLL
			for (v = 0; v < VECTORS; v++) {
				size_t half = (size_t)((from + v) / LANES_PARTS),
				       part = (size_t)((from + v) % LANES_PARTS);
				lanes_int bytes =
				        lanes_load(view.keys + half * TILE_ROWS * job->dim +
				                   64 * (g + (size_t)k) + 4 * LANES * part);

				keys[v] = LANES_BIAS_FULL ? lanes_add_bytes(bytes, bias) : bytes;
			}
			UNROLL
			for (q = 0; q < n; q++)
				UNROLL
			for (v = 0; v < VECTORS; v++)
				dots[q][v] = lanes_dot_full(
				        dots[q][v], keys[v],
				        job->queries + (first + (unsigned)q) * job->dim + 4 * g, k);
		}
		for (q = 0; q < n; q++) {
			float *out = job->scores + (first + (unsigned)q) * SEGMENT_POSITIONS +
			             span * SPAN_POSITIONS;

			for (v = 0; v < VECTORS; v++) {
				size_t at = (size_t)(LANES * (from + v));
				lanes_float scale = lanes_mul(
				        lanes_fill_float(job->query_scales[first + (unsigned)q]),
				        lanes_load_float(view.key_scales + at));

				lanes_store_float(out + at,
				                  lanes_mul(lanes_to_float(dots[q][v]), scale));
			}
		}
	}
}

/* Sums of the codes of each query, times the bias that keys carry. */
static void fill_query_starts(int32_t *starts, const arch_attention *job)
{
	unsigned q;
	size_t d;

	for (q = 0; q < job->n_queries; q++) {
		int32_t sum = 0;

		for (d = 0; LANES_BIAS_FULL && d < job->dim; d++)
			sum += job->queries[q * job->dim + d];
		starts[q] = -LANES_BIAS_FULL * sum;
	}
}

/* Spans are read in two passes, keys and then values. Each pass skips the other's bytes, so the
 * hardware's prefetchers would have to detect the stream again in every span. Therefore both passes
 * prefetch what they read next, the pass over the values also the first keys of the next
 * segment. */
INLINE void prefetch_bytes(const void *bytes, size_t n)
{
	size_t i;

	for (i = 0; bytes && i < n; i += 64)
		lanes_prefetch((const uint8_t *)bytes + i);
}

INLINE float largest_lane(lanes_float v)
{
	float lanes[LANES], most;
	int i;

	lanes_store_float(lanes, v);
	most = lanes[0];
	for (i = 1; i < LANES; i++)
		most = lanes[i] > most ? lanes[i] : most;
	return most;
}

/* Scores of the spans that any of the queries needs; -infinity where a query does not attend.
 * Returns the largest of each in `largest`. */
static void score_segment(const arch_attention *job, unsigned first_span, unsigned end_span,
                          float largest[])
{
	int32_t starts[ATTEND_QUERIES];
	unsigned span, q, p;

	fill_query_starts(starts, job);
	for (span = first_span; span < end_span; span++) {
		prefetch_bytes(
		        span + 1 < end_span
		                ? job->spans[span + 1]
		                : (const void *)view_span(job->spans[first_span], job->dim).values,
		        SPAN_POSITIONS * job->dim);
		for (q = 0; q + LANES_QUERIES <= job->n_queries; q += LANES_QUERIES)
			score_queries(job, q, span, starts + q, LANES_QUERIES);
		for (; LANES_QUERIES > 4 && q + 4 <= job->n_queries; q += 4)
			score_queries(job, q, span, starts + q, 4);
		for (; q < job->n_queries; q++)
			score_queries(job, q, span, starts + q, 1);
	}
	for (q = 0; q < job->n_queries; q++) {
		float *scores = job->scores + q * SEGMENT_POSITIONS;
		lanes_float most = lanes_fill_float(-INFINITY);

		for (p = first_span * SPAN_POSITIONS; p < job->first[q]; p++)
			scores[p] = -INFINITY;
		for (p = job->end[q]; p < end_span * SPAN_POSITIONS; p++)
			scores[p] = -INFINITY;
		for (p = first_span * SPAN_POSITIONS; p < end_span * SPAN_POSITIONS; p += LANES)
			most = lanes_max(lanes_load_float(scores + p), most);
		largest[q] = largest_lane(most);
	}
}

/* exp of a span's scores, added to the query's lanes; weights for the values as 7-bit codes.
 * Returns their scale. */
INLINE float weigh_span(int8_t codes[SPAN_POSITIONS], float lanes[TILE_ROWS], const float *scores,
                        const float *value_scales, float largest)
{
	lanes_float weights[SPAN_VECTORS], most = lanes_fill_float(0);
	lanes_int c[SPAN_VECTORS];
	int32_t bits;
	float top;
	int i;

	UNROLL
	for (i = 0; i < SPAN_VECTORS; i++) {
		lanes_float p = lanes_exp(
		        lanes_sub(lanes_load_float(scores + LANES * i), lanes_fill_float(largest)));
		float *lane = lanes + LANES * (i % LANES_PARTS);

		lanes_store_float(lane, lanes_add(lanes_load_float(lane), p));
		weights[i] = lanes_mul(p, lanes_load_float(value_scales + LANES * i));
		most = lanes_max(weights[i], most);
	}
	/* As integers, the bits of non-negative floats are in the order of the values. */
	bits = lanes_largest_int(lanes_as_int(most));
	memcpy(&top, &bits, sizeof top);
	if (!(top >= 1e-30f && top <= 1e30f))
		return 0;
	UNROLL
	for (i = 0; i < SPAN_VECTORS; i++)
		c[i] = lanes_round(lanes_mul(weights[i], lanes_fill_float(127 / top)));
	lanes_narrow(codes, c);
	return top / 127;
}

/* Adds weighted dimensions of a span's values to the sums of n queries. */
INLINE void add_values(float *sums, const int8_t *values, const int8_t (*codes)[SPAN_POSITIONS],
                       const float *scales, size_t dim, const int vectors, const int n)
{
	lanes_int dots[LANES_QUERIES][VECTORS];
	int q, v, h, k;

	UNROLL
	for (q = 0; q < n; q++)
		UNROLL
	for (v = 0; v < vectors; v++)
		dots[q][v] = lanes_fill(0);
	UNROLL_OUTER
	for (h = 0; h < (int)SPAN_POSITIONS / 4; h += 4)
		UNROLL
	for (k = 0; k < 4 * vectors; k++) {
		const int four = k / vectors;
		lanes_int w;

		v = k % vectors;
		w = lanes_load(values + ((size_t)(h + four) * dim + (size_t)(LANES * v)) * 4);
		UNROLL
		for (q = 0; q < n; q++)
			dots[q][v] = lanes_dot_weights(dots[q][v], w, codes[q] + h * 4, four);
	}
	UNROLL
	for (q = 0; q < n; q++)
		UNROLL
	for (v = 0; v < vectors; v++) {
		float *sum = sums + (size_t)q * dim + (size_t)(LANES * v);

		lanes_store_float(sum, lanes_add(lanes_load_float(sum),
		                                 lanes_mul(lanes_to_float(dots[q][v]),
		                                           lanes_fill_float(scales[q]))));
	}
}

INLINE void add_span(float *sums, const int8_t *values, const int8_t (*codes)[SPAN_POSITIONS],
                     const float *scales, size_t dim, const int n)
{
	size_t d;

	for (d = 0; d + VECTORS * LANES <= dim; d += VECTORS * LANES)
		add_values(sums + d, values + 4 * d, codes, scales, dim, VECTORS, n);
	for (; d < dim; d += LANES)
		add_values(sums + d, values + 4 * d, codes, scales, dim, 1, n);
}

static void add_span_to_all(float *sums, const int8_t *values, int8_t codes[][SPAN_POSITIONS],
                            const float *scales, size_t dim, unsigned n_queries)
{
	const int8_t(*c)[SPAN_POSITIONS] = (const int8_t(*)[SPAN_POSITIONS])codes;
	unsigned q;

	for (q = 0; q + LANES_QUERIES <= n_queries; q += LANES_QUERIES)
		add_span(sums + q * dim, values, c + q, scales + q, dim, LANES_QUERIES);
	for (; LANES_QUERIES > 4 && q + 4 <= n_queries; q += 4)
		add_span(sums + q * dim, values, c + q, scales + q, dim, 4);
	for (; q < n_queries; q++)
		add_span(sums + q * dim, values, c + q, scales + q, dim, 1);
}

static void lanes_attend(const arch_attention *job)
{
	float largest[ATTEND_QUERIES], lanes[ATTEND_QUERIES][TILE_ROWS] = { { 0 } },
	                               segment[ATTEND_QUERIES * ARCH_HEAD_DIM_MAX],
	                               scales[ATTEND_QUERIES];
	int8_t codes[ATTEND_QUERIES][SPAN_POSITIONS];
	unsigned first = SEGMENT_POSITIONS, end = 0, q, span;

	for (q = 0; q < job->n_queries; q++) {
		first = job->first[q] < first ? job->first[q] : first;
		end = job->end[q] > end ? job->end[q] : end;
	}
	first /= SPAN_POSITIONS;
	end = (end + SPAN_POSITIONS - 1) / SPAN_POSITIONS;
	memset(segment, 0, job->n_queries * job->dim * sizeof(float));
	memset(codes, 0, sizeof codes);
	score_segment(job, first, end, largest);
	for (span = first; span < end; span++) {
		span_view view = view_span(job->spans[span], job->dim);

		prefetch_bytes(
		        span + 1 < end
		                ? (const void *)view_span(job->spans[span + 1], job->dim).values
		                : job->next,
		        SPAN_POSITIONS * job->dim);
		for (q = 0; q < job->n_queries; q++)
			scales[q] = weigh_span(codes[q], lanes[q],
			                       job->scores + q * SEGMENT_POSITIONS +
			                               span * SPAN_POSITIONS,
			                       view.value_scales, largest[q]);
		add_span_to_all(segment, view.values, codes, scales, job->dim, job->n_queries);
	}
	for (q = 0; q < job->n_queries; q++)
		segment_merge(&job->attended[q], job->sums + q * job->dim, largest[q],
		              math_add_lanes(lanes[q]), segment + q * job->dim, job->dim);
}

#endif
