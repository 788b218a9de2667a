/* test_generate.c - the loop from a prompt to its continuation: what ends it, and that it draws the
 * same tokens as the functions that it calls */
#include "runtime/generate.h"

#include "test/check.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define PROMPT 5
#define DRAWN  12

static const int32_t prompt[PROMPT] = { 1, 9, 33, 12, 20 };

/* A model, and what continues the prompt; `expected` is drawn without the loop. */
typedef struct fixture {
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	generation g;
	int32_t expected[DRAWN];
	int32_t drawn[DRAWN];
	size_t n_drawn, stop_after, cancels;
} fixture;

static void begin(fixture *f, uint32_t context)
{
	const brise_sequence_options sequence = { .size = sizeof sequence, .context = context };
	brise_sampling sampling;

	brise_free_sequence(f->sequence);
	brise_free_sampler(f->g.sampler);
	brise_init_sampling(&sampling, sizeof sampling);
	sampling.seed = 7;
	sampling.repetition_penalty = 1.3f;
	f->g = (generation){ .limit = DRAWN };
	f->n_drawn = 0;
	f->stop_after = SIZE_MAX;
	f->cancels = SIZE_MAX;
	brise_new_sampler(&f->g.sampler, small_open.vocab, &sampling, NULL);
	brise_new_sequence(&f->sequence, f->model, &sequence, NULL);
}

static void draw_expected(fixture *f)
{
	const float *logits;
	size_t i;

	begin(f, 64);
	for (i = 0; i < PROMPT; i++) {
		brise_accept_token(f->g.sampler, prompt[i], NULL);
		brise_eval_tokens(f->engine, f->sequence, prompt + i, 1, &logits, NULL, NULL, NULL);
	}
	for (i = 0; i < DRAWN; i++) {
		brise_sample_token(f->g.sampler, logits, &f->expected[i], NULL);
		brise_accept_token(f->g.sampler, f->expected[i], NULL);
		brise_eval_tokens(f->engine, f->sequence, &f->expected[i], 1, &logits, NULL, NULL,
		                  NULL);
	}
}

static bool take(void *user, const generate_token *token)
{
	fixture *f = user;

	if (f->n_drawn < DRAWN)
		f->drawn[f->n_drawn++] = token->id;
	return f->n_drawn == f->stop_after;
}

static bool cancel(void *user)
{
	fixture *f = user;

	return f->cancels-- == 0;
}

static brise_status run(fixture *f, brise_error *err)
{
	return generate_run(&f->g, f->engine, f->sequence, prompt, PROMPT, take, cancel, f, err);
}

/* The first n tokens expected were handed out, and no other. */
static bool drew(const fixture *f, size_t n)
{
	return f->n_drawn == n && f->g.n_tokens == n &&
	       !memcmp(f->drawn, f->expected, n * sizeof *f->drawn);
}

static void test_the_limit_ends_it(check_counts *counts, fixture *f)
{
	brise_error err;

	begin(f, 64);
	CHECK(counts, run(f, &err) == BRISE_OK && drew(f, DRAWN), "%zu drawn", f->n_drawn);
	CHECK(counts, f->g.reason == GENERATE_LIMIT, "%d", (int)f->g.reason);
	begin(f, 64);
	f->g.limit = 0;
	CHECK(counts, run(f, &err) == BRISE_OK && drew(f, 0) && f->g.reason == GENERATE_LIMIT,
	      "%zu drawn", f->n_drawn);
}

static void test_any_end_token_ends_it_and_is_not_handed_out(check_counts *counts, fixture *f)
{
	brise_error err;
	int32_t ends[2];
	size_t at, first;

	for (at = 0; at < DRAWN; at++) {
		for (first = 0; f->expected[first] != f->expected[at]; first++)
			;
		begin(f, 64);
		ends[0] = INT32_MAX;
		ends[1] = f->expected[at];
		f->g.ends = ends;
		f->g.n_ends = 2;
		CHECK(counts,
		      run(f, &err) == BRISE_OK && f->g.reason == GENERATE_END && drew(f, first),
		      "%zu: %zu drawn, reason %d", at, f->n_drawn, (int)f->g.reason);
	}
}

static void test_a_full_sequence_ends_it_and_a_long_prompt_is_refused(check_counts *counts,
                                                                      fixture *f)
{
	brise_error err;

	/* The token after the last position is drawn, but can be followed by none. */
	begin(f, PROMPT + 3);
	CHECK(counts, run(f, &err) == BRISE_OK && drew(f, 4) && f->g.reason == GENERATE_FULL,
	      "%zu drawn, reason %d", f->n_drawn, (int)f->g.reason);
	begin(f, PROMPT - 1);
	CHECK(counts, run(f, &err) == BRISE_EFULL && drew(f, 0), "%zu drawn", f->n_drawn);
}

static void test_the_caller_may_stop_or_cancel_it(check_counts *counts, fixture *f)
{
	brise_error err;

	begin(f, 64);
	f->stop_after = 3;
	CHECK(counts, run(f, &err) == BRISE_OK && drew(f, 3) && f->g.reason == GENERATE_STOPPED,
	      "%zu drawn, reason %d", f->n_drawn, (int)f->g.reason);
	/* Called once per layer: the prompt's pass, then one pass for each token but the first. */
	begin(f, 64);
	f->cancels = 3 * small_open.n_layers;
	CHECK(counts, run(f, &err) == BRISE_ECANCELED && drew(f, 3), "%zu drawn", f->n_drawn);
}

/* Always the next three tokens, the third wrong. */
static size_t draft_expected(void *user, int32_t *drafts, size_t most)
{
	const fixture *f = user;
	size_t n = f->n_drawn + 3 <= DRAWN && most >= 3 ? 3 : 0;

	memcpy(drafts, f->expected + f->n_drawn, n * sizeof *drafts);
	if (n > 0)
		drafts[2] ^= 1;
	return n;
}

/* After a pass with drafts that is cancelled the sequence is at the last token but one. */
static void test_a_pass_with_drafts_can_be_cancelled(check_counts *counts, fixture *f)
{
	const float *logits;
	int32_t text[PROMPT + DRAWN];
	size_t cancels;

	for (cancels = 0; cancels < 12; cancels++) {
		brise_sequence *alone;
		float after[64] = { 0 };
		drafter d;

		begin(f, 64);
		f->cancels = cancels;
		f->g.drafter = drafter_new(&d) ? &d : NULL;
		d.force = draft_expected;
		d.user = f;
		CHECK(counts,
		      run(f, NULL) == (f->n_drawn < DRAWN ? BRISE_ECANCELED : BRISE_OK) &&
		              drew(f, f->n_drawn),
		      "%zu drawn", f->n_drawn);
		if (cancels > 0) {
			memcpy(text, prompt, sizeof prompt);
			memcpy(text + PROMPT, f->expected, sizeof f->expected);
			brise_eval_tokens(f->engine, f->sequence, &f->drawn[f->n_drawn - 1], 1,
			                  &logits, NULL, NULL, NULL);
			memcpy(after, logits, sizeof after);
			begin(f, 64);
			alone = f->sequence;
			brise_eval_tokens(f->engine, alone, text, (size_t)d.index.n, &logits, NULL,
			                  NULL, NULL);
			CHECK(counts, !memcmp(logits, after, sizeof after), "other logits");
		}
		drafter_free(&d);
	}
}

int main(int argc, char **argv)
{
	const brise_engine_options options = { .size = sizeof options, .threads = 1 };
	check_counts counts = { 0, 0, 0 };
	char folder[512], path[600];
	uint32_t type = 0;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/m.brise", folder);
	while ((type = next_book_type(type)) != 0) {
		fixture f = { .model = NULL };

		small_write(&small_open, type, path);
		brise_open_model(&f.model, path, NULL, NULL);
		brise_new_engine(&f.engine, f.model, &options, NULL);
		draw_expected(&f);
		RUN(test_the_limit_ends_it(&counts, &f));
		RUN(test_any_end_token_ends_it_and_is_not_handed_out(&counts, &f));
		RUN(test_a_full_sequence_ends_it_and_a_long_prompt_is_refused(&counts, &f));
		RUN(test_the_caller_may_stop_or_cancel_it(&counts, &f));
		RUN(test_a_pass_with_drafts_can_be_cancelled(&counts, &f));
		brise_free_sampler(f.g.sampler);
		brise_free_sequence(f.sequence);
		brise_free_engine(f.engine);
		brise_close_model(f.model);
	}
	return check_report("generate", &counts);
}
