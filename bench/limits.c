/* limits.c - two microbenchmarks: summing a buffer far larger than any cache, and dot products on registers alone */
#include "bench/limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "runtime/error.h"

#define READ_BYTES  ((size_t)1 << 30)
#define READ_PIECE  ((size_t)1 << 20)
#define DOT_ROUNDS  ((uint64_t)1 << 18)
#define PASSES      7u

double bench_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
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
	uint64_t sums[THREADS_MAX];
} read_job;

static void read_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	read_job *job = argument;

	for (; first < end; first++) {
		const uint64_t *p = job->words + first * (READ_PIECE / sizeof *p);
		uint64_t lanes[16] = { 0 }, sum = 0;
		size_t i;
		unsigned k;

		for (i = 0; i < READ_PIECE / sizeof *p; i += 16)
			for (k = 0; k < 16; k++)
				lanes[k] += p[i + k];
		for (k = 0; k < 16; k++)
			sum += lanes[k];
		job->sums[worker] += sum;
	}
}

typedef struct dot_job {
	const arch_kernels *kernels;
	uint64_t operations;
} dot_job;

static void dot_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	dot_job *job = argument;
	uint64_t operations = 0;

	for (; first < end; first++)
		operations += job->kernels->dot_peak(DOT_ROUNDS);
	if (worker == 0)
		job->operations = operations;
}

static double measure_reads(pool *threads, read_job *job)
{
	double rates[PASSES];
	unsigned pass;

	for (pass = 0; pass < PASSES; pass++) {
		double start = bench_clock();

		pool_run(threads, read_piece, job, READ_BYTES / READ_PIECE, 1);
		rates[pass] = (double)READ_BYTES / (bench_clock() - start) / 1e9;
	}
	return bench_median(rates, PASSES);
}

static double measure_dots(pool *threads, const arch_kernels *kernels)
{
	double rates[PASSES];
	unsigned pass, n = pool_threads(threads);
	uint64_t one = kernels->dot_peak(1);

	for (pass = 0; pass < PASSES; pass++) {
		dot_job job = { kernels, 0 };
		double start = bench_clock();

		pool_run(threads, dot_piece, &job, 8 * (size_t)n, 1);
		rates[pass] = (double)one * (double)DOT_ROUNDS * 8 * n / (bench_clock() - start) / 1e9;
	}
	return bench_median(rates, PASSES);
}

brise_status bench_measure_limits(bench_limits *limits, const arch_kernels *kernels, pool *threads, brise_error *err)
{
	uint64_t *words = mmap(NULL, READ_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	read_job job = { .words = words };

	if (words == MAP_FAILED)
		return error_set(err, BRISE_ENOMEM, "no memory to measure the read rate (%zu bytes)", READ_BYTES);
	memset(words, 1, READ_BYTES);
	limits->read_gbps = measure_reads(threads, &job);
	munmap(words, READ_BYTES);
	limits->int8_gops = measure_dots(threads, kernels);
	return BRISE_OK;
}
