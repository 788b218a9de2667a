/* api_messages.h - the Messages API: POST /v1/messages, /v1/messages/count_tokens
 *
 * After Anthropic's reference (Messages, streaming, errors; the fields that its own SDK reads).
 */
#ifndef SERVE_API_MESSAGES_H
#define SERVE_API_MESSAGES_H

#include "runtime/serve/api_content.h"
#include "runtime/serve/exchange.h"
#include "runtime/serve/reply_parts.h"
#include "runtime/serve/request.h"

/* Reads a body into r; whatever comes of it, r is freed by request_free. counts: of count_tokens,
 * which has no max_tokens. False: refused. */
bool messages_read(request *r, const char *text, size_t bytes, bool counts, refusal *why);

/* Reads "messages" and "system" into the request's (api_messages_input.c). */
bool messages_read_list(request *r, fields *f);
bool messages_read_system(fields *f, joined_text *system);

/* What all events of one reply share. */
typedef struct messages_reply {
	const request *request;
	const struct service *service;
	const char *model;
	uint64_t number; /* of the exchange */
	char id[40];
	bool streams;
	bool begun;        /* of a stream: message_start is written */
	reply_parts parts; /* blocks of the content */
	size_t n_calls;
	body out;           /* events or the message, for the caller to send and clear */
	const char *reason; /* stop_reason; NULL: not yet */
	const char *stop;   /* stop_sequence; NULL: none */
	uint64_t n_prompt, n_kept, n_answer;
} messages_reply;

/* asked and service outlive the reply. */
void messages_reply_init(messages_reply *r, const request *asked, const struct service *service,
                         uint64_t number);
void messages_reply_free(messages_reply *r);

/* Of a stream: a ping, before message_start, which has figures that are not known yet. */
void messages_reply_ping(messages_reply *r);

/* Takes an event of the job: of a stream, events follow in r->out; otherwise the whole message
 * does, with the last one. */
void messages_reply_take(messages_reply *r, const struct job_event *event);

/* {"type": "error", "error": {...}} */
void messages_put_error(body *out, const refusal *why);

/* The handlers. */
void api_messages(exchange *x);
void api_messages_count(exchange *x);

#endif
