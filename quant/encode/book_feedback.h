/* book_feedback.h - error feedback: later columns compensate for earlier rounding
 *
 * With H the second moments of a matrix's inputs, a row's error e costs e H e^T. Factor H = A D
 * A^T, A upper triangular with a unit diagonal, D diagonal: the cost is sum_j D_j (e A)_j^2, and (e
 * A)_j = e_j + sum_{k<j} e_k A_kj. So column j is rounded not from its weight w_j but from w_j +
 * sum_{k<j} e_k A_kj, where e_k = w_k - rounded_k, and each D_j weighs one rounding alone. This is
 * GPTQ's update (arXiv 2210.17323), in the form that needs no inverse (LDLQ, arXiv 2307.13304,
 * section 3). Columns of different spans are taken as uncorrelated.
 */
#ifndef QUANT_BOOK_FEEDBACK_H
#define QUANT_BOOK_FEEDBACK_H

#include "quant/encode/book_encode.h"

/* The factors of one matrix. */
struct book_feedback {
	size_t cols, span; /* span: a multiple of 32 */
	float *variance;   /* D, [tile_padded(cols)]; 0 in the padding */
	float **panels;    /* A, per span; see book_panel */
	book_products_fn *products;

	/* For descent (quant/encode/book_descent.h), which follows unless moments is NULL: H per
	 * span, [n / 16][n][16], n book_span_columns of its width; and what each block of columns
	 * needs. */
	float **moments;
	struct book_descent_block *blocks;
};

typedef struct book_feedback book_feedback;

/* The columns of block `block` of a span, in two panels of 16 columns: [2][32 * (block + 1)][16],
 * A's rows from the span's first to the block's last. */
static inline size_t book_panel(size_t block)
{
	return block * (block + 1) / 2 * TILE_BLOCK * TILE_BLOCK;
}

/* The place in them of a row's element in column `col` of the block. */
static inline size_t book_in_panel(size_t block, size_t row, size_t col)
{
	return (col / TILE_ROWS * TILE_BLOCK * (block + 1) + row) * TILE_ROWS + col % TILE_ROWS;
}

/* Columns of a span with the padding that its panels have. */
static inline size_t book_span_columns(size_t width)
{
	return round_up_size(width, TILE_BLOCK);
}

/* Tiles at once. What is read from memory is a quarter then, and errors of all, 1 MB in a span of
 * 4,096, still lie in a second or third cache; 8 are no faster on a Zen 5. */
#define BOOK_TILES 4u

/* Floats of scratch that a tile needs, without what its blocks need: quant/encode/book_encode.c. */
static inline size_t book_feedback_scratch(size_t cols)
{
	return 2 * TILE_ROWS * tile_padded(cols) + TILE_ROWS * TILE_BLOCK;
}

/* Encodes up to BOOK_TILES tiles, which get the same bits as one after another.
 *
 * out      tiles one behind the other, zeros
 * weights  [n_rows][cols], finite; missing rows of the last tile are zeros
 * scratch  [tiles][book_scratch(cols, true)]
 * sums     [tiles] to which squared errors and norms are added */
void book_encode_with_feedback(const codebook *book, uint8_t *out, const float *weights,
                               size_t n_rows, size_t cols, const book_encoding *how, float *scratch,
                               tile_error *sums);

#endif
