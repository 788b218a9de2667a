/* half.h - IEEE binary16 and bfloat16, exact in software
 *
 * Subnormals are scaled by a multiplication with a power of two, which is exact; so are all other
 * conversions to float. From float the conversion rounds to nearest, ties to even (IEEE
 * 754-2019, 4.3.1), as the hardware's does.
 */
#ifndef QUANT_HALF_H
#define QUANT_HALF_H

#include <stdint.h>
#include <string.h>

#include "quant/contract.h"

static inline float half_from_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline uint32_t half_to_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* Any half but infinity and NaN. */
static inline float half_decode_finite(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;

	/* 2^112 moves the exponent from bias 15 to bias 127. */
	return half_from_bits(half_to_bits(half_from_bits(rest) * 0x1p112f) | sign);
}

/* A NaN becomes quiet and keeps its payload, as with vcvtph2ps and fcvt. */
static inline float half_decode(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
	if (rest < 0x0f800000)
		return half_decode_finite(half);
	return half_from_bits(rest | 0x7f800000 | (rest > 0x0f800000 ? 0x400000 : 0) | sign);
}

static inline float half_decode_bfloat(uint16_t half)
{
	return half_from_bits((uint32_t)half << 16);
}

/* Magnitudes of 65520 and more become infinity. */
static inline uint16_t half_encode(float value)
{
	uint32_t bits = half_to_bits(value), sign = bits >> 16 & 0x8000,
	         magnitude = bits & 0x7fffffff;

	if (magnitude > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	if (magnitude >= 0x477ff000) /* 65520 */
		return (uint16_t)(sign | 0x7c00);
	if (magnitude < 0x38800000) {
		/* Below 2^-14: adding 0.5 leaves the value in units of 2^-24 in the low bits,
		 * rounded by the addition. */
		uint32_t units = half_to_bits(half_from_bits(magnitude) + 0.5f) - 0x3f000000;

		return (uint16_t)(sign | units);
	}
	magnitude += 0xfff + (magnitude >> 13 & 1);
	return (uint16_t)(sign | ((magnitude - 0x38000000) >> 13));
}

#endif
