/* losses.h - what storing a single matrix in fewer bits costs: how far the model's predictions
 * diverge when that matrix alone is replaced
 *
 * A text goes through the original once and, for each matrix, through the original with that matrix
 * replaced: Kullback-Leibler divergence of the replaced model's predictions from the original's,
 * nats per token. Such losses add up (breeze: 0.0156 together, 0.0165 all at once), so that a
 * choice can be made from them.
 *
 * The streams of all replaced models go through the layers side by side, and each begins where its
 * matrix is: a layer is read and encoded once, and half of all passes over layers are saved.
 */
#ifndef CONVERT_MIXED_LOSSES_H
#define CONVERT_MIXED_LOSSES_H

#include "convert/encode.h"

typedef struct losses_how {
	size_t tokens; /* of the text that were used */
	bool by_layer; /* layers were measured, not single matrices */
} losses_how;

/* The loss of each matrix of the plan whose type is not chosen yet (0) if it were q3, in nats per
 * token, into losses [n_tensors]; 0 for the others. job->calibration has a text. Deterministic, for
 * any number of threads.
 *
 * With EFFORT_FAST, and where the states of single matrices leave too few tokens, each layer is
 * replaced at once, and its loss divided among its matrices by what losses [n_tensors] hold before:
 * guesses (convert/types.h). Embedding and output are measured in any case.
 * Memory: a layer as q8 and the states of all streams, at most 1 GiB.
 * Errors: those of the source's read, of the calibration and of engines; BRISE_ENOMEM,
 * BRISE_ECANCELED. */
brise_status losses_measure(const encode_job *job, double *losses, losses_how *how,
                            brise_error *err);

#endif
