/* ggml_blocks.c - decodes ggml's quantized blocks
 *
 * The layouts are facts of the format (ggml-common.h: block_q4_0 and so on); each function's
 * comment draws its block, offsets in bytes. Two families:
 *
 *   32 elements    one f16 scale d, perhaps an f16 minimum m, codes
 *   256 elements   "superblocks": f16 d (and minimum), small integer scales of 16 or 32 elements
 *                  each, codes
 *
 * Codes of several bits are cut into planes (nibbles, pairs of bits, single bits) that lie apart.
 * The order of elements in a plane differs from type to type; within a plane an index counts
 * elements whose bits stand at the same place in consecutive bytes.
 *
 * Floats are computed in the order ggml does it, so that results have the same bits: scales are
 * multiplied first (d * scale), then the code, then the minimum is subtracted. Multiply and add are
 * rounded one by one.
 */
#include "convert/formats/ggml_blocks.h"

#include "convert/formats/gguf.h"
#include "quant/half.h"

static uint32_t read_u16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t read_u32(const uint8_t *bytes)
{
	return read_u16(bytes) | read_u16(bytes + 2) << 16;
}

static float read_half(const uint8_t *bytes)
{
	return half_decode((uint16_t)read_u16(bytes));
}

/* ---- blocks of 32 --------------------------------------------------------------------------- */

/* Byte j of 16 holds element j in its low nibble and element j + 16 in its high one. */
static uint32_t nibble(const uint8_t *codes, unsigned i)
{
	return i < 16 ? codes[i] & 15u : (uint32_t)codes[i - 16] >> 4;
}

/* 0 d, 2 nibbles[16]; codes around 8 */
void ggml_decode_q4_0(float *out, const uint8_t *b, size_t n)
{
	unsigned i;

	for (; n-- > 0; b += GGML_Q4_0_BYTES, out += GGML_Q4_0_BLOCK) {
		float d = read_half(b);

		for (i = 0; i < GGML_Q4_0_BLOCK; i++)
			out[i] = (float)((int)nibble(b + 2, i) - 8) * d;
	}
}

/* 0 d, 2 m, 4 nibbles[16] */
void ggml_decode_q4_1(float *out, const uint8_t *b, size_t n)
{
	unsigned i;

	for (; n-- > 0; b += GGML_Q4_1_BYTES, out += GGML_Q4_1_BLOCK) {
		float d = read_half(b), m = read_half(b + 2);

		for (i = 0; i < GGML_Q4_1_BLOCK; i++)
			out[i] = (float)nibble(b + 4, i) * d + m;
	}
}

/* 0 d, 2 fifth bits[4], 6 nibbles[16]; codes around 16 */
void ggml_decode_q5_0(float *out, const uint8_t *b, size_t n)
{
	unsigned i;

	for (; n-- > 0; b += GGML_Q5_0_BYTES, out += GGML_Q5_0_BLOCK) {
		float d = read_half(b);
		uint32_t fifth = read_u32(b + 2);

		for (i = 0; i < GGML_Q5_0_BLOCK; i++)
			out[i] = (float)((int)(nibble(b + 6, i) | (fifth >> i & 1) << 4) - 16) * d;
	}
}

/* 0 d, 2 m, 4 fifth bits[4], 8 nibbles[16] */
void ggml_decode_q5_1(float *out, const uint8_t *b, size_t n)
{
	unsigned i;

	for (; n-- > 0; b += GGML_Q5_1_BYTES, out += GGML_Q5_1_BLOCK) {
		float d = read_half(b), m = read_half(b + 2);
		uint32_t fifth = read_u32(b + 4);

		for (i = 0; i < GGML_Q5_1_BLOCK; i++)
			out[i] = (float)(nibble(b + 8, i) | (fifth >> i & 1) << 4) * d + m;
	}
}

/* 0 d, 2 codes[32], signed */
void ggml_decode_q8_0(float *out, const uint8_t *b, size_t n)
{
	unsigned i;

	for (; n-- > 0; b += GGML_Q8_0_BYTES, out += GGML_Q8_0_BLOCK) {
		float d = read_half(b);

		for (i = 0; i < GGML_Q8_0_BLOCK; i++)
			out[i] = (float)(int8_t)b[2 + i] * d;
	}
}

/* ---- a codebook in place of equal steps ----------------------------------------------------- */

/* The 16 values of both IQ4 types (ggml-common.h: kvalues_iq4nl). */
static const float iq4_values[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
	                              1,    13,   25,  38,  53,  69,  89,  113 };

/* 0 d, 2 nibbles[16] */
void ggml_decode_iq4_nl(float *out, const uint8_t *b, size_t n)
{
	unsigned i;

	for (; n-- > 0; b += GGML_IQ4_NL_BYTES, out += GGML_IQ4_NL_BLOCK) {
		float d = read_half(b);

		for (i = 0; i < GGML_IQ4_NL_BLOCK; i++)
			out[i] = d * iq4_values[nibble(b + 2, i)];
	}
}

/* 0 d, 2 upper 2 bits of 8 scales, 4 lower 4 bits[4], 8 nibbles[8][16]; scales around 32, one for
 * 32 elements */
void ggml_decode_iq4_xs(float *out, const uint8_t *b, size_t n)
{
	unsigned part, i;

	for (; n-- > 0; b += GGML_IQ4_XS_BYTES) {
		float d = read_half(b);
		uint32_t upper = read_u16(b + 2);

		for (part = 0; part < 8; part++, out += 32) {
			uint32_t lower = (uint32_t)b[4 + part / 2] >> 4 * (part % 2) & 15;
			float scale = d * (float)((int)(lower | (upper >> 2 * part & 3) << 4) - 32);

			for (i = 0; i < 32; i++)
				out[i] = scale * iq4_values[nibble(b + 8 + 16 * part, i)];
		}
	}
}

/* ---- superblocks of 256 --------------------------------------------------------------------- */

/* A superblock has 8 parts of 32 elements, 16 halves of 16. Two bits of element 32 * part + i: 32
 * bytes hold four parts, the first in the lowest bits. */
static uint32_t pair_of_bits(const uint8_t *codes, unsigned part, unsigned i)
{
	return (uint32_t)codes[32 * (part / 4) + i] >> 2 * (part % 4) & 3;
}

/* Four bits of element 32 * part + i: 32 bytes hold two parts. */
static uint32_t nibble_of_part(const uint8_t *codes, unsigned part, unsigned i)
{
	return (uint32_t)codes[32 * (part / 2) + i] >> 4 * (part % 2) & 15;
}

/* 0 scales[16] of 16 elements each (low nibble: scale, high: minimum), 16 pairs of bits[64], 80 d,
 * 82 d of the minima */
void ggml_decode_q2_k(float *out, const uint8_t *b, size_t n)
{
	unsigned half, i;

	for (; n-- > 0; b += GGML_Q2_K_BYTES) {
		float d = read_half(b + 80), dmin = read_half(b + 82);

		for (half = 0; half < 16; half++, out += 16) {
			float scale = d * (float)(b[half] & 15),
			      minimum = dmin * (float)(b[half] >> 4);

			for (i = 0; i < 16; i++)
				out[i] = scale * (float)pair_of_bits(b + 16, half / 2,
				                                     half % 2 * 16 + i) -
				         minimum;
		}
	}
}

/* Scale s of 16, each of 6 bits around 32: the lower four in nibbles of 8 bytes, the upper two in
 * pairs of bits of the 4 bytes after them. */
static int q3_scale(const uint8_t *packed, unsigned s)
{
	uint32_t lower = (uint32_t)packed[s % 8] >> 4 * (s / 8) & 15,
	         upper = (uint32_t)packed[8 + s % 4] >> 2 * (s / 4) & 3;

	return (int)(lower | upper << 4) - 32;
}

/* 0 third bits[32], 32 pairs of bits[64], 96 scales[12] of 16 elements each, 108 d; codes around 4.
 * Bit p of byte i belongs to element 32 * p + i. */
void ggml_decode_q3_k(float *out, const uint8_t *b, size_t n)
{
	unsigned half, i;

	for (; n-- > 0; b += GGML_Q3_K_BYTES) {
		float d = read_half(b + 108);

		for (half = 0; half < 16; half++, out += 16) {
			float scale = d * (float)q3_scale(b + 96, half);

			for (i = 0; i < 16; i++) {
				uint32_t third = (uint32_t)b[half % 2 * 16 + i] >> half / 2 & 1;

				out[i] = scale * (float)((int)(pair_of_bits(b + 32, half / 2,
				                                            half % 2 * 16 + i) |
				                               third << 2) -
				                         4);
			}
		}
	}
}

/* Scale and minimum s of 8, 6 bits each, in 12 bytes: the first four of either have bytes of their
 * own; the last four have nibbles in the bytes after them and their upper two bits on top of those
 * bytes. */
static void unpack_q45_scale(const uint8_t *packed, unsigned s, float d, float dmin, float *scale,
                             float *minimum)
{
	uint32_t sc, m;

	if (s < 4) {
		sc = packed[s] & 63u;
		m = packed[s + 4] & 63u;
	} else {
		sc = (packed[s + 4] & 15u) | (uint32_t)packed[s - 4] >> 6 << 4;
		m = (uint32_t)packed[s + 4] >> 4 | (uint32_t)packed[s] >> 6 << 4;
	}
	*scale = d * (float)sc;
	*minimum = dmin * (float)m;
}

/* 0 d, 2 d of the minima, 4 scales[12] of 32 elements each, 16 nibbles[128] */
void ggml_decode_q4_k(float *out, const uint8_t *b, size_t n)
{
	unsigned part, i;

	for (; n-- > 0; b += GGML_Q4_K_BYTES)
		for (part = 0; part < 8; part++, out += 32) {
			float scale, minimum;

			unpack_q45_scale(b + 4, part, read_half(b), read_half(b + 2), &scale,
			                 &minimum);
			for (i = 0; i < 32; i++)
				out[i] = scale * (float)nibble_of_part(b + 16, part, i) - minimum;
		}
}

/* 0 d, 2 d of the minima, 4 scales[12] of 32 elements each, 16 fifth bits[32], 48 nibbles[128]. Bit
 * p of byte i belongs to element 32 * p + i. */
void ggml_decode_q5_k(float *out, const uint8_t *b, size_t n)
{
	unsigned part, i;

	for (; n-- > 0; b += GGML_Q5_K_BYTES)
		for (part = 0; part < 8; part++, out += 32) {
			float scale, minimum;

			unpack_q45_scale(b + 4, part, read_half(b), read_half(b + 2), &scale,
			                 &minimum);
			for (i = 0; i < 32; i++)
				out[i] = scale * (float)(nibble_of_part(b + 48, part, i) |
				                         ((uint32_t)b[16 + i] >> part & 1) << 4) -
				         minimum;
		}
}

/* 0 nibbles[128], 128 upper pairs of bits[64], 192 signed scales[16] of 16 elements each, 208 d;
 * codes around 32. Of four parts the first two are the low nibbles of 64 bytes, the others the high
 * ones. */
void ggml_decode_q6_k(float *out, const uint8_t *b, size_t n)
{
	unsigned half, i;

	for (; n-- > 0; b += GGML_Q6_K_BYTES) {
		float d = read_half(b + 208);

		for (half = 0; half < 16; half++, out += 16) {
			float scale = d * (float)(int8_t)b[192 + half];
			unsigned part = half / 2, first = half % 2 * 16;

			for (i = 0; i < 16; i++) {
				uint32_t lower = (uint32_t)b[64 * (part / 4) + 32 * (part % 2) +
				                             first + i] >>
				                         4 * (part / 2 % 2) &
				                 15;

				out[i] =
				        scale *
				        (float)((int)(lower | pair_of_bits(b + 128, part, first + i)
				                                      << 4) -
				                32);
			}
		}
	}
}
