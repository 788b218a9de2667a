/* fixed.h - numbers in [0, 1) in fixed point, for constants that need more bits than double has
 *
 * Integers only, so every machine gets the same bits. Products of 32-bit limbs and their carries
 * fit in 64 bits.
 */
#ifndef RUNTIME_FIXED_H
#define RUNTIME_FIXED_H

#include <stdint.h>

#define FIXED_LIMBS 6u
#define FIXED_BITS  (32u * FIXED_LIMBS)

/* The sum of limbs[i] * 2^(-32 (i + 1)). */
typedef struct fixed {
	uint32_t limbs[FIXED_LIMBS];
} fixed;

/* x in [0, 1); exact where no bit of x is below 2^-192. */
fixed fixed_from_double(double x);

/* a * b, rounded down. */
fixed fixed_multiply(const fixed *a, const fixed *b);

/* theta^(-1 / n) for theta in [1, 2^53) and n >= 1, with a relative error below theta * 2^-191;
 * theta 1 gives the largest number below 1. */
fixed fixed_inverse_root(double theta, uint32_t n);

#endif
