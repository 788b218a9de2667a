/* avx512vnni.c - the set for AVX-512 with VNNI: Intel servers since 2019 and laptops since 2019 to 2021, AMD since Zen 4
 * build with: -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
 *
 * vpdpbusd multiplies unsigned bytes of its first operand with signed ones of its second and adds sums of four without saturating. The second may be four
 * bytes in memory, the same for all lanes: so weights are the unsigned operand, biased, and activations the signed one.
 */
#include "arch/kernels.h"

#if defined(__AVX512VNNI__)

#include "arch/x86/lanes512.h"

#define LANES_BIAS_VECTOR Q4_LOW
#define LANES_BIAS_PANEL  128 /* a power of two: what it adds is taken off by a shift */
#define LANES_BIAS_FULL   128

/* Two tiles by six tokens: 12 integer and 12 float accumulators, two weights and one activation of the 32 registers. */
#define LANES_TILES   2
#define LANES_TOKENS  6
#define LANES_QUERIES 8

INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i) { return _mm512_dpbusd_epi32(sum, w, lanes_four(x, i)); }
INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i) { return _mm512_dpbusd_epi32(sum, w, lanes_four(x, i)); }
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i) { return _mm512_dpbusd_epi32(sum, lanes_four(x, i), w); }

#include "arch/lanes_attend.h"
#include "arch/lanes_f16.h"
#include "arch/lanes_matmul.h"
#include "arch/lanes_vector.h"

static bool avx512vnni_supported(const arch_cpu *cpu)
{
	return cpu->avx512 && cpu->avx512vnni;
}

static uint64_t avx512vnni_dot_peak(uint64_t rounds)
{
	lanes_int sums[12], w = _mm512_set1_epi8(3), x = _mm512_set1_epi8(5);
	uint64_t round;
	int i;

	UNROLL
	for (i = 0; i < 12; i++)
		sums[i] = lanes_fill(0);
	for (round = 0; round < rounds; round++) {
		/* The compiler must believe that the operands change. */
		lanes_settle(w);
		UNROLL
		for (i = 0; i < 12; i++)
			sums[i] = _mm512_dpbusd_epi32(sums[i], w, x);
		UNROLL
		for (i = 0; i < 12; i++)
			lanes_settle(sums[i]);
	}
	return rounds * 12 * 128;
}

const arch_kernels arch_avx512vnni = {
	.name = "avx512vnni",
	.supported = avx512vnni_supported,
	.matmul_q4 = lanes_matmul_q4,
	.matmul_q8 = lanes_matmul_q8,
	.matmul_f16 = lanes_matmul_f16,
	.quantize = lanes_quantize,
	.quantize_head = lanes_quantize_head,
	.turn = lanes_turn,
	.norm = lanes_norm,
	.silu = lanes_silu,
	.add = lanes_add_vector,
	.attend = lanes_attend,
	.dot_peak = avx512vnni_dot_peak,
};

#else
ARCH_ABSENT(avx512vnni)
#endif
