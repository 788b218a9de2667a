/* inverse.c - H = A D A^T, so H^-1 = B^T D^-1 B with B = A^-1, upper triangular with a unit
 * diagonal too
 *
 * Sixteen rows of B at a time, one in each lane: B A = I says B_ij = [i = j] - sum_{k<j} B_ik A_kj.
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

/* Items are panels of rows of B, each divided by the root of its D. */
static void solve_rows(void *argument, unsigned worker, size_t item, size_t end)
{
	const inverse_job *job = argument;
	float *work = job->work + worker * job->n * P;

	for (; item < end; item++) {
		size_t first = item * P, block, col, lane;
		float root[P];

		for (lane = 0; lane < P; lane++) {
			float d = job->variance[first + lane];

			root[lane] = d > 0 ? 1 / sqrtf(d) : 0;
		}
		memset(work, 0, job->n * P * sizeof *work);
		for (block = first / TILE_BLOCK; block < job->n / TILE_BLOCK; block++)
			solve_block(job, work, first, block);
		for (col = 0; col < job->n; col++)
			for (lane = 0; lane < P; lane++)
				job->b[col / P * P * job->n + (first + lane) * P + col % P] =
				        work[col * P + lane] * root[lane];
	}
}

/* Items are panels of columns of the result. */
static void multiply_panels(void *argument, unsigned worker, size_t j, size_t end)
{
	const inverse_job *job = argument;
	size_t i, k;

	(void)worker;
	for (; j < end; j++)
		for (i = 0; i < job->n / P; i++) {
			float *tile = job->out + j * P * job->n + i * P * P;

			memset(tile, 0, P * P * sizeof *tile);
			job->products(tile, job->b + i * P * job->n, job->b + j * P * job->n,
			              ((i < j ? i : j) + 1) * P);
			for (k = 0; k < P * P; k++)
				tile[k] *= job->scale;
		}
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

	pool_run(threads, solve_rows, &job, n / P, 1);
	pool_run(threads, multiply_panels, &job, n / P, 1);
}
