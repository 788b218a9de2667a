/* avx2.c - the AVX2 set's vector kernels and its line in the table */
#include "arch/x86/avx2.h"

#include <math.h>
#include <string.h>

#include "arch/math.h"

static bool avx2_supported(const arch_cpu *cpu)
{
	return cpu->avx2 && cpu->f16c;
}

/* The 32 floats of a block as int8, given 127 / largest; conversion rounds to nearest even. Returns the sum. */
INLINE int32_t quantize_block(int8_t *codes, const float *x, float inverse)
{
	__m256i c[4], words[2], bytes, sums;
	__m128i quarter;
	unsigned i;

	for (i = 0; i < 4; i++)
		c[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), _mm256_set1_ps(inverse)));
	sums = _mm256_add_epi32(_mm256_add_epi32(c[0], c[1]), _mm256_add_epi32(c[2], c[3]));
	words[0] = _mm256_packs_epi32(c[0], c[1]);
	words[1] = _mm256_packs_epi32(c[2], c[3]);
	/* Packing works within 128-bit halves: dwords come out as 0 2 4 6 1 3 5 7. */
	bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words[0], words[1]), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
	_mm256_storeu_si256((__m256i *)(void *)codes, bytes);
	quarter = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
	quarter = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0x4e));
	quarter = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0xb1));
	return _mm_cvtsi128_si32(quarter);
}

static void avx2_quantize(int8_t *codes, float *scales, int32_t *sums, const float *x, size_t n_blocks)
{
	const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
	size_t b;
	unsigned i;

	for (b = 0; b < n_blocks; b++, codes += TILE_BLOCK, x += TILE_BLOCK) {
		__m256i most = _mm256_setzero_si256();
		__m128i half;
		uint32_t bits;
		float largest;

		for (i = 0; i < 4; i++)
			most = _mm256_max_epu32(most, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + 8 * i)), magnitude));
		half = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
		half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4e));
		half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xb1));
		bits = (uint32_t)_mm_cvtsi128_si32(half);
		memcpy(&largest, &bits, sizeof largest);
		if (!(largest >= 1e-30f && bits < 0x7f800000)) {
			memset(codes, 0, TILE_BLOCK);
			scales[b] = 0;
			sums[b] = 0;
			continue;
		}
		scales[b] = largest / 127;
		sums[b] = quantize_block(codes, x, 127 / largest);
	}
}

static void avx2_norm(float *y, const float *x, const float *weight, size_t dim, float eps)
{
	__m256 even = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
	float lanes[16], scale;
	unsigned apart, lane;
	size_t i;

	for (i = 0; i + 16 <= dim; i += 16) {
		__m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);

		even = _mm256_add_ps(even, _mm256_mul_ps(a, a));
		odd = _mm256_add_ps(odd, _mm256_mul_ps(b, b));
	}
	_mm256_storeu_ps(lanes, even);
	_mm256_storeu_ps(lanes + 8, odd);
	for (; i < dim; i++)
		lanes[i % 16] += x[i] * x[i];
	for (apart = 8; apart > 0; apart /= 2)
		for (lane = 0; lane < apart; lane++)
			lanes[lane] += lanes[lane + apart];
	scale = 1 / sqrtf(lanes[0] / (float)dim + eps);
	for (i = 0; i + 8 <= dim; i += 8)
		_mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(scale)), _mm256_loadu_ps(weight + i)));
	for (; i < dim; i++)
		y[i] = x[i] * scale * weight[i];
}

static void avx2_silu(float *gate, const float *up, size_t n)
{
	const __m256 one = _mm256_set1_ps(1);
	size_t i;

	for (i = 0; i < n; i += 8) {
		__m256 x = _mm256_loadu_ps(gate + i);
		__m256 e = avx2_exp(_mm256_xor_ps(x, _mm256_set1_ps(-0.0f)));

		_mm256_storeu_ps(gate + i, _mm256_mul_ps(_mm256_div_ps(x, _mm256_add_ps(one, e)), _mm256_loadu_ps(up + i)));
	}
}

static void avx2_add(float *x, const float *y, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += 8)
		_mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
}

static uint64_t avx2_dot_peak(uint64_t rounds)
{
	__m256i sums[8], w = _mm256_set1_epi8(3), x = _mm256_set1_epi8(5);
	uint64_t round;
	unsigned i;

	for (i = 0; i < 8; i++)
		sums[i] = _mm256_setzero_si256();
	for (round = 0; round < rounds; round++) {
		/* The compiler must believe that the operands change. */
		__asm__ volatile("" : "+x"(w), "+x"(x));
		for (i = 0; i < 8; i++)
			sums[i] = avx2_dot(sums[i], w, x);
		for (i = 0; i < 8; i++)
			__asm__ volatile("" : "+x"(sums[i]));
	}
	return rounds * 8 * 64;
}

const arch_kernels arch_avx2 = {
	.name = "avx2",
	.supported = avx2_supported,
	.matmul_q4 = avx2_matmul_q4,
	.matmul_q8 = avx2_matmul_q8,
	.matmul_f16 = avx2_matmul_f16,
	.quantize = avx2_quantize,
	.norm = avx2_norm,
	.silu = avx2_silu,
	.add = avx2_add,
	.attend = avx2_attend,
	.dot_peak = avx2_dot_peak,
};
