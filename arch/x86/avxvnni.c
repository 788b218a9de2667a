/* avxvnni.c - the set for AVX-VNNI without AVX-512: Intel laptops since Alder Lake (2021),
 * Gracemont boards, AMD since Zen 5
 *
 * build with: -mavx2 -mfma -mf16c -mavxvnni
 *
 * vpdpbusd multiplies unsigned by signed bytes and adds sums of four without saturating: weights
 * are the unsigned operand, biased.
 */
#include "arch/kernels.h"

#if defined(__AVXVNNI__)

#include "arch/x86/lanes256.h"

#define LANES_BIAS_VECTOR CODEBOOK_LOW
#define LANES_BIAS_PANEL  128 /* a power of two: what it adds is taken off by a shift */
#define LANES_BIAS_FULL   128

/* Two vectors by four tokens: 8 integer accumulators of the 16 registers; the float sums live in
 * L1. More than eight tokens are faster by panels, of q8 more than 32. */
#define LANES_TILES       1
#define LANES_TOKENS      4
#define LANES_QUERIES     4
#define LANES_FEW         4
#define LANES_FEW_MOST    8
#define LANES_FEW_MOST_Q8 32

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

#include "arch/lanes_attend.h"
#include "arch/lanes_matmul.h"
#include "arch/lanes_one_stream.h"

static bool avxvnni_supported(const arch_cpu *cpu)
{
	return cpu->avx2 && cpu->fma && cpu->f16c && cpu->avxvnni;
}

const arch_kernels arch_avxvnni = { .name = "avxvnni",
	                            .supported = avxvnni_supported,
	                            .below = &arch_avx2,
	                            LANES_MATMUL,
	                            LANES_ONE_STREAM,
	                            .attend = lanes_attend };

#else
ARCH_ABSENT(avxvnni)
#endif
