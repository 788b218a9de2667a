/* lanes_scales.h - template shared by both matrix products of a set: reads scale bytes, stores
 * rows; arch/lanes.h says what it is made of */
#ifndef ARCH_LANES_SCALES_H
#define ARCH_LANES_SCALES_H

#include "arch/lanes.h"
#include "quant/q4.h"
#include "quant/q8.h"

#define GROUP_SCALES (TILE_BLOCKS * TILE_ROWS)

/* Tables for the nibbles of codes and of scale bytes. */
typedef struct lanes_tables {
	lanes_int codes, magnitudes, shifts, signs;
} lanes_tables;

INLINE lanes_tables make_tables(int code_bias, int shift_bias)
{
	int8_t codes[16], shifts[16], signs[16];
	int i;

	for (i = 0; i < 16; i++) {
		codes[i] = (int8_t)(q4_codebook[i] + code_bias);
		shifts[i] = (int8_t)(q4_shift((uint8_t)(i << 4)) + shift_bias);
		signs[i] = i & 8 ? -1 : 0;
	}
	return (lanes_tables){ lanes_table(codes), lanes_table(q4_magnitudes), lanes_table(shifts),
		               lanes_table(signs) };
}

/* What the 64 scale bytes of a group mean. */
typedef struct lanes_scales {
	int8_t shift[GROUP_SCALES], magnitude[GROUP_SCALES];
} lanes_scales;

INLINE void read_scales(lanes_scales *out, const uint8_t *scales, const lanes_tables *tables)
{
	unsigned i;

	for (i = 0; i < GROUP_SCALES; i += 4 * LANES) {
		lanes_int bytes = lanes_load(scales + i), high = lanes_high4(bytes),
		          sign = lanes_lookup(tables->signs, high);
		lanes_int magnitude = lanes_lookup(tables->magnitudes, lanes_low4(bytes));

		lanes_store(out->shift + i, lanes_lookup(tables->shifts, high));
		lanes_store(out->magnitude + i, lanes_sub_bytes(lanes_xor(magnitude, sign), sign));
	}
}

INLINE lanes_float offset_of(lanes_float magnitude)
{
	return lanes_mul(magnitude, lanes_fill_float(-MATH_ROUND));
}

INLINE void store_rows(float *y, const lanes_float sums[], const uint8_t *row_scales)
{
	int part;

	UNROLL
	for (part = 0; part < LANES_PARTS; part++)
		lanes_store_float(
		        y + LANES * part,
		        lanes_mul(sums[part],
		                  lanes_load_float((const float *)(const void *)row_scales +
		                                   LANES * part)));
}

#endif
