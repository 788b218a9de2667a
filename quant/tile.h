/* tile.h - the geometry shared by all matrix formats
 *
 * A matrix of [rows][cols] is stored as row tiles of 16 rows, one after another, each a contiguous
 * stream over the columns. One output row sits in each of 16 SIMD lanes, so a row's sum runs over
 * its blocks in order whatever the vector width: that is what makes every kernel set give the same
 * bits. Columns come in blocks of 32 (one scale per row and block), blocks in groups of four, so
 * that the 64 scales of a group fill one cache line and all loads stay aligned. Rows are padded to
 * 16 and columns to 128 with zeros.
 */
#ifndef QUANT_TILE_H
#define QUANT_TILE_H

#include <stddef.h>
#include <stdint.h>

#include "quant/contract.h"
#include "quant/rounding.h"

#define TILE_ROWS   16u
#define TILE_BLOCK  32u /* columns that share a scale */
#define TILE_BLOCKS 4u  /* blocks of a group */
#define TILE_GROUP  (TILE_BLOCK * TILE_BLOCKS)
#define TILE_ALIGN  64u

/* Of the types with scales: floats of the rows before the first group, and one byte for each row of
 * the four blocks before the codes of each group. */
#define TILE_HEAD   64u
#define TILE_SCALES (TILE_BLOCKS * TILE_ROWS)

static inline size_t tile_count(size_t rows)
{
	return divide_up(rows, TILE_ROWS);
}

static inline size_t tile_groups(size_t cols)
{
	return divide_up(cols, TILE_GROUP);
}

/* Columns with padding: the length of every activation vector. */
static inline size_t tile_padded(size_t cols)
{
	return tile_groups(cols) * TILE_GROUP;
}

static inline size_t tile_blocks(size_t cols)
{
	return tile_groups(cols) * TILE_BLOCKS;
}

#endif
