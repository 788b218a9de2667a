/* avx2_attend.c - attention over one segment of the int8 ring
 *
 * Spans are the outer loop and queries the inner one, four at a time: a key or value is loaded once for all of a group. Positions that a
 * query does not attend to get the score -infinity, whose exp is exactly 0, and so change no sum.
 */
#include "arch/x86/avx2.h"

#include "arch/segment.h"

#include <math.h>
#include <string.h>

#define QUERIES 4 /* queries a pass */

/* Dot products of up to four queries with the 16 keys of half a span. */
INLINE void key_dots(__m256i dots[QUERIES][2], const int8_t *queries, const uint8_t *keys, size_t dim, const int n)
{
	size_t g;
	int q;

	for (q = 0; q < n; q++)
		dots[q][0] = dots[q][1] = _mm256_setzero_si256();
	for (g = 0; g < dim / 4; g++) {
		__m256i k0 = _mm256_loadu_si256((const __m256i *)(const void *)(keys + 64 * g));
		__m256i k1 = _mm256_loadu_si256((const __m256i *)(const void *)(keys + 64 * g + 32));

		for (q = 0; q < n; q++) {
			__m256i four = avx2_broadcast4(queries + (size_t)q * dim + 4 * g), absolute = _mm256_abs_epi8(four);

			dots[q][0] = avx2_dot(dots[q][0], absolute, _mm256_sign_epi8(k0, four));
			dots[q][1] = avx2_dot(dots[q][1], absolute, _mm256_sign_epi8(k1, four));
		}
	}
}

INLINE void score_queries(const arch_attention *job, unsigned first, unsigned span, const int n)
{
	const uint8_t *keys = job->spans[span];
	const float *scales = (const float *)(const void *)(keys + 2 * SPAN_POSITIONS * job->dim);
	__m256i dots[QUERIES][2];
	unsigned h, half;
	int q;

	for (h = 0; h < 2; h++) {
		key_dots(dots, job->queries + first * job->dim, keys + h * 16 * job->dim, job->dim, n);
		for (q = 0; q < n; q++) {
			float *out = job->scores + (first + (unsigned)q) * SEGMENT_POSITIONS + span * SPAN_POSITIONS + 16 * h;

			for (half = 0; half < 2; half++) {
				__m256 scale = _mm256_mul_ps(_mm256_set1_ps(job->query_scales[first + (unsigned)q]), _mm256_loadu_ps(scales + 16 * h + 8 * half));

				_mm256_storeu_ps(out + 8 * half, _mm256_mul_ps(_mm256_cvtepi32_ps(dots[q][half]), scale));
			}
		}
	}
}

/* Scores of the spans that any of the queries needs; -infinity where a query does not attend. Returns the largest of each in `largest`. */
static void score_segment(const arch_attention *job, unsigned first_span, unsigned end_span, float largest[])
{
	unsigned span, q, p;

	for (span = first_span; span < end_span; span++) {
		for (q = 0; q + QUERIES <= job->n_queries; q += QUERIES)
			score_queries(job, q, span, QUERIES);
		for (; q < job->n_queries; q++)
			score_queries(job, q, span, 1);
	}
	for (q = 0; q < job->n_queries; q++) {
		float *scores = job->scores + q * SEGMENT_POSITIONS, lanes[8];
		__m256 most = _mm256_set1_ps(-INFINITY);

		for (p = first_span * SPAN_POSITIONS; p < job->first[q]; p++)
			scores[p] = -INFINITY;
		for (p = job->end[q]; p < end_span * SPAN_POSITIONS; p++)
			scores[p] = -INFINITY;
		for (p = first_span * SPAN_POSITIONS; p < end_span * SPAN_POSITIONS; p += 8)
			most = _mm256_max_ps(_mm256_loadu_ps(scores + p), most);
		_mm256_storeu_ps(lanes, most);
		largest[q] = lanes[0];
		for (p = 1; p < 8; p++)
			largest[q] = lanes[p] > largest[q] ? lanes[p] : largest[q];
	}
}

/* exp of a span's scores, added to the query's lanes; weights for the values as 7-bit codes. Returns their scale. */
INLINE float weigh_span(uint8_t codes[SPAN_POSITIONS], float lanes[16], const float *scores, const float *value_scales, float largest)
{
	__m256 weights[4], most = _mm256_setzero_ps();
	float parts[8], top;
	__m256i c[4];
	unsigned i;

	for (i = 0; i < 4; i++) {
		__m256 p = avx2_exp(_mm256_sub_ps(_mm256_loadu_ps(scores + 8 * i), _mm256_set1_ps(largest)));

		_mm256_storeu_ps(lanes + i % 2 * 8, _mm256_add_ps(_mm256_loadu_ps(lanes + i % 2 * 8), p));
		weights[i] = _mm256_mul_ps(p, _mm256_loadu_ps(value_scales + 8 * i));
		most = _mm256_max_ps(weights[i], most);
	}
	_mm256_storeu_ps(parts, most);
	top = parts[0];
	for (i = 1; i < 8; i++)
		top = parts[i] > top ? parts[i] : top;
	if (!(top >= 1e-30f && top <= 1e30f))
		return 0;
	for (i = 0; i < 4; i++)
		c[i] = _mm256_cvtps_epi32(_mm256_mul_ps(weights[i], _mm256_set1_ps(127 / top)));
	c[0] = _mm256_packs_epi16(_mm256_packs_epi32(c[0], c[1]), _mm256_packs_epi32(c[2], c[3]));
	_mm256_storeu_si256((__m256i *)(void *)codes, _mm256_permutevar8x32_epi32(c[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
	return top / 127;
}

/* Adds the weighted values of a span for queries whose scale is not 0. */
INLINE void add_values(float *sums, const int8_t *values, const uint8_t (*codes)[SPAN_POSITIONS], const float *scales, size_t dim, const int n)
{
	size_t d;
	int q;
	unsigned h;

	for (d = 0; d < dim; d += 8) {
		__m256i dots[QUERIES];

		for (q = 0; q < n; q++)
			dots[q] = _mm256_setzero_si256();
		for (h = 0; h < SPAN_POSITIONS / 4; h++) {
			__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(values + (h * dim + d) * 4));

			for (q = 0; q < n; q++)
				dots[q] = avx2_dot(dots[q], avx2_broadcast4(codes[q] + 4 * h), v);
		}
		for (q = 0; q < n; q++) {
			float *sum = sums + (size_t)q * dim + d;

			_mm256_storeu_ps(sum, _mm256_add_ps(_mm256_loadu_ps(sum), _mm256_mul_ps(_mm256_cvtepi32_ps(dots[q]), _mm256_set1_ps(scales[q]))));
		}
	}
}

void avx2_attend(const arch_attention *job)
{
	float largest[ATTEND_QUERIES], lanes[ATTEND_QUERIES][16] = { { 0 } }, segment[ATTEND_QUERIES * ARCH_HEAD_DIM_MAX], scales[ATTEND_QUERIES];
	uint8_t codes[ATTEND_QUERIES][SPAN_POSITIONS];
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
		const int8_t *values = (const int8_t *)job->spans[span] + SPAN_POSITIONS * job->dim;
		const float *value_scales = (const float *)(const void *)(job->spans[span] + 2 * SPAN_POSITIONS * job->dim) + SPAN_POSITIONS;

		for (q = 0; q < job->n_queries; q++)
			scales[q] = weigh_span(codes[q], lanes[q], job->scores + q * SEGMENT_POSITIONS + span * SPAN_POSITIONS, value_scales, largest[q]);
		for (q = 0; q + QUERIES <= job->n_queries; q += QUERIES)
			add_values(segment + q * job->dim, values, (const uint8_t(*)[SPAN_POSITIONS])codes + q, scales + q, job->dim, QUERIES);
		for (; q < job->n_queries; q++)
			add_values(segment + q * job->dim, values, (const uint8_t(*)[SPAN_POSITIONS])codes + q, scales + q, job->dim, 1);
	}
	for (q = 0; q < job->n_queries; q++)
		segment_merge(&job->attended[q], job->sums + q * job->dim, largest[q], math_add_lanes(lanes[q]), segment + q * job->dim, job->dim);
}
