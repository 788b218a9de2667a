/* neon.c - the set for Armv8.0-A, which every 64-bit Arm processor runs: Cortex-A53 (Pi 3), A72 (Pi 4)
 * build with: -march=armv8-a
 *
 * Bytes are multiplied to 16 bits, added in pairs there and added up into 32 bits. A pair never overflows: shifted codebook values of q4 lie in -69..60, q8
 * codes, keys, values and activations in -127..127, and 2 * 127 * 127 = 32,258.
 */
#include "arch/kernels.h"

#include "arch/arm/lanes_neon.h"

/* Four vectors by four tokens: 16 accumulators of the 32 registers; the float sums live in L1. */
#define LANES_TILES   1
#define LANES_TOKENS  4
#define LANES_QUERIES 4

#define LANES_PEAK_SUMS 16

INLINE lanes_int lanes_dot_registers(lanes_int sum, lanes_int w, lanes_int x)
{
	int8x16_t a = lanes_bytes(w), b = lanes_bytes(x);

	return vpadalq_s16(sum, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)));
}

INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i) { return lanes_dot_registers(sum, w, vdupq_n_s32((int32_t)lanes_word(x + 4 * i))); }
INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i) { return lanes_dot(sum, w, x, i); }
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i) { return lanes_dot(sum, w, x, i); }

#include "arch/lanes_all.h"

static bool neon_supported(const arch_cpu *cpu)
{
	return cpu->neon;
}

const arch_kernels arch_neon = {
	.name = "neon",
	.supported = neon_supported,
	LANES_ALL,
};
