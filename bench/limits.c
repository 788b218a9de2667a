/* limits.c - two microbenchmarks: summing a buffer far larger than any cache, and dot products on
 * registers alone
 *
 * Memory is read over as many bytes as what is compared with it: shared caches of hundreds of
 * megabytes exist, and serve part of even a gigabyte.
 *
 * How fast memory can be read depends on the way it is read, and a limit that a kernel can exceed
 * is no limit. So several ways are tried: one stream as the compiler makes it, and two to eight
 * side by side with prefetches, which keep more memory pages open and continue across their ends.
 */
#include "bench/limits.h"

#include <stdlib.h>
#include <string.h>

#include "arch/tools/tools.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/portable.h"

#define READ_LEAST  ((uint64_t)1 << 30)
#define READ_MOST   ((uint64_t)4 << 30)
#define HUGE_BYTES  ((size_t)2 << 20)
#define READ_SLICE  ((size_t)1 << 20)
#define DOT_ROUNDS  ((uint64_t)1 << 18)
#define PASSES      5u
#define READ_PASSES 3u

double bench_clock(void)
{
	return os_clock();
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double bench_median(double *values, unsigned n)
{
	qsort(values, n, sizeof *values, compare_doubles);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

typedef struct read_job {
	const uint64_t *words;
	size_t streams, ahead; /* words */
	uint64_t sums[THREADS_MAX];
} read_job;

#define LINE_WORDS (64 / sizeof(uint64_t))

/* Each slice in `streams` parts side by side. */
static void read_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	read_job *job = argument;
	const size_t words = READ_SLICE / sizeof(uint64_t), part = words / job->streams;

	for (; first < end; first++) {
		const uint64_t *p = job->words + first * words;
		uint64_t lanes[2 * LINE_WORDS] = { 0 }, sum = 0;
		size_t i, s, k;

		for (i = 0; i < part; i += 4 * LINE_WORDS)
			for (s = 0; s < job->streams; s++) {
				const uint64_t *q = p + s * part + i;

				for (k = 0; k < 4 && job->ahead; k++)
					PORTABLE_PREFETCH(q + job->ahead + k * LINE_WORDS);
				for (k = 0; k < 2 * LINE_WORDS; k++)
					lanes[k] += q[k] + q[k + 2 * LINE_WORDS];
			}
		for (k = 0; k < 2 * LINE_WORDS; k++)
			sum += lanes[k];
		job->sums[worker] += sum;
	}
}

typedef struct dot_job {
	const arch_tools *tools;
	uint64_t operations;
} dot_job;

static void dot_slice(void *argument, unsigned worker, size_t first, size_t end)
{
	dot_job *job = argument;
	uint64_t operations = 0;

	for (; first < end; first++)
		operations += job->tools->dot_peak(DOT_ROUNDS);
	if (worker == 0)
		job->operations = operations;
}

double bench_measure_reads(pool *threads, const void *bytes, size_t size)
{
	static const struct {
		size_t streams, ahead;
	} ways[] = { { 1, 0 }, { 1, 3072 }, { 2, 4096 }, { 4, 0 }, { 4, 2048 }, { 8, 1024 } };
	double rates[READ_PASSES], best = 0;
	unsigned pass, way;

	for (way = 0; way < sizeof ways / sizeof *ways; way++) {
		read_job job = { .words = bytes,
			         .streams = ways[way].streams,
			         .ahead = ways[way].ahead / sizeof(uint64_t) };
		double rate;

		for (pass = 0; pass < READ_PASSES; pass++) {
			double start = bench_clock();

			pool_run(threads, read_slice, &job, size / READ_SLICE, 1);
			rates[pass] = (double)(size / READ_SLICE * READ_SLICE) /
			              (bench_clock() - start) / 1e9;
		}
		rate = bench_median(rates, READ_PASSES);
		best = rate > best ? rate : best;
	}
	return best;
}

size_t bench_read_bytes(uint64_t wanted)
{
	uint64_t memory = os_machine_memory();
	uint64_t bytes = wanted < READ_LEAST  ? READ_LEAST
	                 : wanted < READ_MOST ? wanted
	                                      : READ_MOST,
	         quarter = bytes;

	if (memory > 0)
		quarter = memory / 4;
	return (size_t)((bytes < quarter ? bytes : quarter) / READ_SLICE * READ_SLICE);
}

static double measure_dots(pool *threads, const arch_tools *tools)
{
	double rates[PASSES];
	unsigned pass, n = pool_threads(threads);
	uint64_t one = tools->dot_peak(1);

	for (pass = 0; pass < PASSES; pass++) {
		dot_job job = { tools, 0 };
		double start = bench_clock();

		pool_run(threads, dot_slice, &job, 8 * (size_t)n, 1);
		rates[pass] =
		        (double)one * (double)DOT_ROUNDS * 8 * n / (bench_clock() - start) / 1e9;
	}
	return bench_median(rates, PASSES);
}

brise_status bench_measure_limits(bench_limits *limits, const arch_kernels *kernels, pool *threads,
                                  size_t size, brise_error *err)
{
	arch_tools tools;
	uint8_t *memory = memory_new(size + HUGE_BYTES, 1), *bytes;

	if (!memory)
		return error_set(err, BRISE_ENOMEM,
		                 "no memory to measure the read rate (%zu bytes)", size);
	bytes = memory + (HUGE_BYTES - (uintptr_t)memory % HUGE_BYTES) % HUGE_BYTES;
	os_advise_huge(bytes, size);
	memset(bytes, 1, size);
	limits->read_gbps = bench_measure_reads(threads, bytes, size);
	memory_free(memory);
	arch_find_tools(&tools, kernels->name);
	limits->int8_gops = measure_dots(threads, &tools);
	return BRISE_OK;
}
