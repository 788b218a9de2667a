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

INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	int8x16_t four = vreinterpretq_s8_u32(vdupq_n_u32(lanes_word(x + 4 * i))), bytes = lanes_bytes(w);

	return vpadalq_s16(sum, vpaddq_s16(vmull_s8(vget_low_s8(bytes), vget_low_s8(four)), vmull_high_s8(bytes, four)));
}

INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i) { return lanes_dot(sum, w, x, i); }
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i) { return lanes_dot(sum, w, x, i); }

#include "arch/lanes_attend.h"
#include "arch/lanes_f16.h"
#include "arch/lanes_matmul.h"
#include "arch/lanes_vector.h"

static bool neon_supported(const arch_cpu *cpu)
{
	return cpu->neon;
}

static uint64_t neon_dot_peak(uint64_t rounds)
{
	lanes_int sums[16], w = lanes_fill_bytes(3);
	int8_t x[16] = { 5, 5, 5, 5 };
	uint64_t round;
	int i;

	UNROLL
	for (i = 0; i < 16; i++)
		sums[i] = lanes_fill(0);
	for (round = 0; round < rounds; round++)
		UNROLL
		for (i = 0; i < 16; i++) {
			/* The compiler must believe that the operand changes. */
			lanes_settle(w);
			sums[i] = lanes_dot(sums[i], w, x, 0);
			lanes_settle(sums[i]);
		}
	return rounds * 16 * 32;
}

const arch_kernels arch_neon = {
	.name = "neon",
	.supported = neon_supported,
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
	.dot_peak = neon_dot_peak,
};
