/* f16.h - unquantized weights in tiles: the reference type
 *
 * A tile (16 rows): binary16 weights[columns padded to 128][16 rows], column after column.
 */
#ifndef QUANT_F16_H
#define QUANT_F16_H

#include "quant/tile.h"

#define F16_COLUMN_BYTES (TILE_ROWS * 2)

static inline size_t f16_tile_bytes(size_t cols)
{
	return tile_padded(cols) * F16_COLUMN_BYTES;
}

/* Decodes one row (0..15) of a tile into [cols] floats. */
void f16_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols);

#endif
