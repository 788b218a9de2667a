/* lanes_few.h - template of the products of q3, q4 and q8 with a few tokens; arch/lanes.h says what
 * it is made of
 *
 * Memory is the limit still, or nearly: tiles are read once, in order, as with one token, and each
 * vector of weights is multiplied with the tokens of a pass before the next is looked up. More
 * tokens than a pass has registers for take several passes over a slab of 512 columns, which stays
 * in L1, as the sums do.
 */
#ifndef ARCH_LANES_FEW_H
#define ARCH_LANES_FEW_H

#include "arch/lanes_matvec.h"

/* Tokens of a pass: 2, or 4, 6 or 8. */
#ifndef LANES_FEW
#define LANES_FEW 2
#endif
/* Most tokens in this way, and most of q8, which needs no decoding: with more, a panel that is
 * decoded once is cheaper. Small code has panels alone. */
#ifdef __OPTIMIZE_SIZE__
#undef LANES_FEW_MOST
#undef LANES_FEW_MOST_Q8
#define LANES_FEW_MOST 1
#endif
#ifndef LANES_FEW_MOST
#define LANES_FEW_MOST 2
#endif
#ifndef LANES_FEW_MOST_Q8
#define LANES_FEW_MOST_Q8 LANES_FEW_MOST
#endif
_Static_assert(LANES_FEW_MOST <= LANES_FEW_MOST_Q8, "sums of all tokens");
/* Tiles of a pass, 1 or 2: with two, an activation that is loaded is multiplied twice. So few
 * tokens that memory is the limit go through one tile at a time, since one stream is read faster.
 */
#ifndef LANES_FEW_TILES
#define LANES_FEW_TILES 1
#endif
#define FEW_ONE_TILE_BOOK 2
#define FEW_ONE_TILE_Q8   4

/* Slabs from one that is multiplied to the one that is prefetched into L1. Products of 7B q4 with 2
 * to 4 tokens on Zen 5 took 5 to 9 percent longer 5 KB ahead than 8 or 12; boards have smaller
 * caches. A slab of q3 has 3 KB, of q4 4 KB and of q8 8 KB. */
#ifdef LANES_OWN_FEW
#define FEW_AHEAD(type) 1u
#else
#define FEW_AHEAD(type) ((type) == LANES_Q3 ? 3u : (type) == LANES_Q4 ? 2u : 1u)
#endif

/* Activations of a few tokens at one block. */
typedef struct lanes_few {
	const int8_t *codes;   /* a token's are SLAB_BLOCKS * TILE_BLOCK further */
	const float *scales;   /* SLAB_BLOCKS further */
	const int32_t *starts; /* with LANES_OWN_FEW: sums of the codes */
} lanes_few;

#define FEW_CODES(t)  ((size_t)(t)*SLAB_BLOCKS * TILE_BLOCK)
#define FEW_SCALES(t) ((size_t)(t)*SLAB_BLOCKS)

/* Numbers with which dot products begin, in the order of x->sums; NULL: there is no room. */
INLINE const int32_t *few_starts(const arch_vectors *x, const int bias, float *scratch)
{
#ifdef LANES_OWN_FEW
	(void)bias, (void)scratch;
	return x->sums;
#else
	int32_t *starts = (int32_t *)(void *)scratch;
	size_t n = vectors_slabs(x->blocks) * x->n * SLAB_BLOCKS, i;

	if (n > ARCH_SCRATCH)
		return NULL;
	for (i = 0; i < n; i++)
		starts[i] = LANES_START - bias * x->sums[i];
	return starts;
#endif
}

INLINE lanes_few few_at(const arch_vectors *x, const int32_t *starts, size_t t, size_t b)
{
	size_t at = vectors_at(x, t, b);

	return (lanes_few){ x->codes + at * TILE_BLOCK, x->scales + at, starts + at };
}

/* A slab, for one pass. */
typedef struct lanes_few_slab {
	const uint8_t *groups; /* of the first tile */
	size_t n_groups;
	size_t apart; /* bytes from one tile to the next */
	size_t ahead; /* bytes from a group to what is prefetched meanwhile */
	const lanes_tables *tables;
	lanes_few x;
	float (*sums)[TILE_ROWS]; /* [tokens][tiles] */
} lanes_few_slab;

INLINE lanes_few few_from(lanes_few x, size_t block)
{
	return (lanes_few){ x.codes + block * TILE_BLOCK, x.scales + block, x.starts + block };
}

INLINE void few_prefetch(const lanes_few_slab *slab, const uint8_t *p, unsigned lines,
                         const int tiles)
{
	unsigned i;
	int tile;

	UNROLL
	for (tile = 0; tile < tiles; tile++)
		UNROLL
	for (i = 0; i < lines; i++)
		lanes_prefetch_near(p + (size_t)tile * slab->apart + slab->ahead + 64 * i);
}

#ifdef LANES_OWN_FEW
/* Adds a group to the sums of `tokens` tokens. scales: of q3 and q4. */
INLINE void few_group(float (*sums)[TILE_ROWS], const uint8_t *group, const lanes_scales *scales,
                      const lanes_tables *tables, lanes_few x, const int tokens,
                      const enum lanes_type type);

INLINE void few_blocks(const lanes_few_slab *slab, const uint8_t *group, const lanes_scales *scales,
                       lanes_few x, const int tokens, const int tiles, const enum lanes_type type)
{
	few_prefetch(slab, group + 64, (unsigned)group_bytes(type) / 64 - 1, tiles);
	few_group(slab->sums, group, scales, slab->tables, x, tokens, type);
}
#else
#include "arch/lanes_few_block.h"

/* Prefetches are spread evenly: more at once than the cache can ask for are dropped. */
INLINE void few_blocks(const lanes_few_slab *slab, const uint8_t *group, const lanes_scales *scales,
                       lanes_few x, const int tokens, const int tiles, const enum lanes_type type)
{
	const size_t bytes = block_bytes(type);
	few_block block = { group + TILE_SCALES, group, scales, slab->apart, 0 };

	ROLL for (block.index = 0; block.index < TILE_BLOCKS; block.index++, block.codes += bytes)
	{
		few_prefetch(slab, block.codes, (unsigned)bytes / 64, tiles);
		few_add_block(slab->sums, &block, slab->tables, few_from(x, block.index), tokens,
		              tiles, type);
	}
}
#endif

/* Adds a slab to the sums of `tokens` tokens and `tiles` tiles. */
INLINE void few_add_slab(const lanes_few_slab *slab, const int tokens, const int tiles,
                         const enum lanes_type type)
{
	const uint8_t *group = slab->groups;
	lanes_scales scales[LANES_FEW_TILES];
	size_t i;
	int tile;

	for (i = 0; i < slab->n_groups; i++) {
		UNROLL
		for (tile = 0; tile < tiles; tile++) {
			lanes_prefetch(group + (size_t)tile * slab->apart + LANES_PAGES_AHEAD);
			if (type != LANES_Q8)
				read_scales(&scales[tile], group + (size_t)tile * slab->apart,
				            slab->tables);
		}
		few_prefetch(slab, group, 1, tiles);
		few_blocks(slab, group, scales, few_from(slab->x, i * TILE_BLOCKS), tokens, tiles,
		           type);
		group += group_bytes(type);
	}
}

/* A function for each pass that there is. Were they cases of one function, compilers would move
 * what they have in common before the switch, and write looked-up codes to memory. */
#if LANES_FEW >= 4
#define FEW_PASSES_4(pass) pass(2, 1) pass(3, 1) pass(4, 1)
#else
#define FEW_PASSES_4(pass) pass(2, 1)
_Static_assert(LANES_FEW_MOST_Q8 <= 2, "no pass has one token");
#endif
#if LANES_FEW >= 6 && LANES_FEW_TILES == 1
#define FEW_PASSES_6(pass) pass(5, 1) pass(6, 1)
#else
#define FEW_PASSES_6(pass)
#endif
#if LANES_FEW >= 8 && LANES_FEW_TILES == 2
#define FEW_PASSES_8(pass) pass(3, 2) pass(4, 2) pass(5, 2) pass(6, 2) pass(7, 2) pass(8, 2)
#else
#define FEW_PASSES_8(pass)
#endif
#define FEW_PASSES(pass) FEW_PASSES_4(pass) FEW_PASSES_6(pass) FEW_PASSES_8(pass)

#define FEW_FUNCTION(name, tokens, tiles, type)                                                    \
	static NOINLINE void name(const lanes_few_slab *slab)                                      \
	{                                                                                          \
		few_add_slab(slab, tokens, tiles, type);                                           \
	}
#define FEW_FUNCTIONS(tokens, tiles)                                                               \
	FEW_FUNCTION(few_q3_##tokens##_##tiles, tokens, tiles, LANES_Q3)                           \
	FEW_FUNCTION(few_q4_##tokens##_##tiles, tokens, tiles, LANES_Q4)                           \
	FEW_FUNCTION(few_q8_##tokens##_##tiles, tokens, tiles, LANES_Q8)
FEW_PASSES(FEW_FUNCTIONS)
#undef FEW_FUNCTIONS
#undef FEW_FUNCTION

typedef void few_pass(const lanes_few_slab *slab);

INLINE few_pass *few_pass_of(size_t tokens, int tiles, const enum lanes_type type)
{
#define FEW_ENTRY(tokens, tiles)                                                                   \
	[tokens][(tiles)-1] = { [LANES_Q3] = few_q3_##tokens##_##tiles,                            \
		                [LANES_Q4] = few_q4_##tokens##_##tiles,                            \
		                [LANES_Q8] = few_q8_##tokens##_##tiles },
	/* clang-format off */
	static few_pass *const passes[LANES_FEW + 1][LANES_FEW_TILES][3] = {
		FEW_PASSES(FEW_ENTRY)
	};
	/* clang-format on */
#undef FEW_ENTRY

	return passes[tokens][tiles - 1][type];
}

INLINE void few_store(float *y, size_t ldy, const uint8_t *tile, const float (*sums)[TILE_ROWS],
                      size_t n, int tiles)
{
	size_t t;
	int part;

	for (t = 0; t < n; t++)
		for (part = 0; part < LANES_PARTS; part++)
			lanes_store_float(
			        y + t * ldy + (size_t)(LANES * part),
			        lanes_mul(lanes_load_float(sums[t * (size_t)tiles] + LANES * part),
			                  lanes_load_float((const float *)(const void *)tile +
			                                   LANES * part)));
}

/* `tiles` tiles, `apart` bytes apart: two, or one, or one taken twice. */
INLINE void few_tiles(float *y, size_t ldy, const uint8_t *tile, size_t apart, int tiles,
                      const arch_vectors *x, const int32_t *starts, const lanes_tables *tables,
                      const enum lanes_type type)
{
	const size_t n_groups = SLAB_BLOCKS / TILE_BLOCKS, bytes = n_groups * group_bytes(type),
	             passes = (x->n + LANES_FEW - 1) / LANES_FEW;
	float sums[LANES_FEW_MOST_Q8 * LANES_FEW_TILES][TILE_ROWS] __attribute__((aligned(64)));
	lanes_few_slab slab = { tile + TILE_HEAD, 0, apart, 0, tables, { 0 }, NULL };
	size_t b, t, pass, tokens;
	int i;

	memset(sums, 0, x->n * (size_t)tiles * sizeof sums[0]);
	for (b = 0; b < x->blocks; b += SLAB_BLOCKS, slab.groups += bytes) {
		slab.n_groups = (x->blocks - b) / TILE_BLOCKS;
		if (slab.n_groups > n_groups)
			slab.n_groups = n_groups;
		/* After the end of a tile comes the one after the other. */
		slab.ahead = FEW_AHEAD(type) * bytes;
		if (b + FEW_AHEAD(type) * SLAB_BLOCKS >= x->blocks)
			slab.ahead += (size_t)(tiles - 1) * apart;
		for (t = 0, pass = 0; pass < passes; pass++, t += tokens) {
			tokens = (x->n - t) / (passes - pass);
			slab.x = few_at(x, starts, t, b);
			slab.sums = sums + t * (size_t)tiles;
			few_pass_of(tokens, tiles, type)(&slab);
		}
	}
	for (i = 0; i < tiles; i++)
		few_store(y + (size_t)i * (apart > 0) * TILE_ROWS, ldy, tile + (size_t)i * apart,
		          (const float(*)[TILE_ROWS])sums + i, x->n, tiles);
}

/* False: not done, because scratch is too small for the rows, or never done. */
INLINE bool lanes_few_tiles(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                            size_t first, size_t end, float *scratch, const enum lanes_type type)
{
	const lanes_tables tables = make_tables(type, 0, LANES_BIAS_PANEL);
	const int32_t *starts =
	        LANES_FEW_MOST > 1
	                ? few_starts(x, type == LANES_Q8 ? LANES_BIAS_FULL : LANES_BIAS_PANEL,
	                             scratch)
	                : NULL;
	const int tiles = x->n > (type == LANES_Q8 ? FEW_ONE_TILE_Q8 : FEW_ONE_TILE_BOOK)
	                          ? LANES_FEW_TILES
	                          : 1;

	if (!starts)
		return false;
	prefetch_start(w->tiles + first * w->tile_bytes);
	for (; first < end; first += (size_t)tiles)
		few_tiles(y + first * TILE_ROWS, ldy, w->tiles + first * w->tile_bytes,
		          first + 1 < end ? w->tile_bytes : 0, tiles, x, starts, &tables, type);
	return true;
}

#endif
