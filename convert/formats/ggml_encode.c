/* ggml_encode.c - the encoders of Q8_0 and Q4_0
 *
 * Codes are chosen for the scale that is stored, after its rounding to binary16. For Q4_0 the
 * format's own rule, that the largest weight by magnitude becomes code -8, is where a search
 * begins: the block is rounded with that weight at -7, -7.5 .. -10, each set of codes gets the
 * scale that fits it best (least squares), and the best pair stays. On Gaussian weights the
 * relative squared error falls from 0.0072 to 0.0064, on Laplace's from 0.0114 to 0.0104; twice as
 * many steps, or both signs, bring less than a hundredth of that.
 *
 * Sums run in eight lanes and one fixed tree, so every compiler gives the same bytes.
 */
#include "convert/formats/ggml_encode.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "quant/half.h"
#include "quant/rounding.h"

#define BLOCK 32

#define Q4_STEPS 7 /* places tried for the largest weight, from Q4_FIRST on; 8 is among them */
#define Q4_FIRST 7.0f
#define Q4_STEP  0.5f

static_assert(GGML_Q8_0_BLOCK == BLOCK && GGML_Q4_0_BLOCK == BLOCK, "both types have blocks of 32");

const char *ggml_encoded_name(enum ggml_type type)
{
	return type == GGML_F32    ? "F32"
	       : type == GGML_F16  ? "F16"
	       : type == GGML_Q8_0 ? "Q8_0"
	       : type == GGML_Q4_0 ? "Q4_0"
	                           : "?";
}

bool ggml_encoded_bytes(enum ggml_type type, size_t cols, size_t *bytes)
{
	switch (type) {
	case GGML_F32:
	case GGML_F16:
		*bytes = cols * (type == GGML_F32 ? 4 : 2);
		return true;
	case GGML_Q8_0:
	case GGML_Q4_0:
		*bytes = cols / BLOCK * (type == GGML_Q8_0 ? GGML_Q8_0_BYTES : GGML_Q4_0_BYTES);
		return cols % BLOCK == 0;
	default:
		return false;
	}
}
static inline float clamp(float value, float low, float high)
{
	value = value > high ? high : value;
	return value < low ? low : value;
}

/* The weight of largest magnitude, with its sign; the first of equal ones. */
static float find_largest(const float w[BLOCK])
{
	float largest = 0;
	unsigned i;

	for (i = 0; i < BLOCK; i++)
		if (fabsf(w[i]) > fabsf(largest))
			largest = w[i];
	return largest;
}

/* Codes for the stored scale, which is not 0; returns the squared error. */
static float choose_codes(float codes[BLOCK], const float w[BLOCK], float scale, float low,
                          float high)
{
	float inverse = 1 / scale, error[8] = { 0 };
	unsigned i, k;

	for (i = 0; i < BLOCK; i += 8)
		for (k = 0; k < 8; k++) {
			float rest;

			codes[i + k] = round_even(clamp(w[i + k] * inverse, low, high));
			rest = w[i + k] - scale * codes[i + k];
			error[k] += rest * rest;
		}
	return tile_sum_lanes(error);
}

/* The scale of least squared error for the codes that `scale` chooses. */
static float refit_scale(const float w[BLOCK], float scale, float low, float high)
{
	float inverse = 1 / scale, cross[8] = { 0 }, square[8] = { 0 }, denominator;
	unsigned i, k;

	for (i = 0; i < BLOCK; i += 8)
		for (k = 0; k < 8; k++) {
			float code = round_even(clamp(w[i + k] * inverse, low, high));

			cross[k] += w[i + k] * code;
			square[k] += code * code;
		}
	denominator = tile_sum_lanes(square);
	return denominator > 0 ? tile_sum_lanes(cross) / denominator : 0;
}

static void add_error(tile_error *sum, const float w[BLOCK], float error)
{
	float norm[8] = { 0 };
	unsigned i, k;

	for (i = 0; i < BLOCK; i += 8)
		for (k = 0; k < 8; k++)
			norm[k] += w[i + k] * w[i + k];
	sum->error += (double)error;
	sum->norm += (double)tile_sum_lanes(norm);
}

static bool is_finite_half(uint16_t half)
{
	return (half & 0x7c00) != 0x7c00;
}

/* Two bytes of scale, little-endian. */
static void put_half(uint8_t *out, uint16_t half)
{
	out[0] = (uint8_t)(half & 0xff);
	out[1] = (uint8_t)(half >> 8);
}

static bool encode_q8_0(uint8_t *out, const float w[BLOCK], tile_error *sum)
{
	uint16_t half = half_encode(fabsf(find_largest(w)) / 127);
	float scale = half_decode(half), codes[BLOCK] = { 0 }, zeros[BLOCK] = { 0 };
	unsigned i;

	if (!is_finite_half(half))
		return false;
	/* A scale of 0 stands for weights below what binary16 can scale: all are lost. */
	add_error(sum, w,
	          scale > 0 ? choose_codes(codes, w, scale, -127, 127)
	                    : choose_codes(zeros, w, 1, 0, 0));
	put_half(out, half);
	for (i = 0; i < BLOCK; i++)
		out[2 + i] = (uint8_t)(int32_t)codes[i];
	return true;
}

static bool encode_q4_0(uint8_t *out, const float w[BLOCK], tile_error *sum)
{
	float largest = find_largest(w), codes[BLOCK], best_codes[BLOCK] = { 0 },
	      best = choose_codes(codes, w, 1, 0, 0), error;
	uint16_t best_half = 0;
	unsigned step, i;

	if (!is_finite_half(half_encode(largest / 8)))
		return false;
	/* Smaller ones have no scale in binary16, whose least is 2^-24; the test also keeps
	 * inverses finite. */
	for (step = 0; step < Q4_STEPS && fabsf(largest) > 0x1p-24f; step++) {
		uint16_t half = half_encode(
		        refit_scale(w, largest / -(Q4_FIRST + Q4_STEP * (float)step), -8, 7));

		if ((half & 0x7fff) == 0 || !is_finite_half(half))
			continue;
		error = choose_codes(codes, w, half_decode(half), -8, 7);
		if (error < best) {
			best = error;
			best_half = half;
			memcpy(best_codes, codes, sizeof codes);
		}
	}
	add_error(sum, w, best);
	put_half(out, best_half);
	for (i = 0; i < BLOCK / 2; i++)
		out[2 + i] = (uint8_t)(((int32_t)best_codes[i] + 8) |
		                       ((int32_t)best_codes[i + BLOCK / 2] + 8) << 4);
	return true;
}

static bool encode_f16(uint8_t *out, const float *row, size_t cols, tile_error *sum)
{
	bool fits = true;
	size_t i;

	for (i = 0; i < cols; i++) {
		uint16_t half = half_encode(row[i]);
		double weight = (double)row[i], rest = weight - (double)half_decode(half);

		put_half(out + 2 * i, half);
		fits = fits && is_finite_half(half);
		sum->error += rest * rest;
		sum->norm += weight * weight;
	}
	return fits;
}

bool ggml_encode_row(enum ggml_type type, uint8_t *out, const float *row, size_t cols,
                     tile_error *sum)
{
	bool fits = true;
	size_t i;

	switch (type) {
	case GGML_F32:
		memcpy(out, row, cols * sizeof *row);
		break;
	case GGML_F16:
		return encode_f16(out, row, cols, sum);
	case GGML_Q8_0:
		for (i = 0; i < cols / BLOCK && fits; i++)
			fits = encode_q8_0(out + i * GGML_Q8_0_BYTES, row + i * BLOCK, sum);
		break;
	case GGML_Q4_0:
		for (i = 0; i < cols / BLOCK && fits; i++)
			fits = encode_q4_0(out + i * GGML_Q4_0_BYTES, row + i * BLOCK, sum);
		break;
	default:
		return false;
	}
	return fits;
}
