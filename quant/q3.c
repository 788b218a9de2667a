/* q3.c - the codebook of 8 entries, and the order of its codes */
#include "quant/q3.h"

#define PLANES 3u

/* The bits of nibble j that the fourth nibble takes. */
static unsigned lent_bit(unsigned j)
{
	return 8u >> j;
}

/* A code with room for bit 3 - j. */
static unsigned spread_code(unsigned code, unsigned j)
{
	unsigned low = (1u << (3 - j)) - 1;

	return (code & ~low) << 1 | (code & low);
}

/* Nibble j of the columns 4 j + k of a half, with what it lends the fourth. */
static unsigned pack_nibble(const uint8_t *of_half, unsigned j)
{
	return spread_code(of_half[4 * j], j) | (spread_code(of_half[12], 3) & lent_bit(j));
}

/* Replaces what is there: descent stores a block again (quant/encode/book_descent.h). */
static void pack(uint8_t *codes, unsigned row, const uint8_t code[TILE_BLOCK])
{
	unsigned j, k;

	for (j = 0; j < PLANES; j++)
		for (k = 0; k < 4; k++)
			codes[j * 64 + row * 4 + k] = (uint8_t)(pack_nibble(code + k, j) |
			                                        pack_nibble(code + 16 + k, j) << 4);
}

static void unpack(uint8_t code[TILE_BLOCK], const uint8_t *codes, unsigned row)
{
	unsigned j, k, half;

	for (k = 0; k < 4; k++)
		for (half = 0; half < 2; half++) {
			uint8_t *of_half = code + half * 16 + k;
			unsigned last = 0;

			for (j = 0; j < PLANES; j++) {
				unsigned nibble = codes[j * 64 + row * 4 + k] >> 4 * half & 15u;

				of_half[4 * j] = (uint8_t)q3_code(nibble, j);
				last |= nibble & lent_bit(j);
			}
			of_half[12] = (uint8_t)q3_code(last, 3);
		}
}

/* Fitted as q4's to what rows of random weights lose. */
const codebook q3_book = {
	.n_values = 8,
	.block_bytes = Q3_BLOCK_BYTES,
	.values = { -63, -39, -24, -12, -1, 10, 23, 40 },
	.magnitudes = { 0, 13, 15, 17, 19, 21, 24, 27, 30, 32, 35, 37, 40, 44, 49, 57 },
	.shifts = { -12, -8, -5, -2, 1, 4, 8, 12 },
	.pack = pack,
	.unpack = unpack,
};

const int8_t q3_lookup[4][16] = {
	{ -63, -39, -24, -12, -1, 10, 23, 40, -63, -39, -24, -12, -1, 10, 23, 40 },
	{ -63, -39, -24, -12, -63, -39, -24, -12, -1, 10, 23, 40, -1, 10, 23, 40 },
	{ -63, -39, -63, -39, -24, -12, -24, -12, -1, 10, -1, 10, 23, 40, 23, 40 },
	{ -63, -63, -39, -39, -24, -24, -12, -12, -1, -1, 10, 10, 23, 23, 40, 40 }
};

void q3_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	codebook_decode_row(&q3_book, out, tile, row, cols);
}
