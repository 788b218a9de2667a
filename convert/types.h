/* types.h - which type each matrix gets: the caller's choices, and where more bits help most */
#ifndef CONVERT_TYPES_H
#define CONVERT_TYPES_H

#include "runtime/brise.h"
#include "runtime/model/format.h"

/* Gives the matrices that specs [n] name their types: "PATTERN=TYPE", where PATTERN is a shell
 * pattern of a whole name ("layers.0.w2") or of its last part
 * ("wv"); of several that match, the last counts. "output" is the embedding where there is no
 * output matrix. Vectors stay as they are.
 * Errors: BRISE_EINVAL: no "=", an unknown type, or a pattern that no matrix has. */
brise_status types_apply(format_tensor *tensors, uint32_t n_tensors, const char *const *specs,
                         size_t n, brise_error *err);

/* What a matrix loses: how far predictions diverge if it alone has that type, nats per token. */
typedef struct types_loss {
	bool open; /* its type is to be chosen */
	double q3, q4;
} types_loss;

/* An estimate of a loss without measuring: by the kind of matrix, and the relative squared error
 * that the type makes of it. A tied embedding loses as the output too. */
double types_guess_loss(const format_config *config, uint32_t kind, double relative_error);

/* Makes all matrices whose types are to be chosen q3, and of these as many as fit q4 or q8: those
 * that lose less for each byte they take come first. losses [n_tensors].
 *
 * room  bytes by which the file may grow over one where they are all q3; every matrix begins at a
 *       page
 * Errors: BRISE_ENOMEM. */
brise_status types_spend(format_tensor *tensors, uint32_t n_tensors, const types_loss *losses,
                         uint64_t room, brise_error *err);

#endif
