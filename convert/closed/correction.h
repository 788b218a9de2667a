/* correction.h - what moves a matrix towards the outputs of the original model, when its inputs are
 * those of the quantized model
 *
 * x is what the original model gives a matrix W, y what the model quantized so far gives it, and d
 * what the residual stream that the output is added to has lost so far: original minus quantized, 0
 * where the output is not added to it. The change of W that brings W' y nearest to W x + d in the
 * mean of squares is (W X + L) H^-1, with X = (x - y) y^T, L = d y^T and H = y y^T, damped. A
 * fraction of it is added: all of it fits the text, not the model.
 *
 * Columns of different spans are taken as uncorrelated, as in error feedback; of d each span then
 * makes good its share.
 */
#ifndef CONVERT_CLOSED_CORRECTION_H
#define CONVERT_CLOSED_CORRECTION_H

#include "arch/tools/tools.h"
#include "quant/encode/book_feedback.h"
#include "runtime/os/threads.h"

typedef struct correction {
	size_t cols, span, rows; /* rows: of d; 0: none */
	size_t columns;          /* with the padding of panels */
	/* per span, in panels of 16 rows of X [n][16], n book_span_columns; then X H^-1 in panels
	 * of 16 columns [n][16] */
	float *own;
	float *loss;                    /* in panels of 16 rows: L [columns][16], then L H^-1 */
	float *inputs, *changes, *lost; /* scratch: panels [tokens][16] of y, x - y and d */
	float *inverse, *scratch, *work;
	unsigned threads;
} correction;

/* Errors: BRISE_ENOMEM. Call correction_free in the end and after an error. */
brise_status correction_new(correction *c, size_t cols, size_t span, size_t rows, unsigned threads,
                            brise_error *err);
void correction_free(correction *c);

/* Rows of one stream: [n][stride], padded with zeros to a multiple of 128. */
typedef struct correction_rows {
	const float *x, *y;
	size_t stride;
	const float *original, *quantized; /* residual streams; not read where rows is 0 */
	size_t residual_stride;
	uint32_t n;
} correction_rows;

/* Adds the products of some tokens. The result depends neither on threads nor on tools, and on the
 * division into calls only where they do not end at multiples of 256 rows. */
void correction_add(correction *c, const correction_rows *rows, const arch_tools *tools,
                    pool *threads);

/* From sums over `tokens` to what correction_apply adds. factors: of H. */
void correction_finish(correction *c, const book_feedback *factors, float strength, uint64_t tokens,
                       const arch_tools *tools, pool *threads);

/* Corrects rows [n][cols], the first of which is row `first`, a multiple of 16, of its matrix.
 * scratch: [columns][n, padded to 16] */
void correction_apply(const correction *c, float *rows, size_t n, size_t first, float *scratch,
                      const arch_tools *tools);

#endif
