/* span.h - layout of the keys and values of 32 successive positions of one key/value head
 *
 * int8, ordered for integer dot products: four bytes that are multiplied and added together lie
 * side by side, and 16 positions (keys) or 16 dimensions (values) follow each other, one to a SIMD
 * lane. dim is head_dim padded to a multiple of 16 with zeros.
 *
 *     keys          int8  [2][dim / 4][16][4]   half, four dimensions, position within the half
 *     values        int8  [8][dim][4]           four positions, dimension
 *     key scales    float [32]
 *     value scales  float [32]
 *
 * Codes are any int8; scales are finite and not negative.
 *
 * Kernels, ring and session files share this layout; all offsets are in bytes from the span.
 */
#ifndef QUANT_SPAN_H
#define QUANT_SPAN_H

#include <stddef.h>

#include "quant/rounding.h"

#define SPAN_POSITIONS 32u
#define SPAN_LANES     16u                   /* positions of a half; dim is a multiple of it */
#define SPAN_SCALES    (2u * SPAN_POSITIONS) /* floats: of keys, then of values */

/* head_dim with padding. */
static inline size_t span_dim(size_t head_dim)
{
	return round_up_size(head_dim, SPAN_LANES);
}

static inline size_t span_values(size_t dim)
{
	return SPAN_POSITIONS * dim;
}

static inline size_t span_key_scales(size_t dim)
{
	return 2 * SPAN_POSITIONS * dim;
}

static inline size_t span_value_scales(size_t dim)
{
	return span_key_scales(dim) + SPAN_POSITIONS * sizeof(float);
}

static inline size_t span_bytes(size_t dim)
{
	return span_key_scales(dim) + SPAN_SCALES * sizeof(float);
}

/* The keys of dimensions [d, d + 4), d a multiple of 4, of a position in [0, 32): four bytes. */
static inline size_t span_key(size_t dim, size_t position, size_t d)
{
	return position / SPAN_LANES * SPAN_LANES * dim + d / 4 * 4 * SPAN_LANES +
	       position % SPAN_LANES * 4;
}

/* The value of one dimension of a position in [0, 32): a byte. */
static inline size_t span_value(size_t dim, size_t position, size_t d)
{
	return span_values(dim) + (position / 4 * dim + d) * 4 + position % 4;
}

#endif
