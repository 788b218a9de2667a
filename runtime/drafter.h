/* drafter.h - tokens that may come next, because they followed the same tokens before
 *
 * Lookup decoding (Saxena, "Prompt Lookup Decoding", 2023; verification as in Leviathan and others,
 * arXiv 2211.17192): what followed the last tokens earlier in the text are drafts. One pass over
 * the weights evaluates the next token and its drafts as rows of the sequence, and each draft that
 * is drawn from the logits of the row before it saves a pass. Drawing does not know the drafts, so
 * the text and the random numbers are those without.
 */
#ifndef RUNTIME_DRAFTER_H
#define RUNTIME_DRAFTER_H

#include "runtime/draft_index.h"
#include "runtime/draft_pace.h"

/* Drafts of another origin, for tests and measurements: fills drafts, at most `most`, and returns
 * how many. They may be wrong, but must be ids of the vocabulary. */
typedef size_t drafter_force_fn(void *user, int32_t *drafts, size_t most);

typedef struct drafter {
	draft_index index;
	draft_pace pace;
	unsigned match;  /* tokens before `source` that match the text's last ones; 0: no source */
	uint64_t source; /* position of the first draft */
	drafter_force_fn *force; /* NULL: drafts are looked up, and as many taken as pay */
	void *user;
} drafter;

/* All memory is allocated here. False: there is none. */
bool drafter_new(drafter *d);
void drafter_free(drafter *d); /* all zero allowed */

/* Adds the next token of the text. drawn: the drafter learns whether it would have been right;
 * otherwise it is a token of a prompt. */
void drafter_add(drafter *d, int32_t token, bool drawn);

/* Drafts for the tokens that follow the text, at most `most` and DRAFT_MOST. */
size_t drafter_propose(drafter *d, int32_t *drafts, size_t most);

/* Learns from a pass of one token and its drafts, `rows` in all, from which `drawn` tokens came. */
void drafter_note_pass(drafter *d, size_t rows, size_t drawn, double seconds);

#endif
