/* lanes128.h - primitives of arch/lanes.h with SSSE3 and SSE4.1: a quarter of a tile to a vector
 *
 * There is no fused multiply-add and no conversion from binary16.
 */
#ifndef ARCH_X86_LANES128_H
#define ARCH_X86_LANES128_H

#include <smmintrin.h>
#include <tmmintrin.h>

#include "arch/lanes.h"

#define LANES 4

typedef __m128i lanes_int;
typedef __m128 lanes_float;

#define LANES_START 0

INLINE lanes_int lanes_load(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
INLINE void lanes_store(void *p, lanes_int v) { _mm_storeu_si128((__m128i *)p, v); }
INLINE lanes_float lanes_load_float(const float *p) { return _mm_loadu_ps(p); }
INLINE void lanes_store_float(float *p, lanes_float v) { _mm_storeu_ps(p, v); }
INLINE lanes_int lanes_fill(int32_t value) { return _mm_set1_epi32(value); }
INLINE lanes_float lanes_fill_float(float value) { return _mm_set1_ps(value); }
INLINE lanes_int lanes_fill_bytes(int value) { return _mm_set1_epi8((char)value); }

INLINE __m128i lanes_load4(const void *p)
{
	int32_t four;

	memcpy(&four, p, sizeof four);
	return _mm_cvtsi32_si128(four);
}

INLINE lanes_int lanes_widen(const int8_t *p) { return _mm_cvtepi8_epi32(lanes_load4(p)); }
INLINE lanes_int lanes_widen_unsigned(const uint8_t *p)
{
	return _mm_cvtepu8_epi32(lanes_load4(p));
}
INLINE lanes_int lanes_spread(const int8_t *p)
{
	return _mm_shuffle_epi8(lanes_load4(p),
	                        _mm_set_epi32(0x03030303, 0x02020202, 0x01010101, 0));
}
INLINE lanes_int lanes_table(const int8_t values[16]) { return lanes_load(values); }

/* quant/half.h's half_decode: the exponent moves by a multiplication with 2^112; what has the
 * largest exponent becomes infinity or a quiet NaN. */
INLINE lanes_float lanes_load_half(const void *p)
{
	__m128i half = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)p)),
	        rest = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x7fff)), 13);
	__m128i sign = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x8000)), 16),
	        special = _mm_cmpgt_epi32(rest, _mm_set1_epi32(0x0f7fffff));
	__m128i quiet = _mm_and_si128(_mm_cmpgt_epi32(rest, _mm_set1_epi32(0x0f800000)),
	                              _mm_set1_epi32(0x400000));
	__m128i finite =
	        _mm_castps_si128(_mm_mul_ps(_mm_castsi128_ps(rest), _mm_set1_ps(0x1p112f)));
	__m128i other = _mm_or_si128(_mm_or_si128(rest, _mm_set1_epi32(0x7f800000)), quiet);

	return _mm_castsi128_ps(_mm_or_si128(_mm_blendv_epi8(finite, other, special), sign));
}

INLINE lanes_int lanes_lookup(lanes_int table, lanes_int indices)
{
	return _mm_shuffle_epi8(table, indices);
}
INLINE lanes_int lanes_cut(lanes_float f) { return _mm_cvttps_epi32(f); }
INLINE lanes_float lanes_gather(const float *table, lanes_int i)
{
	return _mm_setr_ps(table[_mm_cvtsi128_si32(i)], table[_mm_extract_epi32(i, 1)],
	                   table[_mm_extract_epi32(i, 2)], table[_mm_extract_epi32(i, 3)]);
}

INLINE lanes_int lanes_low4(lanes_int v) { return _mm_and_si128(v, _mm_set1_epi8(15)); }
INLINE lanes_int lanes_high4(lanes_int v)
{
	return _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15));
}
INLINE lanes_int lanes_add_bytes(lanes_int a, lanes_int b) { return _mm_add_epi8(a, b); }
INLINE lanes_int lanes_sub_bytes(lanes_int a, lanes_int b) { return _mm_sub_epi8(a, b); }
INLINE lanes_int lanes_and(lanes_int a, lanes_int b) { return _mm_and_si128(a, b); }
INLINE lanes_int lanes_xor(lanes_int a, lanes_int b) { return _mm_xor_si128(a, b); }
INLINE lanes_int lanes_collect(lanes_int so_far, lanes_int v, int j)
{
	const int bits[3] = { 0x88, 0x44, 0x33 };

	v = _mm_and_si128(v, _mm_set1_epi8((char)bits[j]));
	return j == 0 ? v : _mm_or_si128(so_far, v);
}
INLINE lanes_int lanes_add_int(lanes_int a, lanes_int b) { return _mm_add_epi32(a, b); }
INLINE lanes_int lanes_max_int(lanes_int a, lanes_int b) { return _mm_max_epi32(a, b); }
INLINE lanes_int lanes_times(lanes_int a, int32_t b)
{
	return _mm_madd_epi16(a, _mm_set1_epi32(b & 0xffff));
}

INLINE int32_t lanes_sum_int(lanes_int v)
{
	v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4e));
	return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 0xb1)));
}

INLINE int32_t lanes_largest_int(lanes_int v)
{
	v = _mm_max_epi32(v, _mm_shuffle_epi32(v, 0x4e));
	return _mm_cvtsi128_si32(_mm_max_epi32(v, _mm_shuffle_epi32(v, 0xb1)));
}

INLINE void lanes_narrow(int8_t *codes, const lanes_int v[8])
{
	lanes_store(codes,
	            _mm_packs_epi16(_mm_packs_epi32(v[0], v[1]), _mm_packs_epi32(v[2], v[3])));
	lanes_store(codes + 16,
	            _mm_packs_epi16(_mm_packs_epi32(v[4], v[5]), _mm_packs_epi32(v[6], v[7])));
}

INLINE lanes_float lanes_add(lanes_float a, lanes_float b) { return _mm_add_ps(a, b); }
INLINE lanes_float lanes_sub(lanes_float a, lanes_float b) { return _mm_sub_ps(a, b); }
INLINE lanes_float lanes_mul(lanes_float a, lanes_float b) { return _mm_mul_ps(a, b); }
INLINE lanes_float lanes_div(lanes_float a, lanes_float b) { return _mm_div_ps(a, b); }
INLINE lanes_float lanes_min(lanes_float a, lanes_float b) { return _mm_min_ps(a, b); }
INLINE lanes_float lanes_max(lanes_float a, lanes_float b) { return _mm_max_ps(a, b); }
INLINE lanes_float lanes_to_float(lanes_int v) { return _mm_cvtepi32_ps(v); }
INLINE lanes_int lanes_round(lanes_float v) { return _mm_cvtps_epi32(v); }
INLINE lanes_int lanes_as_int(lanes_float v) { return _mm_castps_si128(v); }
INLINE lanes_float lanes_power(lanes_int n)
{
	return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(n, _mm_set1_epi32(127)), 23));
}
INLINE lanes_float lanes_where_at_least(lanes_float value, lanes_float x, lanes_float low)
{
	return _mm_and_ps(value, _mm_cmpge_ps(x, low));
}

INLINE lanes_float lanes_product(lanes_int dots, lanes_float magnitude, lanes_float offset)
{
	(void)offset;
	return _mm_mul_ps(_mm_cvtepi32_ps(dots), magnitude);
}

#define lanes_barrier(v) __asm__ volatile("" : "+x"(v))
INLINE void lanes_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

INLINE lanes_int lanes_four(const int8_t *x, int i)
{
	return _mm_shuffle_epi32(lanes_load4(x + 4 * i), 0);
}

/* With a barrier: from plain additions compilers make a tree and run out of registers. */
INLINE lanes_int lanes_dot_maddubs(lanes_int sum, lanes_int unsigned_bytes, lanes_int signed_bytes)
{
	sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_maddubs_epi16(unsigned_bytes, signed_bytes),
	                                        _mm_set1_epi16(1)));
	lanes_barrier(sum);
	return sum;
}

#endif
