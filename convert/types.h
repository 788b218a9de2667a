/* types.h - which type each matrix gets */
#ifndef CONVERT_TYPES_H
#define CONVERT_TYPES_H

#include "runtime/brise.h"
#include "runtime/format.h"

/* Gives the matrices that specs [n] name their types: "PATTERN=TYPE", where PATTERN is a shell pattern of a whole name ("layers.0.w2") or of its last part
 * ("wv"); of several that match, the last counts. Vectors stay as they are.
 * Errors: BRISE_EINVAL: no "=", an unknown type, or a pattern that no matrix has. */
brise_status types_apply(format_tensor *tensors, uint32_t n_tensors, const char *const *specs, size_t n, brise_error *err);

#endif
