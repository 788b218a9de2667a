/* test_forward.c - the forward pass: compared with a second implementation, and the same bits in
 * every way of running it */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "test/evaluator.h"
#include "test/reference.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define TOKENS 200u

typedef struct collected {
	float *logits; /* [n][vocab] */
	uint32_t vocab;
} collected;

static bool collect(void *user, size_t index, const float *logits)
{
	collected *c = user;

	memcpy(c->logits + index * c->vocab, logits, c->vocab * sizeof *logits);
	return false;
}

/* All logits of n tokens under the given options; freed by the caller. */
static float *run(check_counts *counts, const brise_model *model, const int32_t *tokens, size_t n,
                  evaluator_options options)
{
	collected all = { calloc(n * model->config.vocab, sizeof(float)), model->config.vocab };
	evaluator e;
	brise_error err = { BRISE_OK, "" };

	if (options.context == 0)
		options.context = (uint32_t)n;
	CHECK(counts, evaluator_open(&e, model, options, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts,
	      brise_eval_all(e.engine, e.sequence, tokens, n, collect, NULL, &all, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	evaluator_close(&e);
	return all.logits;
}

/* Root of the squared difference over the squared reference. */
static double difference(const float *a, const double *b, size_t n)
{
	double error = 0, size = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
		size += b[i] * b[i];
	}
	return sqrt(error / size);
}

static void test_equals_the_reference(check_counts *counts, const format_config *config,
                                      uint32_t type, const char *path)
{
	/* Unquantized, only float rounding is left; int8 activations and cache cost 2 to 4 % in
	 * these small random models. */
	const double allowed = type == TYPE_F16 ? 2e-6 : 0.05;
	evaluator_options options = { .kv = type == TYPE_F16 ? BRISE_KV_F32 : BRISE_KV_INT8,
		                      .threads = 2,
		                      .chunk = 64 };
	int32_t tokens[TOKENS];
	brise_error err;
	brise_model *model;
	double *expected;
	float *logits;

	small_write(config, type, path);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	small_tokens(tokens, TOKENS, config->vocab, 9);
	expected = reference_logits(model, tokens, TOKENS);
	logits = run(counts, model, tokens, TOKENS, options);
	CHECK(counts, difference(logits, expected, TOKENS * config->vocab) < allowed,
	      "type %u, window %u: off by %g", type, config->window,
	      difference(logits, expected, TOKENS * config->vocab));
	free(expected), free(logits);
	brise_close_model(model);
	(void)unlink(path);
}

/* BRISE_TEST_ARCH limits slow builds, such as the thread sanitizer's, to one set. */
static bool is_wanted(const char *arch)
{
	const char *only = getenv("BRISE_TEST_ARCH");

	return !only || !strcmp(only, arch);
}

/* Chunks, threads and kernel sets must not change a single bit. */
static void test_same_bits_however_run(check_counts *counts, const format_config *config,
                                       uint32_t type, brise_kv_type kv, const char *path)
{
	static const uint32_t chunks[] = { 1, 7, 32, 64, 512 }, threads[] = { 1, 2, 3, 5 };
	size_t bytes = TOKENS * config->vocab * sizeof(float), set, i;
	int32_t tokens[TOKENS];
	float *first, *other;
	brise_model *model;
	brise_error err;
	bool supported;

	small_write(config, type, path);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	small_tokens(tokens, TOKENS, config->vocab, 9);
	first = run(
	        counts, model, tokens, TOKENS,
	        (evaluator_options){ .kv = kv, .threads = 1, .chunk = TOKENS, .arch = "scalar" });
	for (set = 0; brise_get_arch(set, &supported); set++)
		for (i = 0; supported && is_wanted(brise_get_arch(set, NULL)) && i < 5; i++) {
			evaluator_options options = { .kv = kv,
				                      .threads = threads[(i + set) % 4],
				                      .chunk = chunks[i],
				                      .arch = brise_get_arch(set, NULL) };

			other = run(counts, model, tokens, TOKENS, options);
			CHECK(counts, !memcmp(first, other, bytes),
			      "type %u kv %d %s threads %u chunk %u", type, kv, options.arch,
			      options.threads, options.chunk);
			free(other);
		}
	free(first);
	brise_close_model(model);
	(void)unlink(path);
}

static bool cancel_after(void *user)
{
	int *left = user;

	return (*left)-- <= 0;
}

/* A cancelled chunk changes nothing: evaluating it again gives the bits of an uninterrupted run. */
static void test_cancel_leaves_no_trace(check_counts *counts, uint32_t type, const char *path)
{
	int32_t tokens[TOKENS];
	const float *a, *b;
	evaluator calm, disturbed;
	brise_model *model;
	brise_error err;
	int left = 3; /* into the second layer of the second pass */
	size_t bytes = small_odd.vocab * sizeof *a;

	small_write(&small_odd, type, path);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	small_tokens(tokens, TOKENS, small_odd.vocab, 9);
	CHECK(counts,
	      evaluator_open(&calm, model, (evaluator_options){ .chunk = 16 }, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts,
	      evaluator_open(&disturbed, model, (evaluator_options){ .chunk = 16 }, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	CHECK(counts, evaluator_eval(&calm, tokens, 50, &a, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, evaluator_eval(&disturbed, tokens, 20, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts,
	      brise_eval_tokens(disturbed.engine, disturbed.sequence, tokens + 20, 30, NULL,
	                        cancel_after, &left, &err) == BRISE_ECANCELED,
	      "%s", err.message);
	CHECK(counts, evaluator_position(&disturbed) == 36, "position %u",
	      (unsigned)evaluator_position(&disturbed));
	CHECK(counts, evaluator_eval(&disturbed, tokens + 36, 14, &b, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, !memcmp(a, b, bytes), "logits differ after a cancelled pass");
	evaluator_close(&calm), evaluator_close(&disturbed);
	brise_close_model(model);
	(void)unlink(path);
}

/* True when it is asked for the second time, and counts. */
typedef struct slice {
	unsigned asked, all;
} slice;

static bool after_one_layer(void *user)
{
	slice *s = user;

	s->all++;
	return s->asked++ > 0;
}

/* Evaluates n tokens, a layer with each call. Returns how often `cancel` was called. */
static unsigned eval_in_slices(check_counts *counts, evaluator *e, const int32_t *tokens, size_t n,
                               const float **logits, brise_error *err)
{
	slice s = { 0, 0 };
	uint64_t from = evaluator_position(e), at;
	brise_status status = BRISE_ECANCELED;
	unsigned calls;

	for (calls = 0; status == BRISE_ECANCELED && calls < 1000; calls++) {
		s.asked = 0;
		at = evaluator_position(e) - from;
		status = brise_eval_tokens(e->engine, e->sequence, tokens + at, n - at, logits,
		                           after_one_layer, &s, err);
	}
	CHECK(counts, status == BRISE_OK, "%u calls: %s", calls, err->message);
	return s.all;
}

/* After a cut at position n, the engine evaluates another sequence, or another engine the same
 * sequence, which is rewound: the pass begins anew. */
static void check_use_between(check_counts *counts, evaluator *cut, evaluator *calm,
                              const int32_t *tokens, size_t n)
{
	const size_t bytes = small_odd.vocab * sizeof(float);
	const float *a, *b;
	brise_error err;
	int use;

	for (use = 0; use < 2; use++, n += 2) {
		brise_engine *engine = use ? calm->engine : cut->engine;
		brise_sequence *sequence = use ? cut->sequence : calm->sequence;

		CHECK(counts,
		      brise_eval_tokens(cut->engine, cut->sequence, tokens + n, 1, NULL,
		                        cancel_after, &(int){ 1 }, &err) == BRISE_ECANCELED,
		      "%s", err.message);
		CHECK(counts,
		      brise_eval_tokens(engine, sequence, tokens + n + 1, 1, NULL, NULL, NULL,
		                        &err) == BRISE_OK &&
		              brise_rewind_sequence(sequence, n, &err) == BRISE_OK,
		      "%s", err.message);
		CHECK(counts,
		      evaluator_eval(cut, tokens + n, 1, NULL, &err) == BRISE_OK &&
		              evaluator_eval(cut, tokens + n + 1, 1, &b, &err) == BRISE_OK &&
		              evaluator_eval(calm, tokens + n, 2, &a, &err) == BRISE_OK &&
		              !memcmp(a, b, bytes),
		      "use %d between: logits differ", use);
	}
}

/* Every layer is run once, however often a pass is cut, and the bits are those of a whole one. */
static void test_pass_that_was_cut_continues(check_counts *counts, uint32_t type, const char *path)
{
	int32_t tokens[TOKENS], other = 5;
	const float *a, *b;
	evaluator calm, cut;
	brise_model *model;
	brise_error err;
	const size_t bytes = small_odd.vocab * sizeof *a;
	const unsigned layers = small_odd.n_layers;
	unsigned asked;

	small_write(&small_odd, type, path);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	small_tokens(tokens, TOKENS, small_odd.vocab, 9);
	CHECK(counts,
	      evaluator_open(&calm, model, (evaluator_options){ .chunk = 16 }, &err) == BRISE_OK &&
	              evaluator_open(&cut, model, (evaluator_options){ .chunk = 16 }, &err) ==
	                      BRISE_OK,
	      "%s", err.message);
	CHECK(counts, evaluator_eval(&calm, tokens, 50, &a, &err) == BRISE_OK, "%s", err.message);
	/* 50 tokens are 4 passes. Each layer is asked for once more where a slice ends, but the
	 * first. */
	asked = eval_in_slices(counts, &cut, tokens, 50, &b, &err);
	CHECK(counts, asked == 2 * 4 * layers - 1, "%u layers, asked %u times", layers, asked);
	CHECK(counts, !memcmp(a, b, bytes), "logits differ");
	/* Another token than the one that was cut begins anew, and so does a sequence that was
	 * rewound. */
	CHECK(counts,
	      brise_eval_tokens(cut.engine, cut.sequence, &other, 1, NULL, cancel_after,
	                        &(int){ 1 }, &err) == BRISE_ECANCELED,
	      "%s", err.message);
	CHECK(counts,
	      evaluator_eval(&cut, tokens + 50, 1, &b, &err) == BRISE_OK &&
	              evaluator_eval(&calm, tokens + 50, 1, &a, &err) == BRISE_OK &&
	              !memcmp(a, b, bytes),
	      "another token after a cut");
	CHECK(counts,
	      brise_eval_tokens(cut.engine, cut.sequence, tokens + 51, 1, NULL, cancel_after,
	                        &(int){ 1 }, &err) == BRISE_ECANCELED &&
	              evaluator_eval(&calm, tokens + 51, 1, &a, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts,
	      brise_rewind_sequence(cut.sequence, 0, &err) == BRISE_OK &&
	              evaluator_eval(&cut, tokens, 52, &b, &err) == BRISE_OK &&
	              !memcmp(a, b, bytes),
	      "rewound after a cut");
	check_use_between(counts, &cut, &calm, tokens, 52);
	/* A sequence at the address of one that was freed has an empty cache. */
	brise_free_sequence(cut.sequence);
	brise_free_sequence(calm.sequence);
	cut.sequence = calm.sequence = NULL;
	CHECK(counts,
	      brise_new_sequence(&cut.sequence, model, NULL, &err) == BRISE_OK &&
	              brise_eval_tokens(cut.engine, cut.sequence, tokens, 1, NULL, cancel_after,
	                                &(int){ 1 }, &err) == BRISE_ECANCELED,
	      "%s", err.message);
	brise_free_sequence(cut.sequence);
	CHECK(counts,
	      brise_new_sequence(&cut.sequence, model, NULL, &err) == BRISE_OK &&
	              brise_new_sequence(&calm.sequence, model, NULL, &err) == BRISE_OK &&
	              evaluator_eval(&cut, tokens, 1, NULL, &err) == BRISE_OK &&
	              evaluator_eval(&calm, tokens, 2, &a, &err) == BRISE_OK &&
	              evaluator_eval(&cut, tokens + 1, 1, &b, &err) == BRISE_OK &&
	              !memcmp(a, b, bytes),
	      "a new sequence after a cut");
	evaluator_close(&calm), evaluator_close(&cut);
	brise_close_model(model);
	(void)unlink(path);
}

static void test_errors_evaluate_nothing(check_counts *counts, uint32_t type, const char *path)
{
	int32_t tokens[TOKENS];
	const float *logits;
	evaluator e;
	brise_model *model;
	brise_error err;

	small_write(&small_open, type, path);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	small_tokens(tokens, TOKENS, small_open.vocab, 9);
	CHECK(counts,
	      evaluator_open(&e, model, (evaluator_options){ .context = 100 }, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, evaluator_eval(&e, tokens, 99, &logits, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, evaluator_eval(&e, tokens, 2, &logits, &err) == BRISE_EFULL,
	      "two more than fit: %s", err.message);
	CHECK(counts,
	      evaluator_eval(&e, (int32_t[]){ (int32_t)small_open.vocab }, 1, &logits, &err) ==
	              BRISE_EINVAL,
	      "id too large: %s", err.message);
	CHECK(counts, evaluator_eval(&e, (int32_t[]){ -1 }, 1, &logits, &err) == BRISE_EINVAL,
	      "negative id: %s", err.message);
	CHECK(counts, evaluator_position(&e) == 99, "position %u",
	      (unsigned)evaluator_position(&e));
	CHECK(counts, evaluator_eval(&e, tokens, 1, &logits, &err) == BRISE_OK,
	      "the last place: %s", err.message);
	CHECK(counts, evaluator_eval(&e, tokens, 1, &logits, &err) == BRISE_EFULL, "full: %s",
	      err.message);
	CHECK(counts, brise_rewind_sequence(e.sequence, 0, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, evaluator_eval(&e, tokens, 100, &logits, &err) == BRISE_OK,
	      "from the start again: %s", err.message);
	evaluator_close(&e);
	CHECK(counts,
	      evaluator_open(&e, model, (evaluator_options){ .arch = "z80" }, &err) ==
	                      BRISE_EINVAL &&
	              !e.engine,
	      "%s", err.message);
	CHECK(counts,
	      evaluator_open(&e, model, (evaluator_options){ .chunk = 5000 }, &err) ==
	                      BRISE_EINVAL &&
	              !e.engine,
	      "%s", err.message);
	brise_close_model(model);
	(void)unlink(path);
}

int main(int argc, char **argv)
{
	static const format_config *const shapes[] = { &small_odd, &small_wide, &small_open,
		                                       &small_scaled, &small_linear };
	check_counts counts = { 0, 0, 0 };
	char folder[512], path[600];
	unsigned shape;
	uint32_t type = 0;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	for (shape = 0; shape < 5; shape++)
		while ((type = next_matrix_type(type)) != 0) {
			RUN(test_equals_the_reference(&counts, shapes[shape], type, path));
			RUN(test_same_bits_however_run(&counts, shapes[shape], type, BRISE_KV_INT8,
			                               path));
			if (type != TYPE_Q8)
				RUN(test_same_bits_however_run(&counts, shapes[shape], type,
				                               BRISE_KV_F32, path));
		}
	while ((type = next_matrix_type(type)) != 0) {
		RUN(test_cancel_leaves_no_trace(&counts, type, path));
		RUN(test_pass_that_was_cut_continues(&counts, type, path));
		RUN(test_errors_evaluate_nothing(&counts, type, path));
	}
	(void)rmdir(folder);
	return check_report("forward", &counts);
}
