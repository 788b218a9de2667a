/* test_quality.c - perplexity and divergence: against values computed by hand, and against a second
 * implementation of the protocols */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lockstep.h"
#include "test/check.h"
#include "test/evaluator.h"
#include "test/random.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define TOKENS 150u

/* ---- statistics ------------------------------------------------------------------------------ */

/* Catches p and q exchanged, a base other than e, and logits that are not normalised. */
static void test_divergence_of_two_distributions_is_the_definition(check_counts *counts)
{
	/* p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2): KL(p || q) = 1/2 log 2 + 0 - 1/4 log 2. Each
	 * with its own constant, which must not matter. */
	const float p[3] = { logf(2) + 7, 7, 7 }, q[3] = { -90, -90, logf(2) - 90 };
	divergence d;

	CHECK(counts, divergence_prepare(&d, 3, 2, NULL) == BRISE_OK, "memory");
	divergence_add(&d, q, p, 2);
	divergence_add(&d, p, p, 1);
	CHECK(counts, fabs(d.klds[0] - log(2) / 4) < 1e-5 && d.klds[1] == 0, "%.9f and %.9f",
	      d.klds[0], d.klds[1]);
	CHECK(counts, fabs(divergence_mean(&d).value - log(2) / 8) < 1e-5, "mean %.9f",
	      divergence_mean(&d).value);
	CHECK(counts, fabs(divergence_mean(&d).error - log(2) / 8) < 1e-5,
	      "error %.9f of two values", divergence_mean(&d).error);
	CHECK(counts, divergence_same_top(&d).value == 0.5 && divergence_same_top(&d).error == 0.5,
	      "same top %g", divergence_same_top(&d).value);
	/* The next tokens have probabilities 1/2 and 1/4 by the model, 1/4 and 1/4 by the
	 * reference. */
	CHECK(counts, fabs(divergence_perplexity(&d).value - sqrt(8)) < 1e-5, "perplexity %.9f",
	      divergence_perplexity(&d).value);
	CHECK(counts, fabs(divergence_reference_perplexity(&d).value - 4) < 1e-5, "reference %.9f",
	      divergence_reference_perplexity(&d).value);
	CHECK(counts, fabs(divergence_perplexity_ratio(&d).value - sqrt(0.5)) < 1e-6, "ratio %.9f",
	      divergence_perplexity_ratio(&d).value);
	CHECK(counts, fabs(divergence_perplexity_ratio(&d).error - sqrt(0.5) * log(2) / 2) < 1e-5,
	      "its error %.9f", divergence_perplexity_ratio(&d).error);
	divergence_free(&d);
}

static void test_impossible_tokens_of_the_reference_count_nothing(check_counts *counts)
{
	const float p[3] = { 0, 0, -2000 }, q[3] = { 0, 0, -1e30f };
	divergence d;

	CHECK(counts, divergence_prepare(&d, 3, 1, NULL) == BRISE_OK, "memory");
	divergence_add(&d, q, p, 0);
	CHECK(counts, d.klds[0] == 0, "%g", d.klds[0]);
	divergence_free(&d);
}

/* For values 0..n-1 in any order the percentile is p (n - 1), and its error the binomial deviation,
 * since neighbours are 1 apart. */
static void test_percentile_interpolates_between_order_statistics(check_counts *counts)
{
	const size_t n = 1000;
	divergence_estimate e;
	divergence d;
	size_t i;

	CHECK(counts, divergence_prepare(&d, 1, n, NULL) == BRISE_OK, "memory");
	for (i = 0; i < n; i++)
		d.klds[d.n++] = (double)(i * 607 % n);
	e = divergence_percentile(&d, 0.99);
	CHECK(counts, fabs(e.value - 989.01) < 1e-9 && fabs(e.error - sqrt(9.9)) < 1e-9, "%g +- %g",
	      e.value, e.error);
	d.n = 90;
	e = divergence_percentile(&d, 0.99);
	CHECK(counts, isfinite(e.value) && isnan(e.error), "%g +- %g of 90 values", e.value,
	      e.error);
	divergence_free(&d);
}

/* The spread of the percentile over many samples agrees with the error that one sample gives, for
 * values as skewed as divergences. */
static void test_percentile_tells_its_own_spread(check_counts *counts)
{
	const size_t n = 2000, samples = 400;
	double sum = 0, squares = 0, told = 0, spread;
	uint64_t seed = 4;
	divergence d;
	size_t s, i;

	CHECK(counts, divergence_prepare(&d, 1, n, NULL) == BRISE_OK, "memory");
	for (s = 0; s < samples; s++) {
		divergence_estimate e;

		for (i = 0, d.n = n; i < n; i++)
			d.klds[i] =
			        pow(-log((double)(random_next(&seed) >> 11) / 9007199254740992.0 +
			                 1e-17),
			            2);
		e = divergence_percentile(&d, 0.99);
		sum += e.value;
		squares += e.value * e.value;
		told += e.error / (double)samples;
	}
	spread = sqrt((squares - sum * sum / (double)samples) / (double)(samples - 1));
	CHECK(counts, told > 0.9 * spread && told < 1.15 * spread, "spread %g, told %g", spread,
	      told);
	divergence_free(&d);
}

/* ---- models ---------------------------------------------------------------------------------- */

typedef struct opened {
	brise_model *model;
	evaluator e;
} opened;

static opened open_model(check_counts *counts, const char *path, evaluator_options options)
{
	opened o = { NULL, { NULL, NULL } };
	brise_error err = { BRISE_OK, "" };

	options.context = TOKENS;
	CHECK(counts,
	      brise_open_model(&o.model, path, NULL, &err) == BRISE_OK &&
	              evaluator_open(&o.e, o.model, options, &err) == BRISE_OK,
	      "%s", err.message);
	return o;
}

static void close_model(opened *o)
{
	evaluator_close(&o->e);
	brise_close_model(o->model);
}

/* Probabilities of what follows, softmax as in a textbook. */
static void find_probabilities(const float *logits, size_t vocab, double *p)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < vocab; i++)
		sum += p[i] = exp((double)logits[i]);
	for (i = 0; i < vocab; i++)
		p[i] /= sum;
}

typedef struct by_hand {
	double nll, reference_nll, kld;
	size_t n, same_top;
	unsigned times[TOKENS]; /* how often each token of the text was scored */
} by_hand;

/* Adds one passage, token by token: `first` is the first token that is scored, `start` its place in
 * the text. */
static void add_by_hand(by_hand *h, opened *m, opened *r, const int32_t *tokens, size_t n,
                        size_t first, size_t start, size_t vocab)
{
	double *p = malloc(vocab * sizeof *p), *q = malloc(vocab * sizeof *q);
	const float *logits;
	size_t i, k;

	(void)brise_rewind_sequence(m->e.sequence, 0, NULL);
	(void)brise_rewind_sequence(r->e.sequence, 0, NULL);
	for (i = 0; i + 1 < n; i++) {
		size_t p_top = 0, q_top = 0;

		(void)evaluator_eval(&m->e, tokens + i, 1, &logits, NULL);
		find_probabilities(logits, vocab, q);
		(void)evaluator_eval(&r->e, tokens + i, 1, &logits, NULL);
		find_probabilities(logits, vocab, p);
		if (i + 1 < first)
			continue;
		h->times[start + i + 1]++;
		h->n++;
		h->nll -= log(q[tokens[i + 1]]);
		h->reference_nll -= log(p[tokens[i + 1]]);
		for (k = 0; k < vocab; k++) {
			h->kld += p[k] * log(p[k] / q[k]);
			p_top = p[k] > p[p_top] ? k : p_top;
			q_top = q[k] > q[q_top] ? k : q_top;
		}
		h->same_top += p_top == q_top;
	}
	free(p), free(q);
}

static void check_equal(check_counts *counts, const char *what, const divergence *d,
                        const by_hand *h)
{
	double n = (double)h->n;

	CHECK(counts, d->n == h->n && h->n > 0, "%s: %zu positions, expected %zu", what, d->n,
	      h->n);
	CHECK(counts, fabs(log(divergence_perplexity(d).value) - h->nll / n) < 1e-9,
	      "%s: perplexity %.9f", what, divergence_perplexity(d).value);
	CHECK(counts,
	      fabs(log(divergence_reference_perplexity(d).value) - h->reference_nll / n) < 1e-9,
	      "%s: reference", what);
	CHECK(counts, fabs(divergence_mean(d).value - h->kld / n) < 1e-9 && h->kld > 0,
	      "%s: divergence %.12f, expected %.12f", what, divergence_mean(d).value, h->kld / n);
	CHECK(counts, d->same_top == h->same_top && h->same_top < h->n,
	      "%s: same top %zu, expected %zu", what, d->same_top, h->same_top);
}

static const evaluator_options int8_options = { .threads = 2, .chunk = 64 },
                               f32_options = { .threads = 2, .chunk = 64, .kv = BRISE_KV_F32 };

static void test_stream_is_a_loop_over_tokens(check_counts *counts, const format_config *config,
                                              const char *coded, const char *f16,
                                              const int32_t *ids)
{
	opened m = open_model(counts, coded, int8_options),
	       r = open_model(counts, f16, f32_options);
	lockstep_job job = { .model = { m.e.engine, m.e.sequence },
		             .reference = { r.e.engine, r.e.sequence },
		             .vocab = config->vocab,
		             .ids = ids,
		             .n = TOKENS,
		             .bos = 1 };
	by_hand h = { .n = 0 };
	divergence d;

	CHECK(counts, lockstep_measure(&d, &job, NULL) == BRISE_OK, "stream");
	add_by_hand(&h, &m, &r, ids, TOKENS, 1, 0, config->vocab);
	check_equal(counts, "stream", &d, &h);
	CHECK(counts,
	      d.n == TOKENS - 1 && lockstep_count_scored(&job) == TOKENS - 1 &&
	              lockstep_count_chunks(&job) == 1,
	      "%zu scored", d.n);
	divergence_free(&d);
	close_model(&m), close_model(&r);
}

/* A second implementation of the protocol, from its description. */
static void test_chunks_are_the_described_protocol(check_counts *counts,
                                                   const format_config *config, const char *coded,
                                                   const char *f16, const int32_t *ids)
{
	static const size_t cases[][2] = { { 64, 64 }, { 64, 32 },         { 64, 31 }, { 64, 5 },
		                           { 33, 33 }, { 33, 16 },         { 33, 40 }, { 3, 3 },
		                           { 16, 1 },  { TOKENS, TOKENS }, { 50, 50 } };
	opened m = open_model(counts, coded, int8_options),
	       r = open_model(counts, f16, f32_options);
	size_t i, begin, t;
	char what[64];

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t context = cases[i][0], stride = cases[i][1], chunks = 0,
		       half = context / 2 + 1, twice = 0, left_out = 0;
		lockstep_job job = { .model = { m.e.engine, m.e.sequence },
			             .reference = { r.e.engine, r.e.sequence },
			             .vocab = config->vocab,
			             .ids = ids,
			             .n = TOKENS,
			             .context = context,
			             .stride = stride,
			             .bos = 1 };
		by_hand h = { .n = 0 };
		divergence d;

		for (begin = 0; begin + context <= TOKENS; begin += stride, chunks++) {
			int32_t chunk[TOKENS];
			size_t first = half;

			memcpy(chunk, ids + begin, context * sizeof *chunk);
			chunk[0] = 1;
			while (h.times[begin + first] > 0)
				first++;
			add_by_hand(&h, &m, &r, chunk, context, first, begin, config->vocab);
		}
		(void)snprintf(what, sizeof what, "context %zu, stride %zu", context, stride);
		CHECK(counts, lockstep_measure(&d, &job, NULL) == BRISE_OK, "%s", what);
		check_equal(counts, what, &d, &h);
		CHECK(counts,
		      lockstep_count_chunks(&job) == chunks && lockstep_count_scored(&job) == h.n,
		      "%s: %zu chunks, expected %zu", what, lockstep_count_chunks(&job), chunks);
		for (t = 0; t < TOKENS; t++) {
			twice += h.times[t] > 1;
			left_out +=
			        h.times[t] == 0 && t >= half && t < context + (chunks - 1) * stride;
		}
		CHECK(counts, twice == 0, "%s: %zu tokens count twice", what, twice);
		CHECK(counts, stride > context - half || left_out == 0,
		      "%s: %zu tokens between the scored ones are left out", what, left_out);
		divergence_free(&d);
	}
	close_model(&m), close_model(&r);
}

/* llama.cpp's perplexity tool scores 255 of every 512 tokens, from the 257th on (its loop over
 * first = n_ctx / 2 .. n_ctx - 2 predicts the token after each). */
static void test_usual_protocol_scores_255_of_512(check_counts *counts)
{
	lockstep_job job = { .n = 1300, .context = 512, .stride = 512 };

	CHECK(counts, lockstep_count_chunks(&job) == 2 && lockstep_count_scored(&job) == 2 * 255,
	      "%zu scored", lockstep_count_scored(&job));
	job.n = 511;
	CHECK(counts, lockstep_count_chunks(&job) == 0 && lockstep_count_scored(&job) == 0,
	      "a text shorter than a chunk has none");
}

/* Catches a begin token put where the model has none, and one that is forgotten. */
static void test_chunks_begin_with_the_begin_token_if_there_is_one(check_counts *counts,
                                                                   const format_config *config,
                                                                   const char *path,
                                                                   const int32_t *ids)
{
	double with[2], without;
	opened m = open_model(counts, path, f32_options);
	lockstep_job job = { .model = { m.e.engine, m.e.sequence },
		             .vocab = config->vocab,
		             .ids = ids,
		             .n = 40,
		             .context = 40,
		             .stride = 40,
		             .bos = 1 };
	int32_t begun[40];
	divergence d;
	unsigned i;

	memcpy(begun, ids, sizeof begun);
	begun[0] = 1;
	for (i = 0; i < 2; i++, job.ids = begun) {
		(void)lockstep_measure(&d, &job, NULL);
		with[i] = divergence_perplexity(&d).value;
		divergence_free(&d);
	}
	job.ids = ids;
	job.bos = -1;
	(void)lockstep_measure(&d, &job, NULL);
	without = divergence_perplexity(&d).value;
	divergence_free(&d);
	CHECK(counts, ids[0] != 1 && with[0] == with[1], "%.9f and %.9f", with[0], with[1]);
	CHECK(counts, with[0] != without, "%.9f", without);
	close_model(&m);
}

static bool is_same(const divergence *a, const divergence *b)
{
	return a->n == b->n && a->same_top == b->same_top &&
	       !memcmp(&a->model, &b->model, sizeof a->model) &&
	       !memcmp(&a->reference, &b->reference, sizeof a->reference) &&
	       !memcmp(&a->difference, &b->difference, sizeof a->difference) &&
	       !memcmp(&a->kld, &b->kld, sizeof a->kld) &&
	       !memcmp(a->klds, b->klds, a->n * sizeof *a->klds);
}

static void test_figures_do_not_depend_on_chunks_and_threads(check_counts *counts,
                                                             const format_config *config,
                                                             const char *coded, const char *f16,
                                                             const int32_t *ids)
{
	static const uint32_t chunks[] = { 64, 1, 7, 1000 }, threads[] = { 1, 3, 2, 3 };
	divergence first[2] = { { .n = 0 }, { .n = 0 } };
	size_t i, chunked;

	for (i = 0; i < 4; i++)
		for (chunked = 0; chunked < 2; chunked++) {
			evaluator_options options = { .chunk = chunks[i], .threads = threads[i] };
			opened m = open_model(counts, coded, options),
			       r = open_model(counts, f16, options);
			lockstep_job job = { .model = { m.e.engine, m.e.sequence },
				             .reference = { r.e.engine, r.e.sequence },
				             .vocab = config->vocab,
				             .ids = ids,
				             .n = TOKENS,
				             .bos = 1 };
			divergence d;

			job.context = chunked ? 48 : 0;
			job.stride = 20;
			CHECK(counts, lockstep_measure(&d, &job, NULL) == BRISE_OK, "chunk %u",
			      options.chunk);
			CHECK(counts, i == 0 || is_same(&d, &first[chunked]),
			      "chunk %u, threads %u, %s", options.chunk, options.threads,
			      chunked ? "chunks" : "stream");
			if (i == 0)
				first[chunked] = d;
			else
				divergence_free(&d);
			close_model(&m), close_model(&r);
		}
	divergence_free(&first[0]), divergence_free(&first[1]);
}

static void test_a_file_does_not_diverge_from_itself(check_counts *counts,
                                                     const format_config *config, const char *path,
                                                     const int32_t *ids)
{
	opened m = open_model(counts, path, int8_options),
	       r = open_model(counts, path, int8_options);
	lockstep_job job = { .model = { m.e.engine, m.e.sequence },
		             .reference = { r.e.engine, r.e.sequence },
		             .vocab = config->vocab,
		             .ids = ids,
		             .n = TOKENS };
	divergence d;

	CHECK(counts, lockstep_measure(&d, &job, NULL) == BRISE_OK, "itself");
	CHECK(counts,
	      divergence_mean(&d).value == 0 && divergence_mean(&d).error == 0 &&
	              divergence_percentile(&d, 0.99).value == 0,
	      "%g", divergence_mean(&d).value);
	CHECK(counts,
	      divergence_same_top(&d).value == 1 && divergence_perplexity_ratio(&d).value == 1,
	      "%g", divergence_same_top(&d).value);
	divergence_free(&d);
	close_model(&m), close_model(&r);
}

static bool cancel_at_ten(void *user, const divergence *so_far, size_t total)
{
	(void)user;
	return so_far->n == 10 || total == 0;
}

static void test_progress_may_cancel(check_counts *counts, const format_config *config,
                                     const char *path, const int32_t *ids)
{
	opened m = open_model(counts, path, int8_options);
	lockstep_job job = { .model = { m.e.engine, m.e.sequence },
		             .vocab = config->vocab,
		             .ids = ids,
		             .n = TOKENS,
		             .progress = cancel_at_ten };
	divergence d;

	CHECK(counts, lockstep_measure(&d, &job, NULL) == BRISE_ECANCELED && d.n == 10,
	      "%zu positions", d.n);
	divergence_free(&d);
	close_model(&m);
}

/* ---- a model with known logits --------------------------------------------------------------- */

static const format_config plain = { .dim = 32,
	                             .n_layers = 1,
	                             .n_heads = 1,
	                             .n_kv_heads = 1,
	                             .head_dim = 32,
	                             .hidden_dim = 32,
	                             .vocab = 5,
	                             .window = 8,
	                             .max_context = 64,
	                             .bos = 1,
	                             .eos = 2,
	                             .norm_eps = 1e-6f,
	                             .rope_theta = 1e4 };

/* Layers add nothing; every embedding is 1000 everywhere, so its norm is 1 everywhere (eps vanishes
 * beside 10^6) and the logits are the output's first column: *self for token 0, else 0. */
static brise_status read_plain(void *self, uint32_t kind, uint32_t layer, uint32_t first,
                               uint32_t n, float *rows, void *raw, brise_error *err)
{
	uint32_t all, cols, row, col;

	(void)layer, (void)raw, (void)err;
	model_tensor_shape(&plain, kind, &all, &cols);
	for (row = 0; row < n; row++)
		for (col = 0; col < cols; col++)
			rows[row * cols + col] =
			        all == 1                   ? 1
			        : kind == TENSOR_EMBEDDING ? 1000
			        : kind == TENSOR_OUTPUT && first + row == 0 && col == 0
			                ? *(float *)self
			                : 0;
	return BRISE_OK;
}

static void write_plain(check_counts *counts, const char *path, float logit)
{
	convert_source source = { .config = plain, .read = read_plain, .self = &logit };
	convert_options options;
	brise_error err = { BRISE_OK, "" };

	convert_init_options(&options);
	options.type = TYPE_F16;
	CHECK(counts, convert_write(&source, path, &options, NULL, &err) == BRISE_OK, "%s",
	      err.message);
}

/* Reference: all five tokens alike. Model: token 0 is e times as likely, q = (e, 1, 1, 1, 1) / (e +
 * 4). KL = log(1/5) - (1/5) sum log q = log(e + 4) - 1/5 - log 5. */
static void test_divergence_of_a_model_calculated_by_hand(check_counts *counts, const char *a,
                                                          const char *b)
{
	/* three zeros among the ten that are predicted */
	static const int32_t ids[] = { 1, 0, 0, 3, 4, 0, 2, 1, 3, 3, 4 };
	const double z = log(exp(1) + 4), kld = z - 0.2 - log(5);
	opened m, r;
	lockstep_job job = { .vocab = 5, .ids = ids, .n = 11 };
	divergence d;

	write_plain(counts, a, 1);
	write_plain(counts, b, 0);
	m = open_model(counts, a, f32_options);
	r = open_model(counts, b, f32_options);
	job.model = (lockstep_model){ m.e.engine, m.e.sequence };
	job.reference = (lockstep_model){ r.e.engine, r.e.sequence };
	CHECK(counts, lockstep_measure(&d, &job, NULL) == BRISE_OK, "plain");
	CHECK(counts,
	      fabs(divergence_mean(&d).value - kld) < 1e-6 && divergence_mean(&d).error < 1e-6,
	      "%.9f, expected %.9f", divergence_mean(&d).value, kld);
	CHECK(counts, fabs(divergence_percentile(&d, 0.99).value - kld) < 1e-6, "99 %% below %.9f",
	      divergence_percentile(&d, 0.99).value);
	CHECK(counts, fabs(divergence_perplexity(&d).value - exp(z - 0.3)) < 1e-5,
	      "perplexity %.9f", divergence_perplexity(&d).value);
	CHECK(counts, fabs(divergence_reference_perplexity(&d).value - 5) < 1e-6, "reference %.9f",
	      divergence_reference_perplexity(&d).value);
	CHECK(counts, divergence_same_top(&d).value == 1, "the first of equal logits counts: %g",
	      divergence_same_top(&d).value);
	divergence_free(&d);
	close_model(&m), close_model(&r);
}

static void check_files(check_counts *counts, const format_config *config, const char *coded,
                        const char *f16, const int32_t *ids)
{
	RUN(test_stream_is_a_loop_over_tokens(counts, config, coded, f16, ids));
	RUN(test_chunks_are_the_described_protocol(counts, config, coded, f16, ids));
	RUN(test_chunks_begin_with_the_begin_token_if_there_is_one(counts, config, f16, ids));
	RUN(test_figures_do_not_depend_on_chunks_and_threads(counts, config, coded, f16, ids));
	RUN(test_a_file_does_not_diverge_from_itself(counts, config, coded, ids));
	RUN(test_progress_may_cancel(counts, config, coded, ids));
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	const format_config *configs[] = { &small_odd, &small_open };
	char folder[256], coded[300], f16[300];
	uint32_t type = 0;
	int32_t ids[TOKENS];
	unsigned i;

	check_choose(argc, argv);
	RUN(test_divergence_of_two_distributions_is_the_definition(&counts));
	RUN(test_impossible_tokens_of_the_reference_count_nothing(&counts));
	RUN(test_percentile_interpolates_between_order_statistics(&counts));
	RUN(test_percentile_tells_its_own_spread(&counts));
	RUN(test_usual_protocol_scores_255_of_512(&counts));
	small_folder(folder, sizeof folder);
	(void)snprintf(coded, sizeof coded, "%s/coded.brise", folder);
	(void)snprintf(f16, sizeof f16, "%s/f16.brise", folder);
	while ((type = next_book_type(type)) != 0)
		for (i = 0; i < 2; i++) {
			small_write(configs[i], type, coded);
			small_write(configs[i], TYPE_F16, f16);
			small_tokens(ids, TOKENS, configs[i]->vocab, 21 + i);
			check_files(&counts, configs[i], coded, f16, ids);
		}
	RUN(test_divergence_of_a_model_calculated_by_hand(&counts, coded, f16));
	(void)unlink(coded), (void)unlink(f16), (void)rmdir(folder);
	return check_report("quality", &counts);
}
