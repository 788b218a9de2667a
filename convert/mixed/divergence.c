/* divergence.c - see divergence.h */
#include "convert/mixed/divergence.h"

#include <math.h>

/* Logarithm of the sum of exp. */
static double sum_exp(const float *logits, size_t n)
{
	double largest = (double)logits[0], sum = 0;
	size_t i;

	for (i = 1; i < n; i++)
		largest = (double)logits[i] > largest ? (double)logits[i] : largest;
	for (i = 0; i < n; i++)
		sum += exp((double)logits[i] - largest);
	return largest + log(sum);
}

void divergence_keep(const float *logits, float *reference, size_t n)
{
	double all = sum_exp(logits, n);
	size_t i;

	for (i = 0; i < n; i++)
		reference[i] = (float)((double)logits[i] - all);
}

double divergence_of(const float *logits, const float *reference, size_t n)
{
	double all = sum_exp(logits, n), sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		double p = (double)reference[i];

		sum += exp(p) * (p - ((double)logits[i] - all));
	}
	return sum;
}
