/* q4_encode.h - from floats to tiles: row scale, magnitudes, signs, shifts and codes by squared
 * error */
#ifndef QUANT_Q4_ENCODE_H
#define QUANT_Q4_ENCODE_H

#include <stdbool.h>

#include "quant/encode/tile_error.h"
#include "quant/q4.h"

/* Q4_BEST searches as Q4_HIGH does; convert/closed/ makes the rest of it. */
enum q4_effort { Q4_FAST, Q4_NORMAL, Q4_HIGH, Q4_BEST };

/* Cells of half a unit, the middle one at 0: midpoints of codebook values are multiples of 1/2, so
 * no cell straddles one and a table over cells is exact. Beyond the codebook's ends the end is
 * nearest. */
#define Q4_CELLS       256
#define Q4_ERROR_LANES 16

/* The search's inner loop: the errors of n scales for a block of 32 weights.
 *
 * errors[c] = sum of importance[i] * (at - table[at])^2, at = w[i] * by[c] + plus[c]; the table
 * [Q4_CELLS] is read at at's whole part, clamped to its ends. Sums run in 16 lanes, element i in
 * lane i mod 16, added up by one tree: 8, 4, 2, 1 apart. arch/ has faster ones with the same bits.
 */
typedef void q4_errors_fn(float *errors, const float *w, const float *importance,
                          const float *table, const float *by, const float *plus, size_t n);
q4_errors_fn q4_errors;

/* sums[16 * i + j] += sum over t of a[16 * t + i] * b[16 * t + j], a sum that begins at zero and
 * goes in order of t: arch/tools/tools.h. */
typedef void q4_products_fn(float *sums, const float *a, const float *b, size_t n);

struct q4_feedback;

/* How a matrix is encoded. */
typedef struct q4_encoding {
	enum q4_effort effort;
	/* [cols] of each column's squared error, >= 0 and not all zero; NULL: all alike */
	const float *importance;
	const struct q4_feedback *feedback; /* NULL: no feedback (quant/encode/q4_feedback.h) */
	q4_errors_fn *errors;               /* q4_errors, or a faster one */
} q4_encoding;

/* Floats of scratch that encoding needs: padded rows and importance, and what each block needs. */
size_t q4_scratch(size_t cols, bool feedback);

/* Encodes up to 16 rows into one tile of q4_tile_bytes(cols) bytes.
 *
 * weights  [n_rows][cols], finite; missing rows up to 16 are zeros
 * scratch  [q4_scratch(cols, how->feedback != NULL)] floats
 * Adds plain squared error and norm to *sum. */
void q4_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                    const q4_encoding *how, float *scratch, tile_error *sum);

#endif
