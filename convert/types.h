/* types.h - which type each matrix gets: the caller's choices, and where more bits help most */
#ifndef CONVERT_TYPES_H
#define CONVERT_TYPES_H

#include "runtime/brise.h"
#include "runtime/model/format.h"

/* Gives the matrices that specs [n] name their types: "PATTERN=TYPE", where PATTERN is a shell
 * pattern of a whole name ("layers.0.w2") or of its last part
 * ("wv"); of several that match, the last counts. Vectors stay as they are.
 * Errors: BRISE_EINVAL: no "=", an unknown type, or a pattern that no matrix has. */
brise_status types_apply(format_tensor *tensors, uint32_t n_tensors, const char *const *specs,
                         size_t n, brise_error *err);

/* Squared error that q4 makes of a matrix, weighed as the conversion weighs it, over its squared
 * norm: an estimate. */
typedef brise_status types_measure_fn(void *user, const format_tensor *t, double *relative_error,
                                      brise_error *err);

/* Makes some of the q4 matrices q8: those whose errors cost most for the bytes it takes, while
 * file_bytes, the size as planned, grows to no more than bits * weights / 8. */
brise_status types_spend(format_tensor *tensors, uint32_t n_tensors, uint32_t n_layers,
                         uint64_t file_bytes, double bits, types_measure_fn *measure, void *user,
                         brise_error *err);

#endif
