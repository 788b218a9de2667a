/* neon.c - the set for Armv8.0-A, which every 64-bit Arm processor runs: Cortex-A53 (Pi 3), A72 (Pi
 * 4)
 *
 * build with: -march=armv8-a
 *
 * Bytes are multiplied to 16 bits, added in pairs there and added up into 32 bits. A pair never
 * overflows: shifted codebook values lie in -75..54, q8 codes, keys and values in -128..127,
 * activations in -127..127, and 2 * 128 * 127 = 32,512.
 */
#include "arch/kernels.h"

#include "arch/arm/lanes_neon.h"

/* Four vectors by four tokens: 16 float sums and the eight activations of one token in the 32
 * registers. Small code goes token by token. */
#define LANES_TILES   1
#define LANES_QUERIES 4
#ifdef __OPTIMIZE_SIZE__
#define LANES_TOKENS 1
#else
#define LANES_TOKENS   4
/* With five, a panel costs less on every core of bench/arm_estimate.sh. */
#define LANES_FEW      4
#define LANES_FEW_MOST 4
#endif

INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_pairs(sum, w, vdupq_n_s32((int32_t)lanes_word(x + 4 * i)));
}
INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot(sum, w, x, i);
}
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot(sum, w, x, i);
}

#define LANES_OWN_DOTS

#include "arch/lanes_scales.h"

/* The 32 activations of a block, each group of four repeated four times. */
typedef struct lanes_columns {
	int8x16_t four[8];
} lanes_columns;

INLINE lanes_columns lanes_columns_at(const int8_t *x)
{
	lanes_columns columns;
	int i;

	UNROLL
	for (i = 0; i < 8; i++) {
		columns.four[i] = vreinterpretq_s8_u32(vdupq_n_u32(lanes_word(x + 4 * i)));
		/* If clang knew that both halves are the same, it would move high halves of the
		 * other operand down instead of using SMULL2. */
		__asm__("" : "+w"(columns.four[i]));
	}
	return columns;
}

/* Each 16-bit lane adds four products before it is widened: codes of a codebook, not yet shifted,
 * lie in -63..63, and 4 * 63 * 127 = 32,004. */
INLINE lanes_int lanes_dot_codes(lanes_int sum, const uint8_t *codes, lanes_columns x,
                                 const lanes_tables *tables, const enum lanes_type type)
{
	lanes_int fourth;
	int16x8_t low[2], high[2];
	int j, half;

	UNROLL
	for (j = 0; j < 4; j++) {
		lanes_int bytes = load_nibbles(&fourth, codes, j, type),
		          table = table_of(tables, j, type);

		UNROLL
		for (half = 0; half < 2; half++) {
			int8x16_t w = lanes_bytes(lanes_lookup(table, half ? lanes_high4(bytes)
			                                                   : lanes_low4(bytes))),
			          four = x.four[4 * half + j];

			low[half] = j ? vmlal_s8(low[half], vget_low_s8(w), vget_low_s8(four))
			              : vmull_s8(vget_low_s8(w), vget_low_s8(four));
			high[half] =
			        j ? vmlal_high_s8(high[half], w, four) : vmull_high_s8(w, four);
		}
	}
	return vaddq_s32(sum, vpaddq_s32(vpadalq_s16(vpaddlq_s16(low[0]), low[1]),
	                                 vpadalq_s16(vpaddlq_s16(high[0]), high[1])));
}

/* Decoded codes, or those of q8, allow two products to a 16-bit lane: 2 * 128 * 127 = 32,512. */
INLINE lanes_int lanes_dot_block(lanes_int sum, const uint8_t *codes, lanes_columns x)
{
	int32x4_t low = vdupq_n_s32(0), high = vdupq_n_s32(0);
	int g;

	UNROLL
	for (g = 0; g < 8; g += 2) {
		int8x16_t w = lanes_bytes(lanes_load(codes + 64 * g)),
		          v = lanes_bytes(lanes_load(codes + 64 * g + 64));
		int16x8_t l = vmlal_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x.four[g])),
		                       vget_low_s8(v), vget_low_s8(x.four[g + 1]));
		int16x8_t h = vmlal_high_s8(vmull_high_s8(w, x.four[g]), v, x.four[g + 1]);

		low = g ? vpadalq_s16(low, l) : vpaddlq_s16(l);
		high = g ? vpadalq_s16(high, h) : vpaddlq_s16(h);
	}
	return vaddq_s32(sum, vpaddq_s32(low, high));
}

/* Codes of the codebook: as lanes_dot_codes. */
INLINE lanes_int lanes_dot_rows(lanes_int sum, const int8x16_t w[8], lanes_columns x)
{
	int16x8_t low[2], high[2];
	int g;

	UNROLL
	for (g = 0; g < 8; g++) {
		const int half = g / 4;

		low[half] = g % 4 ? vmlal_s8(low[half], vget_low_s8(w[g]), vget_low_s8(x.four[g]))
		                  : vmull_s8(vget_low_s8(w[g]), vget_low_s8(x.four[g]));
		high[half] = g % 4 ? vmlal_high_s8(high[half], w[g], x.four[g])
		                   : vmull_high_s8(w[g], x.four[g]);
	}
	return vaddq_s32(sum, vpaddq_s32(vpadalq_s16(vpaddlq_s16(low[0]), low[1]),
	                                 vpadalq_s16(vpaddlq_s16(high[0]), high[1])));
}

/* Codes of q8: as lanes_dot_block. */
INLINE lanes_int lanes_dot_bytes(lanes_int sum, const int8x16_t w[8], lanes_columns x)
{
	int32x4_t low = vdupq_n_s32(0), high = vdupq_n_s32(0);
	int g;

	UNROLL
	for (g = 0; g < 8; g += 2) {
		int16x8_t l = vmlal_s8(vmull_s8(vget_low_s8(w[g]), vget_low_s8(x.four[g])),
		                       vget_low_s8(w[g + 1]), vget_low_s8(x.four[g + 1]));
		int16x8_t h =
		        vmlal_high_s8(vmull_high_s8(w[g], x.four[g]), w[g + 1], x.four[g + 1]);

		low = g ? vpadalq_s16(low, l) : vpaddlq_s16(l);
		high = g ? vpadalq_s16(high, h) : vpaddlq_s16(h);
	}
	return vaddq_s32(sum, vpaddq_s32(low, high));
}

#include "arch/arm/few.h"

INLINE void few_dots(lanes_int dots[], const int8x16_t w[8], const int8_t *x, const int tokens,
                     const enum lanes_type type)
{
	int t;

	UNROLL
	for (t = 0; t < tokens; t++) {
		const lanes_columns columns = lanes_columns_at(x + FEW_CODES(t));

		dots[t] = type == LANES_Q8 ? lanes_dot_bytes(dots[t], w, columns)
		                           : lanes_dot_rows(dots[t], w, columns);
		LANES_KEEP_ORDER(dots[t]);
	}
}

#include "arch/lanes_all.h"

static bool neon_supported(const arch_cpu *cpu) { return cpu->neon; }

const arch_kernels arch_neon = {
	.name = "neon",
	.supported = neon_supported,
	LANES_ALL,
};
