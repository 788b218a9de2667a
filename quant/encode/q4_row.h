/* q4_row.h - encoding one row: what both ways of encoding share */
#ifndef QUANT_Q4_ROW_H
#define QUANT_Q4_ROW_H

#include "quant/encode/q4_encode.h"
#include "quant/encode/q4_search.h"

/* What an effort tries. */
typedef struct q4_plan {
	int scales; /* how many row scales are tried */
	float step; /* from one to the next, as a fraction of the first */
	/* the searches that compare row scales, and that encode with the best one */
	q4_reach probe, search;
} q4_plan;

extern const q4_plan q4_plans[];

/* Arrays cover padded columns. */
typedef struct q4_row {
	const q4_tables *tables;
	float *w, *importance; /* [blocks * 32] */
	q4_needs *needs;       /* [blocks] */
	size_t blocks, cols;
	bool alike; /* all importance is 1 */
} q4_row;

/* The row scale that suits w; 0: a row of zeros. Fills needs. Where squares of the weights would
 * leave a float's range, w is divided by 2^exponent first, and the scale is that of the quotients.
 */
float q4_find_row_scale(const q4_row *row, const q4_plan *plan, int *exponent);

/* The best scale of a block; row->needs has been filled. */
q4_choice q4_choose_block(const q4_row *row, size_t block, float row_scale, const q4_reach *reach);

/* Stores a block's scale byte and codes, where the tile holds zeros. */
void q4_put_block(uint8_t *tile, unsigned row, size_t block, uint8_t scale,
                  const uint8_t code[TILE_BLOCK]);

/* The scale byte that was stored. */
uint8_t q4_get_scale(const uint8_t *tile, unsigned row, size_t block);

#endif
