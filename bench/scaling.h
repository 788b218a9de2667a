/* scaling.h - how decode and prefill scale with threads on this machine, and how many to use */
#ifndef BENCH_SCALING_H
#define BENCH_SCALING_H

#include "arch/kernels.h"
#include "runtime/brise.h"

typedef struct scaling_row {
	unsigned threads;
	double read_gbps; /* weights of q4 read by matrix x vector */
	double int8_gops; /* matrix x matrix of 64 tokens; 0: not measured */
} scaling_row;

#define SCALING_ROWS 256u

/* Measures with `threads` threads. decode_only leaves prefill out. Takes some hundredths of a
 * second. Errors: BRISE_ENOMEM, BRISE_EIO (no more threads). */
brise_status scaling_measure(scaling_row *row, const arch_kernels *kernels, unsigned threads,
                             bool decode_only, brise_error *err);

/* The fewest threads that decode nearly as fast as the best of rows [n]. */
unsigned scaling_choose(const scaling_row *rows, unsigned n);

/* Tries 1, 2, 4, ... up to all logical processors that the process may use, and chooses. Errors as
 * above. */
brise_status scaling_choose_here(unsigned *threads, const arch_kernels *kernels, brise_error *err);

#endif
