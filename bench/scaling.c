/* scaling.c - the same matrix for any number of threads; the matrix is far larger than the caches
 * of the machines that matter here */
#include "bench/scaling.h"

#include <string.h>

#include "bench/limits.h"
#include "quant/q4.h"
#include "quant/types.h"
#include "runtime/os/cores.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/threads.h"

#define COLS   4096u
#define TILES  1024u /* 36 MB */
#define FEW    64u   /* tiles multiplied with many tokens */
#define TOKENS 64u
#define PASSES 5u
/* Least gain for which one more thread is used: a thread costs power and takes time from other
 * programs. */
#define WORTH 1.03

typedef struct scaling_job {
	arch_matmul *multiply;
	arch_matrix w;
	arch_vectors x;
	float *y, *scratch; /* [threads][ARCH_SCRATCH] */
	size_t unit;        /* tiles that one thread takes together, as in the forward pass */
} scaling_job;

static void multiply_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	const scaling_job *job = argument;

	job->multiply(job->y, TILES * TILE_ROWS, &job->w, &job->x, first * job->unit,
	              end * job->unit, job->scratch + worker * ARCH_SCRATCH);
}

static double time_tiles(scaling_job *job, pool *workers, size_t tiles)
{
	double seconds[PASSES];
	unsigned pass;

	for (pass = 0; pass < PASSES; pass++) {
		double start = bench_clock();

		pool_run(workers, multiply_slice, job, tiles / job->unit, ARCH_GRAIN);
		seconds[pass] = bench_clock() - start;
	}
	return bench_median(seconds, PASSES);
}

static void measure(scaling_row *row, scaling_job *job, pool *workers, bool decode_only)
{
	job->x.n = job->unit = 1;
	row->read_gbps =
	        (double)TILES * (double)job->w.tile_bytes / time_tiles(job, workers, TILES) / 1e9;
	row->int8_gops = 0;
	if (decode_only)
		return;
	job->x.n = TOKENS;
	job->unit = ARCH_GRAIN;
	row->int8_gops =
	        2.0 * FEW * TILE_ROWS * COLS * TOKENS / time_tiles(job, workers, FEW) / 1e9;
}

brise_status scaling_measure(scaling_row *row, const arch_kernels *kernels, unsigned threads,
                             bool decode_only, brise_error *err)
{
	size_t blocks = tile_blocks(COLS), tile_bytes = q4_tile_bytes(COLS), all = TOKENS * blocks;
	uint8_t *tiles = memory_new_aligned(TILES, tile_bytes);
	scaling_job job = { arch_matmul_for(kernels, TYPE_Q4, true),
		            { tiles, tile_bytes, blocks },
		            { 0 },
		            memory_new((size_t)TOKENS * TILES * TILE_ROWS, sizeof(float)),
		            memory_new_aligned(threads * ARCH_SCRATCH, sizeof(float)),
		            1 };
	brise_status status;
	pool *workers = NULL;

	job.x = (arch_vectors){ memory_new_aligned(all, TILE_BLOCK),
		                memory_new(all, sizeof(float)),
		                memory_new(all, sizeof(int32_t)),
		                NULL,
		                blocks,
		                TOKENS };
	row->threads = threads;
	if (!tiles || !job.y || !job.scratch || !job.x.codes || !job.x.scales || !job.x.sums) {
		status = error_set(err, BRISE_ENOMEM,
		                   "no memory to measure threads with (%zu bytes)",
		                   TILES * tile_bytes);
		goto done;
	}
	memset(tiles, 0x11, TILES * tile_bytes); /* small finite numbers */
	memset(job.x.codes, 1, all * TILE_BLOCK);
	status = pool_new(&workers, threads, err);
	if (status == BRISE_OK)
		measure(row, &job, workers, decode_only);
done:
	pool_free(workers);
	memory_free_aligned(tiles);
	memory_free(job.y);
	memory_free_aligned(job.scratch);
	memory_free_aligned(job.x.codes);
	memory_free(job.x.scales);
	memory_free(job.x.sums);
	return status;
}

unsigned scaling_choose(const scaling_row *rows, unsigned n)
{
	unsigned i, best = 0;

	for (i = 1; i < n; i++)
		if (rows[i].read_gbps > rows[best].read_gbps * WORTH)
			best = i;
	return rows[best].threads;
}

brise_status scaling_choose_here(unsigned *threads, const arch_kernels *kernels, brise_error *err)
{
	scaling_row rows[16];
	cores_facts facts;
	unsigned n = 0, next = 1, most;
	brise_status status = BRISE_OK;

	cores_read(&facts, "");
	most = facts.allowed > THREADS_MAX ? THREADS_MAX : facts.allowed < 1 ? 1 : facts.allowed;
	while (status == BRISE_OK && next <= most && n < sizeof rows / sizeof *rows) {
		status = scaling_measure(&rows[n++], kernels, next, true, err);
		next = next < most && next * 2 > most ? most : next * 2;
	}
	if (status == BRISE_OK)
		*threads = scaling_choose(rows, n);
	return status;
}
