/* api_responses.h - the Responses API: POST /v1/responses
 *
 * After the Open Responses specification (openresponses.org, 2026-04-24) and OpenAI's reference.
 * Nothing is stored: a conversation is sent whole in `input` every time.
 */
#ifndef SERVE_API_RESPONSES_H
#define SERVE_API_RESPONSES_H

#include "runtime/serve/api_content.h"
#include "runtime/serve/exchange.h"
#include "runtime/serve/openai_tokens.h"
#include "runtime/serve/reply_parts.h"
#include "runtime/serve/request.h"

/* What "encrypted_content" of reasoning begins with, in front of the reasoning as it is: clients
 * that keep nothing else of it send it back. This server has nothing to hide from them. */
#define RESPONSES_SEAL "brise:"

/* A value as the client wrote it; text NULL: not sent. */
typedef struct responses_json {
	const char *text; /* [bytes] in the body */
	size_t bytes;
} responses_json;

/* A request, and what the reply repeats of it. Texts are of the body or the request's pool. */
typedef struct responses_ask {
	request request;
	const char *instructions; /* [instructions_bytes]; NULL: none */
	size_t instructions_bytes;
	api_tools tools;
	bool seals;       /* reasoning is wanted as "encrypted_content", too */
	bool allows_some; /* tool_choice names the tools that may be called */
	responses_json choice, format, metadata;
	const char *cache_key, *safety; /* NULL: not sent */
	/* Where items that are named by their ids are, for the client that has them; set by the
	 * caller. NULL: nowhere. */
	const struct recent_items *recent;
	size_t owner;
} responses_ask;

/* Reads a body into `ask`, all zero but for `recent` and `owner`; whatever comes of it, it is freed
 * by request_free(&ask->request). False: refused. */
bool responses_read(responses_ask *ask, const char *text, size_t bytes, refusal *why);

/* Reads "input" into the request's messages (api_responses_input.c). */
bool responses_read_input(responses_ask *ask, fields *f);

/* What all objects and events of one reply share. */
typedef struct responses_reply {
	const responses_ask *ask;
	const struct service *service;
	const char *model;
	uint64_t number;   /* of the exchange */
	char tag[40];      /* of all ids */
	int64_t created;   /* seconds since 1970 */
	uint64_t sequence; /* events so far */
	reply_parts parts; /* items of the output, each a text or a call */
	body out;          /* events or the object, for the caller to send and clear */
	size_t n_calls;
	openai_tokens tokens; /* with logprobs: those that no text has come for yet */
	const char *status;   /* "in_progress", ... */
	const char *reason;   /* why it is incomplete; NULL: it is not */
	const char *error;    /* why it failed; NULL: it did not */
	uint64_t n_prompt, n_kept, n_answer, n_thought;
	int64_t completed; /* seconds since 1970; 0: it is not */
} responses_reply;

/* ask, service and the exchange's facts outlive the reply. */
void responses_reply_init(responses_reply *r, const responses_ask *ask,
                          const struct service *service, uint64_t number, int64_t now);
void responses_reply_free(responses_reply *r);

/* Of a stream: the events before the first piece. */
void responses_reply_begin(responses_reply *r);

/* Takes an event of the job: of a stream, events follow in r->out; otherwise the whole object does,
 * with the last one. now: seconds since 1970. */
void responses_reply_take(responses_reply *r, const struct job_event *event, int64_t now);

/* Writes the object as it stands (api_responses_object.c). */
void responses_put_object(responses_reply *r, json_writer *w, const char *key);

/* What the id of an item begins with, which says its kind. */
const char *responses_prefix(const reply_part *part);

/* Writes item i of the output: as it is added, without content, or as it is now. */
void responses_put_item(const responses_reply *r, size_t i, json_writer *w, const char *key,
                        bool is_new);

/* Keeps the texts of a reply that has ended (recent_items.h). */
void responses_keep_items(const responses_reply *r, struct recent_items *recent, size_t owner);

/* Writes the part of a message that is its text; without text if it is new. */
void responses_put_part(const reply_part *part, json_writer *w, const char *key, bool is_new);

/* The handlers; count: of /v1/responses/input_tokens. */
void api_responses(exchange *x);
void api_responses_count(exchange *x);

#endif
