/* moments.c - X^T X in tiles that stay in registers, each by one thread and in order of tokens */
#include "convert/moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/calibration.h"
#include "runtime/error.h"

#define STRIP   32u /* rows of sums that one piece of work covers */
#define TILE_I  4u
#define TILE_J  8u

static uint32_t n_spans(const moments *m)
{
	return m->span ? (m->cols + m->span - 1) / m->span : 0;
}

static size_t width_of(const moments *m, uint32_t index)
{
	uint32_t first = index * m->span;

	return (calibration_span_end(first, m->span, m->cols) - first + TILE_J - 1) / TILE_J * TILE_J;
}

brise_status moments_new(moments *m, uint32_t cols, uint32_t span, brise_error *err)
{
	bool complete;
	uint32_t i;

	*m = (moments){ .cols = cols, .span = span };
	m->squares = calloc(cols, sizeof *m->squares);
	m->sums = calloc(n_spans(m) + 1, sizeof *m->sums);
	complete = m->squares && m->sums;
	for (i = 0; complete && i < n_spans(m); i++)
		complete = (m->sums[i] = calloc(width_of(m, i) * width_of(m, i), sizeof **m->sums)) != NULL;
	return complete ? BRISE_OK : error_set(err, BRISE_ENOMEM, "no memory for the moments of %u columns in spans of %u", cols, span);
}

void moments_clear(moments *m)
{
	uint32_t i;

	memset(m->squares, 0, m->cols * sizeof *m->squares);
	for (i = 0; i < n_spans(m); i++)
		memset(m->sums[i], 0, width_of(m, i) * width_of(m, i) * sizeof **m->sums);
}

void moments_free(moments *m)
{
	uint32_t i;

	for (i = 0; m->sums && i < n_spans(m); i++)
		free(m->sums[i]);
	free(m->sums);
	free(m->squares);
	*m = (moments){ 0 };
}

typedef struct add_job {
	moments *m;
	const float *rows;
	size_t stride;
	uint32_t n;
} add_job;

/* sums[r][c] += sum over tokens of a[r] * b[c], for a tile that fits registers. */
static void add_tile(float *sums, size_t width, const float *a, const float *b, size_t stride, uint32_t n)
{
	float tile[TILE_I][TILE_J] = { { 0 } };
	unsigned r, c;
	uint32_t t;

	for (t = 0; t < n; t++, a += stride, b += stride)
		for (r = 0; r < TILE_I; r++)
			for (c = 0; c < TILE_J; c++)
				tile[r][c] += a[r] * b[c];
	for (r = 0; r < TILE_I; r++)
		for (c = 0; c < TILE_J; c++)
			sums[r * width + c] += tile[r][c];
}

/* Rows [first, end) of a span's lower triangle, whole tiles of it. */
static void add_rows(const add_job *job, uint32_t span, size_t first, size_t end)
{
	const float *x = job->rows + (size_t)span * job->m->span;
	size_t width = width_of(job->m, span), i, j;

	for (i = first; i < end && i < width; i += TILE_I)
		for (j = 0; j < i + TILE_I; j += TILE_J)
			add_tile(job->m->sums[span] + i * width + j, width, x + i, x + j, job->stride, job->n);
}

/* Items are strips of all spans, one after another. */
static void add_strips(void *argument, unsigned worker, size_t first, size_t end)
{
	const add_job *job = argument;
	size_t strips = (job->m->span + STRIP - 1) / STRIP;

	(void)worker;
	for (; first < end; first++)
		add_rows(job, (uint32_t)(first / strips), first % strips * STRIP, (first % strips + 1) * STRIP);
}

void moments_add(moments *m, const float *rows, size_t stride, uint32_t n, pool *threads)
{
	add_job job = { m, rows, stride, n };
	uint32_t t, i;

	for (t = 0; t < n; t++)
		for (i = 0; i < m->cols; i++)
			m->squares[i] += (double)rows[t * stride + i] * (double)rows[t * stride + i];
	if (m->span)
		pool_run(threads, add_strips, &job, (size_t)n_spans(m) * ((m->span + STRIP - 1) / STRIP), 1);
}

static int16_t to_correlation(double sum, double norm)
{
	double c = norm > 0 ? sum / norm : 0;

	c = c > 1 ? 1 : c >= -1 ? c : -1; /* of sums that left a float's range, too */
	return (int16_t)floor(c * 32767 + 0.5);
}

void moments_store(const moments *m, uint64_t tokens, void *bytes)
{
	float *squares = bytes;
	int16_t *out = (int16_t *)(void *)(squares + m->cols);
	uint32_t span, first, end, i, j;

	for (i = 0; i < m->cols; i++)
		squares[i] = (float)(m->squares[i] / (double)tokens);
	for (span = 0; span < n_spans(m); span++) {
		size_t width = width_of(m, span);

		first = span * m->span;
		end = calibration_span_end(first, m->span, m->cols);
		for (i = first + 1; i < end; i++)
			for (j = first; j < i; j++)
				*out++ = to_correlation((double)m->sums[span][(i - first) * width + j - first], sqrt(m->squares[i] * m->squares[j]));
	}
}
