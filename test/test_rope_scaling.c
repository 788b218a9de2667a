/* test_rope_scaling.c - frequencies and factors of models that were trained for more positions than
 * before, against the published formulas in libm's arithmetic
 */
#include <inttypes.h>
#include <math.h>

#include "runtime/eval/rope_scaling.h"
#include "test/check.h"

/* arXiv 2309.00071, section 3.2, with the corrections of the pairs' numbers that transformers has
 * (modeling_rope_utils.py, find_correction_range and linear_ramp_factor). */
static double yarn_radians(const format_config *c, uint32_t i)
{
	const double d = c->head_dim, pi = acos(-1), ln = log(c->rope_theta);
	double fast = d * log(c->rope_original / (c->rope_beta_fast * 2 * pi)) / (2 * ln),
	       slow = d * log(c->rope_original / (c->rope_beta_slow * 2 * pi)) / (2 * ln),
	       low = fmax(floor(fast), 0), high = fmin(ceil(slow), d - 1),
	       plain = pow(c->rope_theta, -2.0 * i / d), kept;

	if (low == high)
		high += 0.001;
	kept = 1 - fmin(fmax((i - low) / (high - low), 0), 1);
	return plain / c->rope_factor * (1 - kept) + plain * kept;
}

static void test_yarn_is_the_published_formula(check_counts *counts)
{
	static const struct {
		const char *what;
		uint32_t head_dim, original;
		double theta, factor, fast, slow;
	} cases[] = {
		{ "Ministral 3", 128, 16384, 1e6, 16, 32, 1 },
		{ "Devstral 2", 128, 4096, 1e6, 64, 4, 1 },
		{ "a fraction above a half", 128, 16384, 1e4, 4, 32, 1.1 },
		{ "all pairs turn less than often", 16, 64, 1e4, 8, 32, 1 },
		{ "the last pair turns, too", 8, 1000000, 10, 8, 50000, 0.001 },
		{ "both ends are one pair", 16, 6, 1e4, 8, 32, 1 },
		{ "no pair is blended", 128, 16384, 1e6, 1, 32, 1 },
	};
	rope_frequency frequencies[64];
	uint32_t i;
	size_t k;

	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		format_config c = { .head_dim = cases[k].head_dim,
			            .rope_theta = cases[k].theta,
			            .rope_scaling = ROPE_YARN,
			            .rope_factor = cases[k].factor,
			            .rope_beta_fast = cases[k].fast,
			            .rope_beta_slow = cases[k].slow,
			            .rope_original = cases[k].original };

		rope_scaling_fill(frequencies, &c);
		for (i = 0; i < c.head_dim / 2; i++) {
			double expected = yarn_radians(&c, i);

			CHECK(counts, fabs(frequencies[i].radians / expected - 1) < 1e-13,
			      "%s: pair %" PRIu32 " turns by %.17g, expected %.17g", cases[k].what,
			      i, frequencies[i].radians, expected);
		}
	}
}

static void test_linear_divides_all(check_counts *counts)
{
	const format_config c = {
		.head_dim = 128, .rope_theta = 1e4, .rope_scaling = ROPE_LINEAR, .rope_factor = 4
	};
	rope_frequency frequencies[64];
	uint32_t i;

	rope_scaling_fill(frequencies, &c);
	for (i = 0; i < 64; i++)
		CHECK(counts,
		      fabs(frequencies[i].radians * 4 / pow(1e4, -2.0 * i / 128) - 1) < 1e-13,
		      "pair %" PRIu32 " turns by %.17g", i, frequencies[i].radians);
}

static void test_factors(check_counts *counts)
{
	static const uint64_t positions[] = { 0,     1,     16383,  16384,
		                              16385, 32767, 262143, UINT64_C(1) << 40 };
	const format_config c = { .query_original = 16384, .query_beta = 0.1 };
	size_t i;

	for (i = 0; i < sizeof positions / sizeof *positions; i++) {
		double expected = 1 + 0.1 * log(1 + floor((double)positions[i] / 16384));
		float found = rope_scaling_query(&c, positions[i]);

		CHECK(counts, fabs(found / expected - 1) < 1e-7,
		      "queries at %" PRIu64 " times %.9g, expected %.9g", positions[i], found,
		      expected);
	}
	CHECK(counts,
	      fabs(rope_scaling_default_magnitude(16, 1) - 1.2772588722239782) < 1e-15 &&
	              fabs(rope_scaling_default_magnitude(16, 0.5) - 1.1386294361119891) < 1e-15,
	      "magnitudes %.17g and %.17g", rope_scaling_default_magnitude(16, 1),
	      rope_scaling_default_magnitude(16, 0.5));
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_yarn_is_the_published_formula(&counts));
	RUN(test_linear_divides_all(&counts));
	RUN(test_factors(&counts));
	return check_report("rope_scaling", &counts);
}
