/* q4_encode.c - choosing row scale, magnitudes, signs, shifts and codes by squared error
 *
 * A row is encoded in two steps. The row scale makes the block that needs the largest magnitude just reach 31. Then every block tries
 * pairs of sign and shift: for each, the magnitude at which the codebook just covers the block, and a few
 * smaller ones, which clip the largest weight but resolve the rest better. The best of all by squared error stays.
 * How many pairs and magnitudes are tried is the effort.
 *
 * Nearest codes come from a table over half units: the midpoints of integer codebook values are multiples of 1/2, so
 * a cell of width 1/2 never straddles one and the table is exact.
 */
#include "quant/q4.h"

#include <math.h>
#include <string.h>

#define PAIRS 8 /* signs x shifts: the shift's index, plus 4 for a negative sign */

/* Cells of half a unit over [-CELL_ZERO/2, CELL_ZERO/2): beyond the codebook's ends the end is nearest. */
#define CELLS     256
#define CELL_ZERO 128

typedef struct q4_tables {
	float value[CELLS];       /* the nearest codebook value, in cells: 2 * value + CELL_ZERO */
	uint8_t code[CELLS];
	float of_low[PAIRS], of_high[PAIRS]; /* a block in [low, high] is covered at scale max(low * of_low, high * of_high) */
} q4_tables;

typedef struct q4_block {
	float error; /* squared, of the whole block */
	int magnitude, pair;
} q4_block;

typedef struct q4_search {
	int pairs;         /* how many pairs, in order of the magnitude they need */
	int clips;         /* how many magnitudes below the first one */
	float grow, round; /* the first magnitude: the covering one times grow, plus round, rounded down */
} q4_search;

/* Gaussian weights, relative squared error and fp16 read per core of a 2024 server: fast 0.0059 at 430 MB/s, normal 0.0049 at 80, high 0.0048 at 30.
 * Where only one magnitude is tried, a little clipping is the best guess (0.0066 without, 0.0059 at 0.96). */
static const q4_search searches[] = {
	[Q4_FAST] = { 1, 0, 0.96f, 0.75f },
	[Q4_NORMAL] = { 5, 2, 1, 0.999f },
	[Q4_HIGH] = { PAIRS, 6, 1, 0.999f },
};

static inline float pair_sign(int pair)
{
	return pair & 4 ? -1 : 1;
}

static inline float pair_shift(int pair)
{
	return q4_shifts[pair & 3];
}

static void fill_tables(q4_tables *tables)
{
	int cell, pair, code = 0;

	for (cell = 0; cell < CELLS; cell++) {
		float middle = ((float)(cell - CELL_ZERO) + 0.5f) / 2;

		while (code < 15 && middle > (float)(q4_codebook[code] + q4_codebook[code + 1]) / 2)
			code++;
		tables->code[cell] = (uint8_t)code;
		tables->value[cell] = (float)(2 * q4_codebook[code] + CELL_ZERO);
	}
	for (pair = 0; pair < PAIRS; pair++) {
		float bottom = 1 / ((float)q4_codebook[0] + pair_shift(pair)), top = 1 / ((float)q4_codebook[15] + pair_shift(pair));

		tables->of_low[pair] = pair & 4 ? -top : bottom;
		tables->of_high[pair] = pair & 4 ? -bottom : top;
	}
}

/* Cells of a block's weights at a scale and shift, and each weight's position in units of a cell. Two plain loops, so that compilers vectorize all
 * but the table look-up. */
static inline void find_cells(const float *w, float scale, float shift, float position[TILE_BLOCK], int32_t cell[TILE_BLOCK])
{
	float by = 2 / scale, plus = CELL_ZERO - 2 * shift;
	unsigned i;

	for (i = 0; i < TILE_BLOCK; i++) {
		float at = w[i] * by + plus;

		position[i] = at;
		at = at < 0 ? 0 : at;
		at = at > CELLS - 1 ? CELLS - 1 : at;
		cell[i] = (int32_t)at;
	}
}

static float block_error(const q4_tables *tables, const float *w, float scale, float shift)
{
	float position[TILE_BLOCK], sum[8] = { 0 };
	int32_t cell[TILE_BLOCK];
	unsigned i, k;

	find_cells(w, scale, shift, position, cell);
	for (i = 0; i < TILE_BLOCK; i += 8) {
		float nearest[8];

		for (k = 0; k < 8; k++)
			nearest[k] = tables->value[cell[i + k]];
		for (k = 0; k < 8; k++) {
			float rest = position[i + k] - nearest[k];

			sum[k] += rest * rest;
		}
	}
	return tile_sum_lanes(sum) * (scale * scale * 0.25f);
}

static void block_range(const float *w, float *low, float *high)
{
	float lows[8], highs[8];
	unsigned i, k;

	memcpy(lows, w, sizeof lows);
	memcpy(highs, w, sizeof highs);
	for (i = 8; i < TILE_BLOCK; i += 8) {
		for (k = 0; k < 8; k++) {
			lows[k] = w[i + k] < lows[k] ? w[i + k] : lows[k];
			highs[k] = w[i + k] > highs[k] ? w[i + k] : highs[k];
		}
	}
	*low = lows[0];
	*high = highs[0];
	for (k = 1; k < 8; k++) {
		*low = lows[k] < *low ? lows[k] : *low;
		*high = highs[k] > *high ? highs[k] : *high;
	}
}

/* Scales that cover the block, by pair; the smallest is returned. */
static float cover_scales(const q4_tables *tables, float low, float high, float need[PAIRS])
{
	float least;
	int pair;

	for (pair = 0; pair < PAIRS; pair++) {
		float a = low * tables->of_low[pair], b = high * tables->of_high[pair];

		need[pair] = a > b ? a : b;
	}
	least = need[0];
	for (pair = 1; pair < PAIRS; pair++)
		least = need[pair] < least ? need[pair] : least;
	return least;
}

/* The pair with the smallest need, struck off the list. A finer grid usually has the smaller error. */
static int take_pair(float need[PAIRS], float *scale)
{
	int pair, least = 0;

	for (pair = 1; pair < PAIRS; pair++)
		least = need[pair] < need[least] ? pair : least;
	*scale = need[least];
	need[least] = INFINITY;
	return least;
}

static q4_block choose_block(const q4_tables *tables, const float *w, const float range[2], float row_scale, const q4_search *search)
{
	q4_block best = { INFINITY, 0, 0 };
	float need[PAIRS], inverse = 1 / row_scale;
	int i;

	if (!(cover_scales(tables, range[0], range[1], need) > 0))
		return best;
	for (i = 0; i < search->pairs; i++) {
		float scale;
		int pair = take_pair(need, &scale), magnitude, first;

		scale *= inverse;
		scale = scale * search->grow + search->round;
		first = scale < Q4_MAGNITUDE ? (int)scale : Q4_MAGNITUDE;
		first = first < 1 ? 1 : first;
		for (magnitude = first; magnitude >= 1 && magnitude >= first - search->clips; magnitude--) {
			float error = block_error(tables, w, row_scale * (float)magnitude * pair_sign(pair), pair_shift(pair));

			if (error < best.error)
				best = (q4_block){ error, magnitude, pair };
		}
	}
	return best;
}

/* Writes a block's codes over zeros: bytes of the low half first, columns 0..15, then the high half. */
static void put_codes(uint8_t *codes, const q4_tables *tables, const float *w, const q4_block *block, float row_scale)
{
	float position[TILE_BLOCK];
	int32_t cell[TILE_BLOCK];
	uint8_t code[TILE_BLOCK / 2];
	unsigned i;

	find_cells(w, row_scale * (float)block->magnitude * pair_sign(block->pair), pair_shift(block->pair), position, cell);
	for (i = 0; i < TILE_BLOCK / 2; i++)
		code[i] = (uint8_t)(tables->code[cell[i]] | tables->code[cell[i + TILE_BLOCK / 2]] << 4);
	for (i = 0; i < TILE_BLOCK / 2; i += 4)
		memcpy(codes + i * TILE_ROWS, code + i, 4);
}

static float block_norm(const float *w)
{
	float sum[8] = { 0 };
	unsigned i, k;

	for (i = 0; i < TILE_BLOCK; i += 8)
		for (k = 0; k < 8; k++)
			sum[k] += w[i + k] * w[i + k];
	return tile_sum_lanes(sum);
}

/* The row scale makes the block that needs the largest magnitude just reach it. ranges: [blocks][2], filled here for the second step. */
static float choose_row_scale(const q4_tables *tables, const float *w, size_t blocks, float *ranges)
{
	float largest = 0;
	size_t b;

	for (b = 0; b < blocks; b++) {
		float need[PAIRS], least;

		block_range(w + b * TILE_BLOCK, &ranges[2 * b], &ranges[2 * b + 1]);
		least = cover_scales(tables, ranges[2 * b], ranges[2 * b + 1], need);
		largest = least > largest ? least : largest;
	}
	return largest / Q4_MAGNITUDE;
}

static void encode_row(uint8_t *tile, unsigned row, const q4_tables *tables, float *w, size_t blocks, const q4_search *search, tile_error *sum)
{
	float *ranges = w + blocks * TILE_BLOCK;
	float row_scale = choose_row_scale(tables, w, blocks, ranges);
	size_t b;

	/* A row of zeros, or of numbers so small that their scale has no inverse, is stored as zeros. */
	if (!(row_scale > 1e-35f))
		return;
	memcpy(tile + sizeof(float) * row, &row_scale, sizeof row_scale);
	for (b = 0; b < blocks; b++) {
		uint8_t *group = tile + Q4_TILE_HEAD + b / TILE_BLOCKS * Q4_GROUP_BYTES;
		q4_block block = choose_block(tables, w + b * TILE_BLOCK, ranges + 2 * b, row_scale, search);

		if (block.magnitude == 0)
			continue;
		group[b % TILE_BLOCKS * TILE_ROWS + row] = (uint8_t)(block.magnitude | (block.pair & 3) << 5 | (block.pair & 4) << 5);
		put_codes(group + Q4_GROUP_SCALES + b % TILE_BLOCKS * Q4_BLOCK_BYTES + row * 4, tables, w + b * TILE_BLOCK, &block, row_scale);
		sum->error += (double)block.error;
		sum->norm += (double)block_norm(w + b * TILE_BLOCK);
	}
}

void q4_encode_tile(uint8_t *tile, const float *weights, size_t n_rows, size_t cols, enum q4_effort effort, float *scratch, tile_error *sum)
{
	q4_tables tables;
	unsigned row;

	fill_tables(&tables);
	memset(tile, 0, q4_tile_bytes(cols));
	memset(scratch, 0, tile_padded(cols) * sizeof *scratch);
	for (row = 0; row < n_rows; row++) {
		memcpy(scratch, weights + row * cols, cols * sizeof *scratch);
		encode_row(tile, row, &tables, scratch, tile_blocks(cols), &searches[effort], sum);
	}
}
