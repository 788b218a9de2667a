/* rope.c - angles in double precision, so that positions far out keep their exact phase */
#include "runtime/eval/rope.h"

#include "arch/math.h"

void rope_fill_frequencies(double *frequencies, uint32_t head_dim, double theta)
{
	double log_theta = math_log_double(theta);
	uint32_t i;

	for (i = 0; i < head_dim / 2; i++)
		frequencies[i] = math_exp_double(-log_theta * (2.0 * i / head_dim));
}

void rope_fill_angles(float *cosines, float *sines, const double *frequencies, uint32_t head_dim,
                      uint64_t position)
{
	uint32_t i;

	for (i = 0; i < head_dim / 2; i++) {
		double sine, cosine;

		math_sincos((double)position * frequencies[i], &sine, &cosine);
		sines[i] = (float)sine;
		cosines[i] = (float)cosine;
	}
}
