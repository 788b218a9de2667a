/* q4_encode.h - from floats to tiles: row scale, magnitudes, signs, shifts and codes by squared error */
#ifndef QUANT_Q4_ENCODE_H
#define QUANT_Q4_ENCODE_H

#include "quant/q4.h"

enum q4_effort { Q4_FAST, Q4_NORMAL, Q4_HIGH };

/* Floats of scratch that encoding needs: a padded row, and a range per block. */
static inline size_t q4_scratch(size_t cols)
{
	return 2 * tile_padded(cols) + 2 * tile_blocks(cols);
}

/* Encodes up to 16 rows into one tile of q4_tile_bytes(cols) bytes.
 *
 * weights     [n_rows][cols], finite; missing rows up to 16 are zeros
 * importance  [cols] of each column's squared error, >= 0 and not all zero; NULL: all alike
 * scratch     [q4_scratch(cols)] floats
 * Adds plain squared error and norm to *sum. */
void q4_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols, const float *importance, enum q4_effort effort, float *scratch,
                    tile_error *sum);

#endif
