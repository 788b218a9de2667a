/* sum.c - see sum.h */
#include "runtime/session/sum.h"

#include <string.h>

#include "runtime/model/crc32.h"

#define LANES (SESSION_SUM_STEP / sizeof(uint32_t))

void session_sum_add(session_sum *sum, const void *bytes, size_t n)
{
	const uint8_t *p = bytes, *end = p + n / SESSION_SUM_STEP * SESSION_SUM_STEP;
	session_sum s = *sum;
	uint32_t words[LANES];
	size_t i;

	for (; p < end; p += SESSION_SUM_STEP) {
		memcpy(words, p, sizeof words);
		for (i = 0; i < LANES; i++)
			s.lanes[i] = ((s.lanes[i] << 7 | s.lanes[i] >> 25) ^ words[i]) * 9u;
	}
	*sum = s;
}

uint32_t session_sum_end(const session_sum *sum)
{
	return crc32_update(0, sum->lanes, sizeof sum->lanes);
}
