/* kernels.h - the table of kernels that running a model needs, and the arithmetic they share
 *
 * arch/scalar.c defines every function in plain C; the sets in arch/x86/ and arch/arm/ repeat it
 * faster and must give the same bits, which test/test_kernels.c checks with memcmp. What makes that
 * possible:
 *   - integer dot products are exact in any order, and no intermediate saturates;
 *   - a row's float sum runs over its blocks in order, one row to a SIMD lane;
 *   - float multiply and add are rounded separately (a fused operation is allowed only where it
 *     rounds the same number once);
 *   - sums over a vector use 16 lanes, element i in lane i mod 16, added up by one tree: 8, 4, 2, 1
 *     apart;
 *   - exp is the project's own (arch/math.h); conversions to int8 round to nearest, ties to even.
 */
#ifndef ARCH_KERNELS_H
#define ARCH_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/cpu.h"
#include "quant/span.h"
#include "quant/tile.h"

/* A quantized matrix as it lies in the file: tile after tile of 16 rows. */
typedef struct arch_matrix {
	const uint8_t *tiles; /* 64-byte aligned */
	size_t tile_bytes;
	size_t blocks; /* blocks of 32 columns, padding included: a multiple of 4 */
} arch_matrix;

/* Activation vectors. For q3, q4 and q8: int8 with a scale and the sum of the codes per block, in
 * slabs of 16 blocks: what all vectors have for the same 512 columns lies together, because
 * products go slab by slab (rows that are a power of two apart would push each other out of the
 * caches). For f16: floats, vector after vector. Padding is zeros. */
#define SLAB_BLOCKS 16u

typedef struct arch_vectors {
	int8_t *codes; /* [slabs][n][512], -127..127, 64-byte aligned */
	float *scales; /* [slabs][n][16] */
	int32_t *sums; /* [slabs][n][16] */
	float *floats; /* [n][32 * blocks] */
	size_t blocks, n;
} arch_vectors;

/* Index of block b of vector t in scales and sums; times 32: in codes. */
static inline size_t vectors_at(const arch_vectors *x, size_t t, size_t b)
{
	return (b / SLAB_BLOCKS * x->n + t) * SLAB_BLOCKS + b % SLAB_BLOCKS;
}

static inline size_t vectors_slabs(size_t blocks) { return divide_up(blocks, SLAB_BLOCKS); }

/* Tokens and tiles whose partial sums a product with several vectors keeps: scratch of 256 KB for
 * each thread. */
#define GROUP_TOKENS 256u
#define GROUP_TILES  16u
#define ARCH_SCRATCH (GROUP_TOKENS * GROUP_TILES * TILE_ROWS) /* floats */

/* Tiles that kernels like to take together with one vector (arch/lanes_matvec.h), and the fewest
 * with several: a panel of fewer is mostly overhead. With several they like GROUP_TILES. */
#define ARCH_GRAIN 4u

/* y[t * ldy + 16 * tile + lane] for tiles [first, end) and all vectors t of x: full tiles of 16 are
 * written.
 * scratch: [ARCH_SCRATCH], 64-byte aligned, the calling thread's own; not touched where x has one
 * vector only.
 * Definition, block by block in order, for q3, q4 and q8:
 *     sum += (float)(magnitude * dot) * scale;  y = sum * row_scale. */
typedef void arch_matmul(float *y, size_t ldy, const arch_matrix *w, const arch_vectors *x,
                         size_t first, size_t end, float *scratch);

#define ARCH_HEAD_DIM_MAX 512u

/* Attention is summed segment by segment of 512 absolute positions, each relative to its own
 * largest score; a segment's result is merged into that of the segments before. So a query's bits
 * depend on absolute positions only. */
#define SEGMENT_POSITIONS 512u
#define SEGMENT_SPANS     (SEGMENT_POSITIONS / SPAN_POSITIONS)
#define ATTEND_QUERIES    16u /* most queries of one call */

/* One query's attention so far: sum / weight is the result. */
typedef struct arch_attended {
	float largest; /* score */
	float weight;  /* sum of exp(score - largest) */
} arch_attended;

typedef struct arch_attention {
	const int8_t *queries;     /* [n_queries][dim], int8 */
	const float *query_scales; /* [n_queries]: the code's scale times 1 / sqrt(head_dim) */
	const uint8_t *const
	        *spans;      /* quant/span.h; of this segment, as many as the queries reach */
	const uint8_t *next; /* the span that will be read after them; NULL: none */
	/* [n_queries]: positions [first, end) of the segment are attended; first < end */
	const uint16_t *first, *end;
	unsigned n_queries;
	size_t dim;
	float *scores;           /* scratch, [n_queries][512] */
	float *sums;             /* [n_queries][dim], merged */
	arch_attended *attended; /* [n_queries], merged; weight 0 before the first segment */
} arch_attention;

typedef struct arch_kernels arch_kernels;

/* The types of matrices, and their numbers (quant/types.h). */
#define ARCH_PRODUCTS(each)                                                                        \
	each(q3, TYPE_Q3) each(q4, TYPE_Q4) each(q8, TYPE_Q8) each(f16, TYPE_F16)

struct arch_kernels {
	const char *name;          /* what --arch takes */
	const arch_kernels *below; /* the set whose functions replace NULL entries of this one */
	/* NULL: the compiler that built this could not make the set */
	bool (*supported)(const arch_cpu *cpu);

#define ARCH_DECLARE_PRODUCT(type, id) arch_matmul *matmul_##type, *one_stream_##type;
	/* matmul_q4 and so on.
	 *
	 * one_stream_q4 and so on: the same for processors with arch_cpu.one_stream, where pages
	 * have been read before: a page met for the first time drops what was prefetched from it,
	 * and one stream has nothing else to go on with (7B q4 on Zen 5, first pass over a cached
	 * file 0.20 s, with the above 0.17 s). NULL: the set has no such way, or the processor does
	 * not prefer it. */
	ARCH_PRODUCTS(ARCH_DECLARE_PRODUCT)
#undef ARCH_DECLARE_PRODUCT

	/* Quantizes n_blocks * 32 floats: scale = largest absolute / 127, code = value * (127 /
	 * largest). A block whose largest is below 1e-30 or not finite becomes zeros. */
	void (*quantize)(int8_t *codes, float *scales, int32_t *sums, const float *x,
	                 size_t n_blocks);

	/* The same for one head vector as a single block: codes [dim], zeros behind head_dim.
	 * Returns the scale. */
	float (*quantize_head)(int8_t *codes, const float *head, size_t head_dim, size_t dim);

	/* Turns pairs (i, half + i) of head [2 * half] by angles given as cosines and sines [half]
	 * (rotary embedding, arXiv 2104.09864). */
	void (*turn)(float *head, const float *cosines, const float *sines, size_t half);

	/* y = x * (1 / sqrt(mean of squares + eps)) * weight (RMSNorm, arXiv 1910.07467). */
	void (*norm)(float *y, const float *x, const float *weight, size_t dim, float eps);

	/* gate = silu(gate) * up, with silu(x) = x / (1 + exp(-x)). n is a multiple of 16. */
	void (*silu)(float *gate, const float *up, size_t n);

	/* x += y. n is a multiple of 16. */
	void (*add)(float *x, const float *y, size_t n);

	/* Attends one segment and merges it. */
	void (*attend)(const arch_attention *job);
};

/* Every function of the table, for what goes through all of them. */
#define ARCH_FUNCTIONS(each)                                                                       \
	each(matmul_q3) each(matmul_q4) each(matmul_q8) each(matmul_f16) each(quantize)            \
	        each(quantize_head) each(turn) each(norm) each(silu) each(add) each(attend)

/* The sets of this machine's family, best first: the one place that lists them. Each is a file in
 * arch/<family>/ that defines arch_<name>. */
#if defined(__x86_64__)
#define ARCH_SETS(set) set(amx) set(avx512vnni) set(avxvnni) set(avx2) set(sse) set(scalar)
#elif defined(__aarch64__)
#define ARCH_SETS(set) set(i8mm) set(dotprod) set(neon) set(scalar)
#else
#define ARCH_SETS(set) set(scalar)
#endif

#define ARCH_DECLARE(set) extern const arch_kernels arch_##set;
ARCH_SETS(ARCH_DECLARE)

/* Quantizes vector t of x from its floats. */
static inline void arch_quantize(const arch_kernels *kernels, const arch_vectors *x, size_t t)
{
	size_t b;

	for (b = 0; b < x->blocks; b += SLAB_BLOCKS) {
		size_t at = vectors_at(x, t, b),
		       n_blocks = x->blocks - b < SLAB_BLOCKS ? x->blocks - b : SLAB_BLOCKS;

		kernels->quantize(x->codes + at * TILE_BLOCK, x->scales + at, x->sums + at,
		                  x->floats + (t * x->blocks + b) * TILE_BLOCK, n_blocks);
	}
}

/* The product for matrices of a type (quant/types.h); NULL: there is none. met: the matrix has been
 * read before, so that its pages are mapped. */
arch_matmul *arch_matmul_for(const arch_kernels *kernels, uint32_t type, bool met);

/* Placeholder for a set that this compiler cannot build. */
#define ARCH_ABSENT(set) const arch_kernels arch_##set = { .name = #set };

/* The sets by index, as they are listed: functions may be NULL. NULL past the last. */
const arch_kernels *arch_list(size_t index);

/* Fills *kernels with the set called `name`, or the best this machine supports for NULL, and what
 * it takes from the sets below. False if there is none of that name or it is not supported here. */
bool arch_choose(arch_kernels *kernels, const char *name, const arch_cpu *cpu);

#endif
