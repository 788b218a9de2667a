/* lanes256.h - primitives of arch/lanes.h with AVX2, FMA and F16C: half a tile to a vector */
#ifndef ARCH_X86_LANES256_H
#define ARCH_X86_LANES256_H

#include <immintrin.h>

#include "arch/lanes.h"

#define LANES 8

typedef __m256i lanes_int;
typedef __m256 lanes_float;

#define LANES_START LANES_START_FUSED

INLINE lanes_int lanes_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void lanes_store(void *p, lanes_int v) { _mm256_storeu_si256((__m256i *)p, v); }
INLINE lanes_float lanes_load_float(const float *p) { return _mm256_loadu_ps(p); }
INLINE void lanes_store_float(float *p, lanes_float v) { _mm256_storeu_ps(p, v); }
INLINE lanes_int lanes_fill(int32_t value) { return _mm256_set1_epi32(value); }
INLINE lanes_float lanes_fill_float(float value) { return _mm256_set1_ps(value); }
INLINE lanes_int lanes_fill_bytes(int value) { return _mm256_set1_epi8((char)value); }

INLINE __m128i lanes_load8(const void *p) { return _mm_loadl_epi64((const __m128i *)p); }
INLINE lanes_int lanes_widen(const int8_t *p) { return _mm256_cvtepi8_epi32(lanes_load8(p)); }
INLINE lanes_int lanes_widen_unsigned(const uint8_t *p)
{
	return _mm256_cvtepu8_epi32(lanes_load8(p));
}
INLINE lanes_float lanes_load_half(const void *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
INLINE lanes_int lanes_table(const int8_t values[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)values));
}

INLINE lanes_int lanes_spread(const int8_t *p)
{
	const __m256i each = _mm256_set_epi32(0x07070707, 0x06060606, 0x05050505, 0x04040404,
	                                      0x03030303, 0x02020202, 0x01010101, 0);

	return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(lanes_load8(p)), each);
}

INLINE lanes_int lanes_lookup(lanes_int table, lanes_int indices)
{
	return _mm256_shuffle_epi8(table, indices);
}
INLINE lanes_int lanes_cut(lanes_float f) { return _mm256_cvttps_epi32(f); }
INLINE lanes_float lanes_gather(const float *table, lanes_int i)
{
	return _mm256_i32gather_ps(table, i, 4);
}

INLINE lanes_int lanes_low4(lanes_int v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
INLINE lanes_int lanes_high4(lanes_int v)
{
	return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
}
INLINE lanes_int lanes_add_bytes(lanes_int a, lanes_int b) { return _mm256_add_epi8(a, b); }
INLINE lanes_int lanes_sub_bytes(lanes_int a, lanes_int b) { return _mm256_sub_epi8(a, b); }
INLINE lanes_int lanes_and(lanes_int a, lanes_int b) { return _mm256_and_si256(a, b); }
INLINE lanes_int lanes_xor(lanes_int a, lanes_int b) { return _mm256_xor_si256(a, b); }
INLINE lanes_int lanes_collect(lanes_int so_far, lanes_int v, int j)
{
	const int bits[3] = { 0x88, 0x44, 0x33 };

	v = _mm256_and_si256(v, _mm256_set1_epi8((char)bits[j]));
	return j == 0 ? v : _mm256_or_si256(so_far, v);
}
INLINE lanes_int lanes_add_int(lanes_int a, lanes_int b) { return _mm256_add_epi32(a, b); }
INLINE lanes_int lanes_max_int(lanes_int a, lanes_int b) { return _mm256_max_epi32(a, b); }
INLINE lanes_int lanes_times(lanes_int a, int32_t b)
{
	return _mm256_madd_epi16(a, _mm256_set1_epi32(b & 0xffff));
}

INLINE int32_t lanes_sum_int(lanes_int v)
{
	__m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
	return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

INLINE int32_t lanes_largest_int(lanes_int v)
{
	__m128i half = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
	return _mm_cvtsi128_si32(_mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

INLINE void lanes_narrow(int8_t *codes, const lanes_int v[4])
{
	__m256i bytes =
	        _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));

	/* Packing works within 128-bit halves: dwords come out as 0 2 4 6 1 3 5 7. */
	lanes_store(codes,
	            _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}

INLINE lanes_float lanes_add(lanes_float a, lanes_float b) { return _mm256_add_ps(a, b); }
INLINE lanes_float lanes_sub(lanes_float a, lanes_float b) { return _mm256_sub_ps(a, b); }
INLINE lanes_float lanes_mul(lanes_float a, lanes_float b) { return _mm256_mul_ps(a, b); }
INLINE lanes_float lanes_div(lanes_float a, lanes_float b) { return _mm256_div_ps(a, b); }
INLINE lanes_float lanes_min(lanes_float a, lanes_float b) { return _mm256_min_ps(a, b); }
INLINE lanes_float lanes_max(lanes_float a, lanes_float b) { return _mm256_max_ps(a, b); }
INLINE lanes_float lanes_to_float(lanes_int v) { return _mm256_cvtepi32_ps(v); }
INLINE lanes_int lanes_round(lanes_float v) { return _mm256_cvtps_epi32(v); }
INLINE lanes_int lanes_as_int(lanes_float v) { return _mm256_castps_si256(v); }
INLINE lanes_float lanes_power(lanes_int n)
{
	return _mm256_castsi256_ps(
	        _mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
INLINE lanes_float lanes_product(lanes_int dots, lanes_float magnitude, lanes_float offset)
{
	return _mm256_fmadd_ps(_mm256_castsi256_ps(dots), magnitude, offset);
}
INLINE lanes_float lanes_where_at_least(lanes_float value, lanes_float x, lanes_float low)
{
	return _mm256_and_ps(value, _mm256_cmp_ps(x, low, _CMP_GE_OQ));
}

#define lanes_barrier(v) __asm__ volatile("" : "+x"(v))
INLINE void lanes_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

/* The i-th four of the bytes at x, in every lane. */
INLINE lanes_int lanes_four(const int8_t *x, int i)
{
	int32_t four;

	memcpy(&four, x + 4 * i, sizeof four);
	return _mm256_set1_epi32(four);
}

/* With a barrier: from plain additions compilers make a tree and run out of registers. */
INLINE lanes_int lanes_dot_maddubs(lanes_int sum, lanes_int unsigned_bytes, lanes_int signed_bytes)
{
	sum = _mm256_add_epi32(sum,
	                       _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned_bytes, signed_bytes),
	                                         _mm256_set1_epi16(1)));
	lanes_barrier(sum);
	return sum;
}

#if defined(__AVXVNNI__)
INLINE lanes_int lanes_dot_dpbusd(lanes_int sum, lanes_int unsigned_bytes, lanes_int signed_bytes)
{
	return _mm256_dpbusd_avx_epi32(sum, unsigned_bytes, signed_bytes);
}
#endif

#endif
