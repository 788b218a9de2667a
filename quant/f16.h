/* f16.h - unquantized weights in tiles: the reference type
 *
 * A tile (16 rows): binary16 weights[columns padded to 128][16 rows], column after column.
 */
#ifndef QUANT_F16_H
#define QUANT_F16_H

#include <stdbool.h>

#include "quant/tile.h"

#define F16_COLUMN_BYTES (TILE_ROWS * 2)

static inline size_t f16_tile_bytes(size_t cols)
{
	return tile_padded(cols) * F16_COLUMN_BYTES;
}

/* Encodes up to 16 rows, [n_rows][cols] finite weights, into one tile; missing rows are zeros. Adds
 * to *sum. False if a weight is too large for binary16. */
bool f16_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                     tile_error *sum);

/* Decodes one row (0..15) of a tile into [cols] floats. */
void f16_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols);

#endif
