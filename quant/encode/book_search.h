/* book_search.h - the search for one block's magnitude, sign, shift and codes */
#ifndef QUANT_BOOK_SEARCH_H
#define QUANT_BOOK_SEARCH_H

#include "quant/encode/book_encode.h"

#define BOOK_PAIRS   16 /* signs x shifts: the shift's index, plus 8 for a negative sign */
#define BOOK_LARGEST 15 /* index of the largest magnitude */

#define BOOK_CELL_ZERO ((float)(BOOK_CELLS / 2))

typedef struct book_tables {
	const codebook *book;
	float value[BOOK_CELLS]; /* the nearest codebook value, in cells: 2 * value + BOOK_CELL_ZERO
	                          */
	uint8_t code[BOOK_CELLS];
	/* a block in [low, high] is covered at scale max(low * of_low, high * of_high) */
	float of_low[BOOK_PAIRS], of_high[BOOK_PAIRS];
	/* [m]: index of the smallest magnitude of at least m; BOOK_LARGEST where there is none */
	uint8_t reach[128];
	book_errors_fn *errors;
} book_tables;

typedef struct book_choice {
	float error;   /* squared and weighted, of the whole block */
	int magnitude; /* index; 0: a block of zeros */
	int pair;
} book_choice;

/* Which candidates are tried. */
typedef struct book_reach {
	/* how many pairs, in order of the scale they need: a finer grid usually has the smaller
	 * error */
	int pairs;
	int clips; /* how many magnitudes below the one that covers the block */
	/* the covering scale is taken times this: where few are tried, a little clipping is the
	 * best guess */
	float grow;
} book_reach;

void book_fill_tables(book_tables *tables, const codebook *book, book_errors_fn *errors);

/* The scale of each pair at which it covers the block. */
typedef struct book_needs {
	float scale[BOOK_PAIRS]; /* ascending; 0 in all: a block of zeros */
	uint8_t pair[BOOK_PAIRS];
} book_needs;

/* w: [32]; only the first n are found. */
void book_find_needs(book_needs *needs, const book_tables *tables, const float *w, int n);

/* The n best candidates for a block, best first.
 *
 * w           [32]
 * importance  [32] of each squared error
 * needs       of w, not all zero
 * row_scale   > 0, of a size whose inverse is finite
 * Returns how many there are: n, or all that were tried; at least one. */
int book_search_block(const book_tables *tables, const float *w, const float *importance,
                      const book_needs *needs, float row_scale, const book_reach *reach,
                      book_choice best[], int n);

static inline float book_pair_sign(int pair)
{
	return pair & 8 ? -1 : 1;
}

static inline float book_pair_shift(const codebook *book, int pair)
{
	return book->shifts[pair & 7];
}

/* What multiplies the block's codes under a choice, with the row's scale. */
static inline float book_choice_scale(const codebook *book, const book_choice *choice,
                                      float row_scale)
{
	return row_scale * (float)book->magnitudes[choice->magnitude] *
	       book_pair_sign(choice->pair);
}

static inline uint8_t book_scale_byte(const book_choice *choice)
{
	return (uint8_t)(choice->magnitude | choice->pair << 4);
}

#endif
