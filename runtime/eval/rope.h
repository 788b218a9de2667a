/* rope.h - rotary position embedding (arXiv 2104.09864, section 3.2.2), pairs stored as halves */
#ifndef RUNTIME_ROPE_H
#define RUNTIME_ROPE_H

#include <stddef.h>
#include <stdint.h>

/* From this position on angles are computed in fixed point, see rope.c. */
#define ROPE_FIXED_FROM (UINT64_C(1) << 20)

/* The angle from one position to the next. */
typedef struct rope_frequency {
	double radians;
	uint64_t turns, turns_low; /* turns * 2^-64 + turns_low * 2^-128 of a full turn */
} rope_frequency;

/* frequencies [head_dim / 2] = theta^(-2i / head_dim) * ratios[i], for theta in [1, 2^53) and
 * ratios in [2^-20, 1]. ratios NULL: all 1. */
void rope_fill_frequencies(rope_frequency *frequencies, uint32_t head_dim, double theta,
                           const double *ratios);

/* cosines and sines, [head_dim / 2] each, of one absolute position below BRISE_POSITION_END, times
 * `magnitude`. */
void rope_fill_angles(float *cosines, float *sines, const rope_frequency *frequencies,
                      uint32_t head_dim, uint64_t position, double magnitude);

#endif
