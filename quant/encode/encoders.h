/* encoders.h - the converter's column of the table of types (quant/types.h) */
#ifndef QUANT_ENCODERS_H
#define QUANT_ENCODERS_H

#include "quant/encode/book_feedback.h"
#include "quant/types.h"

/* Encodes up to tile_rows rows, [n_rows][cols] finite weights, into one tile; missing rows are
 * zeros.
 *
 * how      of types with a codebook
 * scratch  [encoder_scratch(cols, ...)]
 * Adds squared error and norm to *sum. False if a weight is too large for the type. */
typedef bool encode_tile_fn(uint8_t *tile, const float *weights, size_t n_rows, size_t cols,
                            const book_encoding *how, float *scratch, tile_error *sum);

/* NULL: a type this version does not know. */
encode_tile_fn *encoder_find(uint32_t type);

/* The same for rows of several tiles, at most ENCODER_TILES, which lie one behind the other; where
 * errors are fed back that takes less time than one after another. scratch for as many tiles.
 * sums: one for each. */
#define ENCODER_TILES BOOK_TILES
bool encoder_run(uint32_t type, uint8_t *tiles, const float *weights, size_t n_rows, size_t cols,
                 const book_encoding *how, float *scratch, tile_error *sums);

/* Floats of scratch that any of them needs for a tile. */
size_t encoder_scratch(size_t cols, bool feedback);

#endif
