/* book_descent.h - coordinate descent after error feedback: blocks are rounded again, with scales
 * chosen anew, for the errors that all others have
 *
 * A row's error e costs e H e^T. With the errors outside block b held, the cost depends on the
 * block's weights q as (q - t) H_bb (q - t)^T, where t = q_now + g H_bb^-1 and g = (e H)_b is half
 * the gradient. So each block is rounded to t, within itself by feedback (book_feedback.h), and
 * then code by code to what is best beside the other 31; it is replaced where that costs less.
 */
#ifndef QUANT_BOOK_DESCENT_H
#define QUANT_BOOK_DESCENT_H

#include "quant/encode/book_feedback.h"

/* What a block of columns needs: H_bb = A D A^T, its inverse and itself, [32][32] each; zeros in
 * the padding, A's diagonal there is 1. */
typedef struct book_descent_block {
	float moments[TILE_BLOCK * TILE_BLOCK], inverse[TILE_BLOCK * TILE_BLOCK];
	float factor[TILE_BLOCK * TILE_BLOCK], variance[TILE_BLOCK];
} book_descent_block;

/* Fills *out from moments, the [32][32] of H; n columns are not padding. */
void book_descent_prepare(book_descent_block *out, const float *moments, size_t n);

#endif
