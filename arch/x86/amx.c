/* amx.c - matrix products with AMX tiles: Intel servers and workstations since Sapphire Rapids
 * (2023)
 *
 * build with: -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mamx-tile -mamx-int8
 *
 * A tile register holds 16 rows of 64 bytes. One instruction multiplies 16 tokens x 32 columns with
 * 32 columns x 16 rows of weights, the form of a decoded block of the panel, and leaves 16 x 16
 * int32 (Intel SDM volume 2, TDPBSSD). Sums per block must become floats before the next block's
 * are added, so the product goes through L1.
 *
 * What limits this kernel, measured on a Xeon with 2 MB of L2: while tile instructions execute,
 * multiplications, fused ones and conversions of the vector units have one port instead of two (64
 * of them take 34 cycles without and 69 with a tile instruction among them; additions take 34
 * either way), and storing a product occupies both ports for as many cycles as it has rows. So
 * LANES_START is added to products as integers, which does not occupy that one port. Loading it
 * into the tile registers instead would occupy neither, but tile loads are the next bottleneck:
 * with operands in L2 that is a tenth slower.
 *
 * A few tokens, and everything but matrix products, are left to the set below.
 */
#include "arch/kernels.h"

#if defined(__AMX_INT8__) || defined(__AMXINT8__) /* gcc, clang */

#include "arch/x86/lanes512.h"
#include "arch/x86/tiles.h"

/* Both operands are signed: no bias. */
#define LANES_BIAS_PANEL 0
#define LANES_BIAS_FULL  0
#define LANES_TILES      1

#include "arch/lanes_panel.h"

#define BATCH 16 /* tokens of a pass */

/* Registers 0 to 3: products; 4 and 5: tokens; 6 and 7: weights. A block is multiplied three blocks
 * before its product is added and stored one before: a product is ready some 100 cycles after its
 * operands were asked for. */
INLINE void configure_tiles(void)
{
	tile_config c = { .palette = 1 };
	int i;

	for (i = 0; i < 4; i++) {
		c.rows[i] = BATCH;
		c.row_bytes[i] = 64;
	}
	for (i = 4; i < 6; i++) {
		c.rows[i] = BATCH;
		c.row_bytes[i] = TILE_BLOCK;
		c.rows[2 + i] = TILE_BLOCK / 4;
		c.row_bytes[2 + i] = 64;
	}
	tiles_configure(&c);
}

/* The intrinsics take literal register numbers. x is the slab of 16 tokens, from the block's column
 * on. */
#define MULTIPLY(product, tokens, weights, x, codes)                                               \
	do {                                                                                       \
		_tile_zero(product);                                                               \
		_tile_loadd(tokens, x, SLAB_BLOCKS *TILE_BLOCK);                                   \
		_tile_loadd(weights, codes, 64);                                                   \
		_tile_dpbssd(product, tokens, weights);                                            \
	} while (0)

INLINE lanes_float add_product(lanes_float sum, const int32_t *dots, lanes_float magnitude,
                               lanes_float offset, float scale)
{
	return lanes_add(sum, lanes_mul(lanes_product(lanes_add_int(lanes_load(dots),
	                                                            lanes_fill(LANES_START)),
	                                              magnitude, offset),
	                                lanes_fill_float(scale)));
}

/* Adds products [16 tokens][16 rows] of block i. */
INLINE void add_block(lanes_float sums[BATCH], int32_t dots[BATCH][TILE_ROWS], const lanes_panel *p,
                      lanes_slab x, size_t i)
{
	lanes_float magnitude = lanes_load_float(p->magnitude[0][i]),
	            offset = lanes_load_float(p->offset[0][i]);
	int t;

	UNROLL
	for (t = 0; t < BATCH; t++) {
		sums[t] = add_product(sums[t], dots[t], magnitude, offset, x.scales[t][i]);
		lanes_barrier(sums[t]);
	}
}

/* Starts the first blocks of 16 tokens, which multiply_batch expects to have been started. */
INLINE void begin_batch(const lanes_panel *p, const int8_t *codes)
{
	MULTIPLY(0, 4, 6, codes, p->codes[0][0]);
	MULTIPLY(1, 5, 7, codes + TILE_BLOCK, p->codes[0][1]);
	MULTIPLY(2, 4, 6, codes + 2 * TILE_BLOCK, p->codes[0][2]);
}

/* Adds the panel's blocks, a multiple of four, to the sums of 16 tokens, which stay in registers;
 * those from `kept` on are kept. Begins the next 16 tokens, whose codes are at `after` (any will do
 * for the last). */
INLINE void multiply_batch(const lanes_panel *p, lanes_slab x, size_t token, int kept,
                           const int8_t *after, size_t n_blocks)
{
	int32_t dots[4][BATCH][TILE_ROWS] __attribute__((aligned(64)));
	const int8_t *codes = x.codes[0];
	lanes_float sums[BATCH];
	size_t i;
	int t;

	UNROLL
	for (t = 0; t < BATCH; t++)
		sums[t] = load_sum(p, 0, token + (size_t)t, 0);
	_tile_stored(0, dots[0], 64);
	for (i = 0; i < n_blocks; i += 4) {
		bool more = i + 4 < n_blocks;
		const int8_t *ahead = more ? codes + (i + 4) * TILE_BLOCK : after;
		const uint8_t *const *weights = p->codes[0] + (more ? i + 4 : 0);

		MULTIPLY(3, 5, 7, codes + (i + 3) * TILE_BLOCK, p->codes[0][i + 3]);
		_tile_stored(1, dots[1], 64);
		add_block(sums, dots[0], p, x, i);
		MULTIPLY(0, 4, 6, ahead, weights[0]);
		_tile_stored(2, dots[2], 64);
		add_block(sums, dots[1], p, x, i + 1);
		MULTIPLY(1, 5, 7, ahead + TILE_BLOCK, weights[1]);
		_tile_stored(3, dots[3], 64);
		add_block(sums, dots[2], p, x, i + 2);
		MULTIPLY(2, 4, 6, ahead + 2 * TILE_BLOCK, weights[2]);
		if (more)
			_tile_stored(0, dots[0], 64);
		add_block(sums, dots[3], p, x, i + 3);
	}
	UNROLL
	for (t = 0; t < BATCH; t++)
		if (t >= kept)
			store_sum(p, 0, token + (size_t)t, 0, sums[t]);
}

/* n tokens, 16 or more. The last batch begins where it ends with the last token: what it shares
 * with the one before is multiplied twice and kept once. */
static void multiply_panel_tiles(lanes_panel *p, lanes_slab x, size_t n, size_t n_blocks, int tiles)
{
	size_t batches = (n + BATCH - 1) / BATCH, i, token = 0;

	configure_tiles();
	begin_batch(p, x.codes[0]);
	for (i = 0; i < batches; i++) {
		size_t next = token + 2 * BATCH <= n ? token + BATCH : n - BATCH;

		prefetch_next(p, batches, tiles);
		prefetch_results(p, next, BATCH, tiles);
		multiply_batch(p, slab_from(x, token), token, (int)(i * BATCH - token),
		               x.codes[next], n_blocks);
		token = next;
	}
	_tile_release();
}

/* Fewer are faster without: a second batch of 16 for a few tokens more costs as much as a full
 * one. */
#define FEWEST 24

/* few: the product with a few tokens. */
INLINE void amx_matmul(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                       size_t first, size_t end, float *scratch, const enum lanes_type type,
                       arch_matmul *few)
{
	if (x->n < FEWEST)
		few(y, ldy, w, x, first, end, scratch);
	else
		multiply_tiles((lanes_job){ y, ldy, w, x, (lanes_sums *)(void *)scratch }, first,
		               end, type, multiply_panel_tiles);
}

LANES_PRODUCT(amx_matmul_q3, amx_matmul, LANES_Q3, arch_avx512vnni.matmul_q3)
LANES_PRODUCT(amx_matmul_q4, amx_matmul, LANES_Q4, arch_avx512vnni.matmul_q4)
LANES_PRODUCT(amx_matmul_q8, amx_matmul, LANES_Q8, arch_avx512vnni.matmul_q8)

static bool amx_supported(const arch_cpu *cpu)
{
	return cpu->avx512 && cpu->avx512vnni && cpu->amx_int8;
}

const arch_kernels arch_amx = { .name = "amx",
	                        .supported = amx_supported,
	                        .below = &arch_avx512vnni,
	                        .matmul_q3 = amx_matmul_q3,
	                        .matmul_q4 = amx_matmul_q4,
	                        .matmul_q8 = amx_matmul_q8 };

#else
ARCH_ABSENT(amx)
#endif
