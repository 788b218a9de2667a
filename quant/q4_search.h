/* q4_search.h - the search for one block's magnitude, sign, shift and codes */
#ifndef QUANT_Q4_SEARCH_H
#define QUANT_Q4_SEARCH_H

#include "quant/q4.h"

#define Q4_PAIRS   16 /* signs x shifts: the shift's index, plus 8 for a negative sign */
#define Q4_LARGEST 15 /* index of the largest magnitude */

/* Cells of half a unit over [-Q4_CELL_ZERO / 2, Q4_CELL_ZERO / 2): midpoints of codebook values are multiples of 1/2, so no cell straddles
 * one and the tables are exact. Beyond the codebook's ends the end is nearest. */
#define Q4_CELLS     256
#define Q4_CELL_ZERO 128

typedef struct q4_tables {
	float value[Q4_CELLS]; /* the nearest codebook value, in cells: 2 * value + Q4_CELL_ZERO */
	uint8_t code[Q4_CELLS];
	float of_low[Q4_PAIRS], of_high[Q4_PAIRS]; /* a block in [low, high] is covered at scale max(low * of_low, high * of_high) */
	uint8_t reach[128];                        /* [m]: index of the smallest magnitude of at least m; Q4_LARGEST where there is none */
} q4_tables;

typedef struct q4_choice {
	float error;    /* squared and weighted, of the whole block */
	int magnitude;  /* index; 0: a block of zeros */
	int pair;
} q4_choice;

/* Which candidates are tried. */
typedef struct q4_reach {
	int pairs; /* how many pairs, in order of the scale they need: a finer grid usually has the smaller error */
	int clips; /* how many magnitudes below the one that covers the block */
	float grow; /* the covering scale is taken times this: where few are tried, a little clipping is the best guess */
} q4_reach;

void q4_fill_tables(q4_tables *tables);

/* Lowest and highest of a block's weights. */
void q4_block_range(const float *w, float range[2]);

/* The scale at which the codebook just covers a block of that range, with the pair that needs least. */
float q4_least_scale(const q4_tables *tables, const float range[2]);

/* The n best candidates for a block, best first.
 *
 * w           [32]
 * importance  [32] of each squared error
 * row_scale   > 0, of a size whose inverse is finite
 * Returns how many there are: n, or all that were tried; at least one. */
int q4_search_block(const q4_tables *tables, const float *w, const float *importance, const float range[2], float row_scale, const q4_reach *reach,
                    q4_choice best[], int n);

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
