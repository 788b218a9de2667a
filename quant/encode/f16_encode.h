/* f16_encode.h - from floats to binary16 tiles */
#ifndef QUANT_F16_ENCODE_H
#define QUANT_F16_ENCODE_H

#include <stdbool.h>

#include "quant/encode/tile_error.h"
#include "quant/f16.h"

/* Encodes up to 16 rows, [n_rows][cols] finite weights, into one tile; missing rows are zeros. Adds
 * to *sum. False if a weight is too large for binary16. */
bool f16_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                     tile_error *sum);

#endif
