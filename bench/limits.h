/* limits.h - what this machine can do, measured with the same threads in the same run as what is compared with it */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include "arch/kernels.h"
#include "runtime/threads.h"

typedef struct bench_limits {
	double read_gbps; /* 1e9 bytes read from memory per second */
	double int8_gops; /* 1e9 int8 multiplications and additions per second, with the set's dot product sequence */
} bench_limits;

double bench_clock(void);

/* The middle value of `values` [n]; sorts them. */
double bench_median(double *values, unsigned n);

/* Medians of several passes. Errors: BRISE_ENOMEM. */
brise_status bench_measure_limits(bench_limits *limits, const arch_kernels *kernels, pool *threads, brise_error *err);

#endif
