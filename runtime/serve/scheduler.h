/* scheduler.h - several answers at once from one engine: continuous batching in a thread of its own
 *
 * A job is a prompt and how it is continued. Jobs that run share the passes over the weights (Yu
 * and others, "Orca", OSDI 2022); a new prompt is read in slices between (Agrawal and others,
 * arXiv 2308.16369). What a job draws depends on its prompt, sampling and seed alone, never on the
 * other jobs. If all places are taken, jobs wait and clients take turns (job_queue.h).
 *
 * All functions are for one thread, the thread of control; events are delivered by
 * scheduler_deliver, in it.
 */
#ifndef SERVE_SCHEDULER_H
#define SERVE_SCHEDULER_H

#include "runtime/brise.h"
#include "runtime/serve/asker.h"

typedef struct scheduler scheduler;
typedef struct job job;

/* 0 or NULL where no default is named: none. */
typedef struct scheduler_options {
	uint32_t places; /* answers at once; 0: 4. Each has a sequence, made when it is needed */
	uint32_t slice;  /* most tokens of prompts in one pass while others draw; 0: 64 */
	uint32_t queue;  /* jobs that may wait (job_queue_has_room); 0: 64 */
	/* without a job for so long, engine, sequences and weights are given back */
	double idle_seconds;
	const char *path; /* the model's file, which is opened again by the scheduler for itself, so
	                   * that it can give back weights; NULL: the model as it is given */
	brise_engine_options engine;     /* size 0: defaults, here and in the next */
	brise_sequence_options sequence; /* of each place */
	uint64_t memory;   /* most bytes for weights, as brise_limit_memory takes it; with path */
	const char *cache; /* folder of the prompt cache; jobs with a key use a folder below it */
	uint64_t cache_bytes;      /* most bytes of the cache, of each owner's share too */
	const char *const *owners; /* [n_owners] API keys: key i of a job is owners[i - 1]. Their
	                            * folders are named by a hash */
	size_t n_owners;
	bool has_drafts; /* drafts while a single job draws; text does not depend on them */
} scheduler_options;

/* Starts the thread, which loads; until it has, jobs wait. model, and what options point to, must
 * outlive the scheduler. *out: freed by scheduler_free; NULL after an error.
 * Errors: BRISE_EINVAL, BRISE_ENOMEM, BRISE_EIO. */
brise_status scheduler_new(scheduler **out, const brise_model *model,
                           const scheduler_options *options, brise_error *err);

/* Stops what runs, without events, and waits for the thread. What has been evaluated is kept in the
 * prompt cache, if there is one. NULL is allowed. */
void scheduler_free(scheduler *s);

/* A descriptor that is readable while there are events. */
int scheduler_wake(const scheduler *s);

/* Calls the functions of all events that are there. */
void scheduler_deliver(scheduler *s);

/* Memory that engine and all sequences take at most. Errors: BRISE_EINVAL, BRISE_ENOMEM. */
brise_status scheduler_count_bytes(const brise_model *model, const scheduler_options *options,
                                   uint64_t *bytes, brise_error *err);

/* ---- jobs ----------------------------------------------------------------------------------- */

#define JOB_MOST_TOP 20u

typedef struct job_plan {
	const int32_t *prompt; /* [n], n > 0, begin token included; copied */
	size_t n;
	const brise_sampling *sampling; /* copied; NULL: defaults. n_pieces is set by the
	                                 * scheduler */
	uint64_t limit;                 /* most tokens to draw; 0: none, only evaluate the prompt */
	const char *const *stops; /* [n_stops] texts that end the answer and are no part of it;
	                           * copied; empty ones are ignored */
	size_t n_stops;
	/* a job whose last event has not been delivered, of the same prompt, biases and stop texts:
	 * its copies are shared. NULL: none */
	const job *like;
	const brise_chat *chat; /* the answer is read as this format's, with calls; NULL: as text
	                         * that continues the prompt's */
	bool ignores_ends;      /* end tokens do not end it; they have no text */
	const brise_grammar *grammar;
	int32_t grammar_after; /* the grammar holds from behind this token on (as of a tool call);
	                        * -1: from the start */
	/* What holds from the start, unless the first token drawn is grammar_after; NULL: nothing
	 */
	const brise_grammar *text_grammar;
	bool must_call;    /* the first token drawn is grammar_after */
	bool has_logprobs; /* JOB_TOKEN events */
	unsigned n_top;    /* with them: so many likeliest tokens, at most JOB_MOST_TOP */
	asker who;         /* whose turn it is; texts are shared among jobs of the same key only */
	bool keeps;        /* its text may be kept and reused, and it reuses others' */
	bool embeds; /* JOB_EMBEDDING; nothing is drawn, whatever the limit, and nothing reused */
	/* Called once, in the thread of control, when grammar and chat are needed no more: behind
	 * the last event, or some time after scheduler_cancel; also within scheduler_free. NULL:
	 * not called. */
	void (*release)(void *held);
	void *held;
} job_plan;

typedef enum job_event_kind {
	JOB_BEGUN, /* the prompt has been evaluated */
	JOB_PIECE, /* a part of the answer. What may be the begin of a stop text is held back */
	JOB_TOKEN, /* with has_logprobs: a token, before the piece it belongs to. Of a stop text
	            * there is none */
	JOB_EMBEDDING,
	JOB_DONE,  /* the last event */
	JOB_FAILED /* the last event instead */
} job_event_kind;

typedef enum job_reason {
	JOB_ENDED,   /* by an end token, or a grammar that is complete */
	JOB_CALLED,  /* the same, and there is a tool call */
	JOB_STOPPED, /* by a stop text */
	JOB_LIMITED, /* `limit` tokens were drawn */
	JOB_FULL     /* the context has no room for another token */
} job_reason;

typedef struct job_token {
	int32_t id;
	const char *text; /* [bytes] what the token stands for, alone; a part of a character may
	                   * be no UTF-8; empty for control tokens */
	size_t bytes;
	float logprob; /* natural logarithm of its probability in the model's distribution, before
	                * temperature, mask and penalties */
} job_token;

/* Pointers are valid during the call. */
typedef struct job_event {
	job_event_kind kind;
	brise_answer_piece piece; /* JOB_PIECE; without a chat always BRISE_ANSWER_TEXT */
	job_token token;          /* JOB_TOKEN */
	const job_token *top;     /* [n_top] likeliest first */
	size_t n_top;
	const float *embedding; /* JOB_EMBEDDING: [dim] mean of the last hidden states, behind the
	                         * final norm, of all tokens of the prompt */
	size_t dim;
	size_t n_prompt, n_kept; /* from JOB_BEGUN on: tokens of the prompt, and those of them that
	                          * needed no evaluation */
	job_reason reason;       /* JOB_DONE */
	size_t stop;             /* JOB_STOPPED: index of the text in plan.stops */
	bool is_cut;        /* JOB_DONE: a tool call was begun and is not whole, or is no call */
	uint64_t n_tokens;  /* JOB_DONE, JOB_FAILED: drawn, without the end token */
	uint64_t n_thought; /* of them, reasoning */
	double wait_s, prompt_s, answer_s; /* JOB_DONE: in the queue, for the prompt, for the rest
	                                    */
	const brise_error *error;          /* JOB_FAILED */
} job_event;

typedef void job_event_fn(void *user, const job_event *event);

/* Submits a job; events come in later scheduler_deliver calls, never within this one. *out is
 * invalid when the last event has been delivered, and may be cancelled within that call.
 * Errors: BRISE_EFULL as many jobs wait as may, or as many of this client's (try again later);
 * BRISE_EINVAL the prompt does not fit the context, an id or a setting is out of range;
 * BRISE_ENOMEM. */
brise_status scheduler_submit(scheduler *s, job **out, const job_plan *plan, job_event_fn *each,
                              void *user, brise_error *err);

/* The job's place is free within one pass; no event comes any more; j is invalid. */
void scheduler_cancel(job *j);

/* ---- what it is doing ----------------------------------------------------------------------- */

typedef enum scheduler_state {
	SCHEDULER_LOADING,
	SCHEDULER_READY,
	SCHEDULER_IDLE,  /* weights are given back; the next job loads them */
	SCHEDULER_FAILED /* jobs fail with the same error */
} scheduler_state;

/* *err (may be NULL) is filled for SCHEDULER_FAILED. */
scheduler_state scheduler_get_state(scheduler *s, brise_error *err);

/* Totals since the start, and what is now. */
typedef struct scheduler_figures {
	uint64_t context;       /* positions of a sequence; 0: any number, there is a window */
	uint32_t places, queue; /* as in the options, or their defaults */
	uint32_t n_running, n_waiting;
	uint64_t jobs_done, jobs_failed, jobs_cancelled, jobs_refused; /* refused: queue full */
	uint64_t prompt_tokens;                                        /* of jobs that have begun */
	uint64_t kept_tokens; /* of them, not evaluated anew */
	uint64_t answer_tokens;
	uint64_t passes, rows;      /* over the weights; tokens evaluated in them */
	uint64_t drafts, accepted;  /* evaluated; of them, drawn */
	uint64_t most_between;      /* most tokens of prompts in a pass in which others drew */
	double prompt_s, answer_s;  /* seconds in passes with rows of prompts; without */
	uint64_t loads, idle_times; /* how often weights were loaded and given back */
} scheduler_figures;
void scheduler_get_figures(scheduler *s, scheduler_figures *figures);

typedef enum place_state {
	PLACE_FREE,
	PLACE_PREPARING, /* the disk is asked for the text, or takes the one before */
	PLACE_READING,
	PLACE_DRAWING
} place_state;

typedef struct place_facts {
	place_state state;
	uint64_t number;                 /* of its job, from 1 in order of submission; 0: free */
	size_t owner;                    /* of its text */
	size_t n_prompt, n_kept, n_read; /* of the job */
	uint64_t n_drawn, limit;         /* of the job */
	uint64_t n_held;                 /* positions of its text that are evaluated */
	double seconds;                  /* since the job got the place; free: 0 */
} place_facts;
/* index < places. */
void scheduler_get_place(scheduler *s, size_t index, place_facts *facts);

#endif
