/* q4.h - 4-bit weights: a 16-entry codebook, and one byte of scale per row and block of 32 columns
 *
 *     weight = row_scale * magnitude * (codebook[code] + shift)
 *
 * The scale byte holds magnitude (bits 0-4, 0..31), the index of the shift (bits 5-6) and the sign of the magnitude (bit 7).
 * The sign lets the asymmetric codebook point either way and the shift moves its dense middle onto the block's mean:
 * both lower the error at no cost in bits, and a block's dot product stays magnitude * (sum code*a + shift * sum a).
 * For Gaussian weights this loses 0.0048 of the squared norm at 4.25 bits; a linear grid with an 8-bit scale 0.0066.
 *
 * A tile (16 rows):   float row_scale[16]
 *                     per group of 128 columns:  uint8 scale[4 blocks][16 rows]
 *                                                uint8 codes[4 blocks][4][16 rows][4]
 * Byte [j][row][k] of a block holds the code of column 4j + k in its low nibble and of column 16 + 4j + k in its high one.
 */
#ifndef QUANT_Q4_H
#define QUANT_Q4_H

#include "quant/tile.h"

#define Q4_GROUP_SCALES 64u
#define Q4_BLOCK_BYTES  256u
#define Q4_GROUP_BYTES  (Q4_GROUP_SCALES + TILE_BLOCKS * Q4_BLOCK_BYTES)
#define Q4_TILE_HEAD    64u /* row scales */

#define Q4_MAGNITUDE 31
#define Q4_LOW       63 /* the codebook's lowest value is -Q4_LOW; kernels that want unsigned codes add it */

/* Fitted by Lloyd's algorithm to normalised blocks of Gaussian weights, then rounded. From lowest to highest shifted value it
 * spans 129, so that two products of unsigned codes and activations of up to 127 fit in 16 bits: 129 * 127 * 2 = 32,766. */
extern const int8_t q4_codebook[16];
extern const int8_t q4_shifts[4];

enum q4_effort { Q4_FAST, Q4_NORMAL, Q4_HIGH };

static inline size_t q4_tile_bytes(size_t cols)
{
	return Q4_TILE_HEAD + tile_groups(cols) * Q4_GROUP_BYTES;
}

/* Floats of scratch that encoding needs: a padded row and a range per block. */
static inline size_t q4_scratch(size_t cols)
{
	return tile_padded(cols) + 2 * tile_blocks(cols);
}

static inline int q4_magnitude(uint8_t scale)
{
	int magnitude = scale & Q4_MAGNITUDE;

	return scale & 0x80 ? -magnitude : magnitude;
}

static inline int q4_shift(uint8_t scale)
{
	return q4_shifts[scale >> 5 & 3];
}

/* Encodes up to 16 rows into one tile of q4_tile_bytes(cols) bytes.
 *
 * weights  [n_rows][cols], finite; missing rows up to 16 are zeros
 * scratch  [q4_scratch(cols)] floats
 * Adds to *sum. */
void q4_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols, enum q4_effort effort, float *scratch, tile_error *sum);

/* Decodes one row (0..15) of a tile into [cols] floats. */
void q4_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols);

#endif
