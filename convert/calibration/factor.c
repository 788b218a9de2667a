/* factor.c - H = A D A^T with A upper triangular, from the last column to the first
 *
 * That is Cholesky's factorization from the last column on: H = R R^T with R upper, A = R / diag R,
 * D = (diag R)^2. It goes in strips of 64 columns from the right: the strip's diagonal block by
 * itself, the rows above it by substitution, then the rows' products leave the rest of H. Doubles,
 * because some directions of the inputs are a thousand times stronger than others.
 *
 * Damping: a fraction of the mean square is added to the diagonal, as GPTQ does, which takes a
 * hundredth; a text of some thousand tokens says no more about the weak directions.
 */
#include "convert/calibration/factor.h"

#include <math.h>
#include <string.h>

#include "quant/encode/book_descent.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define STRIP 64u
#define PANEL 4u

/* The current span: h [n][n], of which the upper triangle is used and becomes R. */
typedef struct factor_job {
	double *h;
	size_t n;
	size_t first, end; /* the strip's columns */
} factor_job;

static double *at(const factor_job *job, size_t row, size_t col)
{
	return job->h + row * job->n + col;
}

/* The strip's own triangle. H is positive definite by its damping; rounding may still make a pivot
 * too small, which is then set to what damping guarantees. */
static void factor_corner(const factor_job *job, double least)
{
	size_t j, i, k;

	for (j = job->end; j-- > job->first;) {
		double pivot = *at(job, j, j);

		for (k = j + 1; k < job->end; k++)
			pivot -= *at(job, j, k) * *at(job, j, k);
		pivot = sqrt(pivot > least ? pivot : least);
		*at(job, j, j) = pivot;
		for (i = job->first; i < j; i++) {
			double sum = *at(job, i, j);

			for (k = j + 1; k < job->end; k++)
				sum -= *at(job, i, k) * *at(job, j, k);
			*at(job, i, j) = sum / pivot;
		}
	}
}

/* Rows above the corner: R_ij = (H_ij - sum_{k>j} R_ik R_jk) / R_jj. */
static void factor_rows(void *argument, unsigned worker, size_t first, size_t end)
{
	const factor_job *job = argument;
	size_t j, k;

	(void)worker;
	for (; first < end; first++)
		for (j = job->end; j-- > job->first;) {
			double sum = *at(job, first, j);

			for (k = j + 1; k < job->end; k++)
				sum -= *at(job, first, k) * *at(job, j, k);
			*at(job, first, j) = sum / *at(job, j, j);
		}
}

/* The strip's part of R's rows, in panels of 4 rows [64][4]: products of panels read contiguous
 * memory, while columns of h would map to a few sets of the caches. */
static void turn_rows(const factor_job *job, double *panels)
{
	size_t i, k;

	for (i = 0; i < job->first; i++)
		for (k = 0; k < STRIP; k++)
			panels[(i / PANEL * STRIP + k) * PANEL + i % PANEL] =
			        *at(job, i, job->first + k);
}

/* h[i..i+4)[j..j+4) -= sum over the strip of R_ik R_jk */
static void subtract_tile(const factor_job *job, const double *panels, size_t i, size_t j)
{
	const double *a = panels + i * STRIP, *b = panels + j * STRIP;
	double sums[PANEL][PANEL] = { { 0 } };
	unsigned r, c, k;

	for (k = 0; k < STRIP; k++, a += PANEL, b += PANEL)
		for (r = 0; r < PANEL; r++)
			for (c = 0; c < PANEL; c++)
				sums[r][c] += a[r] * b[c];
	for (r = 0; r < PANEL; r++)
		for (c = 0; c < PANEL; c++)
			*at(job, i + r, j + c) -= sums[r][c];
}

typedef struct subtract_job {
	factor_job f;
	const double *panels;
} subtract_job;

/* Items are runs of 32 rows: the upper triangle's tiles in them. */
static void subtract_rows(void *argument, unsigned worker, size_t first, size_t end)
{
	const subtract_job *job = argument;
	size_t i, j;

	(void)worker;
	for (; first < end; first++)
		for (j = first * 32; j < job->f.first; j += PANEL)
			for (i = first * 32; i < first * 32 + 32 && i <= j; i += PANEL)
				subtract_tile(&job->f, job->panels, i, j);
}

typedef struct asking {
	brise_cancel_fn *cancel; /* NULL: never cancelled */
	void *user;
} asking;

static bool is_cancelled(const asking *a)
{
	return a->cancel && a->cancel(a->user);
}

/* h: [n][n], n a multiple of 64, only the upper triangle is read. panels: scratch [64][n]. Asks
 * before each strip; false: cancelled. */
static bool factor_span(double *h, size_t n, double least, double *panels, pool *threads,
                        const asking *a)
{
	size_t end;

	for (end = n; end > 0; end -= STRIP) {
		subtract_job job = { { h, n, end - STRIP, end }, panels };

		if (is_cancelled(a))
			return false;
		factor_corner(&job.f, least);
		pool_run(threads, factor_rows, &job.f, job.f.first, 8);
		turn_rows(&job.f, panels);
		pool_run(threads, subtract_rows, &job, job.f.first / 32, 1);
	}
	return true;
}

/* The damped moments of columns [first, end), which begin `offset` columns behind those that the
 * correlations are of; columns of padding get a 1 of their own. */
static double fill_moments(double *h, size_t n, const float *squares, const int16_t *correlations,
                           size_t offset, uint32_t first, uint32_t end, double fraction)
{
	double mean = 0, damping;
	size_t i, j, from, width = end - first;

	for (i = 0; i < width; i++)
		mean += (double)squares[first + i] / (double)width;
	damping = mean > 0 ? fraction * mean : 1;
	memset(h, 0, n * n * sizeof *h);
	for (i = 0; i < n; i++)
		h[i * n + i] = i < width ? (double)squares[first + i] + damping : damping;
	/* Eight rows of correlations at a time: they become columns, of which each row of h then
	 * gets a cache line. */
	for (from = 0; from < width; from += 8)
		for (j = 0; j < from + 8; j++)
			for (i = j < from ? from : j + 1; i < from + 8 && i < width; i++)
				h[j * n + i] = correlations[(offset + i) * (offset + i - 1) / 2 +
				                            offset + j] *
				               (sqrt((double)squares[first + i]) *
				                sqrt((double)squares[first + j]) / 32767);
	return damping;
}

/* ---- for descent ---------------------------------------------------------------------------- */

typedef struct moments_job {
	book_feedback *out;
	size_t span;
	const double *h;
	size_t n;              /* of h */
	size_t width, columns; /* of the span, and with the padding of panels */
} moments_job;

/* Items are blocks: two panels each, and what descent needs of the block. */
static void store_moments(void *argument, unsigned worker, size_t first, size_t end)
{
	const moments_job *job = argument;
	float corner[TILE_BLOCK * TILE_BLOCK];
	size_t k, j;

	(void)worker;
	for (; first < end; first++) {
		size_t from = first * TILE_BLOCK,
		       valid = job->width - from < TILE_BLOCK ? job->width - from : TILE_BLOCK;

		for (k = 0; k < job->width; k++)
			for (j = 0; j < valid; j++) {
				size_t col = from + j, low = k < col ? k : col,
				       high = k < col ? col : k;
				float value = (float)job->h[low * job->n + high];

				job->out->moments[job->span]
				                 [col / TILE_ROWS * TILE_ROWS * job->columns +
				                  k * TILE_ROWS + col % TILE_ROWS] = value;
				if (k >= from && k < from + TILE_BLOCK)
					corner[(k - from) * TILE_BLOCK + j] = value;
			}
		book_descent_prepare(
		        &job->out->blocks[job->span * (job->out->span / TILE_BLOCK) + first],
		        corner, valid);
	}
}

static void keep_moments(book_feedback *out, size_t span, const double *h, size_t n, size_t width,
                         pool *threads)
{
	moments_job job = { out, span, h, n, width, book_span_columns(width) };

	if (out->moments)
		pool_run(threads, store_moments, &job, divide_up(width, TILE_BLOCK), 1);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Of moments that inputs have, R's rows are no longer than the square root of H's diagonal, and
 * damping keeps R's diagonal above a tenth of the mean of that. So A's elements stay below 10
 * sqrt(n); elements far above come from correlations that no data can have. */
#define LARGEST_FACTOR 1e6

/* R to panels of A, and D. False: they are none. */
static bool store(book_feedback *out, size_t span, const double *h, size_t n, uint32_t first,
                  uint32_t end)
{
	bool sane = true;
	size_t block, row, col;

	for (col = 0; col < end - first; col++) {
		out->variance[first + col] = (float)(h[col * n + col] * h[col * n + col]);
		sane = sane && isfinite(out->variance[first + col]);
	}
	for (block = 0; block * TILE_BLOCK < end - first; block++)
		for (row = 0; row < (block + 1) * TILE_BLOCK; row++)
			for (col = 0; col < TILE_BLOCK; col++) {
				size_t j = block * TILE_BLOCK + col;
				double element = row < j ? h[row * n + j] / h[j * n + j] : 0;

				sane = sane && fabs(element) < LARGEST_FACTOR;
				out->panels[span][book_panel(block) +
				                  book_in_panel(block, row, col)] = (float)element;
			}
	return sane;
}

static size_t count_spans(const book_feedback *f)
{
	return f->span ? divide_up(f->cols, f->span) : 0;
}

static size_t span_width(const book_feedback *f, size_t span)
{
	size_t first = span * f->span;

	return f->span < f->cols - first ? f->span : f->cols - first;
}

static bool allocate_descent(book_feedback *out)
{
	size_t i, columns;

	out->moments = memory_new(count_spans(out), sizeof *out->moments);
	out->blocks = memory_new(divide_up(out->cols, TILE_BLOCK), sizeof *out->blocks);
	if (!out->moments || !out->blocks)
		return false;
	for (i = 0; i < count_spans(out); i++) {
		columns = book_span_columns(span_width(out, i));
		out->moments[i] = memory_new(columns * columns, sizeof(float));
		if (!out->moments[i])
			return false;
	}
	return true;
}

brise_status factor_new(book_feedback *out, uint32_t cols, uint32_t span, bool descent,
                        book_products_fn *products, brise_error *err)
{
	bool complete;
	size_t i;

	*out = (book_feedback){ .cols = cols, .span = span, .products = products };
	out->variance = memory_new(tile_padded(cols), sizeof *out->variance);
	out->panels = memory_new(count_spans(out), sizeof *out->panels);
	complete = out->variance && out->panels && (!descent || allocate_descent(out));
	for (i = 0; i < count_spans(out) && complete; i++)
		complete = (out->panels[i] = memory_new(
		                    book_panel(divide_up(span_width(out, i), TILE_BLOCK)),
		                    sizeof **out->panels)) != NULL;
	if (complete)
		return BRISE_OK;
	factor_free(out);
	return error_set(err, BRISE_ENOMEM,
	                 "no memory for the factors of %u columns in spans of %u", cols, span);
}

void factor_free(book_feedback *f)
{
	size_t i;

	for (i = 0; i < count_spans(f); i++) {
		if (f->panels)
			memory_free(f->panels[i]);
		if (f->moments)
			memory_free(f->moments[i]);
	}
	memory_free(f->panels);
	memory_free(f->moments);
	memory_free(f->blocks);
	memory_free(f->variance);
	*f = (book_feedback){ 0 };
}

/* The data have correlations in spans of data_span columns, a multiple of out->span. */
static brise_status factor_spans(book_feedback *out, const void *data, uint32_t data_span,
                                 double damping, const char *name, pool *threads,
                                 brise_cancel_fn *cancel, void *user, brise_error *err)
{
	uint32_t cols = (uint32_t)out->cols, span = (uint32_t)out->span, first;
	size_t most = round_up_size(span < cols ? span : cols, STRIP);
	double *h = memory_new(most * most, sizeof *h),
	       *panels = memory_new(STRIP * most, sizeof *panels);
	brise_status status =
	        h && panels ? BRISE_OK
	                    : error_set(err, BRISE_ENOMEM,
	                                "no memory to factor moments of %zu columns", most);
	const asking a = { cancel, user };

	for (first = 0; first < cols && status == BRISE_OK; first += span) {
		uint32_t end = calibration_span_end(first, span, cols);
		uint32_t begin = first / data_span * data_span;
		size_t n = round_up_size(end - first, STRIP);
		double least;

		if (is_cancelled(&a)) {
			status = error_set(err, BRISE_ECANCELED, "%s: cancelled", name);
			break;
		}
		least = fill_moments(h, n, data,
		                     calibration_data_correlations(data, cols, data_span, begin),
		                     first - begin, first, end, damping);
		keep_moments(out, first / span, h, n, end - first, threads);
		if (!factor_span(h, n, least, panels, threads, &a))
			status = error_set(err, BRISE_ECANCELED, "%s: cancelled", name);
		else if (!store(out, first / span, h, n, first, end))
			status = error_set(err, BRISE_EFORMAT,
			                   "%s: an input has correlations that no data can have",
			                   name);
	}
	memory_free(h);
	memory_free(panels);
	return status;
}

brise_status factor_data(book_feedback *out, const void *data, double damping, const char *name,
                         pool *threads, brise_cancel_fn *cancel, void *user, brise_error *err)
{
	return factor_spans(out, data, (uint32_t)out->span, damping, name, threads, cancel, user,
	                    err);
}

#define DAMPING 0.01

brise_status factor_input(book_feedback *out, const calibration *c, uint32_t index, pool *threads,
                          brise_cancel_fn *cancel, void *user, brise_error *err)
{
	brise_status status = factor_spans(out, calibration_squares(c, index), c->header.span,
	                                   DAMPING, c->name, threads, cancel, user, err);

	if (status != BRISE_EFORMAT)
		return status;
	if ((status = calibration_check_read(c, err)) == BRISE_OK)
		status = error_set(err, BRISE_EFORMAT,
		                   "%s: input %u has correlations that no data can have", c->name,
		                   index);
	return status;
}
