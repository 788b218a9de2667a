/* kernels.h - the kernels of a set at Mistral 7B's shapes, each against the limit measured in the
 * same run */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include "bench/limits.h"

typedef struct bench_row {
	const char *kernel; /* "q4 matrix x vector" */
	double rate, limit; /* GB/s or GOPS; limit 0: none measured */
	const char *unit;
	/* as a point of the roofline: operations per second, and per byte read from memory;
	 * 0: none */
	double gops, intensity;
} bench_row;

#define BENCH_ROWS 13u

/* Tokens of a pass, of a sweep from one to many. */
#define BENCH_SWEEP 18u
extern const unsigned bench_sweep_tokens[BENCH_SWEEP];
#define BENCH_SWEPT 3u
extern const char *const bench_swept[BENCH_SWEPT]; /* names of the types */

/* One set's figures. */
typedef struct bench_set {
	const char *arch;
	bench_limits limits;
	bench_row rows[BENCH_ROWS];
	double sweeps[BENCH_SWEPT][BENCH_SWEEP]; /* seconds of one pass over a matrix */
} bench_set;

/* The first size of a sweep that costs more than the same tokens in two passes of sizes in it, by
 * more than what measuring is off (a tenth); 0: none. */
unsigned bench_find_cliff(const double seconds[BENCH_SWEEP]);

/* Fills set->rows and the sweeps against set->limits. Errors: BRISE_ENOMEM. */
brise_status bench_measure_kernels(bench_set *set, const arch_kernels *kernels, pool *threads,
                                   brise_error *err);

#endif
