/* lanes_products.h - template of the calibration's inner loop, a tile of X^T X; arch/lanes.h says
 * what it is made of
 *
 * LANES_PRODUCT_ROWS rows of the tile stay in registers while all tokens pass. Every element is
 * summed in order of tokens, so any number of rows gives the same bits; measured on an Intel
 * server, 16 rows of one register reach 86 % of what it can multiply and add, 8 rows as much, 4
 * rows 81 %.
 */
#ifndef ARCH_TOOLS_LANES_PRODUCTS_H
#define ARCH_TOOLS_LANES_PRODUCTS_H

#include "arch/lanes.h"

#ifndef LANES_PRODUCT_ROWS
#define LANES_PRODUCT_ROWS (LANES == 16 ? 16 : LANES == 8 ? 4 : 2)
#endif

INLINE void add_product_rows(float *sums, const float *a, const float *b, size_t n)
{
	lanes_float tile[LANES_PRODUCT_ROWS][LANES_PARTS];
	int row, part;
	size_t t;

	UNROLL
	for (row = 0; row < LANES_PRODUCT_ROWS; row++)
		UNROLL
	for (part = 0; part < LANES_PARTS; part++)
		tile[row][part] = lanes_fill_float(0);
	for (t = 0; t < n; t++, a += TILE_ROWS, b += TILE_ROWS) {
		lanes_float x[LANES_PARTS];

		UNROLL
		for (part = 0; part < LANES_PARTS; part++)
			x[part] = lanes_load_float(b + part * LANES);
		UNROLL
		for (row = 0; row < LANES_PRODUCT_ROWS; row++) {
			lanes_float value = lanes_fill_float(a[row]);

			UNROLL
			for (part = 0; part < LANES_PARTS; part++)
				tile[row][part] =
				        lanes_add(tile[row][part], lanes_mul(value, x[part]));
		}
	}
	for (row = 0; row < LANES_PRODUCT_ROWS; row++)
		for (part = 0; part < LANES_PARTS; part++) {
			float *at = sums + row * (int)TILE_ROWS + part * LANES;

			lanes_store_float(at, lanes_add(lanes_load_float(at), tile[row][part]));
		}
}

static void lanes_add_products(float *sums, const float *a, const float *b, size_t n)
{
	int row;

	/* The tile's sums are in memory: prefetch them all, then compute row by row. */
	for (row = 0; row < (int)TILE_ROWS; row++)
		lanes_prefetch(sums + row * (int)TILE_ROWS);
	for (row = 0; row < (int)TILE_ROWS; row += LANES_PRODUCT_ROWS)
		add_product_rows(sums + row * (int)TILE_ROWS, a + row, b, n);
}

#endif
