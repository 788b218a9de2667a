/* transformer.h - the loss of some sequences and its gradient, on one thread */
#ifndef BREEZE_CHAT_TRANSFORMER_H
#define BREEZE_CHAT_TRANSFORMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The activations of up to `most` tokens that are evaluated together. */
typedef struct transformer transformer;

/* NULL: no memory. */
transformer *transformer_allocate(size_t most);
void transformer_free(transformer *t);

/* Sequences behind each other, each attending to itself alone, with the model's window.
 *
 * tokens    [n] what the model reads, n <= most
 * targets   [n] what it shall predict after that token; -1: anything
 * begins    [n] true for the first token of a sequence
 * gradient  [N_PARAMETERS] the gradient of the loss is added to it; NULL: forward only
 *
 * Returns the sum of -ln p(target). Where `right` is not NULL, the targets that were the likeliest
 * token are added to it. */
double transformer_loss(transformer *t, const float *parameters, const int32_t *tokens,
                        const int32_t *targets, const bool *begins, size_t n, float *gradient,
                        size_t *right);

#endif
