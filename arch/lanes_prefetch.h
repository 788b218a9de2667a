/* lanes_prefetch.h - template of how a matrix is prefetched while one token is multiplied with it;
 * arch/lanes.h says what it is made of
 *
 * The hardware's own prefetchers stop at the end of every page of 4 KB, so something else must be
 * under way there. Two ways, each measured on processors that take it:
 *
 *     several streams   tiles side by side, each from its own part of the rows, prefetched into L2
 *                       a fixed distance ahead
 *     one stream        tiles in order, prefetched into L1 more than a page ahead, and one line of
 *                       every kilobyte several pages ahead: so the address of a page is translated
 *                       before its other lines are asked for. For processors with
 *                       arch_cpu.one_stream.
 */
#ifndef ARCH_LANES_PREFETCH_H
#define ARCH_LANES_PREFETCH_H

#include "arch/lanes.h"

#define LANES_PREFETCH 2048 /* bytes ahead in each of several streams */

/* Bytes ahead in one stream. Products of 7B q4 on Zen 5, two threads, from a file partly in huge
 * pages, GB/s: 64 to 66; 3072 ahead 62, 8192 ahead 62, no line of a later page 38; four streams 46.
 * The best plain loop 63 to 65. From pages of 4 KB alone: 64, the plain loop 62.5. */
#define LANES_PREFETCH_ONE 5120
#define LANES_PAGES_AHEAD  16384

/* Lines at p, as far ahead as the way of reading has it. */
INLINE void prefetch_lines(const uint8_t *p, unsigned lines, const bool one_stream)
{
	unsigned i;

	UNROLL
	for (i = 0; i < lines; i++)
		if (one_stream)
			lanes_prefetch_near(p + LANES_PREFETCH_ONE + 64 * i);
		else
			lanes_prefetch(p + LANES_PREFETCH + 64 * i);
}

/* The first line of about a kilobyte at p; of one stream, a line of a later page too. */
INLINE void prefetch_first(const uint8_t *p, const bool one_stream)
{
	prefetch_lines(p, 1, one_stream);
	if (one_stream)
		lanes_prefetch(p + LANES_PAGES_AHEAD);
}

/* The beginning of one stream, which nothing before it has prefetched. */
INLINE void prefetch_start(const uint8_t *p)
{
	size_t i;

	for (i = 0; i < LANES_PREFETCH_ONE; i += 64)
		lanes_prefetch_near(p + i);
}

#endif
