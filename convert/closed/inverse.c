/* inverse.c - H = A D A^T, so H^-1 = B^T D^-1 B with B = A^-1, upper triangular with a unit
 * diagonal too
 *
 * Sixteen rows of B at a time, one in each lane: B A = I says B_ij = [i = j] - sum_{k<j} B_ik A_kj.
 * A few such panels go side by side through A, and through B, which are too large for caches.
 */
#include "convert/closed/inverse.h"

#include <math.h>
#include <string.h>

#define P TILE_ROWS

typedef struct inverse_job {
	float *out, *b, *work;
	const float *panels, *variance;
	size_t n;
	float scale;
	book_products_fn *products;
} inverse_job;

/* The columns of a block for the rows from `first` on; those before the block are known. */
static void solve_block(const inverse_job *job, float *work, size_t first, size_t block)
{
	const float *panel = job->panels + book_panel(block);
	size_t start = block * TILE_BLOCK, done = start > first ? start : first, col, k;
	unsigned lane;

	for (col = start; col < start + TILE_BLOCK; col += P) {
		float *sums = work + col * P; /* [16 columns][16 lanes] */

		memset(sums, 0, P * P * sizeof *sums);
		job->products(sums, panel + book_in_panel(block, first, col - start),
		              work + first * P, done - first);
	}
	for (col = start; col < start + TILE_BLOCK; col++) {
		float *at = work + col * P;

		for (lane = 0; lane < P; lane++)
			at[lane] = (col == first + lane ? 1.0f : 0.0f) - at[lane];
		for (k = done; k < col; k++) {
			float element = panel[book_in_panel(block, k, col - start)];

			for (lane = 0; lane < P; lane++)
				at[lane] -= work[k * P + lane] * element;
		}
	}
}

/* To panels of columns, each row divided by the root of its D. */
static void store_rows(const inverse_job *job, const float *work, size_t first)
{
	float root[P];
	size_t col, lane;

	for (lane = 0; lane < P; lane++) {
		float d = job->variance[first + lane];

		root[lane] = d > 0 ? 1 / sqrtf(d) : 0;
	}
	for (col = 0; col < job->n; col++)
		for (lane = 0; lane < P; lane++)
			job->b[col / P * P * job->n + (first + lane) * P + col % P] =
			        work[col * P + lane] * root[lane];
}

static size_t strip_end(const inverse_job *job, size_t strip)
{
	size_t end = (strip + 1) * INVERSE_STRIP;

	return end < job->n / P ? end : job->n / P;
}

/* Items are strips of panels of rows of B. */
static void solve_rows(void *argument, unsigned worker, size_t strip, size_t end)
{
	const inverse_job *job = argument;
	size_t floats = job->n * P;
	float *work = job->work + worker * floats * INVERSE_STRIP;

	for (; strip < end; strip++) {
		size_t first = strip * INVERSE_STRIP, last = strip_end(job, strip), block, i;

		memset(work, 0, (last - first) * floats * sizeof *work);
		for (block = first * P / TILE_BLOCK; block < job->n / TILE_BLOCK; block++)
			for (i = first; i < last && i * P / TILE_BLOCK <= block; i++)
				solve_block(job, work + (i - first) * floats, i * P, block);
		for (i = first; i < last; i++)
			store_rows(job, work + (i - first) * floats, i * P);
	}
}

static void multiply_pair(const inverse_job *job, size_t i, size_t j)
{
	float *tile = job->out + j * P * job->n + i * P * P;
	size_t k;

	memset(tile, 0, P * P * sizeof *tile);
	job->products(tile, job->b + i * P * job->n, job->b + j * P * job->n,
	              ((i < j ? i : j) + 1) * P);
	for (k = 0; k < P * P; k++)
		tile[k] *= job->scale;
}

/* Items are strips of panels of columns of the result. */
static void multiply_panels(void *argument, unsigned worker, size_t strip, size_t end)
{
	const inverse_job *job = argument;
	size_t i, j;

	(void)worker;
	for (; strip < end; strip++)
		for (i = 0; i < job->n / P; i++)
			for (j = strip * INVERSE_STRIP; j < strip_end(job, strip); j++)
				multiply_pair(job, i, j);
}

void inverse_make(float *out, float *scratch, float *work, const book_feedback *factors,
                  size_t span, size_t n, float scale, book_products_fn *products, pool *threads)
{
	inverse_job job = { out,
		            scratch,
		            work,
		            factors->panels[span],
		            factors->variance + span * factors->span,
		            n,
		            scale,
		            products };

	pool_run(threads, solve_rows, &job, divide_up(n / P, INVERSE_STRIP), 1);
	pool_run(threads, multiply_panels, &job, divide_up(n / P, INVERSE_STRIP), 1);
}
