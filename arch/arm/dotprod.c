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
#define LANES_TILES  1
#define LANES_TOKENS 4
#ifdef __OPTIMIZE_SIZE__
#define LANES_QUERIES 4
#else
#define LANES_QUERIES  8
/* With seven, a panel costs less (bench/arm_estimate.sh). */
#define LANES_FEW      6
#define LANES_FEW_MOST 6
#endif

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
#define LANES_ONE_DOT
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot(sum, w, x, i);
}

#include "arch/arm/few.h"

INLINE void few_dots(lanes_int dots[], const int8x16_t w[8], const int8_t *x, const int tokens,
                     const enum lanes_type type)
{
	int half, t;

	(void)type;
	UNROLL
	for (half = 0; half < 2; half++) {
		int8x16_t four[LANES_FEW];

		UNROLL
		for (t = 0; t < tokens; t++)
			four[t] = vld1q_s8(x + FEW_CODES(t) + 16 * half);
#define DOT(i)                                                                                     \
	UNROLL                                                                                     \
	for (t = 0; t < tokens; t++) {                                                             \
		dots[t] = vdotq_laneq_s32(dots[t], w[4 * half + (i)], four[t], i);                 \
		LANES_KEEP_ORDER(dots[t]);                                                         \
	}
		DOT(0)
		DOT(1)
		DOT(2)
		DOT(3)
#undef DOT
	}
}

#include "arch/lanes_attend.h"
#include "arch/lanes_matmul.h"

static bool dotprod_supported(const arch_cpu *cpu) { return cpu->neon && cpu->dotprod; }

const arch_kernels arch_dotprod = { .name = "dotprod",
	                            .supported = dotprod_supported,
	                            .below = &arch_neon,
	                            LANES_MATMUL,
	                            .attend = lanes_attend };

#else
ARCH_ABSENT(dotprod)
#endif
