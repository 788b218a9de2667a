/* q4_search.h - the search for one block's magnitude, sign, shift and codes */
#ifndef QUANT_Q4_SEARCH_H
#define QUANT_Q4_SEARCH_H

#include "quant/encode/q4_encode.h"

#define Q4_PAIRS   16 /* signs x shifts: the shift's index, plus 8 for a negative sign */
#define Q4_LARGEST 15 /* index of the largest magnitude */

#define Q4_CELL_ZERO ((float)(Q4_CELLS / 2))

typedef struct q4_tables {
	float value[Q4_CELLS]; /* the nearest codebook value, in cells: 2 * value + Q4_CELL_ZERO */
	uint8_t code[Q4_CELLS];
	/* a block in [low, high] is covered at scale max(low * of_low, high * of_high) */
	float of_low[Q4_PAIRS], of_high[Q4_PAIRS];
	/* [m]: index of the smallest magnitude of at least m; Q4_LARGEST where there is none */
	uint8_t reach[128];
	q4_errors_fn *errors;
} q4_tables;

typedef struct q4_choice {
	float error;   /* squared and weighted, of the whole block */
	int magnitude; /* index; 0: a block of zeros */
	int pair;
} q4_choice;

/* Which candidates are tried. */
typedef struct q4_reach {
	/* how many pairs, in order of the scale they need: a finer grid usually has the smaller
	 * error */
	int pairs;
	int clips; /* how many magnitudes below the one that covers the block */
	/* the covering scale is taken times this: where few are tried, a little clipping is the
	 * best guess */
	float grow;
} q4_reach;

void q4_fill_tables(q4_tables *tables, q4_errors_fn *errors);

/* The scale of each pair at which it covers the block. */
typedef struct q4_needs {
	float scale[Q4_PAIRS]; /* ascending; 0 in all: a block of zeros */
	uint8_t pair[Q4_PAIRS];
} q4_needs;

/* w: [32]; only the first n are found. */
void q4_find_needs(q4_needs *needs, const q4_tables *tables, const float *w, int n);

/* The n best candidates for a block, best first.
 *
 * w           [32]
 * importance  [32] of each squared error
 * needs       of w, not all zero
 * row_scale   > 0, of a size whose inverse is finite
 * Returns how many there are: n, or all that were tried; at least one. */
int q4_search_block(const q4_tables *tables, const float *w, const float *importance,
                    const q4_needs *needs, float row_scale, const q4_reach *reach, q4_choice best[],
                    int n);

static inline float q4_pair_sign(int pair)
{
	return pair & 8 ? -1 : 1;
}

static inline float q4_pair_shift(int pair)
{
	return q4_shifts[pair & 7];
}

static inline uint8_t q4_scale_byte(const q4_choice *choice)
{
	return (uint8_t)(choice->magnitude | choice->pair << 4);
}

#endif
