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

/* sums[c][lane] = sum over k of work[k][lane] * panel[k][c], four columns. */
static void multiply_columns(float sums[4][P], const float *work, const float *panel, size_t n)
{
	float all[4][P] = { { 0 } };
	unsigned c, lane;
	size_t k;

	for (k = 0; k < n; k++)
		for (c = 0; c < 4; c++)
			for (lane = 0; lane < P; lane++)
				all[c][lane] += work[k * P + lane] * panel[k * TILE_BLOCK + c];
	memcpy(sums, all, sizeof all);
}

/* The columns of a block for the rows from `first` on; those before the block are known. */
static void solve_block(float *work, const float *panel, size_t first, size_t block)
{
	size_t start = block * TILE_BLOCK, done = start > first ? start : first, col, k;
	float sums[4][P];
	unsigned c, lane;

	for (col = start; col < start + TILE_BLOCK; col++) {
		float *at = work + col * P;

		c = (unsigned)(col - start) % 4;
		if (c == 0)
			multiply_columns(sums, work + first * P,
			                 panel + first * TILE_BLOCK + (col - start), done - first);
		for (lane = 0; lane < P; lane++)
			at[lane] = (col == first + lane ? 1.0f : 0.0f) - sums[c][lane];
		for (k = done; k < col; k++)
			for (lane = 0; lane < P; lane++)
				at[lane] -=
				        work[k * P + lane] * panel[k * TILE_BLOCK + (col - start)];
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
			solve_block(work, job->panels + book_panel(block), first, block);
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
