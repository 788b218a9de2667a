/* constraint.h - a job's grammar, from the place on where it holds
 *
 * What holds from the start of an answer holds from behind its reasoning on (chat_thought.h).
 */
#ifndef SERVE_CONSTRAINT_H
#define SERVE_CONSTRAINT_H

#include "runtime/serve/job.h"
#include "runtime/text/chat_thought.h"

typedef struct constraint {
	const job_plan *plan;
	brise_matcher *matcher; /* of plan->grammar; NULL: no grammar */
	brise_matcher
	        *text;   /* of plan->text_grammar, until a first token replaces it; NULL: none */
	bool holds;      /* from here on */
	bool is_first;   /* nothing has been drawn but reasoning */
	bool must_end;   /* the grammar allows an end only: the answer may end here */
	uint32_t *first; /* [words] the mask of the first token, where a call may or must begin */
	size_t words;    /* (vocab + 31) / 32 */
	chat_thought thought;
} constraint;

/* ends: of the answer. *c needs closing in any case. Errors: those of brise_new_matcher. */
brise_status constraint_open(constraint *c, const job_plan *plan, uint32_t vocab,
                             const int32_t *ends, size_t n_ends, brise_error *err);
void constraint_close(constraint *c);

/* Before a token is drawn from logits [vocab]: sets the sampler's mask. Errors: those of
 * brise_get_allowed. */
brise_status constraint_apply(constraint *c, const float *logits, brise_sampler *sampler,
                              brise_error *err);

/* After it has been: c->must_end follows. Errors: those of brise_match_token. */
brise_status constraint_accept(constraint *c, int32_t id, brise_error *err);

#endif
