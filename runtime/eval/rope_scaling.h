/* rope_scaling.h - what models do that were trained for more positions than before: other rotary
 * frequencies, a magnitude, a factor of queries
 *
 * All of it is computed when a model is used, from a few numbers of its configuration, by the
 * project's own exp and log: the same bits everywhere.
 */
#ifndef RUNTIME_ROPE_SCALING_H
#define RUNTIME_ROPE_SCALING_H

#include "runtime/eval/rope.h"
#include "runtime/model/format.h"

/* The frequencies [head_dim / 2] of a model. */
void rope_scaling_fill(rope_frequency *frequencies, const format_config *config);

/* By what cosines and sines are multiplied. */
static inline double rope_scaling_magnitude(const format_config *config)
{
	return config->rope_magnitude > 0 ? config->rope_magnitude : 1;
}

/* m(a) = 0.1 a ln(factor) + 1, from which transformers and Mistral take yarn's magnitude. */
double rope_scaling_default_magnitude(double factor, double a);

/* By what a query at that position is multiplied: 1 + beta ln(1 + floor(position / original)), as
 * Llama 4 and Ministral 3 have it. */
float rope_scaling_query(const format_config *config, uint64_t position);

#endif
