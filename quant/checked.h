/* checked.h - arithmetic on sizes that come from outside
 *
 * Every count, product and offset read from a file goes through these; they return false instead of
 * wrapping, and leave *result alone then. Plain C: division decides, since overflow builtins are
 * compiler extensions.
 */
#ifndef QUANT_CHECKED_H
#define QUANT_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *result)
{
	if (b > UINT64_MAX - a)
		return false;
	*result = a + b;
	return true;
}

static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *result)
{
	if (a != 0 && b > UINT64_MAX / a)
		return false;
	*result = a * b;
	return true;
}

/* Rounds up to a multiple of `unit`, which is not zero. */
static inline bool checked_round_up(uint64_t value, uint64_t unit, uint64_t *result)
{
	uint64_t rest = value % unit;

	return checked_add(value, rest ? unit - rest : 0, result);
}

/* True if bytes [offset, offset + size) lie inside [0, limit). */
static inline bool checked_inside(uint64_t offset, uint64_t size, uint64_t limit)
{
	return offset <= limit && size <= limit - offset;
}

static inline bool checked_size(uint64_t value, size_t *result)
{
	if (value > SIZE_MAX / 2)
		return false;
	*result = (size_t)value;
	return true;
}

#endif
