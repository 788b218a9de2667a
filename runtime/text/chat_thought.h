/* chat_thought.h - reasoning in front of an answer that a grammar restricts
 *
 * An answer begins with reasoning if the prompt has left it open, or if of all tokens [THINK] is
 * the likeliest to begin with. Models that were not trained to reason have that token too, and must
 * not be led to it because a grammar leaves them little else.
 */
#ifndef RUNTIME_CHAT_THOUGHT_H
#define RUNTIME_CHAT_THOUGHT_H

#include <string.h>

#include "runtime/brise.h"

/* All zero: there is none. */
typedef struct chat_thought {
	int32_t begin, end; /* its tokens */
	int32_t call;       /* the token of calls, which ends it too; -1: no call may be */
	bool may_begin;     /* with the first token */
	bool is_open;
	uint32_t vocab;
	uint32_t *mask; /* [(vocab + 31) / 32] of tokens within it: no end of the answer, no mark */
	uint32_t *first; /* room for another mask */
} chat_thought;

/* For an answer to a prompt [n]; of formats without reasoning there is none.
 *
 * vocab   of the model
 * ends    [n_ends] tokens that end an answer
 *
 * Needs closing in any case. Errors: BRISE_ENOMEM. */
brise_status chat_thought_open(chat_thought *t, const brise_chat *chat, const int32_t *prompt,
                               size_t n, uint32_t vocab, const int32_t *ends, size_t n_ends,
                               int32_t call, brise_error *err);
void chat_thought_close(chat_thought *t);

/* The mask of the next token outside reasoning: `allowed`, or that with the token which begins it.
 */
static inline const uint32_t *chat_thought_offer(const chat_thought *t, const uint32_t *allowed,
                                                 const float *logits)
{
	uint32_t i;

	if (!t->may_begin)
		return allowed;
	for (i = 0; i < t->vocab; i++)
		if (logits[i] > logits[t->begin])
			return allowed;
	memcpy(t->first, allowed, (t->vocab + 31) / 32 * sizeof *allowed);
	t->first[t->begin / 32] |= UINT32_C(1) << t->begin % 32;
	return t->first;
}

/* Takes a token that was drawn. False: it is the answer's, as is a call that ends reasoning. */
static inline bool chat_thought_take(chat_thought *t, int32_t id)
{
	if (t->is_open && id == t->call) {
		t->is_open = false;
		return false;
	}
	if (t->is_open) {
		t->is_open = id != t->end;
		return true;
	}
	t->is_open = t->may_begin && id == t->begin;
	t->may_begin = false;
	return t->is_open;
}

#endif
