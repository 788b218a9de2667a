/* rope_scaling.c - YaRN (arXiv 2309.00071), linear scaling (arXiv 2306.15595), the factor of
 * queries
 *
 * YaRN leaves pairs that turn often within the original length as they are, divides the frequency
 * of those that hardly turn by the factor, and blends in between. As transformers has it
 * (modeling_rope_utils.py, _compute_yarn_parameters), with f the frequency of pair i of d / 2:
 *
 *     turns(r) = d ln(original / (2 pi r)) / (2 ln theta)      the pair that turns r times
 *     low  = max(floor(turns(beta_fast)), 0)
 *     high = min(ceil(turns(beta_slow)), d - 1)                + 0.001 where it equals low
 *     ramp = clamp((i - low) / (high - low), 0, 1)
 *     frequency = ramp f / factor + (1 - ramp) f
 */
#include "runtime/eval/rope_scaling.h"

#include "arch/kernels.h"
#include "arch/math.h"

/* Of |x| < 2^51. */
static double round_down(double x)
{
	double rounded = round_even_double(x);

	return rounded > x ? rounded - 1 : rounded;
}

/* The pair that turns r times within the original length, as a real number. */
static double turning(const format_config *c, double r)
{
	const double turn = 6.283185307179586;

	return c->head_dim * math_log_double(c->rope_original / (turn * r)) /
	       (2 * math_log_double(c->rope_theta));
}

static void fill_yarn(double *ratios, const format_config *c)
{
	double low = round_down(turning(c, c->rope_beta_fast)),
	       high = -round_down(-turning(c, c->rope_beta_slow)), last = c->head_dim - 1.0;
	uint32_t i;

	low = low > 0 ? low : 0;
	high = high < last ? high : last;
	high += low == high ? 0.001 : 0;
	for (i = 0; i < c->head_dim / 2; i++) {
		double ramp = (i - low) / (high - low);

		ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
		ratios[i] = ramp / c->rope_factor + (1 - ramp);
	}
}

void rope_scaling_fill(rope_frequency *frequencies, const format_config *c)
{
	double ratios[ARCH_HEAD_DIM_MAX / 2];
	uint32_t i;

	for (i = 0; i < c->head_dim / 2; i++)
		ratios[i] = c->rope_scaling == ROPE_LINEAR ? 1 / c->rope_factor : 1;
	if (c->rope_scaling == ROPE_YARN)
		fill_yarn(ratios, c);
	rope_fill_frequencies(frequencies, c->head_dim, c->rope_theta, ratios);
}

double rope_scaling_default_magnitude(double factor, double a)
{
	return 0.1 * a * math_log_double(factor) + 1;
}

float rope_scaling_query(const format_config *c, uint64_t position)
{
	double step = (double)(position / c->query_original);

	return (float)(1 + c->query_beta * math_log_double(1 + step));
}
