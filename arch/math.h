/* math.h - exp, log, sine and cosine with the same bits on every machine
 *
 * libm's differ between glibc, musl and bionic, so nothing on the path to logits may call them.
 * Multiplication, addition, division and sqrt are correctly rounded everywhere (IEEE 754), and
 * these functions consist of nothing else, in a fixed order.
 */
#ifndef ARCH_MATH_H
#define ARCH_MATH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "quant/rounding.h"

/* exp for floats: x = n ln 2 + r, |r| <= ln 2 / 2; Taylor's polynomial of degree 7 for exp(r) (its
 * first left-out term is below 0.35^8 / 8! = 5e-9), times 2^n. Error below 1.5 ulp. Below -87 the
 * result is 0, above 88 it is exp(88).
 * ln 2 is split: MATH_LN2_HIGH has 9 significant bits, so n * MATH_LN2_HIGH is exact.
 * The SIMD sets repeat exactly these operations. */
#define MATH_EXP_LOW  (-87.0f)
#define MATH_EXP_HIGH 88.0f
#define MATH_LOG2E    1.44269504f
#define MATH_LN2_HIGH 0.693359375f
#define MATH_LN2_LOW  (-2.12194440e-4f)
#define MATH_ROUND    ROUND_FLOAT /* adding it leaves an integer in the low bits */
#define MATH_EXP_C2   0.5f
#define MATH_EXP_C3   0.16666667f
#define MATH_EXP_C4   0.041666668f
#define MATH_EXP_C5   0.0083333338f
#define MATH_EXP_C6   0.0013888889f
#define MATH_EXP_C7   0.00019841270f

static inline float math_exp(float x)
{
	float n, r, p, power;
	int32_t bits;

	if (!(x >= MATH_EXP_LOW))
		return 0;
	x = x > MATH_EXP_HIGH ? MATH_EXP_HIGH : x;
	n = round_even(x * MATH_LOG2E);
	r = x - n * MATH_LN2_HIGH - n * MATH_LN2_LOW;
	p = MATH_EXP_C6 + r * MATH_EXP_C7;
	p = MATH_EXP_C5 + r * p;
	p = MATH_EXP_C4 + r * p;
	p = MATH_EXP_C3 + r * p;
	p = MATH_EXP_C2 + r * p;
	p = 1 + (r + r * r * p);
	bits = ((int32_t)n + 127) * (1 << 23);
	memcpy(&power, &bits, sizeof power);
	return p * power;
}

/* The same in double for tables made once: exp to about 1e-15 for |x| <= 700. */
static inline double math_exp_double(double x)
{
	double n = round_even_double(x * 1.4426950408889634), r, p = 1, power;
	int64_t bits;
	int k;

	r = x - n * 0.693147180369123816490 - n * 1.90821492927058770002e-10;
	for (k = 18; k > 0; k--)
		p = 1 + p * r / k;
	bits = ((int64_t)n + 1023) * ((int64_t)1 << 52);
	memcpy(&power, &bits, sizeof power);
	return p * power;
}

/* Natural logarithm of a finite normal x > 0: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m = 2
 * artanh((m - 1) / (m + 1)). */
static inline double math_log_double(double x)
{
	int64_t bits, exponent;
	double m, t, square, sum = 0;
	int k;

	memcpy(&bits, &x, sizeof bits);
	exponent = (bits >> 52) - 1023;
	bits = (bits & 0xfffffffffffff) | (int64_t)1023 << 52;
	memcpy(&m, &bits, sizeof m);
	if (m > 1.4142135623730951) {
		m *= 0.5;
		exponent++;
	}
	t = (m - 1) / (m + 1);
	square = t * t;
	for (k = 23; k > 0; k -= 2)
		sum = sum * square + 1.0 / k;
	return 2 * t * sum + (double)exponent * 0.693147180559945309417;
}

/* Sine and cosine of `quarter` quarter turns and an angle |r| <= pi / 4 (and a little): Taylor's
 * polynomials of degree 21 and 20. Errors below 2^-51. */
static inline void math_sincos_rest(double r, unsigned quarter, double *sine, double *cosine)
{
	double square = r * r, s = 1, c = 1;
	int k;

	for (k = 20; k > 0; k -= 2) {
		s = 1 - s * square / (k * (k + 1));
		c = 1 - c * square / (k * (k - 1));
	}
	s *= r;
	*sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
	*cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
}

/* Sine and cosine of an angle 0 <= x < 2^31: x = n pi/2 + r with pi/2 in three parts (Cody and
 * Waite 1980, chapter 8; the parts have 33, 33 and 53 bits, so n times the first two is exact for n
 * below 2^20 and off by about 1e-7 at 2^31). */
static inline void math_sincos(double x, double *sine, double *cosine)
{
	double n = round_even_double(x * 0.63661977236758134308),
	       r = x - n * 1.57079632673412561417 - n * 6.07710050630396597660e-11 -
	           n * 2.02226624879595063154e-21;

	math_sincos_rest(r, (unsigned)((int64_t)n & 3), sine, cosine);
}

/* NaN in place of every NaN: which payload and sign an operation leaves differs between processors
 * and compilers. */
static inline void math_unify_nans(float *x, size_t n)
{
	const uint32_t quiet = 0x7fc00000;
	size_t i;

	for (i = 0; i < n; i++)
		if (x[i] != x[i])
			memcpy(&x[i], &quiet, sizeof x[i]);
}

/* Sum of 16 lanes as one fixed tree; the lanes are used up. */
static inline float math_add_lanes(float lanes[16])
{
	unsigned apart, i;

	for (apart = 8; apart > 0; apart /= 2)
		for (i = 0; i < apart; i++)
			lanes[i] += lanes[i + apart];
	return lanes[0];
}

#endif
