/* moments.h - sums of products of a matrix's inputs, accumulated chunk by chunk */
#ifndef CONVERT_MOMENTS_H
#define CONVERT_MOMENTS_H

#include "runtime/brise.h"
#include "runtime/threads.h"

/* Sums over tokens of x x^T, within spans of columns. */
typedef struct moments {
	uint32_t cols, span; /* span 0: squares alone */
	double *squares;     /* [cols] */
	float **sums;        /* per span: [width][width], width padded to 8, the lower triangle of which is filled */
} moments;

/* Errors: BRISE_ENOMEM. After one, and in the end, moments_free. */
brise_status moments_new(moments *m, uint32_t cols, uint32_t span, brise_error *err);
void moments_clear(moments *m);
void moments_free(moments *m);

/* Adds n rows of cols elements, stride apart; padding up to the stride, a multiple of 128, is zeros. The result does not depend on the number of threads. */
void moments_add(moments *m, const float *rows, size_t stride, uint32_t n, pool *threads);

/* The input's data as a calibration file holds it (convert/calibration.h), of which `bytes` has room for all. */
void moments_store(const moments *m, uint64_t tokens, void *bytes);

#endif
