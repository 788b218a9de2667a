/* dotprod.c - the set for the SDOT instruction: Cortex-A55 and A76 (Pi 5), phones since 2018
 *
 * build with: -march=armv8.2-a+dotprod
 *
 * SDOT adds the products of four signed bytes to each 32-bit lane; by element, the four activations
 * come from a quarter of a register, so sixteen of them cost one load.
 */
#include "arch/kernels.h"

#if defined(__ARM_FEATURE_DOTPROD)

#include "arch/arm/lanes_neon.h"

/* Four vectors by four tokens: 16 accumulators, four weights and four activations of the 32
 * registers; the float sums live in L1. */
#define LANES_TILES   1
#define LANES_TOKENS  4
#define LANES_QUERIES 8

/* The element is an immediate operand: unoptimized builds, which do not unroll loops, need it as a
 * literal. */
INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	int8x16_t bytes = lanes_bytes(w), four = vld1q_s8(x);

	switch (i) {
	case 0:
		return vdotq_laneq_s32(sum, bytes, four, 0);
	case 1:
		return vdotq_laneq_s32(sum, bytes, four, 1);
	case 2:
		return vdotq_laneq_s32(sum, bytes, four, 2);
	default:
		return vdotq_laneq_s32(sum, bytes, four, 3);
	}
}

INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot(sum, w, x, i);
}
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot(sum, w, x, i);
}

#include "arch/lanes_attend.h"
#include "arch/lanes_matmul.h"

static bool dotprod_supported(const arch_cpu *cpu) { return cpu->neon && cpu->dotprod; }

const arch_kernels arch_dotprod = { .name = "dotprod",
	                            .supported = dotprod_supported,
	                            .below = &arch_neon,
	                            .matmul_q4 = lanes_matmul_q4,
	                            .matmul_q8 = lanes_matmul_q8,
	                            .attend = lanes_attend };

#else
ARCH_ABSENT(dotprod)
#endif
