/* book_descent.c - what descent needs of a block of columns: its factors and its inverse
 *
 * In doubles: H_bb has been damped, and so is its inverse no larger than a hundred times that of
 * its mean square.
 */
#include "quant/encode/book_descent.h"

#include <math.h>
#include <string.h>

#define N TILE_BLOCK

/* h, of which the upper triangle is read, becomes R, upper, h = R R^T: from the last column on, as
 * convert/calibration/factor.c does with all columns. */
static void factor(double h[N][N])
{
	size_t i, j, k;

	for (j = N; j-- > 0;) {
		double pivot = h[j][j], least = 1e-6 * pivot;

		for (k = j + 1; k < N; k++)
			pivot -= h[j][k] * h[j][k];
		pivot = sqrt(pivot > least ? pivot : least);
		for (i = 0; i < j; i++) {
			double sum = h[i][j];

			for (k = j + 1; k < N; k++)
				sum -= h[i][k] * h[j][k];
			h[i][j] = sum / pivot;
		}
		h[j][j] = pivot;
	}
}

/* upper = R^-1, column by column. */
static void invert(double upper[N][N], double r[N][N])
{
	size_t i, j, k;

	memset(upper, 0, N * sizeof *upper);
	for (j = 0; j < N; j++) {
		upper[j][j] = 1 / r[j][j];
		for (i = j; i-- > 0;) {
			double sum = 0;

			for (k = i + 1; k <= j; k++)
				sum -= r[i][k] * upper[k][j];
			upper[i][j] = sum / r[i][i];
		}
	}
}

void book_descent_prepare(book_descent_block *out, const float *moments, size_t n)
{
	double r[N][N], inverse[N][N];
	size_t i, j, k;

	memset(out, 0, sizeof *out);
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			r[i][j] = i < n && j < n ? (double)moments[i * N + j] : i == j;
	factor(r);
	invert(inverse, r);
	for (i = 0; i < N; i++)
		out->factor[i * N + i] = 1;
	for (i = 0; i < n; i++) {
		out->variance[i] = (float)(r[i][i] * r[i][i]);
		for (j = 0; j < n; j++) {
			double sum = 0;

			for (k = 0; k <= (i < j ? i : j); k++) /* R^-T R^-1 */
				sum += inverse[k][i] * inverse[k][j];
			out->inverse[i * N + j] = (float)sum;
			out->moments[i * N + j] = moments[i * N + j];
			if (i < j)
				out->factor[i * N + j] = (float)(r[i][j] / r[j][j]);
		}
	}
}
