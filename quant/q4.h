/* q4.h - 4-bit weights: a 16-entry codebook, and one byte of scale per row and block of 32 columns
 *
 *     weight = row_scale * magnitude * (codebook[code] + shift)
 *
 * The scale byte holds the index of the magnitude (bits 0-3), the index of the shift (bits 4-6) and
 * the sign of the magnitude (bit 7). The sign lets the asymmetric codebook point either way and the
 * shift moves its dense middle onto the block's mean: both lower the error at no cost in bits, and
 * a block's dot product stays magnitude * (sum code*a + shift * sum a). All three parts are looked
 * up by nibble, as the codes are.
 *
 * A tile (16 rows):   float row_scale[16]
 *                     per group of 128 columns:  uint8 scale[4 blocks][16 rows]
 *                                                uint8 codes[4 blocks][4][16 rows][4]
 * Byte [j][row][k] of a block holds the code of column 4j + k in its low nibble and of column
 * 16 + 4j + k in its high one.
 */
#ifndef QUANT_Q4_H
#define QUANT_Q4_H

#include "quant/tile.h"

#define Q4_GROUP_SCALES 64u
#define Q4_BLOCK_BYTES  256u
#define Q4_GROUP_BYTES  (Q4_GROUP_SCALES + TILE_BLOCKS * Q4_BLOCK_BYTES)
#define Q4_TILE_HEAD    64u /* row scales */

/* the codebook's lowest value is -Q4_LOW; kernels that want unsigned codes add it */
#define Q4_LOW   63
#define Q4_SHIFT 8 /* the lowest shift is -Q4_SHIFT, and no other is further from 0 */

/* Fitted together by simulated annealing, under an exhaustive search, to what rows of 4096 weights
 * lose: normal, Laplace and Student's t with 5 degrees of freedom, and normal ones with one weight
 * of 12 or 25 deviations. From the lowest to the highest shifted value it spans at most 129, so
 * that two products of unsigned codes and activations of up to 127 fit in 16 bits: 129 * 127 * 2 =
 * 32,766. Magnitudes crowd where most blocks are; the low ones serve rows with outliers. */
extern const int8_t q4_codebook[16];
extern const int8_t q4_magnitudes[16]; /* ascending from 0 */
extern const int8_t q4_shifts[8];

static inline size_t q4_tile_bytes(size_t cols)
{
	return Q4_TILE_HEAD + tile_groups(cols) * Q4_GROUP_BYTES;
}

static inline int q4_magnitude(uint8_t scale)
{
	int magnitude = q4_magnitudes[scale & 15];

	return scale & 0x80 ? -magnitude : magnitude;
}

static inline int q4_shift(uint8_t scale)
{
	return q4_shifts[scale >> 4 & 7];
}

/* Decodes one row (0..15) of a tile into [cols] floats. */
void q4_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols);

#endif
