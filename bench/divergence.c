/* divergence.c - sums over positions, and the estimates they give */
#include "bench/divergence.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

brise_status divergence_prepare(divergence *d, size_t vocab, size_t positions, brise_error *err)
{
	*d = (divergence){ .vocab = vocab, .room = positions };
	if (positions == 0)
		return BRISE_OK;
	if (positions > SIZE_MAX / sizeof *d->klds ||
	    !(d->klds = memory_new(positions, sizeof *d->klds)))
		return error_set(err, BRISE_ENOMEM,
		                 "no memory for the divergences of %zu positions", positions);
	return BRISE_OK;
}

void divergence_free(divergence *d)
{
	memory_free(d->klds);
	*d = (divergence){ .n = 0 };
}

/* ---- one position ---------------------------------------------------------------------------- */

static size_t find_top(const float *logits, size_t vocab)
{
	size_t top = 0, i;

	for (i = 1; i < vocab; i++)
		if (logits[i] > logits[top])
			top = i;
	return top;
}

/* log of the sum of exponentials; from the largest on, so that nothing overflows. */
static double log_sum(const float *logits, size_t vocab, size_t top)
{
	const double largest = (double)logits[top];
	double sum = 0;
	size_t i;

	for (i = 0; i < vocab; i++)
		sum += exp((double)logits[i] - largest);
	return log(sum) + largest;
}

/* Terms whose p is too small for a double are zero whatever q is: p log p goes to 0 with p. */
static double measure_kld(const float *p, double p_log_sum, const float *q, double q_log_sum,
                          size_t vocab)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < vocab; i++) {
		double log_p = (double)p[i] - p_log_sum, share = exp(log_p);

		if (share > 0)
			sum += share * (log_p - ((double)q[i] - q_log_sum));
	}
	return sum;
}

static void add_value(divergence_sums *s, double value)
{
	s->sum += value;
	s->squares += value * value;
}

void divergence_add(divergence *d, const float *logits, const float *reference, int32_t next)
{
	size_t top = find_top(logits, d->vocab), reference_top;
	double model_log = log_sum(logits, d->vocab, top), model = model_log - (double)logits[next],
	       reference_log, other, kld;

	add_value(&d->model, model);
	if (reference && d->n < d->room) {
		reference_top = find_top(reference, d->vocab);
		reference_log = log_sum(reference, d->vocab, reference_top);
		other = reference_log - (double)reference[next];
		kld = measure_kld(reference, reference_log, logits, model_log, d->vocab);
		add_value(&d->reference, other);
		add_value(&d->difference, model - other);
		add_value(&d->kld, kld);
		d->klds[d->n] = kld;
		d->same_top += top == reference_top;
	}
	d->n++;
}

/* ---- estimates ------------------------------------------------------------------------------- */

/* Mean and its standard error: s / sqrt(n) with the unbiased variance s^2. */
static divergence_estimate estimate_mean(const divergence_sums *s, size_t n)
{
	double count = (double)n, mean = n ? s->sum / count : NAN, variance;

	if (n < 2)
		return (divergence_estimate){ mean, NAN };
	variance = (s->squares - s->sum * mean) / (count - 1);
	return (divergence_estimate){ mean, variance > 0 ? sqrt(variance / count) : 0 };
}

/* The error of exp(x) is exp(x) times that of x, as far as that is small. */
static divergence_estimate estimate_exp(const divergence_sums *s, size_t n)
{
	divergence_estimate mean = estimate_mean(s, n);
	double value = exp(mean.value);

	return (divergence_estimate){ value, value * mean.error };
}

divergence_estimate divergence_perplexity(const divergence *d)
{
	return estimate_exp(&d->model, d->n);
}

divergence_estimate divergence_reference_perplexity(const divergence *d)
{
	return estimate_exp(&d->reference, d->n);
}

divergence_estimate divergence_perplexity_ratio(const divergence *d)
{
	return estimate_exp(&d->difference, d->n);
}

divergence_estimate divergence_mean(const divergence *d)
{
	return estimate_mean(&d->kld, d->n);
}

/* Binomial: the variance of one position is p (1 - p). */
divergence_estimate divergence_same_top(const divergence *d)
{
	double p = d->n ? (double)d->same_top / (double)d->n : NAN;

	return (divergence_estimate){ p, d->n < 2 ? NAN : sqrt(p * (1 - p) / (double)(d->n - 1)) };
}

static int compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between the order statistics below and above a rank in [0, n - 1]. */
static double value_at(const double *sorted, size_t n, double rank)
{
	size_t below = (size_t)rank;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* The number of values below the true percentile is binomial with mean np and deviation sqrt(n p (1
 * - p)), whatever the values' distribution. The order statistics one deviation below and above rank
 * np therefore enclose it as often as one standard error around an estimate would, and half their
 * distance is the standard error (R. Woodruff, "Confidence intervals for medians and other position
 * measures", JASA 47, 1952; H. David and H. Nagaraja, "Order Statistics", 3rd edition, section
 * 7.1). Unlike sqrt(p (1 - p) / n) over the density it needs no density, which is unknown in the
 * tail. */
divergence_estimate divergence_percentile(divergence *d, double p)
{
	double rank, deviation, error = NAN;

	if (d->n == 0 || !d->klds)
		return (divergence_estimate){ NAN, NAN };
	qsort(d->klds, d->n, sizeof *d->klds, compare_values);
	rank = p * (double)(d->n - 1);
	deviation = sqrt(p * (1 - p) * (double)d->n);
	if (rank >= deviation && rank + deviation <= (double)(d->n - 1))
		error = (value_at(d->klds, d->n, rank + deviation) -
		         value_at(d->klds, d->n, rank - deviation)) /
		        2;
	return (divergence_estimate){ value_at(d->klds, d->n, rank), error };
}
