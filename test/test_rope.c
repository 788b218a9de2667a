/* test_rope.c - sines and cosines of rotary embeddings at positions up to the last */
#include <inttypes.h>
#include <math.h>

#include "arch/kernels.h"
#include "runtime/brise.h"
#include "runtime/eval/fixed.h"
#include "runtime/eval/rope.h"
#include "test/check.h"

typedef struct known_angle {
	double theta;
	uint32_t head_dim, i;
	uint64_t position;
	double cosine, sine;
} known_angle;

/* Printed by test/compare_angles.py --table, which computes them with 90 digits. */
/* clang-format off */
static const known_angle known[] = {
	{ 10000.0, 128, 0, UINT64_C(10000000), -0.90727038618173961, 0.4205477931907825 },
	{ 10000.0, 128, 1, UINT64_C(10000000), 0.98664521336781807, 0.16288407822243661 },
	{ 10000.0, 128, 32, UINT64_C(10000000), -0.99936080743821243, 0.035748797972016508 },
	{ 10000.0, 128, 63, UINT64_C(10000000), 0.24419017156224881, -0.96972736380510549 },
	{ 10000.0, 128, 0, UINT64_C(1048575), 0.78804223952892749, -0.61562117305875086 },
	{ 10000.0, 128, 1, UINT64_C(1048575), 0.12116824886022297, 0.99263198390347418 },
	{ 10000.0, 128, 32, UINT64_C(1048575), 0.63230016703005298, -0.77472349827132969 },
	{ 10000.0, 128, 63, UINT64_C(1048575), -0.1358137694546615, 0.99073438419513637 },
	{ 10000.0, 128, 0, UINT64_C(1048576), 0.94380839390131199, 0.33049314002173469 },
	{ 10000.0, 128, 1, UINT64_C(1048576), -0.67760242027210271, 0.7354284193865428 },
	{ 10000.0, 128, 32, UINT64_C(1048576), 0.64001565814793493, -0.76836186613175028 },
	{ 10000.0, 128, 63, UINT64_C(1048576), -0.13592817677070246, 0.99071869405991964 },
	{ 1000000.0, 128, 0, UINT64_C(268435455), -0.91931448192924092, -0.39352367567297836 },
	{ 1000000.0, 128, 1, UINT64_C(268435455), -0.93767810374260596, 0.34750507012369003 },
	{ 1000000.0, 128, 32, UINT64_C(268435455), 0.47935330607489918, -0.87762201884129143 },
	{ 1000000.0, 128, 63, UINT64_C(268435455), 0.99471342743623747, 0.10268981097486307 },
	{ 1000000.0, 128, 0, UINT64_C(1099511627776), -0.91400407199155698, -0.40570501153282873 },
	{ 1000000.0, 128, 1, UINT64_C(1099511627776), 0.97268087465609765, -0.23214632471406668 },
	{ 1000000.0, 128, 32, UINT64_C(1099511627776), -0.9556700960433363, -0.29443958213616656 },
	{ 1000000.0, 128, 63, UINT64_C(1099511627776), 0.92418035603812898, 0.38195637121697185 },
	{ 10000.0, 128, 0, UINT64_C(1099511627777), -0.15244951207387902, -0.98831125981061063 },
	{ 10000.0, 128, 1, UINT64_C(1099511627777), -0.82710417914536005, 0.56204864277060584 },
	{ 10000.0, 128, 32, UINT64_C(1099511627777), -0.98980685422682024, 0.14241626074857563 },
	{ 10000.0, 128, 63, UINT64_C(1099511627777), 0.96739897570960687, -0.25325722456823108 },
	{ 1000000.0, 128, 0, UINT64_C(281474976710655), 0.64472007069418891, -0.76441875333097375 },
	{ 1000000.0, 128, 1, UINT64_C(281474976710655), -0.4605231620301799, 0.88764768756175139 },
	{ 1000000.0, 128, 32, UINT64_C(281474976710655), 0.44353826592818535, 0.89625543605459845 },
	{ 1000000.0, 128, 63, UINT64_C(281474976710655), 0.97978116708742247, -0.20007214853849195 },
	{ 999000000000000.0, 512, 0, UINT64_C(281474976710655), 0.64472007069418891, -0.76441875333097375 },
	{ 999000000000000.0, 512, 1, UINT64_C(281474976710655), -0.61301736548093599, -0.79006943341633751 },
	{ 999000000000000.0, 512, 128, UINT64_C(281474976710655), 0.10741412574867136, 0.99421436601451729 },
	{ 999000000000000.0, 512, 255, UINT64_C(281474976710655), 0.94846094662091407, 0.31689404023262974 },
	{ 500000.0, 20, 0, UINT64_C(35184372101177), 0.79152386305649491, -0.61113826112601 },
	{ 500000.0, 20, 1, UINT64_C(35184372101177), -0.47575778291908172, -0.87957633664845702 },
	{ 500000.0, 20, 5, UINT64_C(35184372101177), 0.77793520653885684, 0.62834450298172118 },
	{ 500000.0, 20, 9, UINT64_C(35184372101177), 0.96543459358263006, 0.26064544023240072 },
};
/* clang-format on */

/* Parts of a turn, rounded down; printed likewise. */
typedef struct known_turns {
	double theta;
	uint32_t head_dim, i;
	uint64_t high, low;
} known_turns;

/* clang-format off */
static const known_turns known_frequencies[] = {
	{ 10000.0, 128, 0, UINT64_C(0x28be60db9391054a), UINT64_C(0x7f09d5f47d4d3770) },
	{ 10000.0, 128, 1, UINT64_C(0x234855e55644662e), UINT64_C(0xb8f8cd8867f175c0) },
	{ 10000.0, 128, 63, UINT64_C(0x00013458e2f59024), UINT64_C(0x2936c000b86fbaba) },
	{ 1000000.0, 128, 40, UINT64_C(0x0001dad5016848ff), UINT64_C(0x5426adaf46a33540) },
	{ 999000000000000.0, 512, 255, UINT64_C(0x0000000000000d23), UINT64_C(0x4e68906bb1145922) },
	{ 1.0, 20, 9, UINT64_C(0x28be60db9391054a), UINT64_C(0x7f09d5f47d4d3770) },
};
/* clang-format on */

static float cosines[ARCH_HEAD_DIM_MAX / 2], sines[ARCH_HEAD_DIM_MAX / 2];
static rope_frequency frequencies[ARCH_HEAD_DIM_MAX / 2];

/* How much further `value` is from `exact` than rounding to float can take it. */
static double beyond_rounding(float value, double exact)
{
	int exponent;

	(void)frexp(exact, &exponent);
	return fabs((double)value - exact) - ldexp(1, exponent - 25);
}

/* Would catch frequencies with too few bits, and products that lose bits of the position. */
static void test_angles_are_right_to_rounding(check_counts *counts)
{
	unsigned k;

	for (k = 0; k < sizeof known / sizeof *known; k++) {
		const known_angle *a = &known[k];

		rope_fill_frequencies(frequencies, a->head_dim, a->theta, NULL);
		rope_fill_angles(cosines, sines, frequencies, a->head_dim, a->position, 1);
		CHECK(counts,
		      beyond_rounding(cosines[a->i], a->cosine) < 1e-9 &&
		              beyond_rounding(sines[a->i], a->sine) < 1e-9,
		      "theta %g, frequency %" PRIu32 ", position %" PRIu64
		      ": cosine %.9g, sine %.9g",
		      a->theta, a->i, a->position, (double)cosines[a->i], (double)sines[a->i]);
	}
}

/* To 128 bits: positions up to 2^48 show the first 112 of them only. */
static void test_frequencies_have_128_bits(check_counts *counts)
{
	unsigned k;

	for (k = 0; k < sizeof known_frequencies / sizeof *known_frequencies; k++) {
		const known_turns *t = &known_frequencies[k];
		const rope_frequency *f = &frequencies[t->i];
		uint64_t off;

		rope_fill_frequencies(frequencies, t->head_dim, t->theta, NULL);
		off = f->turns_low - t->low + 1; /* 0, 1 or 2 */
		CHECK(counts, f->turns == t->high && off <= 2,
		      "theta %g, frequency %" PRIu32 ": %016" PRIx64 " %016" PRIx64, t->theta, t->i,
		      f->turns, f->turns_low);
	}
}

/* FNV-1a (draft-eastlake-fnv) of floats' bits, low byte first. */
static uint64_t hash_floats(uint64_t hash, const float *floats, unsigned n)
{
	unsigned i, shift;
	uint32_t bits;

	for (i = 0; i < n; i++) {
		memcpy(&bits, &floats[i], sizeof bits);
		for (shift = 0; shift < 32; shift += 8)
			hash = (hash ^ (bits >> shift & 0xff)) * UINT64_C(0x100000001b3);
	}
	return hash;
}

static uint64_t hash_angles(uint64_t first, uint64_t step, unsigned n)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	unsigned k;

	rope_fill_frequencies(frequencies, 128, 1e6, NULL);
	for (k = 0; k < n; k++, first += step) {
		rope_fill_angles(cosines, sines, frequencies, 128, first, 1);
		hash = hash_floats(hash_floats(hash, cosines, 64), sines, 64);
	}
	return hash;
}

/* The bits that every machine, compiler and earlier version gives: would catch a change of what
 * positions below ROPE_FIXED_FROM give, and arithmetic that depends on the machine. */
static void test_angles_have_the_bits_of_every_machine(check_counts *counts)
{
	uint64_t low = hash_angles(0, 1, 20000), middle = hash_angles(20000, 503, 2000),
	         next = hash_angles(ROPE_FIXED_FROM, 50021, 5000),
	         high = hash_angles(ROPE_FIXED_FROM, (UINT64_C(1) << 35) + 12347, 8000);

	CHECK(counts, low == UINT64_C(0xbfa42ca8f8e2c526), "positions below 20,000: %016" PRIx64,
	      low);
	CHECK(counts, middle == UINT64_C(0xfa3e135b95a29013), "positions below 2^20: %016" PRIx64,
	      middle);
	CHECK(counts, next == UINT64_C(0xfb078b75d0e58f3e), "positions up to 2^28: %016" PRIx64,
	      next);
	CHECK(counts, high == UINT64_C(0x295e15b5c47de37c), "positions up to 2^48: %016" PRIx64,
	      high);
}

/* Both ways to compute an angle agree where one follows the other. */
static void test_no_step_between_double_and_fixed_point(check_counts *counts)
{
	static float before[64], after[64];
	double worst = 0, change;
	unsigned i;

	rope_fill_frequencies(frequencies, 128, 1e4, NULL);
	rope_fill_angles(before, sines, frequencies, 128, ROPE_FIXED_FROM - 1, 1);
	rope_fill_angles(after, sines, frequencies, 128, ROPE_FIXED_FROM, 1);
	for (i = 0; i < 64; i++) { /* cos(b) - cos(a) = -2 sin((a + b) / 2) sin((b - a) / 2) */
		double f = frequencies[i].radians, middle = f * ((double)ROPE_FIXED_FROM - 0.5);

		change = (double)after[i] - (double)before[i] + 2 * sin(middle) * sin(f / 2);
		worst = fabs(change) > worst ? fabs(change) : worst;
	}
	CHECK(counts, worst < 1.3e-7, "a step of %g", worst);
}

/* theta^(-1 / n) raised to n and multiplied by theta is 1. */
static void test_roots(check_counts *counts)
{
	static const double thetas[] = { 1, 1.5, 1e4, 5e5, 1e6, 999999999999999 };
	static const uint32_t n[] = { 1, 2, 3, 10, 64, 255, 256 };
	unsigned t, i, k;

	for (t = 0; t < sizeof thetas / sizeof *thetas; t++)
		for (i = 0; i < sizeof n / sizeof *n; i++) {
			fixed root = fixed_inverse_root(thetas[t], n[i]), power = root;
			double value = 0;

			for (k = 1; k < n[i]; k++)
				power = fixed_multiply(&power, &root);
			for (k = FIXED_LIMBS; k-- > 0;)
				value = (value + power.limbs[k]) / 4294967296.0;
			CHECK(counts, fabs(value * thetas[t] - 1) < 1e-15,
			      "the %" PRIu32 "th root of %g: its power is %g", n[i], thetas[t],
			      value);
		}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_angles_are_right_to_rounding(&counts));
	RUN(test_frequencies_have_128_bits(&counts));
	RUN(test_angles_have_the_bits_of_every_machine(&counts));
	RUN(test_no_step_between_double_and_fixed_point(&counts));
	RUN(test_roots(&counts));
	return check_report("rope", &counts);
}
