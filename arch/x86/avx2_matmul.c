/* avx2_matmul.c - matrix products for processors with AVX2 (since 2013)
 *
 * vpmaddubsw multiplies unsigned by signed bytes and adds pairs with saturation at 16 bits. Weights are made the unsigned operand: shifted
 * codebook values plus 69 lie in 0..129, and 129 * 127 * 2 = 32,766 just fits. What the offset adds is taken off through the sum of the
 * activations. For q8, where an offset would not fit, the activation's sign moves to the weight: 127 * 127 * 2 = 32,258.
 *
 * One token: codes are looked up and multiplied as they stream by; memory is the limit. More tokens: 512 columns of a tile are decoded once
 * into a panel of 8 KB that stays in L1, and up to four tokens at a time are multiplied with it.
 */
#include "arch/x86/avx2.h"

#include <string.h>

#include "quant/f16.h"
#include "quant/q4.h"
#include "quant/q8.h"

#define TOKENS       4  /* tokens a pass: 8 accumulators of 16 registers */
#define PANEL_BLOCKS 16 /* blocks of 32 columns decoded together */
#define PANEL_OFFSET (Q4_LOW + 6)
#define PREFETCH     4096 /* bytes ahead, into L2 */

/* ---- q4, one token ----------------------------------------------------------------------------------------------- */

INLINE __m256i codebook_table(void)
{
	__m128i values = _mm_loadu_si128((const __m128i *)(const void *)q4_codebook);

	return _mm256_broadcastsi128_si256(_mm_add_epi8(values, _mm_set1_epi8(Q4_LOW)));
}

/* Shifts by the two bits that pick them, plus `offset`. */
INLINE __m128i shift_table(int offset)
{
	int32_t four;

	memcpy(&four, q4_shifts, sizeof four);
	return _mm_add_epi8(_mm_set1_epi32(four), _mm_set1_epi8((char)offset));
}

INLINE __m128i block_shifts(__m128i scales, __m128i table)
{
	return _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(scales, 5), _mm_set1_epi8(3)));
}

/* Signed magnitudes: vpsignb turns those whose scale byte is negative. */
INLINE __m128i block_magnitudes(__m128i scales)
{
	return _mm_sign_epi8(_mm_and_si128(scales, _mm_set1_epi8(Q4_MAGNITUDE)), scales);
}

INLINE void prefetch_lines(const uint8_t *p, unsigned lines)
{
	unsigned i;

	for (i = 0; i < lines; i++)
		_mm_prefetch((const char *)p + PREFETCH + 64 * i, _MM_HINT_T1);
}

/* Eight rows' dot products of one block: low nibbles hold columns 0..15, high nibbles 16..31. */
INLINE __m256i matvec_dots_q4(__m256i dots, const uint8_t *codes, const int8_t *x)
{
	const __m256i low = _mm256_set1_epi8(15), table = codebook_table();
	unsigned j;

	for (j = 0; j < 4; j++) {
		__m256i bytes = _mm256_load_si256((const __m256i *)(const void *)(codes + 64 * j));

		dots = avx2_dot(dots, _mm256_shuffle_epi8(table, _mm256_and_si256(bytes, low)), avx2_broadcast4(x + 4 * j));
		dots = avx2_dot(dots, _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low)), avx2_broadcast4(x + 16 + 4 * j));
	}
	return dots;
}

/* Adds one block of 16 rows to sums[2]. One half after the other: both at once would not fit in the registers. */
INLINE void matvec_block_q4(__m256 sums[2], const uint8_t *codes, __m128i scales, const int8_t *x, float x_scale, int32_t x_sum)
{
	__m128i shifts = block_shifts(scales, shift_table(-Q4_LOW)), magnitudes = block_magnitudes(scales);
	__m256i factor = _mm256_set1_epi32(x_sum & 0xffff);
	unsigned half;

	for (half = 0; half < 2; half++) {
		__m256i dots = matvec_dots_q4(_mm256_madd_epi16(_mm256_cvtepi8_epi32(shifts), factor), codes + 32 * half, x);
		__m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(dots), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(magnitudes)));

		sums[half] = _mm256_add_ps(sums[half], _mm256_mul_ps(product, _mm256_set1_ps(x_scale)));
		__asm__ volatile("" : "+x"(sums[half]));
		shifts = _mm_srli_si128(shifts, 8);
		magnitudes = _mm_srli_si128(magnitudes, 8);
	}
}

INLINE void store_rows(float *y, const __m256 sums[2], const uint8_t *row_scales)
{
	_mm256_storeu_ps(y, _mm256_mul_ps(sums[0], _mm256_load_ps((const float *)(const void *)row_scales)));
	_mm256_storeu_ps(y + 8, _mm256_mul_ps(sums[1], _mm256_load_ps((const float *)(const void *)row_scales + 8)));
}

static void matvec_q4(float *y, const arch_matrix *w, const arch_vectors *x, size_t first, size_t end)
{
	size_t tile, b;

	for (tile = first; tile < end; tile++) {
		const uint8_t *bytes = w->tiles + tile * w->tile_bytes, *group = bytes + Q4_TILE_HEAD;
		__m256 sums[2] = { _mm256_setzero_ps(), _mm256_setzero_ps() };

		for (b = 0; b < w->blocks; b++) {
			const uint8_t *codes = group + Q4_GROUP_SCALES + b % TILE_BLOCKS * Q4_BLOCK_BYTES;
			__m128i scales = _mm_load_si128((const __m128i *)(const void *)(group + b % TILE_BLOCKS * TILE_ROWS));

			prefetch_lines(codes, b % TILE_BLOCKS == TILE_BLOCKS - 1 ? 5 : 4);
			matvec_block_q4(sums, codes, scales, x->codes + b * TILE_BLOCK, x->scales[b], x->sums[b]);
			if (b % TILE_BLOCKS == TILE_BLOCKS - 1)
				group += Q4_GROUP_BYTES;
		}
		store_rows(y + tile * TILE_ROWS, sums, bytes);
	}
}

/* ---- q4, several tokens ------------------------------------------------------------------------------------------ */

typedef struct panel {
	uint8_t w[PANEL_BLOCKS][8][64] __attribute__((aligned(64))); /* shifted codebook values + PANEL_OFFSET */
	float magnitude[PANEL_BLOCKS][TILE_ROWS] __attribute__((aligned(64)));
} panel;

INLINE void decode_block_q4(panel *p, unsigned at, const uint8_t *codes, __m128i scales)
{
	const __m256i low = _mm256_set1_epi8(15), table = codebook_table();
	__m128i shifts = block_shifts(scales, shift_table(PANEL_OFFSET - Q4_LOW)), magnitudes = block_magnitudes(scales);
	/* Each row's shift in all four bytes of its dword. */
	const __m128i spread[4] = { _mm_set_epi32(0x03030303, 0x02020202, 0x01010101, 0), _mm_set_epi32(0x07070707, 0x06060606, 0x05050505, 0x04040404),
		                    _mm_set_epi32(0x0b0b0b0b, 0x0a0a0a0a, 0x09090909, 0x08080808),
		                    _mm_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c) };
	unsigned j, half;

	for (half = 0; half < 2; half++) {
		__m256i shift = _mm256_set_m128i(_mm_shuffle_epi8(shifts, spread[2 * half + 1]), _mm_shuffle_epi8(shifts, spread[2 * half]));
		__m128i magnitude = half ? _mm_srli_si128(magnitudes, 8) : magnitudes;

		for (j = 0; j < 4; j++) {
			__m256i bytes = _mm256_load_si256((const __m256i *)(const void *)(codes + 64 * j + 32 * half));
			__m256i first = _mm256_shuffle_epi8(table, _mm256_and_si256(bytes, low));
			__m256i second = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low));

			_mm256_store_si256((__m256i *)(void *)(p->w[at][j] + 32 * half), _mm256_add_epi8(first, shift));
			_mm256_store_si256((__m256i *)(void *)(p->w[at][j + 4] + 32 * half), _mm256_add_epi8(second, shift));
		}
		_mm256_store_ps(p->magnitude[at] + 8 * half, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(magnitude)));
	}
}

static void decode_panel_q4(panel *p, const uint8_t *tile, size_t block, size_t n_blocks)
{
	size_t i;

	for (i = 0; i < n_blocks; i++) {
		size_t b = block + i;
		const uint8_t *group = tile + Q4_TILE_HEAD + b / TILE_BLOCKS * Q4_GROUP_BYTES;

		decode_block_q4(p, (unsigned)i, group + Q4_GROUP_SCALES + b % TILE_BLOCKS * Q4_BLOCK_BYTES,
		                _mm_load_si128((const __m128i *)(const void *)(group + b % TILE_BLOCKS * TILE_ROWS)));
	}
}

/* Adds magnitude * dot * scale of one block to the sums of `tokens` tokens. */
INLINE void add_products(__m256 sums[][2], __m256i dots[][2], const float *magnitude, const float *x_scales, size_t x_blocks, const int tokens)
{
	int t, half;

	for (t = 0; t < tokens; t++) {
		__m256 scale = _mm256_set1_ps(x_scales[(size_t)t * x_blocks]);

		for (half = 0; half < 2; half++) {
			__m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(dots[t][half]), _mm256_load_ps(magnitude + 8 * half));

			sums[t][half] = _mm256_add_ps(sums[t][half], _mm256_mul_ps(product, scale));
		}
	}
}

INLINE void multiply_panel_q4(float *y, size_t ldy, const panel *p, const arch_vectors *x, size_t token, size_t block, size_t n_blocks, const int tokens)
{
	__m256 sums[TOKENS][2];
	int t, half, g;
	size_t i;

	for (t = 0; t < tokens; t++)
		for (half = 0; half < 2; half++)
			sums[t][half] = _mm256_loadu_ps(y + (size_t)t * ldy + 8 * half);
	for (i = 0; i < n_blocks; i++) {
		size_t at = token * x->blocks + block + i;
		__m256i dots[TOKENS][2];

		for (t = 0; t < tokens; t++)
			dots[t][0] = dots[t][1] = _mm256_set1_epi32(-PANEL_OFFSET * x->sums[at + (size_t)t * x->blocks]);
		for (g = 0; g < 8; g++) {
			__m256i w0 = _mm256_load_si256((const __m256i *)(const void *)p->w[i][g]);
			__m256i w1 = _mm256_load_si256((const __m256i *)(const void *)(p->w[i][g] + 32));

			for (t = 0; t < tokens; t++) {
				__m256i four = avx2_broadcast4(x->codes + (at + (size_t)t * x->blocks) * TILE_BLOCK + 4 * g);

				dots[t][0] = avx2_dot(dots[t][0], w0, four);
				dots[t][1] = avx2_dot(dots[t][1], w1, four);
			}
		}
		add_products(sums, dots, p->magnitude[i], x->scales + at, x->blocks, tokens);
	}
	for (t = 0; t < tokens; t++)
		for (half = 0; half < 2; half++)
			_mm256_storeu_ps(y + (size_t)t * ldy + 8 * half, sums[t][half]);
}

static void clear_rows(float *y, size_t ldy, size_t n)
{
	size_t t;

	for (t = 0; t < n; t++)
		memset(y + t * ldy, 0, TILE_ROWS * sizeof *y);
}

static void scale_rows(float *y, size_t ldy, size_t n, const uint8_t *row_scales)
{
	size_t t;

	for (t = 0; t < n; t++) {
		__m256 sums[2] = { _mm256_loadu_ps(y + t * ldy), _mm256_loadu_ps(y + t * ldy + 8) };

		store_rows(y + t * ldy, sums, row_scales);
	}
}

void avx2_matmul_q4(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x, size_t n, size_t first, size_t end)
{
	panel p;
	size_t tile, block, t;

	if (n == 1) {
		matvec_q4(y, w, x, first, end);
		return;
	}
	for (tile = first; tile < end; tile++) {
		const uint8_t *bytes = w->tiles + tile * w->tile_bytes;
		float *out = y + tile * TILE_ROWS;

		clear_rows(out, ldy, n);
		for (block = 0; block < w->blocks; block += PANEL_BLOCKS) {
			size_t n_blocks = w->blocks - block < PANEL_BLOCKS ? w->blocks - block : PANEL_BLOCKS;

			decode_panel_q4(&p, bytes, block, n_blocks);
			for (t = 0; t + TOKENS <= n; t += TOKENS)
				multiply_panel_q4(out + t * ldy, ldy, &p, x, t, block, n_blocks, TOKENS);
			if (n - t == 3)
				multiply_panel_q4(out + t * ldy, ldy, &p, x, t, block, n_blocks, 3);
			else if (n - t == 2)
				multiply_panel_q4(out + t * ldy, ldy, &p, x, t, block, n_blocks, 2);
			else if (n - t == 1)
				multiply_panel_q4(out + t * ldy, ldy, &p, x, t, block, n_blocks, 1);
		}
		scale_rows(out, ldy, n, bytes);
	}
}

/* ---- q8: the codes are operands as they lie ----------------------------------------------------------------------- */

INLINE void multiply_tile_q8(float *y, size_t ldy, const uint8_t *tile, const arch_vectors *x, size_t n_blocks, size_t token, const int tokens)
{
	__m256 sums[TOKENS][2];
	int t, half, g;
	size_t b;

	for (t = 0; t < tokens; t++)
		sums[t][0] = sums[t][1] = _mm256_setzero_ps();
	for (b = 0; b < n_blocks; b++) {
		const uint8_t *group = tile + Q8_TILE_HEAD + b / TILE_BLOCKS * Q8_GROUP_BYTES;
		const uint8_t *codes = group + Q8_GROUP_SCALES + b % TILE_BLOCKS * Q8_BLOCK_BYTES;
		__m128i scales = _mm_load_si128((const __m128i *)(const void *)(group + b % TILE_BLOCKS * TILE_ROWS));
		size_t at = token * x->blocks + b;
		float magnitude[TILE_ROWS] __attribute__((aligned(32)));
		__m256i dots[TOKENS][2];

		if (tokens == 1)
			prefetch_lines(codes, b % TILE_BLOCKS == TILE_BLOCKS - 1 ? 9 : 8);
		for (t = 0; t < tokens; t++)
			dots[t][0] = dots[t][1] = _mm256_setzero_si256();
		for (g = 0; g < 8; g++) {
			__m256i w0 = _mm256_load_si256((const __m256i *)(const void *)(codes + 64 * g));
			__m256i w1 = _mm256_load_si256((const __m256i *)(const void *)(codes + 64 * g + 32));

			for (t = 0; t < tokens; t++) {
				__m256i four = avx2_broadcast4(x->codes + (at + (size_t)t * x->blocks) * TILE_BLOCK + 4 * g);
				__m256i absolute = _mm256_abs_epi8(four);

				dots[t][0] = avx2_dot(dots[t][0], absolute, _mm256_sign_epi8(w0, four));
				dots[t][1] = avx2_dot(dots[t][1], absolute, _mm256_sign_epi8(w1, four));
			}
		}
		for (half = 0; half < 2; half++)
			_mm256_store_ps(magnitude + 8 * half, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(half ? _mm_srli_si128(scales, 8) : scales)));
		add_products(sums, dots, magnitude, x->scales + at, x->blocks, tokens);
	}
	for (t = 0; t < tokens; t++)
		store_rows(y + (size_t)t * ldy, sums[t], tile);
}

void avx2_matmul_q8(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x, size_t n, size_t first, size_t end)
{
	size_t tile, t;

	for (tile = first; tile < end; tile++) {
		const uint8_t *bytes = w->tiles + tile * w->tile_bytes;
		float *out = y + tile * TILE_ROWS;

		for (t = 0; t + TOKENS <= n; t += TOKENS)
			multiply_tile_q8(out + t * ldy, ldy, bytes, x, w->blocks, t, TOKENS);
		if (n - t == 3)
			multiply_tile_q8(out + t * ldy, ldy, bytes, x, w->blocks, t, 3);
		else if (n - t == 2)
			multiply_tile_q8(out + t * ldy, ldy, bytes, x, w->blocks, t, 2);
		else if (n - t == 1)
			multiply_tile_q8(out + t * ldy, ldy, bytes, x, w->blocks, t, 1);
	}
}

/* ---- f16 --------------------------------------------------------------------------------------------------------- */

INLINE void multiply_tile_f16(float *y, size_t ldy, const uint8_t *tile, const arch_vectors *x, size_t n_blocks, size_t token, const int tokens)
{
	__m256 sums[TOKENS][2];
	int t, half;
	size_t b;
	unsigned i;

	for (t = 0; t < tokens; t++)
		sums[t][0] = sums[t][1] = _mm256_setzero_ps();
	for (b = 0; b < n_blocks; b++) {
		const uint8_t *halves = tile + b * TILE_BLOCK * F16_COLUMN_BYTES;
		const float *floats = x->floats + (token * x->blocks + b) * TILE_BLOCK;
		__m256 block[TOKENS][2];

		if (tokens == 1)
			prefetch_lines(halves, TILE_BLOCK * F16_COLUMN_BYTES / 64);
		for (t = 0; t < tokens; t++)
			block[t][0] = block[t][1] = _mm256_setzero_ps();
		for (i = 0; i < TILE_BLOCK; i++) {
			__m256 w[2];

			for (half = 0; half < 2; half++)
				w[half] = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)(halves + i * F16_COLUMN_BYTES + 16 * (unsigned)half)));
			for (t = 0; t < tokens; t++)
				for (half = 0; half < 2; half++)
					block[t][half] = _mm256_add_ps(block[t][half], _mm256_mul_ps(w[half], _mm256_set1_ps(floats[(size_t)t * x->blocks * TILE_BLOCK + i])));
		}
		for (t = 0; t < tokens; t++)
			for (half = 0; half < 2; half++)
				sums[t][half] = _mm256_add_ps(sums[t][half], block[t][half]);
	}
	for (t = 0; t < tokens; t++)
		for (half = 0; half < 2; half++)
			_mm256_storeu_ps(y + (size_t)t * ldy + 8 * half, sums[t][half]);
}

void avx2_matmul_f16(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x, size_t n, size_t first, size_t end)
{
	size_t tile, t;

	for (tile = first; tile < end; tile++) {
		const uint8_t *bytes = w->tiles + tile * w->tile_bytes;
		float *out = y + tile * TILE_ROWS;

		for (t = 0; t + TOKENS <= n; t += TOKENS)
			multiply_tile_f16(out + t * ldy, ldy, bytes, x, w->blocks, t, TOKENS);
		for (; t < n; t++)
			multiply_tile_f16(out + t * ldy, ldy, bytes, x, w->blocks, t, 1);
	}
}
