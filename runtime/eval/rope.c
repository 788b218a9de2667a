/* rope.c - angles in double precision
 *
 * The angle of position p and frequency f <= 1 is p * f. Below 2^k, rounding the product to double
 * costs up to 2^(k-54), and reducing it to a quarter turn (arch/math.h) rounds one more product of
 * that size: sine and cosine are off by less than 2^(k-53) in all. BRISE_POSITION_END is 2^28,
 * where that is 2^-25, as much as rounding a float in [0.5, 1) may cost. test/test_sequences.c
 * measures it.
 */
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
