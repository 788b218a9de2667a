/* roofline.h - draws the measured kernels under this machine's limits */
#ifndef BENCH_ROOFLINE_H
#define BENCH_ROOFLINE_H

#include <stdio.h>

#include "bench/kernels.h"

/* Writes an SVG: operations per second over operations per byte read, both logarithmic, after S.
 * Williams, A. Waterman and D. Patterson, "Roofline" (CACM 52/4, 2009). Write errors are left in
 * the stream. */
void roofline_write(FILE *out, const bench_set *sets, unsigned n_sets, unsigned threads);

#endif
