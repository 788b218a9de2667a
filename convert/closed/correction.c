/* correction.c - sums of products, and what becomes of them
 *
 * Everything is in panels of 16, [n][16], and every product is arch_tools' product of two panels:
 * a strip of panels that stays in the cache with all others, as in moments.c. What is as large as
 * the inverse, 64 MB for 4,096 columns, is read from memory once for each strip.
 */
#include "convert/closed/correction.h"

#include <math.h>
#include <string.h>

#include "convert/closed/inverse.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define P     TILE_ROWS
#define TILE  (P * P)
#define BLOCK 256u          /* tokens */
#define STRIP INVERSE_STRIP /* panels that are one piece of work */

static size_t span_columns(const correction *c, size_t span)
{
	size_t first = span * c->span, left = c->cols - first;

	return book_span_columns(c->span < left ? c->span : left);
}

static size_t count_spans(const correction *c)
{
	return divide_up(c->cols, c->span);
}

/* Where a span's part of `own` begins; for the one past the last, the length of all. */
static size_t own_at(const correction *c, size_t span)
{
	size_t at = span * c->span * c->span, columns;

	if (span < count_spans(c))
		return at;
	columns = span_columns(c, span - 1);
	return at - c->span * c->span + columns * columns;
}

static float *allocate(uint64_t a, uint64_t b)
{
	uint64_t all;
	size_t size;

	if (!checked_mul(a, b, &all) || !checked_size(all, &size))
		return NULL;
	return memory_new_aligned(size, sizeof(float));
}

brise_status correction_new(correction *c, size_t cols, size_t span, size_t rows, unsigned threads,
                            brise_error *err)
{
	size_t most, padded = round_up_size(rows, P);

	*c = (correction){ .cols = cols, .span = span, .rows = rows, .threads = threads };
	c->columns = round_up_size(cols, TILE_BLOCK);
	most = span_columns(c, 0);
	c->own = allocate(own_at(c, count_spans(c)), 1);
	c->loss = allocate(c->columns, padded + 1);
	c->inputs = allocate(c->columns, BLOCK);
	c->changes = allocate(c->columns, BLOCK);
	c->lost = allocate(padded + 1, BLOCK);
	c->inverse = allocate(most, most);
	c->scratch = allocate(most, most);
	c->work = allocate(most * P * STRIP, threads);
	if (c->own && c->loss && c->inputs && c->changes && c->lost && c->inverse && c->scratch &&
	    c->work)
		return BRISE_OK;
	correction_free(c);
	return error_set(err, BRISE_ENOMEM,
	                 "no memory to correct matrices of %zu columns in spans of %zu", cols,
	                 span);
}

void correction_free(correction *c)
{
	memory_free_aligned(c->own);
	memory_free_aligned(c->loss);
	memory_free_aligned(c->inputs);
	memory_free_aligned(c->changes);
	memory_free_aligned(c->lost);
	memory_free_aligned(c->inverse);
	memory_free_aligned(c->scratch);
	memory_free_aligned(c->work);
	*c = (correction){ 0 };
}

/* ---- adding --------------------------------------------------------------------------------- */

typedef struct add_job {
	const correction *c;
	const correction_rows *rows;
	size_t first; /* row */
	uint32_t n;   /* at most BLOCK */
	const arch_tools *tools;
} add_job;

/* Items are panels of columns. */
static void turn_inputs(void *argument, unsigned worker, size_t panel, size_t end)
{
	const add_job *job = argument;
	size_t stride = job->rows->stride;
	unsigned i;
	uint32_t t;

	(void)worker;
	for (; panel < end; panel++) {
		const float *x = job->rows->x + job->first * stride + panel * P,
		            *y = job->rows->y + job->first * stride + panel * P;
		float *inputs = job->c->inputs + panel * P * job->n,
		      *changes = job->c->changes + panel * P * job->n;

		for (t = 0; t < job->n; t++, x += stride, y += stride)
			for (i = 0; i < P; i++) {
				*inputs++ = y[i];
				*changes++ = x[i] - y[i];
			}
	}
}

static void turn_lost(void *argument, unsigned worker, size_t panel, size_t end)
{
	const add_job *job = argument;
	size_t stride = job->rows->residual_stride;
	unsigned i;
	uint32_t t;

	(void)worker;
	for (; panel < end; panel++) {
		const float *a = job->rows->original + job->first * stride + panel * P,
		            *b = job->rows->quantized + job->first * stride + panel * P;
		float *lost = job->c->lost + panel * P * job->n;

		for (t = 0; t < job->n; t++, a += stride, b += stride)
			for (i = 0; i < P; i++)
				*lost++ = a[i] - b[i];
	}
}

/* out[k][columns][16] += panels k of a, with all n panels of inputs. */
static void add_strip(const add_job *job, float *out, const float *a, const float *inputs,
                      size_t first, size_t end, size_t n)
{
	size_t floats = (size_t)job->n * P, j, k;

	for (j = 0; j < n; j++)
		for (k = first; k < end; k++)
			job->tools->add_products(out + (k * n + j) * TILE, inputs + j * floats,
			                         a + k * floats, job->n);
}

/* Items are strips of panels of columns; a span has a whole number of them but for its last. */
static void add_own(void *argument, unsigned worker, size_t strip, size_t end)
{
	const add_job *job = argument;
	const correction *c = job->c;
	size_t strips = divide_up(c->span / P, STRIP);

	(void)worker;
	for (; strip < end; strip++) {
		size_t span = strip / strips, n = span_columns(c, span) / P,
		       from = strip % strips * STRIP, to = from + STRIP < n ? from + STRIP : n,
		       at = span * c->span * job->n;

		add_strip(job, c->own + own_at(c, span), c->changes + at, c->inputs + at, from, to,
		          n);
	}
}

static void add_loss(void *argument, unsigned worker, size_t strip, size_t end)
{
	const add_job *job = argument;
	size_t all = divide_up(job->c->rows, P);

	(void)worker;
	for (; strip < end; strip++) {
		size_t from = strip * STRIP, to = from + STRIP < all ? from + STRIP : all;

		add_strip(job, job->c->loss, job->c->lost, job->c->inputs, from, to,
		          job->c->columns / P);
	}
}

void correction_add(correction *c, const correction_rows *rows, const arch_tools *tools,
                    pool *threads)
{
	size_t last = count_spans(c) - 1, first,
	       strips = last * divide_up(c->span / P, STRIP) +
	                divide_up(span_columns(c, last) / P, STRIP);

	for (first = 0; first < rows->n; first += BLOCK) {
		uint32_t left = rows->n - (uint32_t)first;
		add_job job = { c, rows, first, left < BLOCK ? left : BLOCK, tools };

		pool_run(threads, turn_inputs, &job, c->columns / P, STRIP);
		pool_run(threads, add_own, &job, strips, 1);
		if (c->rows == 0)
			continue;
		pool_run(threads, turn_lost, &job, divide_up(c->rows, P), STRIP);
		pool_run(threads, add_loss, &job, divide_up(divide_up(c->rows, P), STRIP), 1);
	}
}

/* ---- times the inverse ---------------------------------------------------------------------- */

typedef struct finish_job {
	const correction *c;
	float *panels; /* the first panel's part of the span */
	size_t apart;  /* from panel to panel */
	size_t count;  /* panels */
	size_t n;      /* columns of the span */
	const arch_tools *tools;
} finish_job;

/* Items are strips of panels of rows: each panel becomes its product with the inverse. */
static void multiply_inverse(void *argument, unsigned worker, size_t strip, size_t end)
{
	const finish_job *job = argument;
	size_t floats = job->n * P, j, k;
	float *work = job->c->work + worker * floats * STRIP;

	for (; strip < end; strip++) {
		size_t first = strip * STRIP,
		       n = job->count - first < STRIP ? job->count - first : STRIP;
		float *panels = job->panels + first * job->apart;

		memset(work, 0, n * floats * sizeof *work);
		for (j = 0; j < job->n / P; j++)
			for (k = 0; k < n; k++)
				job->tools->add_products(work + k * floats + j * TILE,
				                         job->c->inverse + j * floats,
				                         panels + k * job->apart, job->n);
		for (k = 0; k < n; k++)
			memcpy(panels + k * job->apart, work + k * floats, floats * sizeof *work);
	}
}

static void swap_tiles(float *a, float *b)
{
	unsigned i, j;

	for (i = 0; i < P; i++)
		for (j = 0; j < P; j++) {
			float keep = a[i * P + j];

			if (a == b && j <= i)
				continue;
			a[i * P + j] = b[j * P + i];
			b[j * P + i] = keep;
		}
}

/* Items are panels: from panels of rows to panels of columns. */
static void transpose(void *argument, unsigned worker, size_t k, size_t end)
{
	const finish_job *job = argument;
	size_t j;

	(void)worker;
	for (; k < end; k++)
		for (j = 0; j <= k; j++)
			swap_tiles(job->panels + (k * job->n + j * P) * P,
			           job->panels + (j * job->n + k * P) * P);
}

void correction_finish(correction *c, const book_feedback *factors, float strength, uint64_t tokens,
                       const arch_tools *tools, pool *threads)
{
	size_t span;

	for (span = 0; span < count_spans(c); span++) {
		size_t n = span_columns(c, span), rows = divide_up(c->rows, P);
		finish_job own = { c, c->own + own_at(c, span), n * P, n / P, n, tools }, loss = {
			c, c->loss + span * c->span * P, c->columns * P, rows, n, tools
		};

		inverse_make(c->inverse, c->scratch, c->work, factors, span, n,
		             strength / (float)tokens, tools->add_products, threads);
		pool_run(threads, multiply_inverse, &own, divide_up(n / P, STRIP), 1);
		pool_run(threads, transpose, &own, n / P, 1);
		pool_run(threads, multiply_inverse, &loss, divide_up(rows, STRIP), 1);
	}
}

/* ---- applying ------------------------------------------------------------------------------- */

static void add_tile(const correction *c, float *rows, size_t n, size_t first, size_t col,
                     const float *sums, float share)
{
	const float *loss = c->loss + (first / P * c->columns + col) * P;
	size_t r, j;

	for (j = 0; j < P && col + j < c->cols; j++)
		for (r = 0; r < n; r++) {
			float *w = &rows[r * c->cols + col + j],
			      now = *w + sums[j * P + r] +
			            (c->rows > 0 ? share * loss[j * P + r] : 0);

			if (isfinite(now)) /* sums may have left a float's range */
				*w = now;
		}
}

/* Rows as panels [columns][16] one behind the other. */
static void turn_rows(const correction *c, float *panels, const float *rows, size_t n)
{
	size_t r, k;

	memset(panels, 0, divide_up(n, P) * c->columns * P * sizeof *panels);
	for (r = 0; r < n; r++)
		for (k = 0; k < c->cols; k++)
			panels[(r / P * c->columns + k) * P + r % P] = rows[r * c->cols + k];
}

void correction_apply(const correction *c, float *rows, size_t n, size_t first, float *scratch,
                      const arch_tools *tools)
{
	size_t span, r, j;

	turn_rows(c, scratch, rows, n);
	for (span = 0; span < count_spans(c); span++) {
		size_t columns = span_columns(c, span), start = span * c->span;
		const float *own = c->own + own_at(c, span);

		/* A panel of up to 256 KB is read from memory once for all tiles. */
		for (j = 0; j < columns; j += P)
			for (r = 0; r < n; r += P) {
				float sums[TILE] = { 0 };

				tools->add_products(sums, own + j * columns,
				                    scratch + (r * c->columns) + start * P,
				                    columns);
				add_tile(c, rows + r * c->cols, n - r < P ? n - r : P, first + r,
				         start + j, sums, (float)columns / (float)c->columns);
			}
	}
}
