/* few.h - template of the sets of Arm: a group times a few tokens, for arch/lanes_few.h
 *
 * Four rows of a block are looked up into eight registers and multiplied with all tokens of a pass;
 * sums wait in L1. Codes stay as the codebook has them: a token's dot products begin with shift *
 * (sum of its activations) instead, which for so few tokens is cheaper than adding shifts to codes.
 *
 * A set defines LANES_FEW, LANES_FEW_MOST and, after including this,
 * few_dots(dots, w, x, tokens, type): dots[t] += products of the rows w with the codes of token t.
 */
#ifndef ARCH_ARM_FEW_H
#define ARCH_ARM_FEW_H

#define LANES_OWN_FEW

#include "arch/lanes_few.h"

/* w[g] holds columns 4g to 4g + 3 of four rows. */
INLINE void few_dots(lanes_int dots[], const int8x16_t w[8], const int8_t *x, const int tokens,
                     const enum lanes_type type);

/* Four bytes as 16-bit integers. */
INLINE int16x4_t few_shift(const int8_t *p)
{
	return vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(lanes_word(p)))));
}

INLINE void few_look_up(int8x16_t w[8], const uint8_t *codes, const lanes_tables *tables,
                        const enum lanes_type type)
{
	lanes_int fourth;
	int j;

	UNROLL
	for (j = 0; j < 4; j++) {
		lanes_int bytes = load_nibbles(&fourth, codes, j, type),
		          table = table_of(tables, j, type);

		w[j] = lanes_bytes(lanes_lookup(table, lanes_low4(bytes)));
		w[j + 4] = lanes_bytes(lanes_lookup(table, lanes_high4(bytes)));
	}
}

/* Adds four rows of a block, from `row` on, to the sums of `tokens` tokens. */
INLINE void few_rows(float (*sums)[TILE_ROWS], int row, const int8x16_t w[8], int16x4_t shift,
                     lanes_float magnitude, lanes_few x, const int tokens,
                     const enum lanes_type type)
{
	lanes_int dots[LANES_FEW];
	int t;

	UNROLL
	for (t = 0; t < tokens; t++) {
		dots[t] = lanes_fill(LANES_START);
		if (type != LANES_Q8)
			dots[t] = vmlal_n_s16(dots[t], shift, (int16_t)x.starts[FEW_SCALES(t)]);
	}
	few_dots(dots, w, x.codes, tokens, type);
	UNROLL
	for (t = 0; t < tokens; t++) {
		/* The difference is exact, so that the product alone is rounded: as lanes_product,
		 * and without an offset, which FMLA would need in a register of its own. */
		lanes_float dot = vsubq_f32(vreinterpretq_f32_s32(dots[t]),
		                            lanes_fill_float(MATH_ROUND)),
		            sum = lanes_load_float(sums[t] + row);

		lanes_store_float(sums[t] + row,
		                  lanes_add(sum, vmulq_n_f32(lanes_mul(dot, magnitude),
		                                             x.scales[FEW_SCALES(t)])));
	}
}

INLINE void few_block_book(float (*sums)[TILE_ROWS], const uint8_t *codes, const int8_t *shift,
                           const int8_t *magnitude, const lanes_tables *tables, lanes_few x,
                           const int tokens, const enum lanes_type type)
{
	int row;

	UNROLL
	for (row = 0; row < (int)TILE_ROWS; row += LANES) {
		int8x16_t w[8];

		few_look_up(w, codes + 4 * row, tables, type);
		few_rows(sums, row, w, few_shift(shift + row),
		         lanes_to_float(lanes_widen(magnitude + row)), x, tokens, type);
	}
}

INLINE void few_block_q8(float (*sums)[TILE_ROWS], const uint8_t *codes, const uint8_t *magnitude,
                         lanes_few x, const int tokens)
{
	int row, g;

	UNROLL
	for (row = 0; row < (int)TILE_ROWS; row += LANES) {
		int8x16_t w[8];

		UNROLL
		for (g = 0; g < 8; g++)
			w[g] = lanes_bytes(lanes_load(codes + 64 * g + 4 * row));
		few_rows(sums, row, w, vdup_n_s16(0),
		         lanes_to_float(lanes_widen_unsigned(magnitude + row)), x, tokens,
		         LANES_Q8);
	}
}

/* Adds a group to the sums of `tokens` tokens. scales: of q3 and q4. */
INLINE void few_group(float (*sums)[TILE_ROWS], const uint8_t *group, const lanes_scales *scales,
                      const lanes_tables *tables, lanes_few x, const int tokens,
                      const enum lanes_type type)
{
	size_t i;

	ROLL for (i = 0; i < TILE_BLOCKS; i++)
	{
		const uint8_t *codes = group + TILE_SCALES + i * block_bytes(type);
		const lanes_few at = { x.codes + i * TILE_BLOCK, x.scales + i, x.starts + i };

		if (type == LANES_Q8)
			few_block_q8(sums, codes, group + i * TILE_ROWS, at, tokens);
		else
			few_block_book(sums, codes, scales->shift + i * TILE_ROWS,
			               scales->magnitude + i * TILE_ROWS, tables, at, tokens, type);
	}
}

#endif
