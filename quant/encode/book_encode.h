/* book_encode.h - from floats to tiles: row scale, magnitudes, signs, shifts and codes by squared
 * error */
#ifndef QUANT_BOOK_ENCODE_H
#define QUANT_BOOK_ENCODE_H

#include <stdbool.h>

#include "quant/encode/tile_error.h"
#include "quant/codebook.h"

/* EFFORT_BEST searches as EFFORT_HIGH does; convert/closed/ makes the rest of it. */
enum book_effort { EFFORT_FAST, EFFORT_NORMAL, EFFORT_HIGH, EFFORT_BEST };

/* Cells of half a unit, the middle one at 0: midpoints of codebook values are multiples of 1/2, so
 * no cell straddles one and a table over cells is exact. Beyond the codebook's ends the end is
 * nearest. */
#define BOOK_CELLS       256
#define BOOK_ERROR_LANES 16

/* The search's inner loop: the errors of n scales for a block of 32 weights.
 *
 * errors[c] = sum of importance[i] * (at - table[at])^2, at = w[i] * by[c] + plus[c]; the table
 * [BOOK_CELLS] is read at at's whole part, clamped to its ends. Sums run in 16 lanes, element i in
 * lane i mod 16, added up by one tree: 8, 4, 2, 1 apart. arch/ has faster ones with the same bits.
 */
typedef void book_errors_fn(float *errors, const float *w, const float *importance,
                            const float *table, const float *by, const float *plus, size_t n);
book_errors_fn book_errors;

/* sums[16 * i + j] += sum over t of a[16 * t + i] * b[16 * t + j], a sum that begins at zero and
 * goes in order of t: arch/tools/tools.h. */
typedef void book_products_fn(float *sums, const float *a, const float *b, size_t n);

struct book_feedback;

/* How a matrix is encoded. */
typedef struct book_encoding {
	enum book_effort effort;
	/* [cols] of each column's squared error, >= 0 and not all zero; NULL: all alike */
	const float *importance;
	const struct book_feedback *feedback; /* NULL: no feedback (quant/encode/book_feedback.h) */
	book_errors_fn *errors;               /* book_errors, or a faster one */
} book_encoding;

/* Floats of scratch that encoding needs: padded rows and importance, and what each block needs. */
size_t book_scratch(size_t cols, bool feedback);

/* Encodes up to 16 rows into one tile of codebook_tile_bytes(book, cols) bytes.
 *
 * weights  [n_rows][cols], finite; missing rows up to 16 are zeros
 * scratch  [book_scratch(cols, how->feedback != NULL)] floats
 * Adds plain squared error and norm to *sum. */
void book_encode_tile(const codebook *book, uint8_t *tile, const float *weights, size_t n_rows,
                      size_t cols, const book_encoding *how, float *scratch, tile_error *sum);

#endif
