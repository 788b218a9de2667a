/* lanes_scales.h - template shared by both matrix products of a set: reads scale bytes, stores
 * rows; arch/lanes.h says what it is made of */
#ifndef ARCH_LANES_SCALES_H
#define ARCH_LANES_SCALES_H

#include "arch/lanes.h"
#include "quant/q3.h"
#include "quant/q4.h"
#include "quant/q8.h"

/* Integer types, told apart when products are compiled. */
enum lanes_type { LANES_Q3, LANES_Q4, LANES_Q8 };

/* Defines a function arch_matmul that is body(all it takes, and the arguments). */
#define LANES_PRODUCT(name, body, ...)                                                             \
	static void name(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,        \
	                 size_t first, size_t end, float *scratch)                                 \
	{                                                                                          \
		body(y, ldy, w, x, first, end, scratch, __VA_ARGS__);                              \
	}

INLINE size_t block_bytes(const enum lanes_type type)
{
	return type == LANES_Q3   ? Q3_BLOCK_BYTES
	       : type == LANES_Q4 ? Q4_BLOCK_BYTES
	                          : Q8_BLOCK_BYTES;
}

INLINE size_t group_bytes(const enum lanes_type type)
{
	return TILE_SCALES + TILE_BLOCKS * block_bytes(type);
}

/* Tables for the nibbles of codes and of scale bytes. */
typedef struct lanes_tables {
	lanes_int codes[4]; /* of a block's four vectors; q4 has one for all */
	lanes_int magnitudes, shifts, signs;
} lanes_tables;

INLINE lanes_tables make_tables(const enum lanes_type type, int code_bias, int shift_bias)
{
	const codebook *book = type == LANES_Q3 ? &q3_book : &q4_book;
	const lanes_int bias = lanes_fill_bytes(code_bias);
	int8_t shifts[16], signs[16];
	lanes_tables tables;
	int i, j;

	for (j = 0; j < 4; j++)
		tables.codes[j] = lanes_add_bytes(
		        lanes_table(type == LANES_Q3 ? q3_lookup[j] : q4_book.values), bias);
	for (i = 0; i < 16; i++) {
		shifts[i] = (int8_t)(codebook_shift(book, (uint8_t)(i << 4)) + shift_bias);
		signs[i] = i & 8 ? -1 : 0;
	}
	tables.magnitudes = lanes_table(book->magnitudes);
	tables.shifts = lanes_table(shifts);
	tables.signs = lanes_table(signs);
	return tables;
}

INLINE lanes_int table_of(const lanes_tables *tables, int j, const enum lanes_type type)
{
	return tables->codes[type == LANES_Q3 ? j : 0];
}

/* The vector whose low nibbles are the codes of LANES rows and columns 4j to 4j + 3 of a block, and
 * whose high nibbles are those of columns 16 + 4j to 19 + 4j. Asked for in order of j; *fourth
 * keeps what q3's fourth is made of. */
INLINE lanes_int load_nibbles(lanes_int *fourth, const uint8_t *codes, int j,
                              const enum lanes_type type)
{
	lanes_int bytes;

	if (type == LANES_Q3 && j == 3)
		return *fourth;
	bytes = lanes_load(codes + 64 * j);
	if (type == LANES_Q3)
		*fourth = lanes_collect(j == 0 ? bytes : *fourth, bytes, j);
	return bytes;
}

/* What the 64 scale bytes of a group mean. */
typedef struct lanes_scales {
	int8_t shift[TILE_SCALES], magnitude[TILE_SCALES];
} lanes_scales;

INLINE void read_scales(lanes_scales *out, const uint8_t *scales, const lanes_tables *tables)
{
	unsigned i;

	for (i = 0; i < TILE_SCALES; i += 4 * LANES) {
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
