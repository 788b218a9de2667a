/* avx2.c - the set for AVX2: Intel since Haswell (2013), AMD since Excavator (2015)
 *
 * build with: -mavx2 -mfma -mf16c
 *
 * vpmaddubsw multiplies unsigned by signed bytes and adds pairs with saturation at 16 bits. Weights
 * of q3 and q4 are made the unsigned operand: shifted codebook values plus 75 lie in 0..129, and
 * 129 * 127 * 2 = 32,766 just fits. For q8 and keys, where a bias would not fit, the weight's sign
 * moves to the activation, which is never -128, while the weight's absolute value may be 128: 128 *
 * 127 * 2 = 32,512.
 */
#include "arch/kernels.h"
#include "arch/x86/lanes256.h"

#define LANES_BIAS_VECTOR CODEBOOK_LOW
#define LANES_BIAS_PANEL  CODEBOOK_BIAS
#define LANES_BIAS_FULL   0

/* Two vectors by four tokens: 8 integer accumulators of the 16 registers; the float sums live in
 * L1. More than four tokens are faster by panels, of q8 more than 32. */
#define LANES_TILES       1
#define LANES_TOKENS      4
#define LANES_QUERIES     4
#define LANES_FEW         4
#define LANES_FEW_MOST    4
#define LANES_FEW_MOST_Q8 32

INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_maddubs(sum, w, lanes_four(x, i));
}
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_maddubs(sum, lanes_four(x, i), w);
}

INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_maddubs(sum, _mm256_abs_epi8(w), _mm256_sign_epi8(lanes_four(x, i), w));
}

#include "arch/lanes_all.h"
#include "arch/lanes_one_stream.h"

static bool avx2_supported(const arch_cpu *cpu) { return cpu->avx2 && cpu->fma && cpu->f16c; }

const arch_kernels arch_avx2 = {
	.name = "avx2",
	.supported = avx2_supported,
	LANES_ALL,
	LANES_ONE_STREAM_ALL,
};
