/* matmul.h - products of float matrices for training, on one thread */
#ifndef BREEZE_CHAT_MATMUL_H
#define BREEZE_CHAT_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

/* An operand as it is read: element (i, j) is at data[i * rows_apart + j * columns_apart], so that
 * a transposed matrix is the same memory with the two exchanged. */
typedef struct matrix {
	const float *data;
	size_t rows_apart, columns_apart;
} matrix;

/* What the operands are copied into, in the order in which the inner loop reads them. One for each
 * thread; NULL: no memory. */
typedef struct matmul_scratch matmul_scratch;
matmul_scratch *matmul_allocate(void);
void matmul_free(matmul_scratch *s);

/* c [m][n], rows `ldc` apart, = a [m][k] b [k][n], or += where `add` is set. n is a multiple of
 * MATMUL_COLUMNS. */
#define MATMUL_COLUMNS 32
void matmul(matmul_scratch *s, float *c, size_t ldc, matrix a, matrix b, size_t m, size_t n,
            size_t k, bool add);

#endif
