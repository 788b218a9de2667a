/* compare.h - two sources of one model's weights, tensor by tensor: the error of one against the
 * other */
#ifndef CONVERT_COMPARE_H
#define CONVERT_COMPARE_H

#include "convert/convert.h"

/* Sums over a tensor's weights a and their reference b. */
typedef struct compare_sums {
	double error;   /* (a - b)^2 */
	double norm;    /* b^2 */
	double largest; /* |a - b| */
} compare_sums;

typedef struct compare_tensor {
	char name[48]; /* "layers.3.wq" */
	uint32_t rows, cols;
	const char *types[2]; /* of a and b; NULL: unknown */
	compare_sums sums;
} compare_tensor;

typedef struct compare_options {
	/* 0: one per core this process may use. The sums are the same for any number */
	unsigned threads;
	/* weights; called from the calling thread. NULL: never */
	void (*progress)(void *user, const char *tensor, uint64_t done, uint64_t total);
	brise_cancel_fn *cancel; /* NULL: never */
	void *user;
} compare_options;

/* Compares a with b in the order of the file. *list: from memory_new [*n], freed by the caller with
 * memory_free; NULL after an error.
 * Errors: BRISE_EINVAL layers or shapes differ (a_name and b_name are the sources in the
 * message), those of the sources' reads, BRISE_ENOMEM, BRISE_ECANCELED. */
brise_status compare_sources(const convert_source *a, const char *a_name, const convert_source *b,
                             const char *b_name, const compare_options *options,
                             compare_tensor **list, size_t *n, brise_error *err);

/* Squared error over squared norm: 0 for equal tensors, infinite where a zero tensor is not
 * matched. */
double compare_relative_error(const compare_sums *sums);

/* Adds the sums of another tensor: the whole model's are those of all tensors. */
void compare_add(compare_sums *sums, const compare_sums *other);

#endif
