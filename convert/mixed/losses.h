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

/* The loss of each matrix of the plan whose type is not chosen yet (0) if it were q3, into losses
 * [n_tensors], in nats per token; 0 for the others. job->calibration has a text. Deterministic, for
 * any number of threads. *tokens: how many of the text were used.
 * Memory: a layer as q8 and the states of all streams, at most 1 GiB.
 * Errors: those of the source's read, of the calibration and of engines; BRISE_ENOMEM,
 * BRISE_ECANCELED. */
brise_status losses_measure(const encode_job *job, double *losses, size_t *tokens,
                            brise_error *err);

#endif
