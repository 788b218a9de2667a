/* inverse.h - the inverse of an input's moments, from their factors */
#ifndef CONVERT_CLOSED_INVERSE_H
#define CONVERT_CLOSED_INVERSE_H

#include "quant/encode/book_feedback.h"
#include "runtime/os/threads.h"

/* Panels that are one piece of work: what is multiplied with them is read from memory once for all.
 */
#define INVERSE_STRIP 4u

/* out = scale * H^-1 of a span, n = book_span_columns of its width: panels of 16 columns,
 * [n/16][n][16], 64-byte aligned as scratch [n/16][n][16] is; zeros in the padding. work:
 * [threads][INVERSE_STRIP][n][16]. The result does not depend on the threads. */
void inverse_make(float *out, float *scratch, float *work, const book_feedback *factors,
                  size_t span, size_t n, float scale, book_products_fn *products, pool *threads);

#endif
