/* request.h - what a client asks for, in whichever API: read by api_*.c, answered by jobs
 *
 *     request_init(&r);
 *     ... the API fills r from the body, with memory of r.pool ...
 *     if (!request_submit(&r, s, key, each, user, &why)) ... refuse, request_free(&r)
 *     ... each(user, answer, event) until each of r.n answers had its last event ...
 *     request_free(&r);
 *
 * All functions are for the thread of control.
 */
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include "runtime/brise.h"
#include "runtime/serve/asker.h"
#include "runtime/serve/pool.h"
#include "runtime/serve/refusal.h"
#include "runtime/serve/service.h"

struct job_event; /* scheduler.h */

typedef enum tool_choice {
	TOOLS_AUTO, /* the model decides; without tools it cannot */
	TOOLS_NONE,
	TOOLS_REQUIRED,
	TOOLS_NAMED
} tool_choice;

typedef enum request_form {
	FORM_TEXT,   /* anything */
	FORM_JSON,   /* any JSON object */
	FORM_SCHEMA, /* JSON that follows a schema */
	FORM_GRAMMAR /* text of a GBNF grammar */
} request_form;

#define REQUEST_ANSWERS 64 /* most of one request */
#define REQUEST_STOPS   16 /* most stop texts */
#define REQUEST_TOP     20 /* most likely tokens beside each drawn one */
#define REQUEST_LIMIT                                                                              \
	4096 /* tokens of an answer where the context has no end, unless it is said                \
	      */

typedef struct request_job request_job;

typedef struct request {
	pool pool; /* all texts and lists below; freed with the request */

	/* What is continued: a conversation, or ids, or a text, the first of these that is there.
	 */
	brise_message *messages; /* [n_messages], filled by request_add_message */
	size_t n_messages;
	const int32_t *ids; /* [n_ids] as they are */
	size_t n_ids;
	const char *text; /* UTF-8 [text_bytes]; the begin token is put before it */
	size_t text_bytes;

	/* Functions as OpenAI's chat has them: [{"type": "function", "function": {...}}, ...] */
	const char *tools; /* JSON [tools_bytes]; NULL: none */
	size_t tools_bytes;
	tool_choice choice;
	const char *named; /* TOOLS_NAMED: the function */
	void *tool_names;  /* [n_tools] const char *: the functions' names, with the JSON */
	size_t n_tools;
	bool parallel_calls;

	/* How; request_init fills it with defaults. */
	brise_sampling sampling;
	bool has_seed; /* otherwise each request draws anew */
	/* Most tokens of an answer; without: as many as the context has room for, or REQUEST_LIMIT
	 * where it is without end. */
	bool has_limit;
	uint64_t limit;
	bool has_penalty_last;
	const char *stops[REQUEST_STOPS];
	size_t n_stops;
	uint32_t n; /* answers, 1 to REQUEST_ANSWERS; answer i has seed + i */
	bool has_logprobs;
	unsigned n_top; /* 0 to REQUEST_TOP */
	bool cache_prompt;
	bool ignores_ends;
	bool embeds; /* no answer: its embedding */

	request_form form;
	const char *grammar; /* the schema or the grammar [grammar_bytes] */
	size_t grammar_bytes;
	const char *gbnf; /* [gbnf_bytes] the field "grammar", until request_check */
	size_t gbnf_bytes;
	bool is_strict;         /* a tool asks that its arguments follow its schema */
	const char *form_param; /* the field that asks for the form, for messages; NULL:
	                         * "response_format" or "grammar" */

	/* The reply. */
	const char *model; /* as the client calls it; NULL: not said */
	bool streams, includes_usage;

	/* Filled by request_submit. */
	/* Which tools have arguments that do not follow their schemas, and why
	 * (service.loose_tools); NULL: none */
	const char *unconstrained;
	size_t n_prompt;
	request_job *jobs; /* [n] */
	uint32_t running;  /* answers without their last event yet */
	void (*each)(void *user, uint32_t answer, const struct job_event *event);
	void *user;
} request;

/* Defaults; nothing is continued. */
void request_init(request *r);

/* Stops what runs, without further events, and frees everything. */
void request_free(request *r);

/* Appends a message, whose memory is of the pool or outlives the request. False: no memory. */
bool request_add_message(request *r, const brise_message *message);

/* Moves lines of the system's prompt that change in every request (changing_system.h), or advises
 * to. Before request_encode; key: of the client. */
bool request_adapt_system(request *r, service *s, size_t key, refusal *why);

/* The ids of what is continued, r->ids [r->n_ids]. Reads nothing of the service that changes, so it
 * may be called in another thread. request_submit does it and request_adapt_system if it has not
 * been done. */
bool request_encode(request *r, const service *s, refusal *why);

/* Encodes, compiles grammars, which are kept by their text, and submits r->n jobs.
 *
 * who    asks (exchange_facts.who)
 * each   receives the events of answer 0 <= `answer` < n, from scheduler_deliver. It may call
 *        request_free once r->running is 0, or at any time before
 *
 * False: refused, nothing runs and nothing will be called: 400 what the client can correct, 503
 * the queue is full. */
bool request_submit(request *r, service *s, const asker *who,
                    void (*each)(void *user, uint32_t answer, const struct job_event *event),
                    void *user, refusal *why);

/* An id for tool call `call` of an answer, always the same: nine letters and digits, which v3 has
 * in conversations as they are. number: of the exchange. */
void request_name_call(const service *s, uint64_t number, uint32_t answer, size_t call,
                       char id[10]);

#endif
