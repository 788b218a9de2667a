/* sample.h - the error that a type with a codebook would make in a matrix, estimated from some of
 * its rows */
#ifndef CONVERT_SAMPLE_H
#define CONVERT_SAMPLE_H

#include "convert/calibration/calibration.h"
#include "convert/convert.h"

typedef struct sample {
	const convert_source *source;
	const calibration *calibration; /* NULL: all columns count alike */
	book_errors_fn *errors;
} sample;

/* A types_measure_fn (convert/types.h) whose user is a sample: encodes some tiles of the matrix in
 * its type, which has a codebook. */
brise_status sample_measure(void *user, const format_tensor *t, double *relative_error,
                            brise_error *err);

#endif
