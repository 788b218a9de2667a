/* q4.c - the codebook of 16 entries, and the order of its codes */
#include "quant/q4.h"

static void pack(uint8_t *codes, unsigned row, const uint8_t code[TILE_BLOCK])
{
	unsigned i;

	for (i = 0; i < TILE_BLOCK / 2; i++)
		codes[i / 4 * 64 + row * 4 + i % 4] =
		        (uint8_t)(code[i] | code[i + TILE_BLOCK / 2] << 4);
}

static void unpack(uint8_t code[TILE_BLOCK], const uint8_t *codes, unsigned row)
{
	unsigned i;

	for (i = 0; i < TILE_BLOCK / 2; i++) {
		uint8_t byte = codes[i / 4 * 64 + row * 4 + i % 4];

		code[i] = byte & 15;
		code[i + TILE_BLOCK / 2] = byte >> 4;
	}
}

/* Fitted together by simulated annealing, under an exhaustive search, to what rows of 4096 weights
 * lose: normal, Laplace and Student's t with 5 degrees of freedom, and normal ones with one weight
 * of 12 or 25 deviations. Magnitudes crowd where most blocks are; the low ones serve rows with
 * outliers. */
const codebook q4_book = {
	.n_values = 16,
	.block_bytes = Q4_BLOCK_BYTES,
	.values = { -63, -46, -35, -27, -20, -14, -8, -3, 2, 7, 12, 17, 23, 30, 38, 47 },
	.magnitudes = { 0, 8, 14, 17, 21, 24, 28, 31, 34, 37, 40, 43, 46, 49, 53, 59 },
	.shifts = { -8, -6, -4, -2, 0, 2, 4, 7 },
	.pack = pack,
	.unpack = unpack,
};

void q4_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	codebook_decode_row(&q4_book, out, tile, row, cols);
}
