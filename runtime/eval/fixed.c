/* fixed.c - products, and roots bit by bit */
#include "runtime/eval/fixed.h"

#include <stdbool.h>
#include <string.h>

#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023

/* product [n_a + n_b] = a [n_a] * b [n_b] as integers, the most significant limb first. */
static void multiply(uint32_t *product, const uint32_t *a, unsigned n_a, const uint32_t *b,
                     unsigned n_b)
{
	unsigned i, k;

	memset(product, 0, (n_a + n_b) * sizeof *product);
	for (i = n_a; i-- > 0;) {
		uint64_t carry = 0;

		for (k = n_b; k-- > 0;) {
			carry += (uint64_t)a[i] * b[k] + product[i + k + 1];
			product[i + k + 1] = (uint32_t)carry;
			carry >>= 32;
		}
		product[i] = (uint32_t)carry;
	}
}

fixed fixed_multiply(const fixed *a, const fixed *b)
{
	uint32_t product[2 * FIXED_LIMBS];
	fixed result;

	multiply(product, a->limbs, FIXED_LIMBS, b->limbs, FIXED_LIMBS);
	memcpy(result.limbs, product, sizeof result.limbs);
	return result;
}

fixed fixed_from_double(double x)
{
	fixed result;
	unsigned i;

	for (i = 0; i < FIXED_LIMBS; i++) {
		x *= 4294967296.0;
		result.limbs[i] = (uint32_t)x;
		x -= (double)result.limbs[i];
	}
	return result;
}

/* x^n, too small by less than 2n units of 2^-192: a square doubles the error, and every product is
 * rounded down by less than a unit. */
static fixed raise(const fixed *x, uint32_t n)
{
	fixed power = *x;
	uint32_t bit = 1;

	while (bit <= n / 2)
		bit *= 2;
	while ((bit /= 2) > 0) {
		power = fixed_multiply(&power, &power);
		if (n & bit)
			power = fixed_multiply(&power, x);
	}
	return power;
}

/* Whether x * factor < limit. */
static bool product_is_below(const fixed *x, uint64_t factor, uint64_t limit)
{
	const uint32_t limbs[2] = { (uint32_t)(factor >> 32), (uint32_t)factor };
	uint32_t product[2 + FIXED_LIMBS];

	multiply(product, limbs, 2, x->limbs, FIXED_LIMBS);
	return ((uint64_t)product[0] << 32 | product[1]) < limit;
}

/* The largest x whose computed n-th power is below 1 / theta, found bit by bit. With u = 2^-192:
 *     (x + u)^n >= 1 / theta, so x exceeds the root less u, and the root is at least 1 / theta;
 *     x^n < 1 / theta + 2n u, so x is below the root times (1 + 2n u theta)^(1 / n), which is at
 *     most 1 + 2 u theta.
 */
fixed fixed_inverse_root(double theta, uint32_t n)
{
	fixed x = { { 0 } };
	uint64_t bits, mantissa, limit;
	unsigned i;

	/* theta = mantissa / limit */
	memcpy(&bits, &theta, sizeof bits);
	mantissa = (bits & ((UINT64_C(1) << MANTISSA_BITS) - 1)) | UINT64_C(1) << MANTISSA_BITS;
	limit = UINT64_C(1) << (MANTISSA_BITS + EXPONENT_BIAS - (bits >> MANTISSA_BITS));
	for (i = 0; i < FIXED_BITS; i++) {
		uint32_t *limb = &x.limbs[i / 32], bit = UINT32_C(1) << (31 - i % 32);
		fixed power;

		*limb |= bit;
		power = raise(&x, n);
		if (!product_is_below(&power, mantissa, limit))
			*limb &= ~bit;
	}
	return x;
}
