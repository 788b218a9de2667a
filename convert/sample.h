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

/* Encodes some tiles of the matrix in its type, which has a codebook: the squared error, weighed as
 * the conversion weighs it, over the squared norm. Errors: those of the source's read;
 * BRISE_ENOMEM. */
brise_status sample_measure(const sample *s, const format_tensor *t, double *relative_error,
                            brise_error *err);

#endif
