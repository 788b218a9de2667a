/* lanes_peak.h - template of the limit that matrix products are measured against: the set's dot
 * product on registers alone
 *
 * The set provides
 *     lanes_dot_registers(sum, w, x)   the instructions of lanes_dot without its loads
 *     LANES_PEAK_SUMS                  independent sums, enough to hide their latency
 *     LANES_PEAK_OPERATIONS            multiplications and additions of one; if not said, of
 *                                      4 * LANES bytes
 */
#ifndef ARCH_TOOLS_LANES_PEAK_H
#define ARCH_TOOLS_LANES_PEAK_H

#include "arch/lanes.h"

#ifndef LANES_PEAK_OPERATIONS
#define LANES_PEAK_OPERATIONS (2 * 4 * LANES)
#endif

static uint64_t lanes_dot_peak(uint64_t rounds)
{
	lanes_int sums[LANES_PEAK_SUMS], w = lanes_fill_bytes(3), x = lanes_fill_bytes(5);
	uint64_t round;
	int i;

	UNROLL
	for (i = 0; i < LANES_PEAK_SUMS; i++)
		sums[i] = lanes_fill(0);
	for (round = 0; round < rounds; round++)
		UNROLL
	for (i = 0; i < LANES_PEAK_SUMS; i++) {
		/* Makes the operands opaque, so that the compiler cannot hoist the products. */
		lanes_barrier(w);
		lanes_barrier(x);
		sums[i] = lanes_dot_registers(sums[i], w, x);
		lanes_barrier(sums[i]);
	}
	return rounds * LANES_PEAK_SUMS * LANES_PEAK_OPERATIONS;
}

#endif
