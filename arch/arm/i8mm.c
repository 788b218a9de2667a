/* i8mm.c - matrix products with SMMLA: Cortex-A510, A710, X2 and later, phones since 2021, Arm
 * laptops
 *
 * build with: -march=armv8.2-a+dotprod+i8mm
 *
 * SMMLA multiplies two rows of eight columns with two tokens of eight columns and adds to 2 x 2
 * sums: twice SDOT's work. A panel keeps four columns of each row together, so once per panel
 * neighbouring groups of columns are zipped: then a vector holds eight columns of two rows. Tokens
 * are taken in pairs; an odd last one is paired with itself.
 */
#include "arch/kernels.h"

#if defined(__ARM_FEATURE_MATMUL_INT8)

#include "arch/arm/lanes_neon.h"

#define LANES_TILES 1

#include "arch/lanes_panel.h"

/* Up to so many tokens, dotprod's products as weights stream cost less than a panel and its pairs
 * (bench/arm_estimate.sh). */
#ifdef __OPTIMIZE_SIZE__
#define FEW_TOKENS 1
#else
#define FEW_TOKENS 6
#endif

#define PAIRS 2 /* pairs of tokens in a pass: 2 x 8 accumulators of 2 x 2 */

/* Groups g and g + 1 of a block, [2][16 rows][4 columns], become [16 rows][8 columns]. */
static void zip_panel(lanes_panel *p, size_t n_blocks)
{
	size_t i;
	int g, part;

	for (i = 0; i < n_blocks; i++)
		for (g = 0; g < 8; g += 2) {
			const uint8_t *codes = p->codes[0][i] + 64 * g;
			lanes_int low[LANES_PARTS], high[LANES_PARTS];

			for (part = 0; part < LANES_PARTS; part++) {
				low[part] = lanes_load(codes + 16 * part);
				high[part] = lanes_load(codes + 64 + 16 * part);
			}
			for (part = 0; part < LANES_PARTS; part++) {
				lanes_store(p->decoded[0][i][g] + 32 * part,
				            vzip1q_s32(low[part], high[part]));
				lanes_store(p->decoded[0][i][g] + 32 * part + 16,
				            vzip2q_s32(low[part], high[part]));
			}
		}
}

/* Adds the panel's blocks to the sums of `pairs` pairs of tokens. odd: tokens from token 2k to
 * token 2k + 1: 1, or 0 for a last token that is paired with itself. */
INLINE void multiply_pairs(const lanes_panel *p, lanes_slab x, size_t t, size_t odd,
                           size_t n_blocks, const int pairs)
{
	lanes_float sums[2 * PAIRS * LANES_PARTS];
	size_t i;
	int v, g;

	UNROLL
	for (v = 0; v < 2 * pairs * LANES_PARTS; v++)
		sums[v] = load_sum(p, 0,
		                   t + (size_t)(v / LANES_PARTS / 2 * 2) +
		                           (size_t)(v / LANES_PARTS % 2) * odd,
		                   v % LANES_PARTS);
	for (i = 0; i < n_blocks; i++) {
		/* Two vectors for four rows of a pair: [row, token] = 00 01 10 11 and 20 21 30
		 * 31. */
		lanes_int dots[PAIRS * LANES_PARTS * 2];

		UNROLL
		for (v = 0; v < pairs * LANES_PARTS * 2; v++)
			dots[v] = lanes_fill(LANES_START);
		ROLL for (g = 0; g < 4; g++)
		{
			int8x16_t tokens[PAIRS];

			UNROLL
			for (v = 0; v < pairs; v++)
				tokens[v] = vcombine_s8(
				        vld1_s8(x.codes[2 * v] + i * TILE_BLOCK + 8 * g),
				        vld1_s8(x.codes[2 * (size_t)v + odd] + i * TILE_BLOCK +
				                8 * g));
			UNROLL
			for (v = 0; v < pairs * LANES_PARTS * 2; v++)
				dots[v] = vmmlaq_s32(
				        dots[v],
				        lanes_bytes(lanes_load(p->decoded[0][i][2 * g] +
				                               16 * (v % (LANES_PARTS * 2)))),
				        tokens[v / (LANES_PARTS * 2)]);
		}
		UNROLL
		for (v = 0; v < 2 * pairs * LANES_PARTS; v++) {
			int part = v % LANES_PARTS, token = v / LANES_PARTS;
			lanes_int a = dots[(token / 2 * LANES_PARTS + part) * 2],
			          b = dots[(token / 2 * LANES_PARTS + part) * 2 + 1];
			lanes_float product =
			        lanes_product(token % 2 ? vuzp2q_s32(a, b) : vuzp1q_s32(a, b),
			                      lanes_load_float(p->magnitude[0][i] + LANES * part),
			                      lanes_load_float(p->offset[0][i] + LANES * part));
			float scale =
			        x.scales[(size_t)(token / 2 * 2) + (size_t)(token % 2) * odd][i];

			sums[v] = lanes_add(sums[v], lanes_mul(product, lanes_fill_float(scale)));
		}
	}
	UNROLL
	for (v = 0; v < 2 * pairs * LANES_PARTS; v++)
		store_sum(p, 0,
		          t + (size_t)(v / LANES_PARTS / 2 * 2) +
		                  (size_t)(v / LANES_PARTS % 2) * odd,
		          v % LANES_PARTS, sums[v]);
}

ONCE static void multiply_panel_pairs(lanes_panel *p, lanes_slab x, size_t n, size_t n_blocks,
                                      int tiles)
{
	size_t t, passes = (n + 2 * PAIRS - 1) / (2 * PAIRS);

	zip_panel(p, n_blocks);
	for (t = 0; t + 2 * PAIRS <= n; t += 2 * PAIRS) {
		prefetch_next(p, passes, tiles);
		multiply_pairs(p, slab_from(x, t), t, 1, n_blocks, PAIRS);
	}
	for (; t + 2 <= n; t += 2)
		multiply_pairs(p, slab_from(x, t), t, 1, n_blocks, 1);
	if (t < n)
		multiply_pairs(p, slab_from(x, t), t, 0, n_blocks, 1);
}

/* few: the product with a few tokens. */
INLINE void i8mm_matmul(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                        size_t first, size_t end, float *scratch, const enum lanes_type type,
                        arch_matmul *few)
{
	if (x->n <= FEW_TOKENS)
		few(y, ldy, w, x, first, end, scratch);
	else
		multiply_tiles((lanes_job){ y, ldy, w, x, (lanes_sums *)(void *)scratch }, first,
		               end, type, multiply_panel_pairs);
}

LANES_PRODUCT(i8mm_matmul_q3, i8mm_matmul, LANES_Q3, arch_dotprod.matmul_q3)
LANES_PRODUCT(i8mm_matmul_q4, i8mm_matmul, LANES_Q4, arch_dotprod.matmul_q4)
LANES_PRODUCT(i8mm_matmul_q8, i8mm_matmul, LANES_Q8, arch_dotprod.matmul_q8)

static bool i8mm_supported(const arch_cpu *cpu) { return cpu->neon && cpu->dotprod && cpu->i8mm; }

const arch_kernels arch_i8mm = { .name = "i8mm",
	                         .supported = i8mm_supported,
	                         .below = &arch_dotprod,
	                         .matmul_q3 = i8mm_matmul_q3,
	                         .matmul_q4 = i8mm_matmul_q4,
	                         .matmul_q8 = i8mm_matmul_q8 };

#else
ARCH_ABSENT(i8mm)
#endif
