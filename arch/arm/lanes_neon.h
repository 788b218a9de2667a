/* lanes_neon.h - primitives of arch/lanes.h with Advanced SIMD of Armv8.0-A: a quarter of a tile to
 * a vector */
#ifndef ARCH_ARM_LANES_NEON_H
#define ARCH_ARM_LANES_NEON_H

#include <arm_neon.h>

#include "arch/lanes.h"

#define LANES 4

typedef int32x4_t lanes_int;
typedef float32x4_t lanes_float;

#define LANES_START LANES_START_FUSED

/* Bytes are signed on both sides of every product here: nothing is biased. */
#define LANES_BIAS_VECTOR 0
#define LANES_BIAS_PANEL  0
#define LANES_BIAS_FULL   0

INLINE int8x16_t lanes_bytes(lanes_int v) { return vreinterpretq_s8_s32(v); }
INLINE uint8x16_t lanes_ubytes(lanes_int v) { return vreinterpretq_u8_s32(v); }
INLINE lanes_int lanes_of(int8x16_t v) { return vreinterpretq_s32_s8(v); }
INLINE lanes_int lanes_of_u(uint8x16_t v) { return vreinterpretq_s32_u8(v); }

INLINE lanes_int lanes_load(const void *p) { return lanes_of(vld1q_s8(p)); }
INLINE void lanes_store(void *p, lanes_int v) { vst1q_s8(p, lanes_bytes(v)); }
INLINE lanes_float lanes_load_float(const float *p) { return vld1q_f32(p); }
INLINE void lanes_store_float(float *p, lanes_float v) { vst1q_f32(p, v); }
INLINE lanes_int lanes_fill(int32_t value) { return vdupq_n_s32(value); }
INLINE lanes_float lanes_fill_float(float value) { return vdupq_n_f32(value); }
INLINE lanes_int lanes_fill_bytes(int value) { return lanes_of(vdupq_n_s8((int8_t)value)); }

INLINE uint32_t lanes_word(const void *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

INLINE lanes_int lanes_widen(const int8_t *p)
{
	return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(lanes_word(p))))));
}

INLINE lanes_int lanes_widen_unsigned(const uint8_t *p)
{
	return vreinterpretq_s32_u32(
	        vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(lanes_word(p)))))));
}

INLINE lanes_int lanes_spread(const int8_t *p)
{
	static const uint8_t each[16] = { 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3 };

	return lanes_of(
	        vqtbl1q_s8(vreinterpretq_s8_u32(vdupq_n_u32(lanes_word(p))), vld1q_u8(each)));
}

INLINE lanes_float lanes_load_half(const void *p)
{
	return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}
INLINE lanes_int lanes_table(const int8_t values[16]) { return lanes_load(values); }
INLINE lanes_int lanes_lookup(lanes_int table, lanes_int indices)
{
	return lanes_of(vqtbl1q_s8(lanes_bytes(table), lanes_ubytes(indices)));
}
INLINE lanes_int lanes_cut(lanes_float f) { return vcvtq_s32_f32(f); }
INLINE lanes_float lanes_gather(const float *table, lanes_int i)
{
	float32x4_t v = vld1q_dup_f32(table + vgetq_lane_s32(i, 0));

	v = vld1q_lane_f32(table + vgetq_lane_s32(i, 1), v, 1);
	v = vld1q_lane_f32(table + vgetq_lane_s32(i, 2), v, 2);
	return vld1q_lane_f32(table + vgetq_lane_s32(i, 3), v, 3);
}

INLINE lanes_int lanes_low4(lanes_int v)
{
	return lanes_of_u(vandq_u8(lanes_ubytes(v), vdupq_n_u8(15)));
}
INLINE lanes_int lanes_high4(lanes_int v) { return lanes_of_u(vshrq_n_u8(lanes_ubytes(v), 4)); }
INLINE lanes_int lanes_add_bytes(lanes_int a, lanes_int b)
{
	return lanes_of(vaddq_s8(lanes_bytes(a), lanes_bytes(b)));
}
INLINE lanes_int lanes_sub_bytes(lanes_int a, lanes_int b)
{
	return lanes_of(vsubq_s8(lanes_bytes(a), lanes_bytes(b)));
}
INLINE lanes_int lanes_and(lanes_int a, lanes_int b) { return vandq_s32(a, b); }
INLINE lanes_int lanes_xor(lanes_int a, lanes_int b) { return veorq_s32(a, b); }
INLINE lanes_int lanes_collect(lanes_int so_far, lanes_int v, int j)
{
	const uint32x4_t earlier = vreinterpretq_u32_u8(vdupq_n_u8(j == 1 ? 0x88 : 0xcc));

	return j == 0 ? v : vbslq_s32(earlier, so_far, v);
}
INLINE lanes_int lanes_add_int(lanes_int a, lanes_int b) { return vaddq_s32(a, b); }
INLINE lanes_int lanes_max_int(lanes_int a, lanes_int b) { return vmaxq_s32(a, b); }
INLINE lanes_int lanes_times(lanes_int a, int32_t b) { return vmulq_n_s32(a, b); }
INLINE int32_t lanes_sum_int(lanes_int v) { return vaddvq_s32(v); }
INLINE int32_t lanes_largest_int(lanes_int v) { return vmaxvq_s32(v); }

INLINE void lanes_narrow(int8_t *codes, const lanes_int v[8])
{
	int i;

	UNROLL
	for (i = 0; i < 8; i += 4) {
		int16x8_t low = vcombine_s16(vmovn_s32(v[i]), vmovn_s32(v[i + 1])),
		          high = vcombine_s16(vmovn_s32(v[i + 2]), vmovn_s32(v[i + 3]));

		vst1q_s8(codes + 4 * i, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
	}
}

INLINE lanes_float lanes_add(lanes_float a, lanes_float b) { return vaddq_f32(a, b); }
INLINE lanes_float lanes_sub(lanes_float a, lanes_float b) { return vsubq_f32(a, b); }
INLINE lanes_float lanes_mul(lanes_float a, lanes_float b) { return vmulq_f32(a, b); }
INLINE lanes_float lanes_div(lanes_float a, lanes_float b) { return vdivq_f32(a, b); }
INLINE lanes_float lanes_min(lanes_float a, lanes_float b) { return vminq_f32(a, b); }
/* FMAX would give NaN for NaN. */
INLINE lanes_float lanes_max(lanes_float a, lanes_float b)
{
	return vbslq_f32(vcgtq_f32(a, b), a, b);
}
INLINE lanes_float lanes_to_float(lanes_int v) { return vcvtq_f32_s32(v); }
INLINE lanes_int lanes_round(lanes_float v) { return vcvtnq_s32_f32(v); }
INLINE lanes_int lanes_as_int(lanes_float v) { return vreinterpretq_s32_f32(v); }
INLINE lanes_float lanes_power(lanes_int n)
{
	return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
INLINE lanes_float lanes_product(lanes_int dots, lanes_float magnitude, lanes_float offset)
{
	return vfmaq_f32(offset, vreinterpretq_f32_s32(dots), magnitude);
}

INLINE lanes_float lanes_where_at_least(lanes_float value, lanes_float x, lanes_float low)
{
	return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(value), vcgeq_f32(x, low)));
}

/* Sixteen values are widened together: half the instructions of four times four. */
#define LANES_OWN_WIDENING

/* LANES_START plus 16-bit values. */
INLINE void lanes_widen_starts(lanes_int out[4], int16x8_t low, int16x8_t high)
{
	lanes_int start = lanes_fill(LANES_START);

	out[0] = vaddw_s16(start, vget_low_s16(low));
	out[1] = vaddw_high_s16(start, low);
	out[2] = vaddw_s16(start, vget_low_s16(high));
	out[3] = vaddw_high_s16(start, high);
}

/* |sum| <= 32 * 127 = 4,064 fits in 16 bits, the product does not. */
INLINE void lanes_starts(lanes_int starts[4], const int8_t *shift, int32_t sum)
{
	int8x16_t s = vld1q_s8(shift);
	int16x8_t low = vmovl_s8(vget_low_s8(s)), high = vmovl_high_s8(s);
	lanes_int start = lanes_fill(LANES_START);

	starts[0] = vmlal_n_s16(start, vget_low_s16(low), (int16_t)sum);
	starts[1] = vmlal_high_n_s16(start, low, (int16_t)sum);
	starts[2] = vmlal_n_s16(start, vget_low_s16(high), (int16_t)sum);
	starts[3] = vmlal_high_n_s16(start, high, (int16_t)sum);
}

/* The bits of 1.5 * 2^23 + m, minus 1.5 * 2^23: cheaper than a conversion. */
INLINE void lanes_magnitudes(lanes_float out[4], const int8_t *magnitude)
{
	int8x16_t m = vld1q_s8(magnitude);
	lanes_int bits[4];
	int i;

	lanes_widen_starts(bits, vmovl_s8(vget_low_s8(m)), vmovl_high_s8(m));
	UNROLL
	for (i = 0; i < 4; i++)
		out[i] = vsubq_f32(vreinterpretq_f32_s32(bits[i]), vdupq_n_f32(MATH_ROUND));
}

#define lanes_barrier(v) __asm__ volatile("" : "+w"(v))
/* For gcc only, which reorders dot products until they need more registers than there are. With the
 * barrier clang would overlap nothing. */
#ifdef __clang__
#define LANES_KEEP_ORDER(v) ((void)0)
#else
#define LANES_KEEP_ORDER(v) lanes_barrier(v)
#endif
/* Makes p opaque to the compiler, which would otherwise keep values read through it in registers
 * and spill others. */
#define lanes_reload(p) __asm__ volatile("" : "+r"(p))
INLINE void lanes_prefetch(const void *p) { __builtin_prefetch(p, 0, 2); }

INLINE lanes_int lanes_dot_pairs(lanes_int sum, lanes_int w, lanes_int x)
{
	int8x16_t a = lanes_bytes(w), b = lanes_bytes(x);

	sum = vpadalq_s16(
	        sum, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)));
	LANES_KEEP_ORDER(sum);
	return sum;
}

#endif
