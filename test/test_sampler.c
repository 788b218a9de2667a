/* test_sampler.c - choosing tokens: known answers, and a slow sampler that sorts everything */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/math.h"
#include "runtime/brise.h"
#include "runtime/sample/xoshiro.h"
#include "test/check.h"
#include "test/random.h"

#define VOCAB_MAX 600

static check_counts counts;

/* All off: plain sampling at temperature 1. */
static brise_sampling plain(void)
{
	brise_sampling set;

	brise_init_sampling(&set, sizeof set);
	set.temperature = 1;
	set.top_p = 1;
	return set;
}

static brise_sampling greedy(void)
{
	brise_sampling set = plain();

	set.temperature = 0;
	return set;
}

static brise_sampler *make(const brise_sampling *set, uint32_t vocab)
{
	brise_sampler *s;
	brise_error err = { 0 };

	CHECK(&counts, brise_new_sampler(&s, vocab, set, &err) == BRISE_OK,
	      "a sampler can be made: %s", err.message);
	if (!s)
		exit(check_report("sampler", &counts));
	return s;
}

static int32_t sample(brise_sampler *s, const float *logits)
{
	int32_t token;

	return brise_sample_token(s, logits, &token, NULL) == BRISE_OK ? token : -1;
}

/* The first choice of a new sampler that has accepted `n` tokens. */
static int32_t choose(const brise_sampling *set, const float *logits, uint32_t vocab,
                      const int32_t *accepted, size_t n)
{
	brise_sampler *s = make(set, vocab);
	int32_t token;
	size_t i;

	for (i = 0; i < n; i++)
		CHECK(&counts, brise_accept_token(s, accepted[i], NULL) == BRISE_OK,
		      "token %d is accepted", accepted[i]);
	token = sample(s, logits);
	brise_free_sampler(s);
	return token;
}

/* Bit i is set if token i came up in 2,000 choices; vocab <= 32. */
static uint32_t choices(const brise_sampling *set, const float *logits, uint32_t vocab)
{
	brise_sampler *s = make(set, vocab);
	uint32_t seen = 0, i;

	for (i = 0; i < 2000; i++) {
		int32_t token = sample(s, logits);

		if (token >= 0)
			seen |= 1u << token;
	}
	brise_free_sampler(s);
	return seen;
}

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define GREEDY(set, expected, ...)                                                                 \
	CHECK(&counts,                                                                             \
	      choose(set, (const float[]){ __VA_ARGS__ },                                          \
	             LENGTH(((const float[]){ __VA_ARGS__ })), accepted,                           \
	             n_accepted) == (expected),                                                    \
	      "expected %d", (int)(expected))

static void test_random_numbers_are_the_published_ones(void)
{
	/* SplitMix64 from seed 1234567 and xoshiro256++ from state 1, 2, 3, 4, as in the tests of
	 * other implementations. */
	static const uint64_t splitmix[] = { 6457827717110365317u, 3203168211198807973u,
		                             9817491932198370423u };
	static const uint64_t words[] = { 41943041u,
		                          58720359u,
		                          3588806011781223u,
		                          3591011842654386u,
		                          9228616714210784205u,
		                          9973669472204895162u };
	uint64_t state = 1234567;
	xoshiro x = { { 1, 2, 3, 4 } };
	double u, least = 1, most = 0;
	unsigned i;

	for (i = 0; i < LENGTH(splitmix); i++)
		CHECK(&counts, xoshiro_splitmix(&state) == splitmix[i], "SplitMix64, number %u", i);
	for (i = 0; i < LENGTH(words); i++)
		CHECK(&counts, xoshiro_next(&x) == words[i], "xoshiro256++, number %u", i);
	for (i = 0; i < 100000; i++) {
		u = xoshiro_uniform(&x);
		least = u < least ? u : least;
		most = u > most ? u : most;
	}
	CHECK(&counts, least >= 0 && least < 0.001 && most < 1 && most > 0.999, "%g..%g", least,
	      most);
}

static void test_greedy(void)
{
	const int32_t *accepted = NULL;
	size_t n_accepted = 0;
	brise_sampling set = greedy();

	GREEDY(&set, 1, 1, 3, 2);
	GREEDY(&set, 1, 1, 3, 3); /* the first of the largest */
	GREEDY(&set, 0, -0.0f, 0.0f);
	GREEDY(&set, 2, NAN, -INFINITY, -5, INFINITY); /* only finite logits take part */
	GREEDY(&set, -1, NAN, -INFINITY, INFINITY);
	GREEDY(&set, 0, -3.4e38f);
}

static void test_nothing_left_is_an_error(void)
{
	const float logits[] = { NAN, INFINITY, -INFINITY };
	brise_sampling sets[] = { greedy(), plain(), plain() };
	int32_t token;
	unsigned i;

	sets[2].top_k = 2;
	for (i = 0; i < LENGTH(sets); i++) {
		brise_sampler *s = make(&sets[i], 3);
		brise_error err = { 0 };

		CHECK(&counts,
		      brise_sample_token(s, logits, &token, &err) == BRISE_EINVAL &&
		              strstr(err.message, "finite"),
		      "%s", err.message);
		brise_free_sampler(s);
	}
}

static void test_top_k(void)
{
	const float logits[] = { 0, 1, 1, 0, 1, NAN };
	brise_sampling set = plain();

	CHECK(&counts, choices(&set, logits, 6) == 0x1f, "top-k 0 keeps all");
	set.top_k = 1;
	CHECK(&counts, choices(&set, logits, 6) == 0x02, "the best of equals has the lowest id");
	set.top_k = 2;
	CHECK(&counts, choices(&set, logits, 6) == 0x06, "two");
	set.top_k = 4;
	CHECK(&counts, choices(&set, logits, 6) == 0x17, "of the equal zeros the first");
	set.top_k = 5;
	CHECK(&counts, choices(&set, logits, 6) == 0x1f, "as many as there are");
	set.top_k = 100;
	CHECK(&counts, choices(&set, logits, 6) == 0x1f, "more than there are");
}

static void test_top_p(void)
{
	/* 1/8, 1/2, 1/4, 1/8 */
	const float equal[] = { 2, 2, 2, 2 },
	            steps[] = { -2.0794415f, -0.6931472f, -1.3862944f, -2.0794415f };
	brise_sampling set = plain();
	unsigned k;

	for (k = 0; k < 2; k++) { /* sorted by top-k before, or not */
		set.top_k = k ? 3 : 0;
		set.top_p = 0;
		CHECK(&counts, choices(&set, equal, 4) == 1, "p = 0 keeps the best");
		set.top_p = k ? 0.34f : 0.25f;
		CHECK(&counts, choices(&set, equal, 4) == (k ? 3 : 1),
		      "a quarter is reached by one of four");
		set.top_p = 0.5f;
		CHECK(&counts, choices(&set, equal, 4) == 3, "a half by two");
		set.top_p = 0.51f;
		CHECK(&counts, choices(&set, equal, 4) == (k ? 3 : 7),
		      "more than a half not by two of four, but by two of three");
		set.top_p = 1;
		CHECK(&counts, choices(&set, equal, 4) == (k ? 7 : 15), "p = 1 keeps all");
		set.top_p = 0.49f;
		CHECK(&counts, choices(&set, steps, 4) == 2, "one half reaches 0.49");
		set.top_p = 0.74f;
		CHECK(&counts, choices(&set, steps, 4) == 6, "and the quarter 0.74");
		set.top_p = k ? 0.9f : 0.87f;
		CHECK(&counts, choices(&set, steps, 4) == 7, "then the first of the eighths");
	}
	set = plain();
	set.top_p = 0.6f;
	set.temperature = 0.25f; /* 1/2 : 1/4 becomes 16 : 1 */
	CHECK(&counts, choices(&set, steps, 4) == 2, "p is of the probabilities after temperature");
}

static void test_min_p(void)
{
	const float logits[] = { 0, 1, -1,
		                 1 }; /* exp(-1) = 0.368, exp(-2) = 0.135 of the likeliest */
	brise_sampling set = plain();

	set.min_p = 0.13f;
	CHECK(&counts, choices(&set, logits, 4) == 15, "0.13 keeps 0.135");
	set.min_p = 0.14f;
	CHECK(&counts, choices(&set, logits, 4) == 11, "0.14 does not");
	set.min_p = 0.37f;
	CHECK(&counts, choices(&set, logits, 4) == 10, "0.37 does not keep 0.368");
	set.min_p = 1;
	CHECK(&counts, choices(&set, logits, 4) == 10, "1 keeps those as likely as the likeliest");
	set.min_p = 0.3f;
	set.temperature = 2;
	CHECK(&counts, choices(&set, logits, 4) == 15,
	      "after temperature 2 they are 0.61 and 0.368");
}

static void test_penalties(void)
{
	const int32_t accepted[] = { 0, 0, 1 };
	size_t n_accepted = 3;
	brise_sampling set = greedy();

	GREEDY(&set, 0, 4, 3, 2);
	set.repetition_penalty = 2;
	GREEDY(&set, 2, 4, 3, 2.5f);    /* 2, 1.5: divided once however often */
	GREEDY(&set, 0, 6, 3, 2.5f);    /* 3 */
	GREEDY(&set, 2, -1, -1, -1.5f); /* -2, -2: negative ones are multiplied */
	GREEDY(&set, 0, -0.7f, -1, -1.5f);
	set.penalty_last = 1;
	GREEDY(&set, 0, 4, 3, 3.5f); /* token 0 is forgotten */
	set.penalty_last = 2;
	GREEDY(&set, 2, 4, 3, 3.5f);
	set.penalty_last = 0;
	GREEDY(&set, 0, 4, 4, 3.5f);
	set = greedy();
	set.presence_penalty = 1;
	GREEDY(&set, 2, 4, 3, 3.1f); /* 3, 2: once */
	GREEDY(&set, 0, 4, 3, 2.9f);
	set = greedy();
	set.frequency_penalty = 1;
	GREEDY(&set, 1, 4, 4, 2.9f); /* 2, 3: per occurrence */
	GREEDY(&set, 2, 4, 4, 3.1f);
	set.penalty_last = 2;
	GREEDY(&set, 0, 4, 3.9f, 2.9f); /* 3, 2.9 */
	set.presence_penalty = -3;
	GREEDY(&set, 0, 1, 0, 2.9f); /* 1 + 3 - 1 */
	set.repetition_penalty = 2;
	GREEDY(&set, 0, 2, -3, 2.9f); /* the division comes first: 2 / 2 + 3 - 1 */
}

static void test_the_ring_of_recent_tokens(void)
{
	brise_sampling set = greedy();
	brise_sampler *s;
	unsigned i, k;
	uint64_t state = 9;
	int32_t history[300];
	float logits[8];

	set.frequency_penalty = 1;
	set.penalty_last = 7;
	s = make(&set, 8);
	for (i = 0; i < 300; i++) {
		uint32_t last = 0;
		int32_t best = 0;

		history[i] = (int32_t)(random_next(&state) % 8);
		CHECK(&counts, brise_accept_token(s, history[i], NULL) == BRISE_OK, "accepted");
		for (k = 0; k < 8; k++)
			logits[k] = random_float(&state);
		for (k = 0; k < 8; k++) {
			uint32_t j;
			float seen = 0, best_seen = 0;

			last = i + 1 < 7 ? i + 1 : 7;
			for (j = 0; j < last; j++) {
				seen += history[i - j] == (int32_t)k;
				best_seen += history[i - j] == best;
			}
			if (logits[k] - seen > logits[best] - best_seen)
				best = (int32_t)k;
		}
		CHECK(&counts, sample(s, logits) == best, "step %u counts the last 7 tokens", i);
	}
	CHECK(&counts,
	      brise_accept_token(s, -1, NULL) == BRISE_EINVAL &&
	              brise_accept_token(s, 8, NULL) == BRISE_EINVAL,
	      "ids outside are refused");
	brise_free_sampler(s);
}

static void test_bias(void)
{
	const int32_t accepted[] = { 1 };
	size_t n_accepted = 1;
	brise_logit_bias bias[] = { { 0, -INFINITY }, { 2, 1.5f }, { 2, 1 } };
	brise_sampling set = greedy();
	float logits[] = { 5, 1, 0 };

	set.bias = bias;
	set.n_bias = 1;
	GREEDY(&set, 1, 5, 1, 0); /* banned */
	GREEDY(&set, -1, 5, NAN);
	set.n_bias = 2;
	GREEDY(&set, 2, 5, 1, 0);
	GREEDY(&set, 1, 5, 2, 0);
	set.n_bias = 3;
	GREEDY(&set, 2, 5, 2, 0); /* biases of one token add up */
	set.presence_penalty = 0.1f;
	bias[1] = (brise_logit_bias){ 1, 1 };
	set.n_bias = 2;
	GREEDY(&set, 2, 5, 0, 0.95f); /* 0 - 0.1 + 1 */
	set = plain();
	set.bias = bias;
	set.n_bias = 1;
	CHECK(&counts, choices(&set, logits, 3) == 6, "a banned token is never drawn");
	CHECK(&counts, logits[0] > 4, "the caller's logits stay as they are");
}

/* ---- against sorting everything -------------------------------------------------------------- */

typedef struct ranked {
	float logit, weight;
	uint32_t id;
} ranked;

static int by_rank(const void *a, const void *b)
{
	const ranked *x = a, *y = b;

	return x->logit != y->logit ? (x->logit > y->logit ? -1 : 1)
	       : x->id < y->id      ? -1
	                            : x->id > y->id;
}

static int32_t slow_sample(const brise_sampling *set, xoshiro *random, const float *logits,
                           uint32_t vocab)
{
	static ranked r[VOCAB_MAX];
	uint32_t n = 0, i;
	double whole = 0, sum = 0, u;

	for (i = 0; i < vocab; i++)
		if (isfinite(logits[i]))
			r[n++] = (ranked){ logits[i], 0, i };
	if (set->top_k > 0 && set->top_k < vocab) {
		qsort(r, n, sizeof *r, by_rank);
		n = n < set->top_k ? n : set->top_k;
	}
	for (i = 0; i < n; i++) {
		uint32_t k;
		float best = r[0].logit;

		for (k = 1; k < n; k++)
			best = r[k].logit > best ? r[k].logit : best;
		r[i].weight = math_exp((r[i].logit - best) / set->temperature);
		whole += (double)r[i].weight;
	}
	if (set->top_p < 1) {
		qsort(r, n, sizeof *r, by_rank);
		for (i = 0; i < n && (i == 0 || sum < (double)set->top_p * whole); i++)
			sum += (double)r[i].weight;
		n = i;
	}
	whole = sum = 0;
	for (i = 0; i < n; i++)
		whole += r[i].weight >= set->min_p ? (double)r[i].weight : 0;
	u = xoshiro_uniform(random) * whole;
	for (i = 0; i < n; i++) {
		sum += r[i].weight >= set->min_p ? (double)r[i].weight : 0;
		if (sum > u)
			return (int32_t)r[i].id;
	}
	return -1;
}

static void test_choices_are_those_of_sorting_everything(void)
{
	static float logits[VOCAB_MAX];
	uint64_t state = 21;
	unsigned round, i;

	for (round = 0; round < 400; round++) {
		brise_sampling set = plain();
		uint32_t vocab = 1 + (uint32_t)(random_next(&state) % VOCAB_MAX);
		xoshiro random;
		brise_sampler *s;
		bool coarse = random_next(&state) % 2, same = true;

		set.seed = random_next(&state);
		set.temperature = 0.1f + (float)(random_next(&state) % 30) / 10;
		set.top_k =
		        random_next(&state) % 2 ? (uint32_t)(random_next(&state) % (vocab + 5)) : 0;
		set.top_p =
		        random_next(&state) % 2 ? (float)(random_next(&state) % 1001) / 1000 : 1;
		set.min_p =
		        random_next(&state) % 3 ? 0 : (float)(random_next(&state) % 1000) / 5000;
		for (i = 0; i < vocab; i++) {
			logits[i] = 4 * random_gauss(&state);
			if (coarse)
				logits[i] = (float)(int)logits[i]; /* many ties */
			if (i > 0 && random_next(&state) % 16 == 0)
				logits[i] = NAN;
		}
		s = make(&set, vocab);
		random = xoshiro_seed(set.seed);
		for (i = 0; i < 20; i++)
			same = same &&
			       sample(s, logits) == slow_sample(&set, &random, logits, vocab);
		CHECK(&counts, same,
		      "round %u: vocab %u, temperature %g, top_k %u, top_p %g, min_p %g", round,
		      vocab, (double)set.temperature, set.top_k, (double)set.top_p,
		      (double)set.min_p);
		brise_free_sampler(s);
	}
}

/* ---- distribution ---------------------------------------------------------------------------- */

/* Chi-square of 100,000 draws against the probabilities of the first `kept` tokens of falling
 * logits; far beyond 5 standard deviations is wrong. */
static void check_distribution(const brise_sampling *set, const float *logits, uint32_t vocab,
                               uint32_t kept, const char *what)
{
	enum { DRAWS = 100000 };
	brise_sampler *s = make(set, vocab);
	uint32_t seen[64] = { 0 }, i;
	double whole = 0, chi = 0, freedom = kept - 1;

	for (i = 0; i < DRAWS; i++) {
		int32_t token = sample(s, logits);

		if (token >= 0)
			seen[token]++;
	}
	for (i = 0; i < kept; i++)
		whole += exp((double)logits[i] / (double)set->temperature);
	for (i = 0; i < vocab; i++) {
		double expected =
		        i < kept ? DRAWS * exp((double)logits[i] / (double)set->temperature) / whole
		                 : 0;

		if (i < kept)
			chi += ((double)seen[i] - expected) * ((double)seen[i] - expected) /
			       expected;
		else
			CHECK(&counts, seen[i] == 0, "%s: token %u is never drawn", what, i);
	}
	CHECK(&counts,
	      chi > freedom - 5 * sqrt(2 * freedom) && chi < freedom + 5 * sqrt(2 * freedom),
	      "%s: chi-square %g, %g degrees of freedom", what, chi, freedom);
	brise_free_sampler(s);
}

static void test_distribution(void)
{
	float logits[40];
	brise_sampling set = plain();
	uint32_t i;

	for (i = 0; i < 40; i++)
		logits[i] = 3 - 0.1f * (float)i;
	check_distribution(&set, logits, 40, 40, "all");
	set.temperature = 2.5f;
	set.seed = 1;
	check_distribution(&set, logits, 40, 40, "temperature 2.5");
	set.temperature = 0.5f;
	set.top_k = 12;
	check_distribution(&set, logits, 40, 12, "top-k 12");
	set = plain();
	set.top_p =
	        0.5f; /* (1 - q^n) / (1 - q^40), q = exp(-0.1): 7 tokens reach 0.5128, 6 0.4596 */
	check_distribution(&set, logits, 40, 7, "top-p 0.5");
	set = plain();
	set.min_p = 0.25f; /* exp(-1.3) = 0.27, exp(-1.4) = 0.247 */
	check_distribution(&set, logits, 40, 14, "min-p 0.25");
}

static void test_choices_are_pinned(void)
{
	static const int32_t expected[2][16] = {
		{ 270, 220, 142, 50, 359, 118, 199, 262, 254, 189, 207, 3, 372, 55, 42, 63 },
		{ 419, 165, 506, 362, 406, 303, 63, 309, 110, 478, 288, 432, 350, 37, 207, 283 }
	};
	float logits[512];
	unsigned i, k;

	for (i = 0; i < 512; i++)
		logits[i] = (float)(i * 2654435761u >> 22) / 128;
	for (k = 0; k < 2; k++) {
		brise_sampling set;
		brise_sampler *s, *twin;

		brise_init_sampling(&set, sizeof set);
		set.seed = 42;
		if (k == 1) {
			set.top_p = 1;
			set.temperature = 1.5f;
		}
		s = make(&set, 512);
		twin = make(&set, 512);
		for (i = 0; i < 16; i++) {
			int32_t token = sample(s, logits);

			CHECK(&counts, token == expected[k][i],
			      "setting %u, choice %u: %d, pinned %d", k, i, token, expected[k][i]);
			CHECK(&counts, token == sample(twin, logits),
			      "the same seed gives the same choice");
		}
		brise_free_sampler(s);
		brise_free_sampler(twin);
	}
}

/* ---- mask and rows without a piece ----------------------------------------------------------- */

static void test_rows_without_a_piece_are_never_drawn(void)
{
	const float logits[] = { 1, 2, 0, 1, 50, 90 };
	brise_logit_bias bias = { 5, 100 };
	brise_sampling set = plain();

	set.n_pieces = 4;
	set.temperature = 5;
	CHECK(&counts, choices(&set, logits, 6) == 15, "only the four pieces are drawn");
	set.top_k = 2;
	CHECK(&counts, choices(&set, logits, 6) == 3, "top-k counts pieces only");
	set.bias = &bias;
	set.n_bias = 1;
	CHECK(&counts, choices(&set, logits, 6) == 3, "no bias brings such a row back");
	set.temperature = 0;
	CHECK(&counts, choose(&set, logits, 6, NULL, 0) == 1, "greedy takes the best piece");
	set.n_pieces = 6;
	CHECK(&counts, choose(&set, logits, 6, NULL, 0) == 5, "as many pieces as rows: all");
	set.n_pieces = 0;
	CHECK(&counts, choose(&set, logits, 6, NULL, 0) == 5, "0 pieces stated: all rows");
}

static void test_the_mask_is_applied_before_everything_else(void)
{
	const float logits[] = { 9, 8, 7, 6, 5 };
	uint32_t mask[2] = { 0x1a, 0 }; /* 1, 3, 4 */
	brise_logit_bias bias = { 0, 100 };
	brise_sampling set = plain();
	static float wide[70];
	brise_sampler *s;
	unsigned i, seen = 0;

	set.top_k = 2;
	set.bias = &bias;
	set.n_bias = 1;
	s = make(&set, 5);
	CHECK(&counts, sample(s, logits) == 0, "without a mask the bias decides");
	(void)brise_set_mask(s, mask, NULL);
	for (i = 0; i < 500; i++)
		seen |= 1u << sample(s, logits);
	CHECK(&counts, seen == 0xa, "the two best that the mask allows: 0x%x", seen);
	mask[0] = 4;
	CHECK(&counts, sample(s, logits) == 2, "a mask that changes counts at once");
	mask[0] = 0;
	CHECK(&counts, sample(s, logits) == -1, "nothing allowed is an error");
	(void)brise_set_mask(s, NULL, NULL);
	CHECK(&counts, sample(s, logits) == 0, "NULL takes the mask away");
	brise_free_sampler(s);
	set = greedy();
	s = make(&set, 70);
	mask[0] = mask[1] = 0;
	{
		uint32_t three[3] = { 0, 0, 1u << 5 };

		(void)brise_set_mask(s, three, NULL);
		CHECK(&counts, sample(s, wide) == 69, "bit 5 of the third word is token 69");
	}
	brise_free_sampler(s);
}

/* ---- numbers at the limits of float ---------------------------------------------------------- */

static void check_extremes(brise_sampling *set, const float *logits, uint32_t vocab)
{
	static const float temperatures[] = { 0, 1e-45f, 1e-38f, 1e-30f, 1, FLT_MAX },
	                   top_ps[] = { 0, 0.5f, 1 }, min_ps[] = { 0, 0.5f, 1 };
	static const uint32_t top_ks[] = { 0, 1, 3 };
	unsigned t, p, m, k, i;

	for (t = 0; t < LENGTH(temperatures); t++)
		for (p = 0; p < LENGTH(top_ps); p++)
			for (m = 0; m < LENGTH(min_ps); m++)
				for (k = 0; k < LENGTH(top_ks); k++) {
					const int32_t accepted[] = { 0, 1, 1, 2, 3, 4 };
					int32_t token;

					set->temperature = temperatures[t];
					set->top_p = top_ps[p];
					set->min_p = min_ps[m];
					set->top_k = top_ks[k];
					for (i = 0; i < 2; i++) {
						set->seed = i;
						token = choose(set, logits, vocab, accepted,
						               LENGTH(accepted));
						CHECK(&counts,
						      token >= 0 && isfinite(logits[token]),
						      "penalties %g %g %g, temperature %g: a "
						      "finite logit is chosen, found %d",
						      (double)set->repetition_penalty,
						      (double)set->presence_penalty,
						      (double)set->frequency_penalty,
						      (double)set->temperature, token);
					}
				}
}

static void test_huge_penalties_and_biases_leave_a_choice(void)
{
	static const float penalties[] = { 0, 1e38f, -1e38f, FLT_MAX, -FLT_MAX },
	                   repetitions[] = { 1e-45f, 1e-38f, 1, 1e38f, FLT_MAX },
	                   biases[] = { 0, FLT_MAX, -FLT_MAX };
	static const float rows[][5] = { { 1, -2, 3, 0, -1 },
		                         { 1, -INFINITY, NAN, INFINITY, -1 },
		                         { FLT_MAX, -FLT_MAX, 0, 1e-45f, -1e-45f },
		                         { -FLT_MAX, -FLT_MAX, -FLT_MAX, -FLT_MAX, -FLT_MAX } };
	unsigned r, p, f, b, l;

	for (r = 0; r < LENGTH(repetitions); r++)
		for (p = 0; p < LENGTH(penalties); p++)
			for (f = 0; f < LENGTH(penalties); f++)
				for (b = 0; b < LENGTH(biases); b++) {
					brise_logit_bias bias[] = { { 0, biases[b] },
						                    { 0, biases[b] },
						                    { 4, -biases[b] } };
					brise_sampling set = plain();

					set.repetition_penalty = repetitions[r];
					set.presence_penalty = penalties[p];
					set.frequency_penalty = penalties[f];
					set.bias = bias;
					set.n_bias = LENGTH(bias);
					l = (r + p + f + b) % LENGTH(rows);
					check_extremes(&set, rows[l], 5);
				}
}

static void test_an_overflown_logit_keeps_its_sign(void)
{
	const int32_t accepted[] = { 0 };
	size_t n_accepted = 1;
	brise_logit_bias bias[] = { { 0, -INFINITY }, { 0, FLT_MAX } };
	brise_sampling set = greedy();

	set.presence_penalty = FLT_MAX;
	GREEDY(&set, 1, -FLT_MAX, -5); /* stays the worst */
	set.presence_penalty = -FLT_MAX;
	GREEDY(&set, 0, FLT_MAX, 5); /* stays the best */
	set = greedy();
	set.repetition_penalty = 1e-45f;
	GREEDY(&set, 0, 1, 1e30f); /* 1 / 1e-45 is beyond floats and above 1e30 */
	set = greedy();
	set.bias = bias;
	set.n_bias = 2;
	GREEDY(&set, 1, 5, -5); /* a ban stays a ban with other biases added */
	GREEDY(&set, -1, 5, NAN);
}

static void refuses(const brise_sampling *set, uint32_t vocab, const char *part)
{
	brise_sampler *s;
	brise_error err = { 0 };

	CHECK(&counts,
	      brise_new_sampler(&s, vocab, set, &err) == BRISE_EINVAL && !s &&
	              strstr(err.message, part),
	      "expected %s, found \"%s\"", part, err.message);
	brise_free_sampler(s);
}

static void test_senseless_settings_are_named(void)
{
	const float wrong[] = { NAN, INFINITY, -1 };
	brise_logit_bias bias = { 5, 0 };
	brise_sampling set;
	unsigned i;

	for (i = 0; i < LENGTH(wrong); i++) {
		set = plain(), set.temperature = wrong[i], refuses(&set, 5, "temperature");
		set = plain(), set.top_p = wrong[i], refuses(&set, 5, "top_p");
		set = plain(), set.min_p = wrong[i], refuses(&set, 5, "min_p");
		set = plain(), set.repetition_penalty = wrong[i],
		refuses(&set, 5, "repetition_penalty");
	}
	set = plain(), set.top_p = 1.01f, refuses(&set, 5, "top_p");
	set = plain(), set.repetition_penalty = 0, refuses(&set, 5, "repetition_penalty");
	set = plain(), set.presence_penalty = NAN, refuses(&set, 5, "presence_penalty");
	set = plain(), set.frequency_penalty = INFINITY, refuses(&set, 5, "frequency_penalty");
	set = plain(), set.penalty_last = UINT32_MAX, refuses(&set, 5, "penalty_last");
	set = plain(), set.n_bias = 1, refuses(&set, 5, "bias");
	set.bias = &bias, refuses(&set, 5, "token id 5");
	bias.token = 1, bias.bias = INFINITY, refuses(&set, 5, "bias 0");
	bias.bias = NAN, refuses(&set, 5, "bias 0");
	set = plain(), refuses(&set, 0, "vocabulary of 0");
	set.n_pieces = 6, refuses(&set, 5, "n_pieces 6");
	brise_free_sampler(NULL);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_random_numbers_are_the_published_ones());
	RUN(test_greedy());
	RUN(test_nothing_left_is_an_error());
	RUN(test_top_k());
	RUN(test_top_p());
	RUN(test_min_p());
	RUN(test_penalties());
	RUN(test_the_ring_of_recent_tokens());
	RUN(test_bias());
	RUN(test_choices_are_those_of_sorting_everything());
	RUN(test_distribution());
	RUN(test_choices_are_pinned());
	RUN(test_rows_without_a_piece_are_never_drawn());
	RUN(test_the_mask_is_applied_before_everything_else());
	RUN(test_huge_penalties_and_biases_leave_a_choice());
	RUN(test_an_overflown_logit_keeps_its_sign());
	RUN(test_senseless_settings_are_named());
	return check_report("sampler", &counts);
}
