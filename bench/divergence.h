/* divergence.h - how well a model predicts a text and how far it is from a reference, gathered
 * position by position
 *
 * At each scored position the model's logits give the probabilities q of the next token, the
 * reference's p. What is gathered, in doubles and in order of position, so that no figure depends
 * on how the text was cut or by how many threads it was evaluated:
 *     -log q(next), -log p(next)               their means are the logarithms of the perplexities
 *     KL(p || q) = sum p log(p / q), in nats   0 where both agree (S. Kullback and R. Leibler, "On
 *                                              information and sufficiency", 1951)
 *     whether the likeliest token is the same  the first of the largest logits, as greedy decoding
 *                                              takes it
 *
 * Standard errors treat positions as independent draws from text of this kind. Neighbours are not
 * quite independent, so the errors are a little small; both models see the same positions, so
 * differences between them (ratio, KL) vary far less than either perplexity.
 */
#ifndef CLI_DIVERGENCE_H
#define CLI_DIVERGENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

/* A figure and its standard error; NAN where there are too few values for one. */
typedef struct divergence_estimate {
	double value, error;
} divergence_estimate;

typedef struct divergence_sums {
	double sum, squares;
} divergence_sums;

/* Zero-initialised or prepared; divergence_free takes both. */
typedef struct divergence {
	size_t vocab, n;
	/* negative log-likelihoods, and model's minus reference's */
	divergence_sums model, reference, difference;
	divergence_sums kld;
	size_t same_top;
	double *klds; /* [room] of all positions, for percentiles; NULL without a reference */
	size_t room;
} divergence;

/* Makes room for `positions` comparisons with a reference, 0: none. Errors: BRISE_ENOMEM. */
brise_status divergence_prepare(divergence *d, size_t vocab, size_t positions, brise_error *err);
void divergence_free(divergence *d);

/* Adds one position: logits and reference [vocab], `next` the token that follows in the text.
 * reference: NULL exactly when none was prepared for. */
void divergence_add(divergence *d, const float *logits, const float *reference, int32_t next);

/* exp of the mean negative log-likelihood. NAN values without any position. */
divergence_estimate divergence_perplexity(const divergence *d);
divergence_estimate divergence_reference_perplexity(const divergence *d);

/* Model's over reference's, with the error of the difference at equal positions. */
divergence_estimate divergence_perplexity_ratio(const divergence *d);

/* KL(reference || model) in nats per token. */
divergence_estimate divergence_mean(const divergence *d);

/* The value that a share `p` of all positions stays below, interpolated between order statistics.
 * Sorts the values: nothing may be added afterwards. The error is NAN where so few values lie above
 * that the interval it comes from would end outside the sample (p = 0.99: below about 100
 * positions). */
divergence_estimate divergence_percentile(divergence *d, double p);

/* Share of positions where both take the same token. */
divergence_estimate divergence_same_top(const divergence *d);

#endif
