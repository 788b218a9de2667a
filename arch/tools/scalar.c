/* scalar.c - the definition of every tool, in plain C */
#include "arch/tools/tools.h"

#include "quant/tile.h"

static void scalar_add_products(float *sums, const float *a, const float *b, size_t n)
{
	unsigned row, i;
	size_t t;

	for (row = 0; row < TILE_ROWS; row++, sums += TILE_ROWS) {
		float tile[TILE_ROWS] = { 0 };

		for (t = 0; t < n; t++)
			for (i = 0; i < TILE_ROWS; i++)
				tile[i] += a[t * TILE_ROWS + row] * b[t * TILE_ROWS + i];
		for (i = 0; i < TILE_ROWS; i++)
			sums[i] += tile[i];
	}
}

static uint64_t scalar_dot_peak(uint64_t rounds)
{
	int16_t a[256], b[256];
	volatile int32_t result;
	int32_t sum = 0;
	uint64_t round;
	unsigned i;

	for (i = 0; i < 256; i++)
		a[i] = (int16_t)(i % 127), b[i] = (int16_t)(i % 63);
	for (round = 0; round < rounds; round++) {
		a[round % 256] ^= 1;
		for (i = 0; i < 256; i++)
			sum = (int32_t)((uint32_t)sum + (uint32_t)(a[i] * b[i]));
	}
	result = sum;
	(void)result;
	return rounds * 512;
}

const arch_tools arch_tools_scalar = {
	.name = "scalar",
	.book_errors = book_errors,
	.add_products = scalar_add_products,
	.dot_peak = scalar_dot_peak,
};
