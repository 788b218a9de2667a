/* rounding.h - the project's ways to round
 *
 * Numbers are rounded to nearest, ties to even, as the processor's own conversions do it, by adding
 * and subtracting 1.5 * 2^23 (2^52 for doubles): the sum has no bits left for a fraction. |value|
 * must be below 2^22 (2^51).
 */
#ifndef QUANT_ROUNDING_H
#define QUANT_ROUNDING_H

#include <stddef.h>
#include <stdint.h>

#include "quant/contract.h"

#define ROUND_FLOAT  12582912.0f
#define ROUND_DOUBLE 6755399441055744.0

static inline float round_even(float value)
{
	return value + ROUND_FLOAT - ROUND_FLOAT;
}

static inline double round_even_double(double value)
{
	return value + ROUND_DOUBLE - ROUND_DOUBLE;
}

/* How many units hold n. None of these is for sizes from outside, whose sums may wrap:
 * quant/checked.h. */
static inline size_t divide_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit;
}

static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static inline size_t round_up_size(size_t value, size_t unit)
{
	return divide_up(value, unit) * unit;
}

#endif
