/* kernels.h - the kernels of a set at Mistral 7B's shapes, each against the limit measured in the same run */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include "bench/limits.h"

typedef struct bench_row {
	const char *kernel; /* "q4 matrix x vector" */
	double rate, limit; /* GB/s or GOPS */
	const char *unit;
} bench_row;

#define BENCH_ROWS 6u

/* Fills rows [BENCH_ROWS]. Errors: BRISE_ENOMEM. */
brise_status bench_measure_kernels(bench_row *rows, const arch_kernels *kernels, pool *threads, const bench_limits *limits, brise_error *err);

#endif
