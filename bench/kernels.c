/* kernels.c - measures every kernel at the shapes of Mistral 7B's forward pass, on more data than
 * any cache holds
 *
 * Matrices: w1 and w3 of layer after layer, with one token and with a chunk of them. Attention: the
 * whole ring of 4096 positions of layer after layer, with the four queries of a group and with
 * sixteen. The rest: rows of a chunk.
 */
#include "bench/kernels.h"

#include <string.h>

#include "quant/types.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define COLS      4096u
#define FEW_ROWS  4096u
#define TOKENS    128u
#define PASSES    5u
#define HEAD_DIM  128u
#define POSITIONS 4096u
#define SEGMENTS  (POSITIONS / SEGMENT_POSITIONS)
#define HEADS     256u               /* of all 32 layers: 272 MB of keys and values */
#define LEAST     ((size_t)64 << 20) /* bytes to measure with */
#define WIDE      14336u

/* The types measured; sweeps are of the first. */
#define TYPES 4u
static const uint32_t types[TYPES] = { TYPE_Q3, TYPE_Q4, TYPE_Q8, TYPE_F16 };
const char *const bench_swept[BENCH_SWEPT] = { "q3", "q4", "q8" };

typedef struct kernels_bench {
	const arch_kernels *kernels;
	pool *threads;
	uint8_t *bytes; /* matrices, or spans */
	size_t size;
	float *floats, *y, *scratch; /* scratch [threads][ARCH_SCRATCH] */
	arch_vectors x;
	unsigned n_queries;
	arch_matmul *multiply;
	arch_matrix w;
	size_t unit; /* tiles that one thread takes together, as in the forward pass */
} kernels_bench;

/* Median seconds of `items` slices of work. */
static double time_work(kernels_bench *b, pool_fn *work, size_t items, size_t grain)
{
	double seconds[PASSES];
	unsigned pass;

	for (pass = 0; pass < PASSES; pass++) {
		double start = bench_clock();

		pool_run(b->threads, work, b, items, grain);
		seconds[pass] = bench_clock() - start;
	}
	return bench_median(seconds, PASSES);
}

static void multiply_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	const kernels_bench *b = argument;

	b->multiply(b->y, FEW_ROWS, &b->w, &b->x, first * b->unit, end * b->unit,
	            b->scratch + worker * ARCH_SCRATCH);
}

static void measure_matrix(bench_row rows[2], kernels_bench *b, const bench_limits *limits,
                           const char *const names[2], uint32_t type)
{
	const bool integer = type_find(type)->takes_int8;
	size_t tile_bytes = type_find(type)->tile_bytes(COLS);
	size_t tiles = b->size / tile_bytes, few = tile_count(FEW_ROWS);
	double weights = (double)tiles * TILE_ROWS * COLS;
	double bytes = (double)tiles * (double)tile_bytes,
	       operations = 2.0 * FEW_ROWS * COLS * TOKENS, seconds;

	b->multiply = arch_matmul_for(b->kernels, type, true);
	b->w = (arch_matrix){ b->bytes, tile_bytes, tile_blocks(COLS) };
	b->x.n = b->unit = 1;
	seconds = time_work(b, multiply_slice, tiles, ARCH_GRAIN);
	rows[0] = (bench_row){ names[0], bytes / seconds / 1e9,       limits->read_gbps,
		               "GB/s",   2 * weights / seconds / 1e9, 2 * weights / bytes };
	b->x.n = TOKENS;
	b->unit = ARCH_GRAIN;
	seconds = time_work(b, multiply_slice, few / ARCH_GRAIN, ARCH_GRAIN);
	rows[1] = (bench_row){ names[1],
		               operations / seconds / 1e9,
		               integer ? limits->int8_gops : 0,
		               "GOPS",
		               operations / seconds / 1e9,
		               operations / ((double)few * (double)tile_bytes) };
	if (!integer)
		rows[0].gops = rows[1].gops = 0;
}

const unsigned bench_sweep_tokens[BENCH_SWEEP] = { 1,  2,  3,  4,  5,  6,  7,  8,  9,
	                                           10, 12, 14, 16, 20, 24, 32, 48, 64 };

/* Rows of the matrix of a sweep: twice w1, as the forward pass multiplies w1 and w3 together. */
#define SWEEP_TILES (2 * WIDE / TILE_ROWS)

_Static_assert((size_t)TOKENS *WIDE >= 64 * SWEEP_TILES * TILE_ROWS, "results fit");

static void multiply_swept(void *argument, unsigned worker, size_t first, size_t end)
{
	const kernels_bench *b = argument;

	b->multiply(b->y, SWEEP_TILES * TILE_ROWS, &b->w, &b->x, first * b->unit, end * b->unit,
	            b->scratch + worker * ARCH_SCRATCH);
}

/* Every pass reads another matrix, so that none is in a cache. */
static void measure_sweep(double seconds[BENCH_SWEEP], kernels_bench *b, uint32_t type)
{
	size_t tile_bytes = type_find(type)->tile_bytes(COLS);
	size_t matrix = SWEEP_TILES * tile_bytes, matrices = b->size / matrix, next = 0;
	double times[PASSES];
	unsigned i, pass;

	b->multiply = arch_matmul_for(b->kernels, type, true);
	for (i = 0; i < BENCH_SWEEP; i++) {
		b->x.n = bench_sweep_tokens[i];
		b->unit = b->x.n > 1 ? ARCH_GRAIN : 1;
		for (pass = 0; pass < PASSES; pass++, next++) {
			double start = bench_clock();

			b->w = (arch_matrix){ b->bytes + next % matrices * matrix, tile_bytes,
				              tile_blocks(COLS) };
			pool_run(b->threads, multiply_swept, b, SWEEP_TILES / b->unit, ARCH_GRAIN);
			times[pass] = bench_clock() - start;
		}
		seconds[i] = bench_median(times, PASSES);
	}
}

unsigned bench_find_cliff(const double seconds[BENCH_SWEEP])
{
	unsigned i, a, b;

	for (i = 1; i < BENCH_SWEEP; i++)
		for (a = 0; a < i; a++)
			for (b = a; b < i; b++)
				if (bench_sweep_tokens[a] + bench_sweep_tokens[b] >=
				            bench_sweep_tokens[i] &&
				    seconds[i] > 1.1 * (seconds[a] + seconds[b]))
					return bench_sweep_tokens[i];
	return 0;
}

/* One head's whole ring for n_queries queries. */
static void attend_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	const kernels_bench *b = argument;
	size_t span = span_bytes(HEAD_DIM);
	float scores[ATTEND_QUERIES * SEGMENT_POSITIONS],
	        sums[ATTEND_QUERIES * HEAD_DIM] = { 0 }, scales[ATTEND_QUERIES];
	uint16_t from[ATTEND_QUERIES] = { 0 }, to[ATTEND_QUERIES];
	const uint8_t *spans[SEGMENT_SPANS];
	unsigned i, segment;

	(void)worker;
	for (i = 0; i < ATTEND_QUERIES; i++) {
		to[i] = SEGMENT_POSITIONS;
		scales[i] = 1e-4f;
	}
	for (; first < end; first++) {
		arch_attended attended[ATTEND_QUERIES] = { { 0, 0 } };

		for (segment = 0; segment < SEGMENTS; segment++) {
			for (i = 0; i < SEGMENT_SPANS; i++)
				spans[i] =
				        b->bytes +
				        ((first * SEGMENTS + segment) * SEGMENT_SPANS + i) * span;
			b->kernels->attend(&(arch_attention){
			        b->x.codes, scales, spans,
			        segment + 1 < SEGMENTS ? spans[SEGMENT_SPANS - 1] + span : NULL,
			        from, to, b->n_queries, HEAD_DIM, scores, sums, attended });
		}
	}
}

static void measure_attention(bench_row rows[2], kernels_bench *b, const bench_limits *limits)
{
	size_t head_bytes = POSITIONS / SPAN_POSITIONS * span_bytes(HEAD_DIM),
	       fit = b->size / head_bytes / 4 * 4, heads = fit < HEADS ? fit : HEADS, span, i;
	double bytes = (double)heads * (double)head_bytes,
	       operations = 4.0 * (double)heads * POSITIONS * HEAD_DIM, seconds;

	/* Scales must be small numbers: the buffer holds arbitrary bits of the matrices before. */
	for (span = 0; span < heads * POSITIONS / SPAN_POSITIONS; span++)
		for (i = 0; i < SPAN_SCALES; i++)
			((float *)(void *)(b->bytes + span * span_bytes(HEAD_DIM) +
			                   span_key_scales(HEAD_DIM)))[i] = 0.01f;
	b->n_queries = 4;
	seconds = time_work(b, attend_slice, heads, 1);
	rows[0] = (bench_row){
		"attention, 4 queries",         bytes / seconds / 1e9, limits->read_gbps, "GB/s",
		4 * operations / seconds / 1e9, 4 * operations / bytes
	};
	b->n_queries = 16;
	seconds = time_work(b, attend_slice, heads / 4, 1);
	rows[1] = (bench_row){ "attention, 16 queries",
		               4 * operations / seconds / 1e9,
		               limits->int8_gops,
		               "GOPS",
		               4 * operations / seconds / 1e9,
		               16 * operations / bytes };
}

static void norm_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	const kernels_bench *b = argument;

	(void)worker;
	for (; first < end; first++)
		b->kernels->norm(b->y + first * WIDE, b->floats + first * WIDE, b->floats, WIDE,
		                 1e-5f);
}

static void silu_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	const kernels_bench *b = argument;

	(void)worker;
	for (; first < end; first++)
		b->kernels->silu(b->y + first * WIDE, b->floats + first * WIDE, WIDE);
}

static void quantize_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	const kernels_bench *b = argument;

	(void)worker;
	for (; first < end; first++)
		arch_quantize(b->kernels, &b->x, first);
}

/* Bytes read and written. */
static void measure_rows(bench_row rows[3], kernels_bench *b, const bench_limits *limits)
{
	double row = (double)TOKENS * WIDE * sizeof(float);

	rows[0] = (bench_row){ "RMSNorm",
		               2 * row / time_work(b, norm_slice, TOKENS, 1) / 1e9,
		               limits->read_gbps,
		               "GB/s",
		               0,
		               0 };
	rows[1] = (bench_row){ "SiLU",
		               3 * row / time_work(b, silu_slice, TOKENS, 1) / 1e9,
		               limits->read_gbps,
		               "GB/s",
		               0,
		               0 };
	b->x.blocks = tile_blocks(WIDE);
	b->x.n = TOKENS;
	rows[2] = (bench_row){ "activations to int8",
		               1.25 * row / time_work(b, quantize_slice, TOKENS, 1) / 1e9,
		               limits->read_gbps,
		               "GB/s",
		               0,
		               0 };
}

static void fill(kernels_bench *b)
{
	size_t i;

	for (i = 0; i < b->size; i++)
		b->bytes[i] =
		        (uint8_t)(i * 37 & 0x3f); /* small magnitudes: no infinities in any type */
	for (i = 0; i < (size_t)TOKENS * WIDE; i++)
		b->floats[i] = (float)(i % 251) - 125;
	b->x.blocks = tile_blocks(COLS);
	b->x.n = TOKENS;
	for (i = 0; i < TOKENS; i++)
		arch_quantize(b->kernels, &b->x, i);
}

brise_status bench_measure_kernels(bench_set *set, const arch_kernels *kernels, pool *threads,
                                   brise_error *err)
{
	static const char *const names[TYPES][2] = { { "q3 matrix x vector", "q3 matrix x matrix" },
		                                     { "q4 matrix x vector", "q4 matrix x matrix" },
		                                     { "q8 matrix x vector", "q8 matrix x matrix" },
		                                     { "f16 matrix x vector",
		                                       "f16 matrix x matrix" } };
	size_t blocks = TOKENS * vectors_slabs(tile_blocks(WIDE)) * SLAB_BLOCKS, i;
	kernels_bench b = { .kernels = kernels, .threads = threads, .size = bench_read_bytes(0) };
	/* other rows of 1 GB are fewer */
	const size_t y_bytes = (size_t)TOKENS * WIDE * sizeof(float);
	brise_status status = BRISE_OK;

	set->arch = kernels->name;
	if (b.size < LEAST)
		return error_set(
		        err, BRISE_EUNSUPPORTED,
		        "measuring kernels takes %zu MB, and four times as much in the machine",
		        LEAST >> 20);
	b.bytes = memory_new_aligned(b.size, 1);
	b.floats = memory_new((size_t)TOKENS * WIDE, sizeof(float));
	b.y = memory_new_aligned(y_bytes, 1);
	b.scratch = memory_new_aligned(pool_threads(threads) * ARCH_SCRATCH, sizeof(float));
	b.x = (arch_vectors){ memory_new_aligned(blocks, TILE_BLOCK),
		              memory_new(blocks, sizeof(float)),
		              memory_new(blocks, sizeof(int32_t)),
		              b.floats,
		              0,
		              0 };
	if (!b.bytes || !b.floats || !b.y || !b.scratch || !b.x.codes || !b.x.scales || !b.x.sums) {
		status = error_set(err, BRISE_ENOMEM,
		                   "no memory for the matrices to measure (%zu MB)",
		                   b.size / 1000000);
		goto done;
	}
	memset(b.y, 0, y_bytes);
	fill(&b);
	for (i = 0; i < TYPES; i++)
		measure_matrix(set->rows + 2 * i, &b, &set->limits, names[i], types[i]);
	for (i = 0; i < BENCH_SWEPT; i++)
		measure_sweep(set->sweeps[i], &b, types[i]);
	measure_attention(set->rows + 2 * TYPES, &b, &set->limits);
	measure_rows(set->rows + 2 * TYPES + 2, &b, &set->limits);
done:
	memory_free_aligned(b.bytes);
	memory_free(b.floats);
	memory_free_aligned(b.y);
	memory_free_aligned(b.scratch);
	memory_free_aligned(b.x.codes);
	memory_free(b.x.scales);
	memory_free(b.x.sums);
	return status;
}
