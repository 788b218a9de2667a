/* sampler.c - choosing the next token from logits
 *
 * Order: mask, penalties, bias, top-k, temperature, top-p (Holtzman and others, arXiv 1904.09751),
 * min-p (Nguyen and others, arXiv 2407.01082), draw. The same seed and logits give the same choice
 * everywhere: exp is the project's own, sums are doubles in a fixed order, and the only numbers are
 * from xoshiro.h.
 *
 * What is exact:
 * - only finite logits take part: NaN and infinities are never chosen. Penalties and biases keep a
 *   finite logit finite: what overflows stays at the largest float, so they never end a text;
 * - of two tokens the better has the larger logit, or the lower id where logits are equal. Top-k
 *   and top-p keep the best;
 * - every choice at a temperature above 0 takes exactly one random number u. The tokens kept are
 *   taken best first after top-k or top-p, by id otherwise, and the first is chosen at which the
 *   running sum of weights exceeds u times the whole sum.
 *
 * A vocabulary of 32,768 is never sorted: top-k is a heap of k, and top-p takes the best from a
 * heap of those that can matter until p is reached.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "arch/float_env.h"
#include "arch/math.h"
#include "runtime/brise.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/sample/sampler.h"
#include "runtime/sample/xoshiro.h"
#include "runtime/sized.h"

#define PENALTY_LAST_MAX (1u << 20)

typedef struct candidate {
	float logit;
	float weight; /* probability over that of the best: in [0, 1], 1 for the best */
	uint32_t id;
} candidate;

struct brise_sampler {
	brise_sampling settings; /* bias points to our copy */
	uint32_t vocab;
	xoshiro random;
	brise_logit_bias *bias;
	float *logits;         /* [vocab] adjusted */
	candidate *candidates; /* [vocab] */
	uint32_t *recent;      /* [penalty_last], a ring of tokens */
	uint32_t n_recent, next_recent;
	uint32_t *counts;     /* [vocab] how often a token is among the recent */
	uint32_t *last_place; /* [vocab] its last place in the ring, if it is there */
	uint32_t n_pieces;    /* ids from here on are never drawn */
	const uint32_t *mask; /* the caller's; NULL: none */
};

/* ---- making one ----------------------------------------------------------------------------- */

static const brise_sampling default_sampling = { .size = sizeof(brise_sampling),
	                                         .temperature = 0.7f,
	                                         .top_p = 0.95f,
	                                         .repetition_penalty = 1,
	                                         .penalty_last = 64 };

void brise_init_sampling(brise_sampling *sampling, size_t size)
{
	sized_write(sampling, size, &default_sampling, sizeof default_sampling);
}

/* Comparisons are written so that NaN fails them. */
static brise_status check_sampling(const brise_sampling *s, uint32_t vocab, brise_error *err)
{
	size_t i;

	if (vocab == 0 || vocab > INT32_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "vocabulary of %" PRIu32 ", expected 1..%" PRId32, vocab,
		                 INT32_MAX);
	if (!(s->temperature >= 0) || !isfinite(s->temperature))
		return error_set(err, BRISE_EINVAL, "temperature %g, expected 0 or more",
		                 (double)s->temperature);
	if (!(s->top_p >= 0 && s->top_p <= 1))
		return error_set(err, BRISE_EINVAL, "top_p %g, expected 0..1", (double)s->top_p);
	if (!(s->min_p >= 0 && s->min_p <= 1))
		return error_set(err, BRISE_EINVAL, "min_p %g, expected 0..1", (double)s->min_p);
	if (!(s->repetition_penalty > 0) || !isfinite(s->repetition_penalty))
		return error_set(err, BRISE_EINVAL, "repetition_penalty %g, expected more than 0",
		                 (double)s->repetition_penalty);
	if (!isfinite(s->presence_penalty))
		return error_set(err, BRISE_EINVAL, "presence_penalty %g, expected a number",
		                 (double)s->presence_penalty);
	if (!isfinite(s->frequency_penalty))
		return error_set(err, BRISE_EINVAL, "frequency_penalty %g, expected a number",
		                 (double)s->frequency_penalty);
	if (s->penalty_last > PENALTY_LAST_MAX)
		return error_set(err, BRISE_EINVAL, "penalty_last %" PRIu32 ", expected at most %u",
		                 s->penalty_last, PENALTY_LAST_MAX);
	if (s->n_pieces > vocab)
		return error_set(err, BRISE_EINVAL,
		                 "n_pieces %" PRIu32
		                 ", expected at most the vocabulary of %" PRIu32,
		                 s->n_pieces, vocab);
	if (s->n_bias > 0 && !s->bias)
		return error_set(err, BRISE_EINVAL, "n_bias is %zu but bias is NULL", s->n_bias);
	for (i = 0; i < s->n_bias; i++) {
		if (s->bias[i].token < 0 || (uint32_t)s->bias[i].token >= vocab)
			return error_set(err, BRISE_EINVAL,
			                 "bias %zu: token id %" PRId32
			                 " outside the vocabulary of %" PRIu32,
			                 i, s->bias[i].token, vocab);
		if (!(s->bias[i].bias < INFINITY))
			return error_set(err, BRISE_EINVAL,
			                 "bias %zu: %g, expected a number or -infinity", i,
			                 (double)s->bias[i].bias);
	}
	return BRISE_OK;
}

static bool has_penalties(const brise_sampling *s)
{
	return s->penalty_last > 0 && (s->repetition_penalty != 1 || s->presence_penalty != 0 ||
	                               s->frequency_penalty != 0);
}

static brise_status make_sampler(brise_sampler **out, uint32_t vocab,
                                 const brise_sampling *sampling, brise_error *err)
{
	brise_sampler *s;
	brise_status status = check_sampling(sampling, vocab, err);

	if (status != BRISE_OK)
		return status;
	s = memory_new(1, sizeof *s);
	if (!s)
		goto no_memory;
	s->settings = *sampling;
	s->vocab = vocab;
	s->n_pieces = sampling->n_pieces > 0 ? sampling->n_pieces : vocab;
	s->random = xoshiro_seed(sampling->seed);
	s->logits = memory_new(vocab, sizeof *s->logits);
	s->candidates = memory_new(vocab, sizeof *s->candidates);
	s->bias = memory_new(sampling->n_bias + 1, sizeof *s->bias);
	if (!s->logits || !s->candidates || !s->bias)
		goto no_memory;
	if (sampling->n_bias > 0)
		memcpy(s->bias, sampling->bias, sampling->n_bias * sizeof *s->bias);
	s->settings.bias = s->bias;
	if (has_penalties(sampling)) {
		s->recent = memory_new(sampling->penalty_last, sizeof *s->recent);
		s->counts = memory_new(vocab, sizeof *s->counts);
		s->last_place = memory_new(vocab, sizeof *s->last_place);
		if (!s->recent || !s->counts || !s->last_place)
			goto no_memory;
	}
	*out = s;
	return BRISE_OK;
no_memory:
	brise_free_sampler(s);
	return error_set(err, BRISE_ENOMEM, "no memory for a sampler of %" PRIu32 " tokens", vocab);
}

brise_status brise_new_sampler(brise_sampler **out, uint32_t vocab, const brise_sampling *sampling,
                               brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out) };
	brise_sampling s = default_sampling;
	brise_status status = error_check_pointers(err, "brise_new_sampler", needed, 1);

	if (out)
		*out = NULL;
	if (status != BRISE_OK ||
	    (status = sized_read(&s, sizeof s, sampling, "sampling", err)) != BRISE_OK)
		return status;
	return make_sampler(out, vocab, &s, err);
}

brise_status sampler_count(uint32_t vocab, const brise_sampling *sampling, uint64_t *needed,
                           brise_error *err)
{
	brise_sampling s = default_sampling;
	brise_status status = sized_read(&s, sizeof s, sampling, "sampling", err);

	if (status != BRISE_OK || (status = check_sampling(&s, vocab, err)) != BRISE_OK)
		return status;
	memory_count(needed, 1, sizeof(brise_sampler));
	memory_count(needed, vocab, sizeof(float));
	memory_count(needed, vocab, sizeof(candidate));
	memory_count(needed, (uint64_t)s.n_bias + 1, sizeof *s.bias);
	if (has_penalties(&s)) {
		memory_count(needed, s.penalty_last, sizeof(uint32_t));
		memory_count(needed, vocab, sizeof(uint32_t));
		memory_count(needed, vocab, sizeof(uint32_t));
	}
	return BRISE_OK;
}

void brise_free_sampler(brise_sampler *sampler)
{
	if (!sampler)
		return;
	memory_free(sampler->bias);
	memory_free(sampler->logits);
	memory_free(sampler->candidates);
	memory_free(sampler->recent);
	memory_free(sampler->counts);
	memory_free(sampler->last_place);
	memory_free(sampler);
}

/* ---- mask, penalties and bias --------------------------------------------------------------- */

brise_status brise_set_mask(brise_sampler *sampler, const uint32_t *allowed, brise_error *err)
{
	if (!sampler)
		return error_set(err, BRISE_EINVAL, "brise_set_mask: sampler is NULL");
	sampler->mask = allowed;
	return BRISE_OK;
}

brise_status brise_accept_token(brise_sampler *sampler, int32_t token, brise_error *err)
{
	brise_sampler *s = sampler;

	if (!s)
		return error_set(err, BRISE_EINVAL, "brise_accept_token: sampler is NULL");
	if (token < 0 || (uint32_t)token >= s->vocab)
		return error_set(err, BRISE_EINVAL,
		                 "token id %" PRId32 " outside the vocabulary of %" PRIu32, token,
		                 s->vocab);
	if (!s->recent)
		return BRISE_OK;
	if (s->n_recent == s->settings.penalty_last)
		s->counts[s->recent[s->next_recent]]--;
	else
		s->n_recent++;
	s->recent[s->next_recent] = (uint32_t)token;
	s->counts[token]++;
	s->last_place[token] = s->next_recent;
	s->next_recent = s->next_recent + 1 == s->settings.penalty_last ? 0 : s->next_recent + 1;
	return BRISE_OK;
}

/* ---- state ---------------------------------------------------------------------------------- */

#define RANDOM_WORDS (sizeof(xoshiro) / sizeof(uint32_t))

size_t sampler_count_state(const brise_sampler *s)
{
	return RANDOM_WORDS + s->n_recent;
}

void sampler_save_state(const brise_sampler *s, uint32_t *words)
{
	uint32_t first = s->n_recent < s->settings.penalty_last ? 0 : s->next_recent, i;

	memcpy(words, &s->random, sizeof s->random);
	for (i = 0; i < s->n_recent; i++)
		words[RANDOM_WORDS + i] = s->recent[(first + i) % s->settings.penalty_last];
}

static void forget_recent(brise_sampler *s)
{
	if (s->recent)
		memset(s->counts, 0, s->vocab * sizeof *s->counts);
	s->n_recent = s->next_recent = 0;
}

brise_status sampler_load_state(brise_sampler *s, const uint32_t *words, size_t n, brise_error *err)
{
	size_t i;

	for (i = RANDOM_WORDS; i < n && words[i] < s->vocab; i++)
		;
	if (n < RANDOM_WORDS || i < n || n - RANDOM_WORDS > PENALTY_LAST_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "the state of a sampler has %zu words, of which %zu are right", n,
		                 n < RANDOM_WORDS ? 0 : i);
	memcpy(&s->random, words, sizeof s->random);
	forget_recent(s);
	for (i = RANDOM_WORDS; i < n; i++)
		(void)brise_accept_token(s, (int32_t)words[i], NULL);
	return BRISE_OK;
}

/* What a finite logit became, finite again. */
static float keep_finite(float logit)
{
	return logit > FLT_MAX ? FLT_MAX : logit < -FLT_MAX ? -FLT_MAX : logit;
}

static float penalize(const brise_sampling *set, float logit, uint32_t count)
{
	if (!isfinite(logit))
		return logit;
	logit = keep_finite(logit > 0 ? logit / set->repetition_penalty
	                              : logit * set->repetition_penalty);
	return keep_finite(logit - (set->presence_penalty + set->frequency_penalty * (float)count));
}

/* -INFINITY bans; every other bias leaves a finite logit finite. */
static float add_bias(float logit, float bias)
{
	return isfinite(logit) && isfinite(bias) ? keep_finite(logit + bias) : logit + bias;
}

static void mask_logits(brise_sampler *s)
{
	uint32_t id;

	for (id = s->n_pieces; id < s->vocab; id++)
		s->logits[id] = -INFINITY;
	for (id = 0; s->mask && id < s->n_pieces; id++)
		if (!(s->mask[id / 32] >> id % 32 & 1))
			s->logits[id] = -INFINITY;
}

/* The logits to choose from; the caller's own where nothing changes. */
static const float *adjust_logits(brise_sampler *s, const float *logits)
{
	uint32_t place;
	size_t i;

	if (s->n_recent == 0 && s->settings.n_bias == 0 && !s->mask && s->n_pieces == s->vocab)
		return logits;
	memcpy(s->logits, logits, s->vocab * sizeof *logits);
	mask_logits(s);
	for (place = 0; place < s->n_recent; place++) {
		uint32_t token = s->recent[place];

		if (s->last_place[token] == place) /* once per token */
			s->logits[token] =
			        penalize(&s->settings, s->logits[token], s->counts[token]);
	}
	for (i = 0; i < s->settings.n_bias; i++)
		s->logits[s->bias[i].token] =
		        add_bias(s->logits[s->bias[i].token], s->bias[i].bias);
	return s->logits;
}

/* ---- candidates ----------------------------------------------------------------------------- */

static bool is_better(const candidate *a, const candidate *b)
{
	return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

/* Moves c[at] down until the heap's order holds: the best on top, or the worst. */
static void sift_down(candidate *c, size_t n, size_t at, bool best_on_top)
{
	candidate moved = c[at];
	size_t child;

	for (; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && is_better(&c[child + 1], &c[child]) == best_on_top)
			child++;
		if (is_better(&c[child], &moved) != best_on_top)
			break;
		c[at] = c[child];
	}
	c[at] = moved;
}

static void build_heap(candidate *c, size_t n, bool best_on_top)
{
	size_t i;

	for (i = n / 2; i > 0; i--)
		sift_down(c, n, i - 1, best_on_top);
}

/* Swaps the top to c[n - 1] and repairs the heap of the n - 1 others. */
static void take_top(candidate *c, size_t n, bool best_on_top)
{
	candidate top = c[0];

	c[0] = c[n - 1];
	c[n - 1] = top;
	sift_down(c, n - 1, 0, best_on_top);
}

/* All finite logits, by id. */
static size_t collect_all(candidate *c, const float *logits, uint32_t vocab)
{
	size_t n = 0;
	uint32_t id;

	for (id = 0; id < vocab; id++)
		if (isfinite(logits[id]))
			c[n++] = (candidate){ logits[id], 0, id };
	return n;
}

/* The k best, 0 < k < vocab, best first: a heap of the best so far with the worst of them on top,
 * where each newcomer must pass it. */
static size_t collect_top_k(candidate *c, const float *logits, uint32_t vocab, uint32_t k)
{
	size_t n = 0, i;
	uint32_t id;

	for (id = 0; id < vocab; id++) {
		candidate next = { logits[id], 0, id };

		if (!isfinite(next.logit) || (n == k && !is_better(&next, &c[0])))
			continue;
		if (n < k) {
			c[n++] = next;
			if (n == k)
				build_heap(c, n, false);
		} else {
			c[0] = next;
			sift_down(c, n, 0, false);
		}
	}
	if (n < k)
		build_heap(c, n, false);
	for (i = n; i > 1; i--)
		take_top(c, i, false);
	return n;
}

/* Temperatures below the smallest normal float count as that: a host that flushes denormals to zero
 * would divide 0 by 0. Differences that overflow to -infinity weigh 0. */
static void weigh(candidate *c, size_t n, float temperature)
{
	float best = c[0].logit;
	size_t i;

	temperature = temperature < FLT_MIN ? FLT_MIN : temperature;
	for (i = 1; i < n; i++)
		best = c[i].logit > best ? c[i].logit : best;
	for (i = 0; i < n; i++)
		c[i].weight = math_exp((c[i].logit - best) / temperature);
}

static double sum_weights(const candidate *c, size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (double)c[i].weight;
	return sum;
}

/* Keeps the smallest set whose weight reaches p of the whole, 0 <= p < 1. `sorted`: best first
 * already. */
static size_t keep_top_p(candidate *c, size_t n, double p, bool sorted)
{
	double whole = sum_weights(c, n), sum = 0;
	/* n tokens lighter than this weigh less than 1 - p together, so the heavier ones reach p
	 * without them; the factor allows for rounding. */
	double least = sorted ? 0 : (1 - p) * whole / (double)n * 0.999;
	size_t heavy = 0, kept = 0, i;

	for (i = 0; i < n; i++)
		if ((double)c[i].weight >= least)
			c[heavy++] = c[i];
	if (!sorted)
		build_heap(c, heavy, true);
	while (kept < heavy && (kept == 0 || sum < p * whole)) {
		if (!sorted)
			take_top(c, heavy - kept, true);
		sum += (double)c[sorted ? kept : heavy - kept - 1].weight;
		kept++;
	}
	/* Removed from the heap they are at the end of the array, the best last. */
	for (i = 0; !sorted && i < kept && i < heavy - 1 - i; i++) {
		candidate swapped = c[i];

		c[i] = c[heavy - 1 - i];
		c[heavy - 1 - i] = swapped;
	}
	return kept;
}

static size_t keep_min_p(candidate *c, size_t n, float min_p)
{
	size_t kept = 0, i;

	for (i = 0; i < n; i++)
		if (c[i].weight >= min_p)
			c[kept++] = c[i];
	return kept;
}

static uint32_t draw(xoshiro *random, const candidate *c, size_t n)
{
	double limit = xoshiro_uniform(random) * sum_weights(c, n), sum = 0;
	uint32_t chosen = c[0].id;
	size_t i;

	for (i = 0; i < n && !(sum > limit); i++) {
		sum += (double)c[i].weight;
		if (c[i].weight > 0)
			chosen = c[i].id; /* kept if rounding makes the limit equal to the sum */
	}
	return chosen;
}

/* ---- choosing ------------------------------------------------------------------------------- */

static int32_t choose_largest(const float *logits, uint32_t vocab)
{
	float best = -INFINITY;
	int32_t chosen = -1;
	uint32_t id;

	for (id = 0; id < vocab; id++)
		if (logits[id] > best && isfinite(logits[id])) {
			best = logits[id];
			chosen = (int32_t)id;
		}
	return chosen;
}

static brise_status sample(brise_sampler *sampler, const float *logits, int32_t *token,
                           brise_error *err)
{
	const brise_sampling *set = &sampler->settings;
	candidate *c = sampler->candidates;
	bool sorted = set->top_k > 0 && set->top_k < sampler->vocab;
	size_t n;

	*token = -1;
	logits = adjust_logits(sampler, logits);
	if (set->temperature == 0) {
		*token = choose_largest(logits, sampler->vocab);
		n = *token >= 0;
	} else {
		n = sorted ? collect_top_k(c, logits, sampler->vocab, set->top_k)
		           : collect_all(c, logits, sampler->vocab);
	}
	if (n == 0)
		return error_set(err, BRISE_EINVAL,
		                 "none of the %" PRIu32 " logits is a finite number%s",
		                 sampler->vocab, sampler->mask ? " that the mask allows" : "");
	if (set->temperature == 0)
		return BRISE_OK;
	weigh(c, n, set->temperature);
	if (set->top_p < 1)
		n = keep_top_p(c, n, (double)set->top_p, sorted);
	if (set->min_p > 0)
		n = keep_min_p(c, n, set->min_p);
	*token = (int32_t)draw(&sampler->random, c, n);
	return BRISE_OK;
}

brise_status brise_sample_token(brise_sampler *sampler, const float *logits, int32_t *token,
                                brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(sampler), ERROR_ARGUMENT(logits),
		                          ERROR_ARGUMENT(token) };
	brise_status status = error_check_pointers(err, "brise_sample_token", needed, 3);
	float_env host;

	if (status != BRISE_OK)
		return status;
	host = float_env_enter();
	status = sample(sampler, logits, token, err);
	float_env_leave(host);
	return status;
}
