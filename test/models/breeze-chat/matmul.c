/* matmul.c - products of float matrices, in blocks that stay in the caches
 *
 * The usual scheme (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
 * 2008): a panel of b of MATMUL_COLUMNS columns stays in the first cache while blocks of a from the
 * second one pass over it, ROWS rows at a time. The products of ROWS x MATMUL_COLUMNS numbers are
 * summed in registers; that is plain C, which compilers turn into vector instructions.
 */
#include "test/models/breeze-chat/matmul.h"

#include <stdlib.h>

#define ROWS  12  /* with 32 columns: 24 of the 32 registers of AVX-512 */
#define DEPTH 256 /* of a panel: 32 KB of b, 12 KB of a */
#define BLOCK 240 /* rows of a that stay in the second cache: 240 KB; a multiple of ROWS */
#define WIDTH 1024

struct matmul_scratch {
	float a[BLOCK * DEPTH];
	float b[WIDTH * DEPTH];
};

matmul_scratch *matmul_allocate(void)
{
	return aligned_alloc(64, (sizeof(matmul_scratch) + 63) / 64 * 64);
}

void matmul_free(matmul_scratch *s)
{
	free(s);
}

/* Copies rows x depth of a as panels of ROWS rows, column by column; missing rows are zeros. Both
 * ways read memory in its order. */
static void pack_a(float *restrict to, matrix a, size_t rows, size_t depth)
{
	size_t row, i, p;

	for (row = 0; row < rows; row += ROWS, to += ROWS * depth) {
		const float *from = a.data + row * a.rows_apart;
		if (a.rows_apart == 1 && rows - row >= ROWS)
			for (p = 0; p < depth; p++)
				for (i = 0; i < ROWS; i++)
					to[p * ROWS + i] = from[p * a.columns_apart + i];
		else
			for (i = 0; i < ROWS; i++)
				for (p = 0; p < depth; p++)
					to[p * ROWS + i] = row + i < rows
					                           ? from[i * a.rows_apart +
					                                  p * a.columns_apart]
					                           : 0.0f;
	}
}

/* Copies depth x columns of b as panels of MATMUL_COLUMNS columns, row by row. */
static void pack_b(float *restrict to, matrix b, size_t depth, size_t columns)
{
	size_t column, j, p;

	for (column = 0; column < columns; column += MATMUL_COLUMNS, to += MATMUL_COLUMNS * depth) {
		const float *from = b.data + column * b.columns_apart;
		if (b.columns_apart == 1)
			for (p = 0; p < depth; p++)
				for (j = 0; j < MATMUL_COLUMNS; j++)
					to[p * MATMUL_COLUMNS + j] = from[p * b.rows_apart + j];
		else
			for (j = 0; j < MATMUL_COLUMNS; j++)
				for (p = 0; p < depth; p++)
					to[p * MATMUL_COLUMNS + j] =
					        from[j * b.columns_apart + p * b.rows_apart];
	}
}

/* c += a panel of a times a panel of b, of which `rows` rows are stored. */
static void multiply_panels(float *restrict c, size_t ldc, const float *restrict a,
                            const float *restrict b, size_t depth, size_t rows)
{
	float sum[ROWS][MATMUL_COLUMNS] = { { 0 } };
	size_t i, j, p;

	for (p = 0; p < depth; p++)
		for (i = 0; i < ROWS; i++)
			for (j = 0; j < MATMUL_COLUMNS; j++)
				sum[i][j] += a[p * ROWS + i] * b[p * MATMUL_COLUMNS + j];
	for (i = 0; i < ROWS; i++)
		if (i < rows)
			for (j = 0; j < MATMUL_COLUMNS; j++)
				c[i * ldc + j] += sum[i][j];
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static matrix part(matrix m, size_t row, size_t column)
{
	m.data += row * m.rows_apart + column * m.columns_apart;
	return m;
}

void matmul(matmul_scratch *s, float *c, size_t ldc, matrix a, matrix b, size_t m, size_t n,
            size_t k, bool add)
{
	size_t i, j, p, row, column, rows, columns, depth;

	for (i = 0; i < m && !add; i++)
		for (j = 0; j < n; j++)
			c[i * ldc + j] = 0.0f;
	for (column = 0; column < n; column += WIDTH)
		for (p = 0; p < k; p += DEPTH) {
			columns = least(WIDTH, n - column);
			depth = least(DEPTH, k - p);
			pack_b(s->b, part(b, p, column), depth, columns);
			for (row = 0; row < m; row += BLOCK) {
				rows = least(BLOCK, m - row);
				pack_a(s->a, part(a, row, p), rows, depth);
				for (j = 0; j < columns; j += MATMUL_COLUMNS)
					for (i = 0; i < rows; i += ROWS)
						multiply_panels(c + (row + i) * ldc + column + j,
						                ldc, s->a + i * depth,
						                s->b + j * depth, depth,
						                least(ROWS, rows - i));
			}
		}
}
