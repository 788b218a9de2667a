/* lanes512.h - primitives of arch/lanes.h with AVX-512 (F, BW, DQ, VL): a vector is a whole tile
 * wide */
#ifndef ARCH_X86_LANES512_H
#define ARCH_X86_LANES512_H

#include <immintrin.h>

#include "arch/lanes.h"

#define LANES 16

typedef __m512i lanes_int;
typedef __m512 lanes_float;

#define LANES_START LANES_START_FUSED

INLINE lanes_int lanes_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE void lanes_store(void *p, lanes_int v) { _mm512_storeu_si512(p, v); }
INLINE lanes_float lanes_load_float(const float *p) { return _mm512_loadu_ps(p); }
INLINE void lanes_store_float(float *p, lanes_float v) { _mm512_storeu_ps(p, v); }
INLINE lanes_int lanes_fill(int32_t value) { return _mm512_set1_epi32(value); }
INLINE lanes_float lanes_fill_float(float value) { return _mm512_set1_ps(value); }
INLINE lanes_int lanes_fill_bytes(int value) { return _mm512_set1_epi8((char)value); }

INLINE __m128i lanes_load16(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
INLINE lanes_int lanes_widen(const int8_t *p) { return _mm512_cvtepi8_epi32(lanes_load16(p)); }
INLINE lanes_int lanes_widen_unsigned(const uint8_t *p)
{
	return _mm512_cvtepu8_epi32(lanes_load16(p));
}
INLINE lanes_float lanes_load_half(const void *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
INLINE lanes_int lanes_table(const int8_t values[16])
{
	return _mm512_broadcast_i32x4(lanes_load16(values));
}

INLINE lanes_int lanes_spread(const int8_t *p)
{
	const __m512i each =
	        _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b,
	                         0x0a0a0a0a, 0x09090909, 0x08080808, 0x07070707, 0x06060606,
	                         0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);

	return _mm512_shuffle_epi8(lanes_table(p), each);
}

INLINE lanes_int lanes_lookup(lanes_int table, lanes_int indices)
{
	return _mm512_shuffle_epi8(table, indices);
}

INLINE lanes_int lanes_low4(lanes_int v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
INLINE lanes_int lanes_high4(lanes_int v)
{
	return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
}
INLINE lanes_int lanes_add_bytes(lanes_int a, lanes_int b) { return _mm512_add_epi8(a, b); }
INLINE lanes_int lanes_sub_bytes(lanes_int a, lanes_int b) { return _mm512_sub_epi8(a, b); }
INLINE lanes_int lanes_and(lanes_int a, lanes_int b) { return _mm512_and_si512(a, b); }
INLINE lanes_int lanes_xor(lanes_int a, lanes_int b) { return _mm512_xor_si512(a, b); }
INLINE lanes_int lanes_collect(lanes_int so_far, lanes_int v, int j)
{
	/* 0xca: bits of the second where the first is 1, else of the third */
	return j == 0 ? v
	              : _mm512_ternarylogic_epi32(_mm512_set1_epi8((char)(j == 1 ? 0x88 : 0xcc)),
	                                          so_far, v, 0xca);
}
INLINE lanes_int lanes_add_int(lanes_int a, lanes_int b) { return _mm512_add_epi32(a, b); }
INLINE lanes_int lanes_max_int(lanes_int a, lanes_int b) { return _mm512_max_epi32(a, b); }
INLINE lanes_int lanes_times(lanes_int a, int32_t b)
{
	return _mm512_madd_epi16(a, _mm512_set1_epi32(b & 0xffff));
}
INLINE int32_t lanes_sum_int(lanes_int v) { return _mm512_reduce_add_epi32(v); }
INLINE int32_t lanes_largest_int(lanes_int v) { return _mm512_reduce_max_epi32(v); }

INLINE void lanes_narrow(int8_t *codes, const lanes_int v[2])
{
	_mm512_mask_cvtepi32_storeu_epi8(codes, 0xffff, v[0]);
	_mm512_mask_cvtepi32_storeu_epi8(codes + 16, 0xffff, v[1]);
}

INLINE lanes_float lanes_add(lanes_float a, lanes_float b) { return _mm512_add_ps(a, b); }
INLINE lanes_float lanes_sub(lanes_float a, lanes_float b) { return _mm512_sub_ps(a, b); }
INLINE lanes_float lanes_mul(lanes_float a, lanes_float b) { return _mm512_mul_ps(a, b); }
INLINE lanes_float lanes_div(lanes_float a, lanes_float b) { return _mm512_div_ps(a, b); }
INLINE lanes_float lanes_min(lanes_float a, lanes_float b) { return _mm512_min_ps(a, b); }
INLINE lanes_float lanes_max(lanes_float a, lanes_float b) { return _mm512_max_ps(a, b); }
INLINE lanes_float lanes_to_float(lanes_int v) { return _mm512_cvtepi32_ps(v); }
INLINE lanes_int lanes_round(lanes_float v) { return _mm512_cvtps_epi32(v); }
INLINE lanes_int lanes_as_int(lanes_float v) { return _mm512_castps_si512(v); }
INLINE lanes_float lanes_power(lanes_int n)
{
	return _mm512_castsi512_ps(
	        _mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}
INLINE lanes_float lanes_product(lanes_int dots, lanes_float magnitude, lanes_float offset)
{
	return _mm512_fmadd_ps(_mm512_castsi512_ps(dots), magnitude, offset);
}

INLINE lanes_float lanes_where_at_least(lanes_float value, lanes_float x, lanes_float low)
{
	return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, low, _CMP_GE_OQ), value);
}

#define lanes_barrier(v) __asm__ volatile("" : "+v"(v))
INLINE void lanes_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

/* The i-th four of the bytes at x, in every lane. */
INLINE lanes_int lanes_four(const int8_t *x, int i)
{
	int32_t four;

	memcpy(&four, x + 4 * i, sizeof four);
	return _mm512_set1_epi32(four);
}

#if defined(__AVX512VNNI__)
INLINE lanes_int lanes_dot_dpbusd(lanes_int sum, lanes_int unsigned_bytes, lanes_int signed_bytes)
{
	return _mm512_dpbusd_epi32(sum, unsigned_bytes, signed_bytes);
}
#endif

#endif
