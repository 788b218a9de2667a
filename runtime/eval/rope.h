/* rope.h - rotary position embedding (arXiv 2104.09864, section 3.2.2), pairs stored as halves */
#ifndef RUNTIME_ROPE_H
#define RUNTIME_ROPE_H

#include <stddef.h>
#include <stdint.h>

/* frequencies [head_dim / 2] = theta^(-2i / head_dim). */
void rope_fill_frequencies(double *frequencies, uint32_t head_dim, double theta);

/* cosines and sines, [head_dim / 2] each, of one absolute position. */
void rope_fill_angles(float *cosines, float *sines, const double *frequencies, uint32_t head_dim,
                      uint64_t position);

#endif
