/* lockstep.h - evaluates a text with one model, or with two in step, and passes every scored
 * position to divergence.h
 *
 * The reference evaluates a passage of the text and its logits are kept; the model evaluates the
 * same passage and each of its positions is compared at once. Memory is that of one passage,
 * whatever the text's length, and each model sees the text in its own window.
 *
 * Two protocols:
 *
 * One stream (context 0): the text from its first token to its last, without resets; every token
 * but the first is scored, predicted from all before it that the model's window holds. For models
 * with a window this is the figure for text of any length.
 *
 * Chunks (context N, stride S), as published figures are measured: chunks of N tokens begin at
 * tokens 0, S, 2S ... as long as a whole one is left, each from an empty cache, its first token
 * replaced by the begin token if the model has one. Scored in a chunk are its tokens (counted
 * from 0)
 *     N / 2 + 1 .. N - 1    which have at least half a chunk before them,
 * except those that the chunk before has scored already: with a stride shorter than that half, only
 * the last S. So no token counts twice, and between the first scored and the last none is left out
 * unless the stride is longer than the half. With S = N this is what llama.cpp's perplexity tool
 * scores: 255 of every 512 tokens (github.com/ggml-org/llama.cpp, tools/perplexity). With a short
 * stride every token has nearly N before it, as in llama.cpp's --ppl-stride and Hugging Face's
 * recipe for models of fixed length; these put no begin token into later chunks or score the first
 * chunk differently. Tokens after the last whole chunk are ignored.
 */
#ifndef CLI_LOCKSTEP_H
#define CLI_LOCKSTEP_H

#include "bench/divergence.h"

typedef struct lockstep_model {
	brise_engine *engine;
	brise_sequence *sequence; /* starts at position 0 */
} lockstep_model;

typedef struct lockstep_job {
	lockstep_model model, reference; /* reference.engine NULL: none */
	size_t vocab;                    /* of both */
	const int32_t *ids;              /* [n] in [0, vocab) */
	size_t n;
	/* context 0: one stream; else at least LOCKSTEP_CONTEXT_MIN, and stride at least 1 */
	size_t context, stride;
	int32_t bos; /* that begins every chunk; -1: none, chunks stay as they are */
	/* After each scored position; returning true cancels. NULL: never called. */
	bool (*progress)(void *user, const divergence *so_far, size_t total);
	void *user;
	/* called before each layer of each pass, with cancel_user; NULL: never */
	brise_cancel_fn *cancel;
	void *cancel_user;
} lockstep_job;

#define LOCKSTEP_CONTEXT_MIN 3u /* a begin token, one that is not scored, one that is */

/* Chunks of the job (one stream is one); 0 if the text is too short for any. */
size_t lockstep_count_chunks(const lockstep_job *job);

/* Positions the job scores. */
size_t lockstep_count_scored(const lockstep_job *job);

/* Evaluates the job into *d, which it prepares and the caller frees, also after errors. Rewinds the
 * sequences; rows of a pass and threads change no figure.
 * Errors: those of brise_eval_all, BRISE_ENOMEM; BRISE_ECANCELED when progress or cancel asked for
 * it. */
brise_status lockstep_measure(divergence *d, const lockstep_job *job, brise_error *err);

#endif
