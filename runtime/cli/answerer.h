/* answerer.h - a model that answers conversations, one after another, and evaluates of each only
 * what is new to it
 *
 * What has been evaluated stays in the sequence; what is longer still is found in the folder of
 * cached prompts (runtime/session/cache.h), if there is one. The text is the same as if everything
 * had been evaluated anew.
 */
#ifndef CLI_ANSWERER_H
#define CLI_ANSWERER_H

#include "runtime/cli/engine.h"
#include "runtime/cli/prompt_progress.h"
#include "runtime/cli/sampling.h"
#include "runtime/generate.h"
#include "runtime/session/cache.h"
#include "runtime/text/chat_thought.h"

/* Zero-initialised: closed. */
typedef struct answerer {
	const char *command; /* for messages */
	engine engine;
	brise_chat *chat;
	const brise_chat_facts *facts;
	prompt_cache cache;
	bool has_cache;
	int32_t *tokens; /* [n], room for [most]: of the last answer and what stands before it, of
	                  * which those before the sequence's position have been evaluated */
	size_t n, most;
	size_t cached; /* how many of them are in the cache */
	/* of the answer that is being drawn */
	brise_sampler *sampler;
	brise_matcher *matcher; /* NULL: any text */
	chat_thought thought;   /* in front of it */
	brise_answer *reader;
} answerer;

typedef struct answer_options {
	const sampling_settings *sampling;
	const brise_grammar *grammar; /* of the answer; NULL: none */
	uint64_t limit;               /* most tokens */
	bool has_drafts, ignore_ends;
	brise_answer_fn *each; /* what the model says */
	brise_cancel_fn
	        *cancel; /* whether to stop; called before each layer and after each token */
	void *user;      /* of both */
	uint64_t turn;   /* added to the seed, so that turns differ */
} answer_options;

/* Figures of an answer. */
typedef struct answer_figures {
	generate_reason reason;
	bool is_stopped;       /* cancel said so */
	size_t n_prompt, kept; /* tokens before the answer, and those of them not evaluated anew */
	uint64_t n_tokens;     /* of the answer */
	double prompt_s, generate_s;
	uint64_t n_passes, n_drafts, n_accepted;
} answer_figures;

/* Opens the model, and how it writes conversations: --chat-format, or NULL. Returns COMMANDS_READY
 * or the exit status, with the error printed; close it in either case. */
int answerer_open(answerer *a, const char *command, const char *path,
                  const engine_settings *settings, const char *chat_format);

/* Uses a folder of cached prompts. Errors: as prompt_cache_open. */
brise_status answerer_open_cache(answerer *a, const char *folder, uint64_t most_bytes,
                                 brise_error *err);

void answerer_close(answerer *a);

/* Positions that a conversation may take; 0: any number, there is a window. */
uint64_t answerer_room(const answerer *a);

/* Answers what dialog_encode or brise_encode_chat gave. Stopping is no error, nor is a context that
 * becomes full while the answer is drawn: then it can go on after one that has been shortened.
 *
 * prompt   [n], the answer's first `begun` tokens at its end, which have been drawn before
 * figures  of the answer so far
 *
 * The answer's ids are afterwards those of a->tokens [a->n] from n - begun on. Errors: as
 * generate_run. */
brise_status answerer_draw(answerer *a, const int32_t *prompt, size_t n, size_t begun,
                           const answer_options *options, answer_figures *figures,
                           brise_error *err);

/* Ends the answer: what was held back of its text. Errors: as brise_finish_answer. */
brise_status answerer_finish(answerer *a, const answer_options *options, brise_error *err);

/* Puts what has been evaluated into the cache, if there is one and it is not there. A failure is
 * noted. */
void answerer_keep(answerer *a);

/* What has been evaluated is not to be kept. */
void answerer_forget(answerer *a);

#endif
