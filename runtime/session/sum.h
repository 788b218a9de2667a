/* sum.h - a checksum as fast as memory is read, for files of hundreds of megabytes that
 * are checked each time they are opened
 *
 * 64 lanes of 32 bits, which compilers turn into vectors; lane i takes the i-th word of every 256
 * bytes: h = 9 (rotate(h, 7) xor word). Each step is a bijection of h, and of the word, so a change
 * in a single word always shows. It says nothing about bytes that someone changed on purpose.
 */
#ifndef RUNTIME_SESSION_SUM_H
#define RUNTIME_SESSION_SUM_H

#include <stddef.h>
#include <stdint.h>

#define SESSION_SUM_STEP 256u

typedef struct session_sum {
	uint32_t lanes[SESSION_SUM_STEP / sizeof(uint32_t)];
} session_sum;

/* n: a multiple of SESSION_SUM_STEP. Starts from zeros. */
void session_sum_add(session_sum *sum, const void *bytes, size_t n);

/* One number of all that was added. */
uint32_t session_sum_end(const session_sum *sum);

#endif
