/* divergence.h - how far predictions of a token are from those of a reference */
#ifndef CONVERT_MIXED_DIVERGENCE_H
#define CONVERT_MIXED_DIVERGENCE_H

#include <stddef.h>

/* Logits [n] become the logarithms of their probabilities. */
void divergence_keep(const float *logits, float *reference, size_t n);

/* Kullback-Leibler divergence, sum p (log p - log q), in nats: p from divergence_keep, q of the
 * logits. Sums are doubles; the reference's floats leave an error of some 1e-7. */
double divergence_of(const float *logits, const float *reference, size_t n);

#endif
