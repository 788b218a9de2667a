/* rope.c - angles of any position, exact to the rounding of float
 *
 * The angle of position p and frequency f = theta^(-2i / head_dim) is p * f. Sines and cosines are
 * rounded to float, off by up to 2^-25; what comes before adds much less:
 *
 * Below ROPE_FIXED_FROM, 2^20, in double. f is off by a few units of 2^-52 times the exponent that
 * it is computed from, log(1 / f), so p * f by a few times 2^-32 * f * log(1 / f), where f *
 * log(1 / f) <= 1 / e. Rounding the product and reducing it to a quarter turn (arch/math.h) cost
 * less than 2^-33 more. All in all this is below 2^-30.
 *
 * From there on in integers. f / 2 pi, the part of a turn, is known to 128 bits: it is the product
 * of 1 / 2 pi and i <= 256 times fixed_inverse_root, with a relative error below 2^-133 for theta <
 * 2^50, and is rounded down, so it is off by less than 2^-127. Whole turns do not count: p * f is
 * taken modulo 2^128 and nothing is lost, so it is off by less than p * 2^-127, 2^-79 of a turn at
 * p = 2^48. Of the rest after whole quarters 2^-55 of a turn is the last bit that enters sine and
 * cosine; these, in double, are off by less than 2^-50.
 *
 * A ratio that scales a frequency is a double and enters exactly: it has no bit below 2^-73, and
 * the product is rounded down at 2^-192. In double it adds one rounding, and so does a magnitude.
 *
 * Below 2^20 doubles remain because earlier results have their bits. BRISE_POSITION_END is 2^48
 * because a double, as JSON and many languages have it, holds such positions.
 */
#include "runtime/eval/rope.h"

#include "arch/math.h"
#include "runtime/eval/fixed.h"

/* 1 / (2 pi), rounded down. */
static const fixed radian = { { 0x28be60db, 0x9391054a, 0x7f09d5f4, 0x7d4d3770, 0x36d8a566,
	                        0x4f10e410 } };

static rope_frequency scale(double radians, const fixed *turns, double ratio)
{
	fixed by = fixed_from_double(ratio < 1 ? ratio : 0),
	      scaled = ratio < 1 ? fixed_multiply(turns, &by) : *turns;

	return (rope_frequency){ radians * ratio, (uint64_t)scaled.limbs[0] << 32 | scaled.limbs[1],
		                 (uint64_t)scaled.limbs[2] << 32 | scaled.limbs[3] };
}

void rope_fill_frequencies(rope_frequency *frequencies, uint32_t head_dim, double theta,
                           const double *ratios)
{
	double log_theta = math_log_double(theta);
	fixed ratio = fixed_inverse_root(theta, head_dim / 2), turns = radian;
	uint32_t i;

	for (i = 0; i < head_dim / 2; i++) {
		frequencies[i] = scale(math_exp_double(-log_theta * (2.0 * i / head_dim)), &turns,
		                       ratios ? ratios[i] : 1);
		turns = fixed_multiply(&turns, &ratio);
	}
}

/* The upper half of a * b. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
	uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX),
	         middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32),
	         other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);

	return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/* Quarters are counted from an eighth before each, so that the rest lies in [-1/8, 1/8) of a turn;
 * it is cut to units of 2^-55. */
static void fixed_sincos(uint64_t position, const rope_frequency *f, double *sine, double *cosine)
{
	const double unit = 0x1.921fb54442d18p-53; /* 2 pi * 2^-55 */
	uint64_t turns = position * f->turns + multiply_high(position, f->turns_low),
	         shifted = turns + (UINT64_C(1) << 61);
	int64_t rest = (int64_t)((shifted & ((UINT64_C(1) << 62) - 1)) >> 9) - (INT64_C(1) << 52);

	math_sincos_rest((double)rest * unit, (unsigned)(shifted >> 62), sine, cosine);
}

void rope_fill_angles(float *cosines, float *sines, const rope_frequency *frequencies,
                      uint32_t head_dim, uint64_t position, double magnitude)
{
	uint32_t i;

	for (i = 0; i < head_dim / 2; i++) {
		double sine, cosine;

		if (position < ROPE_FIXED_FROM)
			math_sincos((double)position * frequencies[i].radians, &sine, &cosine);
		else
			fixed_sincos(position, &frequencies[i], &sine, &cosine);
		sines[i] = (float)(sine * magnitude);
		cosines[i] = (float)(cosine * magnitude);
	}
}
