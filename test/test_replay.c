/* test_replay.c - texts that are given are generated as given, in as many passes as drafts leave */
#include "bench/replay.h"

#include "test/check.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define TOKENS 60u

static void test_a_text_is_replayed_with_and_without_drafts(check_counts *counts,
                                                            const brise_model *model,
                                                            brise_engine *engine)
{
	int32_t prompt[TOKENS], text[TOKENS];
	const float *logits;
	unsigned drafts;

	bench_make_edit(prompt, text, TOKENS, 20, small_open.vocab);
	for (drafts = 0; drafts < 2; drafts++) {
		const bench_replay replay = { .prompt = prompt,
			                      .text = text,
			                      .n_prompt = TOKENS,
			                      .n = TOKENS,
			                      .drafts = drafts };
		float replayed[64], expected[64];
		bench_replay_result result;
		brise_sequence *sequence;
		brise_error err = { BRISE_OK, "" };

		brise_new_sequence(&sequence, model, NULL, NULL);
		CHECK(counts,
		      bench_replay_text(&result, &replay, model, engine, sequence, &err) ==
		              BRISE_OK,
		      "%s", err.message);
		CHECK(counts,
		      result.passes + result.accepted == TOKENS - 1 &&
		              result.accepted <= result.drafts && (drafts || result.drafts == 0),
		      "%u passes, %u accepted", (unsigned)result.passes, (unsigned)result.accepted);
		/* The last token is not evaluated. */
		brise_eval_tokens(engine, sequence, text + TOKENS - 1, 1, &logits, NULL, NULL,
		                  NULL);
		memcpy(replayed, logits, sizeof replayed);
		brise_rewind_sequence(sequence, 0, NULL);
		brise_eval_tokens(engine, sequence, prompt, TOKENS, NULL, NULL, NULL, NULL);
		brise_eval_tokens(engine, sequence, text, TOKENS, &logits, NULL, NULL, NULL);
		memcpy(expected, logits, sizeof expected);
		CHECK(counts, !memcmp(replayed, expected, sizeof expected), "another text");
		brise_free_sequence(sequence);
	}
}

static void test_an_edit_changes_one_token_in_so_many(check_counts *counts)
{
	int32_t prompt[TOKENS], text[TOKENS];
	unsigned i, changed = 0;

	bench_make_edit(prompt, text, TOKENS, 20, 64);
	for (i = 0; i < TOKENS; i++) {
		changed += prompt[i] != text[i];
		CHECK(counts, prompt[i] >= 0 && prompt[i] < 64 && text[i] >= 0 && text[i] < 64,
		      "an id outside the vocabulary at %u", i);
	}
	CHECK(counts, changed == TOKENS / 20, "%u changed", changed);
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
	while ((type = next_matrix_type(type)) != 0) {
		brise_model *model = NULL;
		brise_engine *engine = NULL;

		small_write(&small_open, type, path);
		brise_open_model(&model, path, NULL, NULL);
		brise_new_engine(&engine, model, &options, NULL);
		RUN(test_a_text_is_replayed_with_and_without_drafts(&counts, model, engine));
		brise_free_engine(engine);
		brise_close_model(model);
	}
	RUN(test_an_edit_changes_one_token_in_so_many(&counts));
	return check_report("replay", &counts);
}
