/* test_limit.c - weights kept and streamed under a limit: the plan, the same bits, and a disk that
 * fails
 *
 * Every test compares with the mapped file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/model/stream.h"
#include "test/check.h"
#include "test/evaluator.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define TOKENS 40

static char path[512];
static uint32_t file_type; /* of the models */

/* Several layers, so that there is something to spread. */
static const format_config deep = { .dim = 128,
	                            .n_layers = 7,
	                            .n_heads = 4,
	                            .n_kv_heads = 2,
	                            .head_dim = 64,
	                            .hidden_dim = 320,
	                            .vocab = 160,
	                            .window = 75,
	                            .max_context = 64,
	                            .bos = 1,
	                            .eos = 2,
	                            .norm_eps = 1e-5f,
	                            .rope_theta = 1e6 };

static brise_model *open_model(check_counts *counts)
{
	brise_error err = { BRISE_OK, "" };
	brise_model *model = NULL;

	CHECK(counts, brise_open_model(&model, path, NULL, &err) == BRISE_OK, "%s", err.message);
	return model;
}

static brise_memory_facts facts_of(const brise_model *model)
{
	brise_memory_facts facts;

	(void)brise_get_memory_facts(model, &facts, sizeof facts, NULL);
	return facts;
}

/* The smallest limit, and the one under which nothing is streamed. */
static void find_ends(const brise_model *model, uint64_t *least, uint64_t *all)
{
	brise_memory_facts facts;

	(void)brise_plan_memory(model, UINT64_MAX, &facts, sizeof facts, NULL);
	*least = facts.least;
	*all = facts.kept_bytes;
}

static void test_plans_use_what_they_are_given(check_counts *counts)
{
	brise_model *model = open_model(counts);
	uint64_t least, all, budget;
	brise_memory_facts facts;
	brise_error err;
	char said[40];

	find_ends(model, &least, &all);
	CHECK(counts, least < all, "%zu of %zu", (size_t)least, (size_t)all);
	for (budget = least; budget <= all + 4096; budget += 4096) {
		brise_status status = brise_plan_memory(model, budget, &facts, sizeof facts, &err);

		CHECK(counts, status == BRISE_OK, "%s", err.message);
		CHECK(counts, facts.kept_bytes + facts.streamed_bytes == all, "something is lost");
		CHECK(counts, facts.kept_bytes + facts.buffer_bytes <= budget,
		      "%zu kept and %zu of buffer under %zu", (size_t)facts.kept_bytes,
		      (size_t)facts.buffer_bytes, (size_t)budget);
		CHECK(counts, facts.budget == budget, "%zu", (size_t)facts.budget);
		CHECK(counts, (facts.streamed_bytes == 0) == (budget >= all), "%zu of %zu: %zu",
		      (size_t)budget, (size_t)all, (size_t)facts.streamed_bytes);
	}
	(void)snprintf(said, sizeof said, "at least %" PRIu64, least);
	CHECK(counts,
	      brise_plan_memory(model, least - 1, &facts, sizeof facts, &err) == BRISE_EINVAL &&
	              strstr(err.message, said),
	      "%s", err.message);
	brise_close_model(model);
}

/* Half kept: no stretch of a pass is all kept or all streamed. */
static void test_streamed_units_are_spread(check_counts *counts)
{
	brise_model *model = open_model(counts);
	uint64_t least, all, kept = 0, passed = 0;
	residency_plan plan;
	uint32_t i;

	find_ends(model, &least, &all);
	CHECK(counts, residency_make(&plan, model, (least + all) / 2, NULL) == BRISE_OK, "plan");
	for (i = 0; i < plan.n_units; i++) {
		double due;

		passed += plan.units[i].bytes;
		kept += plan.units[i].kept ? plan.units[i].bytes : 0;
		due = (double)passed * (double)plan.kept_bytes /
		      (double)(plan.kept_bytes + plan.streamed_bytes);
		CHECK(counts, fabs((double)kept - due) <= (double)plan.ring_bytes,
		      "unit %u: %zu kept, %g due", i, (size_t)kept, due);
	}
	residency_free(&plan);
	brise_close_model(model);
}

/* ---- the same bits -------------------------------------------------------------------------- */

typedef struct collected {
	float logits[TOKENS * 160];
	uint32_t vocab;
	size_t n;
} collected;

static bool collect(void *user, size_t index, const float *logits)
{
	collected *c = user;

	memcpy(c->logits + index * c->vocab, logits, c->vocab * sizeof *logits);
	c->n++;
	return false;
}

/* Passes of several sizes, with and without logits, one of them cancelled in the middle. */
static brise_status evaluate(const brise_model *model, collected *c, brise_error *err)
{
	evaluator e;
	int32_t tokens[TOKENS];
	const float *logits;
	brise_status status =
	        evaluator_open(&e, model, (evaluator_options){ .threads = 2, .chunk = 7 }, err);

	c->n = 0;
	c->vocab = deep.vocab;
	small_tokens(tokens, TOKENS, deep.vocab, 5);
	if (status == BRISE_OK)
		status = brise_eval_all(e.engine, e.sequence, tokens, 20, collect, NULL, c, err);
	if (status == BRISE_OK)
		status = brise_eval_tokens(e.engine, e.sequence, tokens + 20, 9, NULL, NULL, NULL,
		                           err);
	if (status == BRISE_OK)
		status = brise_eval_tokens(e.engine, e.sequence, tokens + 29, 1, &logits, NULL,
		                           NULL, err);
	if (status == BRISE_OK)
		(void)collect(c, 20, logits);
	evaluator_close(&e);
	return status;
}

static void test_every_limit_gives_the_same_bits(check_counts *counts)
{
	static collected mapped, limited;
	brise_model *model = open_model(counts);
	uint64_t least, all, budget;
	brise_error err = { BRISE_OK, "" };

	find_ends(model, &least, &all);
	CHECK(counts, evaluate(model, &mapped, &err) == BRISE_OK && mapped.n == 21, "%s",
	      err.message);
	brise_close_model(model);
	for (budget = least; budget <= all + 4096; budget += (all - least) / 9) {
		model = open_model(counts);
		CHECK(counts, brise_limit_memory(model, budget, NULL, NULL, NULL, &err) == BRISE_OK,
		      "%s", err.message);
		CHECK(counts, facts_of(model).limited, "no limit");
		CHECK(counts, evaluate(model, &limited, &err) == BRISE_OK, "%s", err.message);
		CHECK(counts,
		      limited.n == mapped.n &&
		              !memcmp(limited.logits, mapped.logits, sizeof mapped.logits),
		      "%zu bytes: other logits", (size_t)budget);
		brise_close_model(model);
	}
}

/* Matrices of several pieces, with several rows and one. */
static void test_pieces_give_the_same_bits(check_counts *counts)
{
	static const format_config wide = { .dim = 640,
		                            .n_layers = 2,
		                            .n_heads = 4,
		                            .n_kv_heads = 2,
		                            .head_dim = 64,
		                            .hidden_dim = 8200,
		                            .vocab = 160,
		                            .window = 75,
		                            .max_context = 64,
		                            .bos = 1,
		                            .eos = 2,
		                            .norm_eps = 1e-5f,
		                            .rope_theta = 1e6 };
	static collected mapped, limited;
	brise_error err = { BRISE_OK, "" };
	brise_model *model;
	uint64_t least, all;

	small_write(&wide, TYPE_Q8, path);
	model = open_model(counts);
	CHECK(counts,
	      residency_piece_tiles(model->places[0].kinds[TENSOR_W1]) <
	                      tile_count(wide.hidden_dim) &&
	              residency_piece_tiles(model->places[0].kinds[TENSOR_W2]) <
	                      tile_count(wide.dim),
	      "one piece");
	find_ends(model, &least, &all);
	CHECK(counts, evaluate(model, &mapped, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, brise_limit_memory(model, least, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, facts_of(model).streamed_bytes > all / 2, "nothing is streamed");
	CHECK(counts,
	      evaluate(model, &limited, &err) == BRISE_OK && limited.n == mapped.n &&
	              !memcmp(limited.logits, mapped.logits, sizeof mapped.logits),
	      "other logits %s", err.message);
	brise_close_model(model);
	small_write(&deep, file_type, path);
}

typedef struct countdown {
	int calls;
} countdown;

static bool stop_later(void *user)
{
	return --((countdown *)user)->calls < 0;
}

/* A pass that is cancelled at any layer leaves a stream that goes on. */
static void test_cancelled_passes_leave_the_stream_usable(check_counts *counts)
{
	brise_model *mapped = open_model(counts), *model = open_model(counts);
	uint64_t least, all;
	brise_error err = { BRISE_OK, "" };
	int32_t tokens[TOKENS];
	evaluator a, b;
	int i;

	find_ends(model, &least, &all);
	small_tokens(tokens, TOKENS, deep.vocab, 9);
	CHECK(counts, brise_limit_memory(model, least, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	(void)evaluator_open(&a, mapped, (evaluator_options){ .threads = 1 }, &err);
	(void)evaluator_open(&b, model, (evaluator_options){ .threads = 1 }, &err);
	for (i = 0; i < TOKENS; i++) {
		countdown left = { i % ((int)deep.n_layers + 1) };
		const float *expected, *got;
		brise_status status = brise_eval_tokens(b.engine, b.sequence, &tokens[i], 1, &got,
		                                        stop_later, &left, &err);

		CHECK(counts,
		      status == (i % ((int)deep.n_layers + 1) == (int)deep.n_layers
		                         ? BRISE_OK
		                         : BRISE_ECANCELED),
		      "%d: %s", i, err.message);
		if (status == BRISE_ECANCELED)
			status = evaluator_eval(&b, &tokens[i], 1, &got, &err);
		CHECK(counts,
		      evaluator_eval(&a, &tokens[i], 1, &expected, &err) == BRISE_OK &&
		              status == BRISE_OK &&
		              !memcmp(expected, got, deep.vocab * sizeof *got),
		      "token %d: other logits", i);
	}
	evaluator_close(&a), evaluator_close(&b);
	brise_close_model(mapped), brise_close_model(model);
}

/* The child has none of the readers: it reads for itself, and frees without waiting. */
static void test_a_child_of_fork_reads_for_itself(check_counts *counts)
{
	brise_model *model = open_model(counts);
	uint64_t least, all;
	brise_error err = { BRISE_OK, "" };
	float expected[160];
	const float *got;
	int32_t token = 7;
	int status = 0;
	evaluator e;
	pid_t child;

	find_ends(model, &least, &all);
	CHECK(counts, brise_limit_memory(model, least, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	(void)evaluator_open(&e, model, (evaluator_options){ .threads = 2 }, &err);
	CHECK(counts, evaluator_eval(&e, &token, 1, &got, &err) == BRISE_OK, "%s", err.message);
	memcpy(expected, got, sizeof expected);
	CHECK(counts, brise_rewind_sequence(e.sequence, 0, &err) == BRISE_OK, "%s", err.message);
	child = fork();
	if (child == 0) {
		bool same = evaluator_eval(&e, &token, 1, &got, &err) == BRISE_OK &&
		            !memcmp(expected, got, sizeof expected);

		evaluator_close(&e);
		brise_close_model(model);
		_exit(same ? 0 : 1);
	}
	(void)waitpid(child, &status, 0);
	CHECK(counts, WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child: %x", status);
	evaluator_close(&e);
	brise_close_model(model);
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void test_a_pass_reads_what_is_streamed_and_no_more(check_counts *counts)
{
	brise_model *model = open_model(counts);
	uint64_t least, all, before, after, streamed;
	brise_error err = { BRISE_OK, "" };
	const float *logits;
	int32_t token = 3;
	evaluator e;
	int i;

	find_ends(model, &least, &all);
	CHECK(counts,
	      brise_limit_memory(model, (least + all) / 2, NULL, NULL, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	streamed = facts_of(model).streamed_bytes;
	(void)evaluator_open(&e, model, (evaluator_options){ .threads = 1 }, &err);
	(void)evaluator_eval(&e, &token, 1, &logits, &err);
	before = brise_get_engine_bytes_read(e.engine);
	for (i = 0; i < 50; i++)
		(void)evaluator_eval(&e, &token, 1, &logits, &err);
	after = brise_get_engine_bytes_read(e.engine);
	CHECK(counts,
	      after - before <= 51 * streamed && (double)(after - before) > 48.5 * (double)streamed,
	      "50 passes read %zu bytes, %zu are streamed", (size_t)(after - before),
	      (size_t)streamed);
	evaluator_close(&e);
	brise_close_model(model);
}

/* ---- failures -------------------------------------------------------------------------------- */

static char *read_all(size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *bytes = malloc(4 << 20);

	*n = fread(bytes, 1, 4 << 20, f);
	(void)fclose(f);
	return bytes;
}

/* The file becomes shorter and is whole again: the pass between is an error, the next is not. */
static void test_a_sequence_goes_on_when_the_disk_does(check_counts *counts)
{
	brise_model *mapped, *model = open_model(counts);
	uint64_t least, all;
	brise_error err = { BRISE_OK, "" };
	const float *expected, *got;
	int32_t tokens[3] = { 5, 6, 7 };
	char *bytes;
	size_t n;
	evaluator a, b;
	FILE *f;

	bytes = read_all(&n);
	find_ends(model, &least, &all);
	CHECK(counts, brise_limit_memory(model, least, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	(void)evaluator_open(&b, model, (evaluator_options){ .threads = 1 }, &err);
	CHECK(counts, evaluator_eval(&b, tokens, 1, &got, &err) == BRISE_OK, "%s", err.message);
	/* The embedding, which is mapped, stays. */
	CHECK(counts, truncate(path, (off_t)n / 2) == 0, "truncate");
	CHECK(counts,
	      evaluator_eval(&b, tokens + 1, 1, &got, &err) == BRISE_OK || err.code == BRISE_EIO,
	      "%s", err.message);
	CHECK(counts,
	      evaluator_eval(&b, tokens + 1, 1, &got, &err) == BRISE_EIO &&
	              strstr(err.message, path) && strstr(err.message, "tensor"),
	      "%s", err.message);
	f = fopen(path, "r+b");
	(void)fwrite(bytes, 1, n, f);
	(void)fclose(f);
	mapped = open_model(counts);
	(void)evaluator_open(&a, mapped, (evaluator_options){ .threads = 1 }, &err);
	(void)evaluator_eval(&a, tokens, evaluator_position(&b), &expected, &err);
	CHECK(counts,
	      evaluator_eval(&b, tokens + evaluator_position(&b), 1, &got, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts,
	      evaluator_eval(&a, tokens + evaluator_position(&a), 1, &expected, &err) == BRISE_OK &&
	              !memcmp(expected, got, deep.vocab * sizeof *got),
	      "other logits after the failure");
	evaluator_close(&a), evaluator_close(&b);
	brise_close_model(mapped), brise_close_model(model);
	free(bytes);
}

static bool stop_at_once(void *user)
{
	(void)user;
	return true;
}

static void test_a_limit_that_fails_leaves_the_model_mapped(check_counts *counts)
{
	static collected expected, got;
	brise_model *model = open_model(counts);
	brise_error err = { BRISE_OK, "" };
	uint64_t least, all;

	find_ends(model, &least, &all);
	(void)evaluate(model, &expected, &err);
	CHECK(counts, brise_limit_memory(model, 1, NULL, NULL, NULL, &err) == BRISE_EINVAL, "%s",
	      err.message);
	CHECK(counts,
	      brise_limit_memory(model, all, NULL, stop_at_once, NULL, &err) == BRISE_ECANCELED,
	      "%s", err.message);
	CHECK(counts, !facts_of(model).limited, "a limit that was cancelled");
	CHECK(counts,
	      evaluate(model, &got, &err) == BRISE_OK &&
	              !memcmp(got.logits, expected.logits, sizeof got.logits),
	      "%s", err.message);
	CHECK(counts, brise_limit_memory(model, all, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, brise_limit_memory(model, all, NULL, NULL, NULL, &err) == BRISE_EINVAL, "%s",
	      err.message);
	brise_close_model(model);
}

/* ---- the limit as an option of opening --------------------------------------------------------
 */

static brise_model *open_limited(uint64_t memory, brise_error *err)
{
	brise_open_options options = { .size = sizeof options, .memory = memory };
	brise_model *model = NULL;

	(void)brise_open_model(&model, path, &options, err);
	return model;
}

static void test_a_model_opens_with_a_limit(check_counts *counts)
{
	static collected expected, got;
	brise_error err = { BRISE_OK, "" };
	brise_model *model = open_model(counts);
	const uint64_t file_bytes = brise_get_model_facts(model)->file_bytes;
	uint64_t least, all, memory;

	find_ends(model, &least, &all);
	(void)evaluate(model, &expected, &err);
	CHECK(counts, !facts_of(model).limited, "a limit that nobody set");
	brise_close_model(model);
	for (memory = least; memory < file_bytes + 2 * 4096; memory += (file_bytes - least) / 4) {
		model = open_limited(memory, &err);
		CHECK(counts, model, "%s", err.message);
		CHECK(counts, facts_of(model).limited == (memory < file_bytes),
		      "%zu bytes of a file of %zu", (size_t)memory, (size_t)file_bytes);
		CHECK(counts, facts_of(model).budget == (memory < file_bytes ? memory : 0),
		      "another budget");
		CHECK(counts,
		      evaluate(model, &got, &err) == BRISE_OK &&
		              !memcmp(got.logits, expected.logits, sizeof got.logits),
		      "other logits %s", err.message);
		brise_close_model(model);
	}
}

static void test_opening_refuses_what_is_too_little(check_counts *counts)
{
	brise_error err = { BRISE_OK, "" };
	brise_model *model = open_model(counts);
	uint64_t least, all;
	char said[40];

	find_ends(model, &least, &all);
	brise_close_model(model);
	(void)snprintf(said, sizeof said, "at least %" PRIu64, least);
	CHECK(counts,
	      !open_limited(least - 1, &err) && err.code == BRISE_EINVAL &&
	              strstr(err.message, said),
	      "%s", err.message);
}

/* Options of a program that was built before there was a limit: what stands behind them is not
 * looked at. */
static void test_shorter_options_set_no_limit(check_counts *counts)
{
	brise_open_options options = { .size = offsetof(brise_open_options, memory), .memory = 1 };
	brise_error err = { BRISE_OK, "" };
	brise_model *model = NULL;

	CHECK(counts, brise_open_model(&model, path, &options, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, !facts_of(model).limited, "a limit");
	brise_close_model(model);
}

static void test_weights_of_the_caller_cannot_be_limited(check_counts *counts)
{
	brise_open_options options = { .size = sizeof options, .memory = UINT64_MAX };
	brise_error err = { BRISE_OK, "" };
	brise_model *model = NULL;
	size_t n;
	char *bytes = read_all(&n), *aligned = aligned_alloc(64, (n + 63) / 64 * 64);

	memcpy(aligned, bytes, n);
	CHECK(counts,
	      brise_open_memory(&model, aligned, n, "flash", &options, &err) == BRISE_EINVAL &&
	              !model && strstr(err.message, "flash") && strstr(err.message, "limit"),
	      "%s", err.message);
	free(aligned);
	free(bytes);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	char folder[256];

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	while ((file_type = next_book_type(file_type)) != 0) {
		small_write(&deep, file_type, path);
		RUN(test_plans_use_what_they_are_given(&counts));
		RUN(test_streamed_units_are_spread(&counts));
		RUN(test_every_limit_gives_the_same_bits(&counts));
		RUN(test_pieces_give_the_same_bits(&counts));
		RUN(test_cancelled_passes_leave_the_stream_usable(&counts));
		RUN(test_a_child_of_fork_reads_for_itself(&counts));
		RUN(test_a_pass_reads_what_is_streamed_and_no_more(&counts));
		RUN(test_a_sequence_goes_on_when_the_disk_does(&counts));
		RUN(test_a_limit_that_fails_leaves_the_model_mapped(&counts));
		RUN(test_a_model_opens_with_a_limit(&counts));
		RUN(test_opening_refuses_what_is_too_little(&counts));
		RUN(test_shorter_options_set_no_limit(&counts));
		RUN(test_weights_of_the_caller_cannot_be_limited(&counts));
	}
	return check_report("limit", &counts);
}
