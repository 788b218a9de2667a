/* elements.c - one table of element types; see elements.h
 *
 * Finite numbers are recognised by their bits: infinities and NaNs have all exponent bits set, and
 * adding one there carries into the sign's place. Compilers vectorize that.
 */
#include "convert/formats/elements.h"

#include <string.h>

#include "convert/formats/ggml_blocks.h"
#include "convert/formats/gguf.h"
#include "quant/checked.h"
#include "quant/half.h"

typedef struct element_type {
	const char *name;
	uint32_t block, bytes;
	ggml_decode_fn *decode; /* NULL: plain numbers */
} element_type;

#define PLAIN(name, bytes)                                                                         \
	{                                                                                          \
#name, 1, bytes, NULL                                                              \
	}
#define BLOCKS(name, function)                                                                     \
	{                                                                                          \
#name, GGML_##name##_BLOCK, GGML_##name##_BYTES, function                          \
	}

static const element_type types[ELEMENTS_TYPES] = {
	[ELEMENTS_F16] = PLAIN(F16, 2),
	[ELEMENTS_BF16] = PLAIN(BF16, 2),
	[ELEMENTS_F32] = PLAIN(F32, 4),
	[ELEMENTS_F8_E4M3] = PLAIN(F8_E4M3, 1),
	[ELEMENTS_Q8_0] = BLOCKS(Q8_0, ggml_decode_q8_0),
	[ELEMENTS_Q4_0] = BLOCKS(Q4_0, ggml_decode_q4_0),
	[ELEMENTS_Q4_1] = BLOCKS(Q4_1, ggml_decode_q4_1),
	[ELEMENTS_Q5_0] = BLOCKS(Q5_0, ggml_decode_q5_0),
	[ELEMENTS_Q5_1] = BLOCKS(Q5_1, ggml_decode_q5_1),
	[ELEMENTS_Q2_K] = BLOCKS(Q2_K, ggml_decode_q2_k),
	[ELEMENTS_Q3_K] = BLOCKS(Q3_K, ggml_decode_q3_k),
	[ELEMENTS_Q4_K] = BLOCKS(Q4_K, ggml_decode_q4_k),
	[ELEMENTS_Q5_K] = BLOCKS(Q5_K, ggml_decode_q5_k),
	[ELEMENTS_Q6_K] = BLOCKS(Q6_K, ggml_decode_q6_k),
	[ELEMENTS_IQ4_NL] = BLOCKS(IQ4_NL, ggml_decode_iq4_nl),
	[ELEMENTS_IQ4_XS] = BLOCKS(IQ4_XS, ggml_decode_iq4_xs)
};

static const element_type *find(uint32_t dtype)
{
	return dtype < ELEMENTS_TYPES && types[dtype].name ? &types[dtype] : NULL;
}

const char *elements_name(uint32_t dtype)
{
	const element_type *t = find(dtype);

	return t ? t->name : "?";
}

uint32_t elements_block(uint32_t dtype)
{
	const element_type *t = find(dtype);

	return t ? t->block : 0;
}

bool elements_are_quantized(uint32_t dtype)
{
	const element_type *t = find(dtype);

	return t && t->decode;
}

bool elements_measure(uint32_t dtype, uint64_t n, uint64_t *bytes)
{
	const element_type *t = find(dtype);

	return t && n % t->block == 0 && checked_mul(n / t->block, t->bytes, bytes);
}

static bool are_finite(const float *x, size_t n)
{
	uint32_t carry = 0;
	size_t i;

	for (i = 0; i < n; i++)
		carry |= (half_to_bits(x[i]) & 0x7fffffff) + 0x00800000;
	return !(carry >> 31);
}

static bool decode_halves(float *out, const uint16_t *halves, size_t n)
{
	uint16_t carry = 0;
	size_t i;

	for (i = 0; i < n; i++)
		carry |= (uint16_t)((halves[i] & 0x7fff) + 0x0400);
	for (i = 0; i < n; i++)
		out[i] = half_decode_finite(halves[i]);
	return !(carry >> 15);
}

static bool decode_bfloats(float *out, const uint16_t *halves, size_t n)
{
	uint16_t carry = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		carry |= (uint16_t)((halves[i] & 0x7fff) + 0x0080);
		out[i] = half_decode_bfloat(halves[i]);
	}
	return !(carry >> 15);
}

/* Bias 7, no infinity; the largest magnitude is not a number. With the exponent's bits in their
 * place a code is a float 2^-120 times as large, subnormals too, and the product is exact. */
static bool decode_bytes(float *out, const uint8_t *codes, size_t n)
{
	bool finite = true;
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t bits = (uint32_t)(codes[i] & 0x80) << 24 | (uint32_t)(codes[i] & 0x7f)
		                                                            << 20;

		out[i] = half_from_bits(bits) * 0x1p120f;
		finite = finite && (codes[i] & 0x7f) != 0x7f;
	}
	return finite;
}

bool elements_decode(float *out, const void *raw, uint32_t dtype, size_t n)
{
	if (dtype == ELEMENTS_F16)
		return decode_halves(out, raw, n);
	if (dtype == ELEMENTS_BF16)
		return decode_bfloats(out, raw, n);
	if (dtype == ELEMENTS_F8_E4M3)
		return decode_bytes(out, raw, n);
	if (elements_are_quantized(dtype))
		types[dtype].decode(out, raw, n / types[dtype].block);
	else
		memcpy(out, raw, n * sizeof *out);
	return are_finite(out, n);
}
