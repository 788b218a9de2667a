/* avx512vnni.c - the set for AVX-512 with VNNI: Intel servers since 2019 and laptops since 2019 to
 * 2021, AMD since Zen 4
 *
 * build with: -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
 *
 * vpdpbusd multiplies unsigned bytes of its first operand with signed ones of its second and adds
 * sums of four without saturating. The second may be four bytes in memory, the same for all lanes:
 * so weights are the unsigned operand, biased, and activations the signed one.
 */
#include "arch/kernels.h"

#if defined(__AVX512VNNI__)

#include "arch/x86/lanes512.h"

#define LANES_BIAS_VECTOR CODEBOOK_LOW
#define LANES_BIAS_PANEL  128 /* a power of two: what it adds is taken off by a shift */
#define LANES_BIAS_FULL   128

/* Two tiles by six tokens: 12 integer and 12 float accumulators, two weights and one activation of
 * the 32 registers. A few: two tiles by eight tokens, whose sums are in L1; by panels, 33 tokens
 * and more are faster, of q8 49. */
#define LANES_TILES       2
#define LANES_TOKENS      6
#define LANES_QUERIES     8
#define LANES_FEW         8
#define LANES_FEW_TILES   2
#define LANES_FEW_MOST    32
#define LANES_FEW_MOST_Q8 48

INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_dpbusd(sum, w, lanes_four(x, i));
}
INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_dpbusd(sum, w, lanes_four(x, i));
}
#define LANES_ONE_DOT
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_dpbusd(sum, lanes_four(x, i), w);
}

#include "arch/lanes_all.h"
#include "arch/lanes_one_stream.h"

static bool avx512vnni_supported(const arch_cpu *cpu) { return cpu->avx512 && cpu->avx512vnni; }

const arch_kernels arch_avx512vnni = {
	.name = "avx512vnni",
	.below = &arch_avx2,
	.supported = avx512vnni_supported,
	LANES_ALL,
	LANES_ONE_STREAM_ALL,
};

#else
ARCH_ABSENT(avx512vnni)
#endif
