/* lanes_panel.h - template of the loops around products with several tokens; arch/lanes.h says what
 * it is made of
 *
 * 512 columns of LANES_TILES tiles are turned into bytes once, into a panel that stays in L1, with
 * each block's shift already added; all tokens of a group are multiplied with it. A group of tokens
 * and tiles keeps its sums beside the result, where they lie close together: rows of the result are
 * a multiple of 4 KB apart and would push each other out of the caches. Codes of a group's tokens
 * come from memory once for all its tiles.
 */
#ifndef ARCH_LANES_PANEL_H
#define ARCH_LANES_PANEL_H

#include "arch/lanes_scales.h"

#define PANEL_BLOCKS ((int)SLAB_BLOCKS) /* blocks of 32 columns decoded together */

/* Sums of a tile's rows for each token of a group. */
typedef float lanes_sums[GROUP_TOKENS][TILE_ROWS];

/* What a matrix product is called with: arch_matmul. */
typedef struct lanes_job {
	float *y;
	size_t ldy;
	const arch_matrix *w;
	const arch_vectors *x;
	lanes_sums *sums; /* [GROUP_TILES] */
} lanes_job;

/* A slab of the tokens: what they have for the panel's columns. */
typedef struct lanes_slab {
	const int8_t (*codes)[SLAB_BLOCKS * TILE_BLOCK];
	const float (*scales)[SLAB_BLOCKS];
	const int32_t (*sums)[SLAB_BLOCKS];
} lanes_slab;

INLINE lanes_slab slab_of(const arch_vectors *x, size_t t, size_t block)
{
	size_t at = vectors_at(x, t, block);

	return (lanes_slab){ (const void *)(x->codes + at * TILE_BLOCK),
		             (const void *)(x->scales + at), (const void *)(x->sums + at) };
}

INLINE lanes_slab slab_from(lanes_slab x, size_t t)
{
	return (lanes_slab){ x.codes + t, x.scales + t, x.sums + t };
}

typedef struct lanes_panel {
	uint8_t decoded[LANES_TILES][PANEL_BLOCKS][8][64] __attribute__((aligned(64)));
	float magnitude[LANES_TILES][PANEL_BLOCKS][TILE_ROWS] __attribute__((aligned(64)));
	float offset[LANES_TILES][PANEL_BLOCKS][TILE_ROWS] __attribute__((aligned(64)));
	/* decoded, or the file's own bytes where they need no decoding */
	const uint8_t *codes[LANES_TILES][PANEL_BLOCKS];
	lanes_tables tables; /* of q3 and q4 */

	lanes_sums *sums; /* [tiles], of tokens from the group's first */
	float *y; /* where they go after the last panel, multiplied with the tiles' row scales */
	size_t ldy;
	const uint8_t *row_scales[LANES_TILES];
	bool first, last; /* panel of the row */

	/* the codes that will be decoded after this panel: what is left to prefetch */
	const uint8_t *next[LANES_TILES];
	size_t next_bytes;
} lanes_panel;

/* Multiplies n tokens with the panel. */
typedef void multiply_panels(lanes_panel *p, lanes_slab x, size_t n, size_t n_blocks, int tiles);
typedef void decode_panel(lanes_panel *p, int at, const uint8_t *tile, size_t block,
                          size_t n_blocks);

INLINE void set_magnitude(lanes_panel *p, int at, size_t i, int part, lanes_int magnitude)
{
	lanes_float m = lanes_to_float(magnitude);

	lanes_store_float(p->magnitude[at][i] + LANES * part, m);
	lanes_store_float(p->offset[at][i] + LANES * part, offset_of(m));
}

INLINE void decode_block(uint8_t decoded[8][64], const uint8_t *codes, const int8_t *shift,
                         const lanes_tables *tables, const enum lanes_type type)
{
	int part, j;

	for (part = 0; part < LANES_PARTS; part++) {
		lanes_int by = lanes_spread(shift + LANES * part), fourth;

		UNROLL
		for (j = 0; j < 4; j++) {
			lanes_int bytes = load_nibbles(&fourth, codes + 4 * LANES * part, j, type),
			          table = table_of(tables, j, type);

			lanes_store(decoded[j] + 4 * LANES * part,
			            lanes_add_bytes(lanes_lookup(table, lanes_low4(bytes)), by));
			lanes_store(decoded[j + 4] + 4 * LANES * part,
			            lanes_add_bytes(lanes_lookup(table, lanes_high4(bytes)), by));
		}
	}
}

/* Blocks [block, block + n_blocks) of a tile; block is a multiple of 4. */
INLINE void decode_panel_book(lanes_panel *p, int at, const uint8_t *tile, size_t block,
                              size_t n_blocks, const enum lanes_type type)
{
	const uint8_t *group = tile + TILE_HEAD + block / TILE_BLOCKS * group_bytes(type);
	lanes_scales scales;
	size_t i;
	int part;

	for (i = 0; i < n_blocks; i++) {
		size_t row = i % TILE_BLOCKS * TILE_ROWS;

		if (row == 0)
			read_scales(&scales, group, &p->tables);
		decode_block(p->decoded[at][i],
		             group + TILE_SCALES + i % TILE_BLOCKS * block_bytes(type),
		             scales.shift + row, &p->tables, type);
		p->codes[at][i] = p->decoded[at][i][0];
		for (part = 0; part < LANES_PARTS; part++)
			set_magnitude(p, at, i, part,
			              lanes_widen(scales.magnitude + row + (size_t)(LANES * part)));
		if (i % TILE_BLOCKS == TILE_BLOCKS - 1)
			group += group_bytes(type);
	}
}

static void decode_panel_q3(lanes_panel *p, int at, const uint8_t *tile, size_t block,
                            size_t n_blocks)
{
	decode_panel_book(p, at, tile, block, n_blocks, LANES_Q3);
}

static void decode_panel_q4(lanes_panel *p, int at, const uint8_t *tile, size_t block,
                            size_t n_blocks)
{
	decode_panel_book(p, at, tile, block, n_blocks, LANES_Q4);
}

static void decode_panel_q8(lanes_panel *p, int at, const uint8_t *tile, size_t block,
                            size_t n_blocks)
{
	const lanes_int bias = lanes_fill_bytes(LANES_BIAS_FULL);
	size_t i, k;
	int part;

	for (i = 0; i < n_blocks; i++) {
		const uint8_t *group =
		        tile + TILE_HEAD + (block + i) / TILE_BLOCKS * Q8_GROUP_BYTES;
		const uint8_t *codes = group + TILE_SCALES + i % TILE_BLOCKS * Q8_BLOCK_BYTES;

		p->codes[at][i] = LANES_BIAS_FULL ? p->decoded[at][i][0] : codes;
		for (k = 0; LANES_BIAS_FULL && k < Q8_BLOCK_BYTES; k += 4 * LANES)
			lanes_store(p->decoded[at][i][0] + k,
			            lanes_add_bytes(lanes_load(codes + k), bias));
		for (part = 0; part < LANES_PARTS; part++)
			set_magnitude(p, at, i, part,
			              lanes_widen_unsigned(group + i % TILE_BLOCKS * TILE_ROWS +
			                                   (size_t)(LANES * part)));
	}
}

/* The sums so far of token t of the group, part `part` of tile `at`. */
INLINE lanes_float load_sum(const lanes_panel *p, int at, size_t t, int part)
{
	return p->first ? lanes_fill_float(0) : lanes_load_float(p->sums[at][t] + LANES * part);
}

/* Results are written after each pass, while the next is multiplied. Their cache lines are far
 * apart and slow to fetch, so this prefetches those of the next n tokens, from token t of the group
 * on.
 */
INLINE void prefetch_results(const lanes_panel *p, size_t t, size_t n, int tiles)
{
	size_t i;
	int at;

	for (i = t; p->last && i < t + n; i++)
		for (at = 0; at < tiles; at++)
			__builtin_prefetch(p->y + i * p->ldy + (size_t)at * TILE_ROWS, 1);
}

INLINE void store_sum(const lanes_panel *p, int at, size_t t, int part, lanes_float sum)
{
	if (p->last)
		lanes_store_float(
		        p->y + t * p->ldy + (size_t)at * TILE_ROWS + (size_t)(LANES * part),
		        lanes_mul(sum,
		                  lanes_load_float((const float *)(const void *)p->row_scales[at] +
		                                   LANES * part)));
	else
		lanes_store_float(p->sums[at][t] + LANES * part, sum);
}

/* Says which codes come after this panel. */
INLINE void set_next(lanes_panel *p, const arch_matrix *w, const uint8_t *tiles, size_t block,
                     int n_tiles, const enum lanes_type type)
{
	int i;

	for (i = 0; i < n_tiles; i++)
		p->next[i] = tiles + (size_t)i * w->tile_bytes + TILE_HEAD +
		             block / TILE_BLOCKS * group_bytes(type);
	p->next_bytes = PANEL_BLOCKS / TILE_BLOCKS * group_bytes(type);
}

/* Called once in each of `passes` passes over the panel: prefetches a share of the next panel's
 * codes into L2. Prefetching all at once would stall. */
INLINE void prefetch_next(lanes_panel *p, size_t passes, int tiles)
{
	size_t bytes = (p->next_bytes / 64 / passes + 1) * 64, i;
	int at;

	for (i = 0; i < bytes; i += 64)
		for (at = 0; at < tiles; at++)
			lanes_prefetch(p->next[at] + i);
	for (at = 0; at < tiles; at++)
		p->next[at] += bytes;
}

/* A group of tiles and tokens whose sums stay in L2, with the part of the tokens that a panel is
 * multiplied with. */
INLINE void multiply_group(lanes_job job, size_t t, size_t n, size_t first, size_t n_tiles,
                           const enum lanes_type type, multiply_panels *multiply)
{
	decode_panel *const decode = type == LANES_Q3   ? decode_panel_q3
	                             : type == LANES_Q4 ? decode_panel_q4
	                                                : decode_panel_q8;
	const arch_matrix *w = job.w;
	const uint8_t *bytes = w->tiles + first * w->tile_bytes;
	lanes_panel p;
	size_t tile, block, next;
	int tiles, i;

	p.tables = make_tables(type, 0, LANES_BIAS_PANEL);
	p.ldy = job.ldy;
	for (block = 0; block < w->blocks; block += PANEL_BLOCKS) {
		size_t n_blocks =
		        w->blocks - block < PANEL_BLOCKS ? w->blocks - block : PANEL_BLOCKS;

		p.first = block == 0;
		p.last = block + n_blocks == w->blocks;
		for (tile = 0; tile < n_tiles; tile = next) {
			tiles = n_tiles - tile < LANES_TILES ? 1 : LANES_TILES;
			next = tile + (size_t)tiles;
			for (i = 0; i < tiles; i++) {
				p.row_scales[i] = bytes + (tile + (size_t)i) * w->tile_bytes;
				decode(&p, i, p.row_scales[i], block, n_blocks);
			}
			set_next(&p, w, next < n_tiles ? bytes + next * w->tile_bytes : bytes,
			         next < n_tiles ? block : block + PANEL_BLOCKS, tiles, type);
			p.sums = job.sums + tile;
			p.y = job.y + t * job.ldy + (first + tile) * TILE_ROWS;
			multiply(&p, slab_of(job.x, t, block), n, n_blocks, tiles);
		}
	}
}

INLINE void multiply_tiles(lanes_job job, size_t first, size_t end, const enum lanes_type type,
                           multiply_panels *multiply)
{
	size_t groups = (job.x->n + GROUP_TOKENS - 1) / GROUP_TOKENS, t, tile, tokens, tiles;

	/* Makes groups of nearly equal size, so that none has too few tokens to be worth decoding a
	 * panel. */
	for (t = 0; groups > 0; t += tokens, groups--) {
		tokens = (job.x->n - t) / groups;
		for (tile = first; tile < end; tile += tiles) {
			tiles = end - tile < GROUP_TILES ? end - tile : GROUP_TILES;
			multiply_group(job, t, tokens, tile, tiles, type, multiply);
		}
	}
}

#endif
