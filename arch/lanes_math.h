/* lanes_math.h - arch/math.h's exp for vectors, operation by operation */
#ifndef ARCH_LANES_MATH_H
#define ARCH_LANES_MATH_H

#include "arch/lanes.h"

INLINE lanes_float lanes_exp(lanes_float x)
{
	const lanes_float round = lanes_fill_float(MATH_ROUND);
	lanes_float n, r, p, bounded = lanes_min(x, lanes_fill_float(MATH_EXP_HIGH));

	n = lanes_sub(lanes_add(lanes_mul(bounded, lanes_fill_float(MATH_LOG2E)), round), round);
	r = lanes_sub(bounded, lanes_mul(n, lanes_fill_float(MATH_LN2_HIGH)));
	r = lanes_sub(r, lanes_mul(n, lanes_fill_float(MATH_LN2_LOW)));
	p = lanes_add(lanes_fill_float(MATH_EXP_C6), lanes_mul(r, lanes_fill_float(MATH_EXP_C7)));
	p = lanes_add(lanes_fill_float(MATH_EXP_C5), lanes_mul(r, p));
	p = lanes_add(lanes_fill_float(MATH_EXP_C4), lanes_mul(r, p));
	p = lanes_add(lanes_fill_float(MATH_EXP_C3), lanes_mul(r, p));
	p = lanes_add(lanes_fill_float(MATH_EXP_C2), lanes_mul(r, p));
	p = lanes_add(lanes_fill_float(1), lanes_add(r, lanes_mul(lanes_mul(r, r), p)));
	return lanes_where_at_least(lanes_mul(p, lanes_power(lanes_round(n))), x,
	                            lanes_fill_float(MATH_EXP_LOW));
}

#endif
