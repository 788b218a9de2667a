/* book_row.h - encoding one row: what both ways of encoding share */
#ifndef QUANT_BOOK_ROW_H
#define QUANT_BOOK_ROW_H

#include "quant/encode/book_encode.h"
#include "quant/encode/book_search.h"

/* What an effort tries. */
typedef struct book_plan {
	int scales; /* how many row scales are tried */
	float step; /* from one to the next, as a fraction of the first */
	/* the searches that compare row scales, and that encode with the best one */
	book_reach probe, search;
	/* without feedback, rows are made longer by this share: quant/encode/book_encode.c */
	float stretch;
} book_plan;

const book_plan *book_plan_of(const codebook *book, enum book_effort effort);

/* Arrays cover padded columns. */
typedef struct book_row {
	const book_tables *tables;
	float *w, *importance; /* [blocks * 32] */
	book_needs *needs;     /* [blocks] */
	size_t blocks, cols;
	bool alike; /* all importance is 1 */
} book_row;

/* The row scale that suits w; 0: a row of zeros. Fills needs. Where squares of the weights would
 * leave a float's range, w is divided by 2^exponent first, and the scale is that of the quotients.
 */
float book_find_row_scale(const book_row *row, const book_plan *plan, int *exponent);

/* The best scale of a block; row->needs has been filled. */
book_choice book_choose_block(const book_row *row, size_t block, float row_scale,
                              const book_reach *reach);

/* Stores a block's scale byte and codes, in place of those that are there. */
void book_put_block(const codebook *book, uint8_t *tile, unsigned row, size_t block, uint8_t scale,
                    const uint8_t code[TILE_BLOCK]);

/* The scale byte that was stored. */
uint8_t book_get_scale(const codebook *book, const uint8_t *tile, unsigned row, size_t block);

#endif
