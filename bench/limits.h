/* limits.h - limits of this machine, measured with the same threads in the same run as the figures
 * that are compared with them */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include "arch/kernels.h"
#include "runtime/os/threads.h"

typedef struct bench_limits {
	double read_gbps; /* 1e9 bytes read from memory per second */
	/* 1e9 int8 multiplications and additions per second, with the set's dot product sequence */
	double int8_gops;
} bench_limits;

double bench_clock(void);

/* The middle value of `values` [n]; sorts them. */
double bench_median(double *values, unsigned n);

/* Bytes to read in place of `wanted`: as many, within 1 GB to 4 GB, and at most a quarter of the
 * machine's memory. A multiple of 1 MB. */
size_t bench_read_bytes(uint64_t wanted);

/* 1e9 bytes per second from the whole megabytes of bytes [size], 0 if there are none: the best of
 * several ways to read, each the median of several passes. */
double bench_measure_reads(pool *threads, const void *bytes, size_t size);

/* Medians of several passes over `size` bytes; memory is anonymous, in huge pages where the system
 * has them. Errors: BRISE_ENOMEM. */
brise_status bench_measure_limits(bench_limits *limits, const arch_kernels *kernels, pool *threads,
                                  size_t size, brise_error *err);

#endif
