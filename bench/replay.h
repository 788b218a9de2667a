/* replay.h - generating a text that is given, whatever the model itself would write
 *
 * Speed with drafts depends on the text, and models of random weights write none: here a text is
 * drawn token by token from a recording, while passes, drafts and decisions are those of
 * runtime/generate.h.
 */
#ifndef BENCH_REPLAY_H
#define BENCH_REPLAY_H

#include "runtime/brise.h"

typedef struct bench_replay {
	const int32_t *prompt, *text; /* [n_prompt], [n] ids of the vocabulary */
	size_t n_prompt, n;
	bool drafts;
	brise_cancel_fn *cancel;
	void *user;
} bench_replay;

typedef struct bench_replay_result {
	uint64_t passes, drafts, accepted; /* as in generation */
	double seconds;                    /* from the prompt's logits to the last token */
} bench_replay_result;

/* Generates replay->text after its prompt in `sequence`.
 * Errors: BRISE_ENOMEM, those of evaluating. */
brise_status bench_replay_text(bench_replay_result *result, const bench_replay *replay,
                               const brise_model *model, brise_engine *engine,
                               brise_sequence *sequence, brise_error *err);

/* A prompt [n] without repetitions, as far as the vocabulary goes, and the same with one token in
 * `every` changed. */
void bench_make_edit(int32_t *prompt, int32_t *text, size_t n, size_t every, uint32_t vocab);

#endif
