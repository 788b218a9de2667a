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

/* Fitted together by simulated annealing of the integers, under a search of all pairs and of nine
 * magnitudes each, to what rows of 4096 random weights lose: normal (weighed 2.5), Laplace (1.3),
 * and normal ones with one weight of 12 (0.1) or 25 deviations (0.03), each relative to what the
 * first tables lost. On 16 rows of each kind (8 with outliers), the last steps on 48 (24) and
 * ended by hand, not at a minimum. At the scale that fits best other normal rows lose 0.0193,
 * Laplace 0.0236, those with outliers 0.0233 and 0.0272. The magnitude 7 serves the last: fitted to
 * normal rows almost alone, the smallest useful magnitude is 19, and they lose 0.0190, but Laplace
 * 0.0247 and a weight of 25 deviations 0.10. */
const codebook q3_book = {
	.n_values = 8,
	.block_bytes = Q3_BLOCK_BYTES,
	.values = { -56, -33, -19, -8, 2, 12, 24, 40 },
	.magnitudes = { 0, 7, 16, 19, 22, 25, 27, 30, 33, 35, 37, 39, 42, 45, 50, 56 },
	.shifts = { -11, -7, -4, -1, 2, 5, 8, 11 },
	.pack = pack,
	.unpack = unpack,
};

const int8_t q3_lookup[4][16] = {
	{ -56, -33, -19, -8, 2, 12, 24, 40, -56, -33, -19, -8, 2, 12, 24, 40 },
	{ -56, -33, -19, -8, -56, -33, -19, -8, 2, 12, 24, 40, 2, 12, 24, 40 },
	{ -56, -33, -56, -33, -19, -8, -19, -8, 2, 12, 2, 12, 24, 40, 24, 40 },
	{ -56, -56, -33, -33, -19, -19, -8, -8, 2, 2, 12, 12, 24, 24, 40, 40 }
};

void q3_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	codebook_decode_row(&q3_book, out, tile, row, cols);
}
