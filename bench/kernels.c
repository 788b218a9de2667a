/* kernels.c - matrix products as the forward pass asks for them: w1 and w3 of layer after layer, so that no cache holds them */
#include "bench/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "quant/f16.h"
#include "quant/q4.h"
#include "quant/q8.h"
#include "runtime/error.h"

#define COLS     4096u
#define ROWS     (14336u * 4) /* 250 MB at 8 bits */
#define TOKENS   128u
#define PASSES   5u

typedef struct product_job {
	arch_matmul *multiply;
	arch_matrix w;
	arch_vectors x;
	float *y;
} product_job;

static void product_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const product_job *job = argument;

	(void)worker;
	job->multiply(job->y, ROWS, &job->w, &job->x, first, end);
}

/* Median seconds of one product with `tiles` tiles. */
static double time_product(product_job *job, pool *threads, size_t n, size_t tiles)
{
	double seconds[PASSES];
	unsigned pass;

	job->x.n = n;
	for (pass = 0; pass < PASSES; pass++) {
		double start = bench_clock();

		pool_run(threads, product_piece, job, tiles, 8);
		seconds[pass] = bench_clock() - start;
	}
	return bench_median(seconds, PASSES);
}

static void measure_type(bench_row *rows, product_job *job, pool *threads, const bench_limits *limits, const char *const names[2], bool integer)
{
	size_t tiles = tile_count(ROWS), few = tile_count(4096);
	double bytes = (double)tiles * (double)job->w.tile_bytes, operations = 2.0 * 4096 * COLS * TOKENS;

	rows[0] = (bench_row){ names[0], bytes / time_product(job, threads, 1, tiles) / 1e9, limits->read_gbps, "GB/s" };
	rows[1] = (bench_row){ names[1], operations / time_product(job, threads, TOKENS, few) / 1e9, integer ? limits->int8_gops : 0, "GOPS" };
}

brise_status bench_measure_kernels(bench_row *rows, const arch_kernels *kernels, pool *threads, const bench_limits *limits, brise_error *err)
{
	static const char *const names[][2] = { { "q4 matrix x vector", "q4 matrix x matrix" }, { "q8 matrix x vector", "q8 matrix x matrix" },
		                                { "f16 matrix x vector", "f16 matrix x matrix" } };
	const size_t tile_bytes[] = { q4_tile_bytes(COLS), q8_tile_bytes(COLS), f16_tile_bytes(COLS) };
	arch_matmul *const multiply[] = { kernels->matmul_q4, kernels->matmul_q8, kernels->matmul_f16 };
	size_t bytes = tile_count(ROWS) * tile_bytes[2], blocks = tile_blocks(COLS), i;
	uint8_t *tiles = aligned_alloc(TILE_ALIGN, bytes);
	float *floats = calloc((size_t)TOKENS * COLS, sizeof *floats), *y = calloc((size_t)TOKENS * ROWS, sizeof *y);
	arch_vectors x = { aligned_alloc(TILE_ALIGN, (size_t)TOKENS * COLS), calloc(TOKENS * blocks, sizeof(float)), calloc(TOKENS * blocks, sizeof(int32_t)), floats,
		           blocks, TOKENS };
	brise_status status = BRISE_OK;

	if (!tiles || !floats || !y || !x.codes || !x.scales || !x.sums) {
		status = error_set(err, BRISE_ENOMEM, "no memory for the matrices to measure (%zu MB)", bytes / 1000000);
		goto done;
	}
	for (i = 0; i < bytes; i++)
		tiles[i] = (uint8_t)(i * 37 & 0x3f); /* small magnitudes: no infinities in any type */
	for (i = 0; i < (size_t)TOKENS * COLS; i++)
		floats[i] = (float)(i % 251) - 125;
	for (i = 0; i < TOKENS; i++)
		arch_quantize(kernels, &x, i);
	for (i = 0; i < 3; i++) {
		product_job job = { multiply[i], { tiles, tile_bytes[i], blocks }, x, y };

		measure_type(rows + 2 * i, &job, threads, limits, names[i], i < 2);
	}
done:
	free(tiles);
	free(floats);
	free(y);
	free(x.codes);
	free(x.scales);
	free(x.sums);
	return status;
}
