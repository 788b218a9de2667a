/* avx2.h - what the files of the AVX2 set share */
#ifndef ARCH_X86_AVX2_H
#define ARCH_X86_AVX2_H

#include <immintrin.h>

#include "arch/kernels.h"
#include "arch/math.h"

#define INLINE static inline __attribute__((always_inline))

arch_matmul avx2_matmul_q4, avx2_matmul_q8, avx2_matmul_f16;
void avx2_attend(const arch_attention *job);

/* Sums of four products of unsigned and signed bytes. Exact: no pair may exceed 32,767. */
INLINE __m256i avx2_dot(__m256i sum, __m256i unsigned_bytes, __m256i signed_bytes)
{
	return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned_bytes, signed_bytes), _mm256_set1_epi16(1)));
}

INLINE __m256i avx2_broadcast4(const void *p)
{
	int32_t four;

	__builtin_memcpy(&four, p, sizeof four);
	return _mm256_set1_epi32(four);
}

/* arch/math.h's exp, operation by operation. */
INLINE __m256 avx2_exp(__m256 x)
{
	const __m256 round = _mm256_set1_ps(MATH_ROUND), above = _mm256_cmp_ps(x, _mm256_set1_ps(MATH_EXP_LOW), _CMP_GE_OQ);
	__m256 n, r, p;

	x = _mm256_min_ps(x, _mm256_set1_ps(MATH_EXP_HIGH));
	n = _mm256_sub_ps(_mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(MATH_LOG2E)), round), round);
	r = _mm256_sub_ps(x, _mm256_mul_ps(n, _mm256_set1_ps(MATH_LN2_HIGH)));
	r = _mm256_sub_ps(r, _mm256_mul_ps(n, _mm256_set1_ps(MATH_LN2_LOW)));
	p = _mm256_add_ps(_mm256_set1_ps(MATH_EXP_C6), _mm256_mul_ps(r, _mm256_set1_ps(MATH_EXP_C7)));
	p = _mm256_add_ps(_mm256_set1_ps(MATH_EXP_C5), _mm256_mul_ps(r, p));
	p = _mm256_add_ps(_mm256_set1_ps(MATH_EXP_C4), _mm256_mul_ps(r, p));
	p = _mm256_add_ps(_mm256_set1_ps(MATH_EXP_C3), _mm256_mul_ps(r, p));
	p = _mm256_add_ps(_mm256_set1_ps(MATH_EXP_C2), _mm256_mul_ps(r, p));
	p = _mm256_add_ps(_mm256_set1_ps(1), _mm256_add_ps(r, _mm256_mul_ps(_mm256_mul_ps(r, r), p)));
	p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23)));
	return _mm256_and_ps(p, above);
}

#endif
