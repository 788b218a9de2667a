/* generate.h - from a prompt to its continuation: evaluate, sample, accept, decode, stop
 *
 * generate_run is the loop for one sequence. A caller that evaluates several sequences in one pass
 * calls generate_accept once for each prompt and generate_next with the logits of each row.
 */
#ifndef RUNTIME_GENERATE_H
#define RUNTIME_GENERATE_H

#include "runtime/brise.h"
#include "runtime/drafter.h"

struct chat_thought; /* runtime/text/chat_thought.h */

typedef enum generate_reason {
	GENERATE_GOING = 0, /* more may follow */
	GENERATE_END,       /* one of `ends` was drawn */
	GENERATE_LIMIT,     /* `limit` tokens were drawn */
	GENERATE_FULL,      /* the sequence has no room for another position */
	GENERATE_STOPPED    /* the caller's function asked for it */
} generate_reason;

typedef struct generation {
	brise_sampler *sampler;       /* its mask, if any, holds for every token */
	brise_matcher *matcher;       /* NULL: none. Its masks take the place of the sampler's */
	struct chat_thought *thought; /* behind which the matcher begins; NULL: at once */
	brise_decoder *decoder;       /* NULL: tokens come without text */
	const int32_t *ends;          /* [n_ends] tokens that end the text; not part of it */
	size_t n_ends;
	uint64_t limit;   /* tokens to draw at most */
	drafter *drafter; /* NULL: no drafts. The text is the same with and without */
	size_t kept; /* for generate_run: tokens of the prompt that the sequence has evaluated */

	/* Results; zero at the start. */
	generate_reason reason; /* why it is over */
	uint64_t n_tokens;      /* drawn, without the one that ended it */
	/* The rest is generate_run's. */
	double prompt_s, generate_s; /* seconds for the prompt, and for the rest */
	uint64_t n_passes;           /* over the weights, without those for the prompt */
	uint64_t n_drafts;           /* evaluated in them */
	uint64_t n_accepted;         /* of these, drafts that were drawn */
} generation;

typedef struct generate_token {
	int32_t id;
	const char *text; /* what it adds to the text, [bytes]; valid until the next token */
	size_t bytes;
} generate_token;

/* Feeds a prompt [n] to the sampler, for its penalties, to the drafter, and to the decoder, so that
 * the first token drawn keeps its space. Errors: BRISE_EINVAL an id out of range, BRISE_ENOMEM. */
brise_status generate_accept(generation *g, const int32_t *prompt, size_t n, brise_error *err);

/* Whether a token ends the text. */
bool generate_is_end(const generation *g, int32_t id);

/* Draws, accepts and decodes one token from logits [vocab]. If it ends the text, *token is not
 * filled and g->reason is GENERATE_END. Errors: those of brise_sample_token, brise_get_allowed and
 * brise_decode_token. */
brise_status generate_next(generation *g, const float *logits, generate_token *token,
                           brise_error *err);

/* Receives each token drawn, before the next is drawn; may change the sampler's mask. Called while
 * a pass is evaluated, so it must not use the engine, nor change the sequence, and runs in the
 * floating-point environment of brise_eval_rows's callbacks. Returning true stops. */
typedef bool generate_token_fn(void *user, const generate_token *token);

/* Evaluates a prompt [n], n > g->kept, after what is in the sequence already, its first g->kept
 * tokens among it, and continues it until one of the reasons to stop, then in g->reason. The last
 * token drawn is not evaluated. cancel (NULL: never) is called before each layer; `user` is handed
 * to both functions. Text that the decoder holds back stays there for brise_finish_decoder.
 *
 * With a drafter a pass evaluates a token and its drafts, as many as the engine's and the
 * sequence's rows allow, and the sequence is rewound to what was drawn. Text, draws and the
 * sequence afterwards are those without drafts.
 *
 * Errors: BRISE_EFULL no room for the prompt, BRISE_ECANCELED, those of evaluating and drawing. */
brise_status generate_run(generation *g, brise_engine *engine, brise_sequence *sequence,
                          const int32_t *prompt, size_t n, generate_token_fn *each,
                          brise_cancel_fn *cancel, void *user, brise_error *err);

#endif
