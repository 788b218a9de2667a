/* moments.h - sums of products of a matrix's inputs, accumulated chunk by chunk */
#ifndef CONVERT_CALIBRATION_MOMENTS_H
#define CONVERT_CALIBRATION_MOMENTS_H

#include "arch/tools/tools.h"
#include "runtime/os/threads.h"

/* Sums over tokens of x x^T, within spans of columns. */
typedef struct moments {
	uint32_t cols, span; /* span 0: squares alone */
	double *squares;     /* [cols padded to 16] */
	/* per span: tiles [16][16] of the lower triangle, row of tiles after row of tiles */
	float **sums;
	float *panels; /* scratch: the inputs of some tokens, transposed */
} moments;

/* All sums are zero. Errors: BRISE_ENOMEM. Call moments_free in the end and after an error. */
brise_status moments_new(moments *m, uint32_t cols, uint32_t span, brise_error *err);
void moments_clear(moments *m);
void moments_free(moments *m);

/* Adds n rows of cols elements, stride apart; padding up to the stride, a multiple of 128, is
 * zeros. The result depends neither on threads nor on tools, and on the division into calls only
 * where they do not end at multiples of 256 rows. */
void moments_add(moments *m, const float *rows, size_t stride, uint32_t n, const arch_tools *tools,
                 pool *threads);

/* The input's data as a calibration file holds it (convert/calibration/calibration.h), of which
 * `bytes` has room for all. */
void moments_store(const moments *m, uint64_t tokens, void *bytes, pool *threads);

#endif
