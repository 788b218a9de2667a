/* q8_encode.h - from floats to 8-bit tiles */
#ifndef QUANT_Q8_ENCODE_H
#define QUANT_Q8_ENCODE_H

#include "quant/encode/tile_error.h"
#include "quant/q8.h"

/* Encodes up to 16 rows, [n_rows][cols] finite weights, into one tile; missing rows are zeros.
 * scratch: [tile_padded(cols)]. Adds to *sum. */
void q8_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols, float *scratch,
                    tile_error *sum);

#endif
