/* exchange.h - a request that has come in whole, and its reply
 *
 * All functions are for the thread of control. A handler is called once for each request; it
 * replies at once, or begins something and returns, and the reply follows later from other code of
 * the same thread. An exchange is valid until exchange_reply or exchange_end, or until `gone` has
 * been called; gone comes from the loop, never from inside another function here.
 *
 * Nothing here fails: without memory, or with a client that does not read, what is written is
 * dropped, the connection is closed, and gone is called when the loop turns.
 */
#ifndef SERVE_EXCHANGE_H
#define SERVE_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/serve/asker.h"

typedef struct exchange exchange;

typedef struct exchange_facts {
	const char *method; /* "GET", "POST", ... */
	const char *path;   /* decoded, without the query; holds no NUL */
	const char *query;  /* as sent, without "?"; "": none */
	const char *body;   /* [body_bytes], with a NUL behind it; "": none */
	size_t body_bytes;
	asker who;
	uint64_t number; /* of the request, from 1, for ids and logs */
	void *service;   /* struct service: the model, the scheduler and what else handlers use */
} exchange_facts;

/* Valid as long as the exchange. */
const exchange_facts *exchange_get_facts(const exchange *x);

/* The value of a header field, its name compared without regard to case; NULL: not sent. Valid as
 * long as the exchange. */
const char *exchange_get_header(const exchange *x, const char *name);

/* A field of the reply's header, before the reply begins; copied. A name that is no token, and a
 * value with control characters, are left out. The length, the type, the date and the
 * connection are the server's. */
void exchange_add_header(exchange *x, const char *name, const char *value);

/* The whole reply: body [bytes], copied. The exchange is invalid afterwards. */
void exchange_reply(exchange *x, int status, const char *type, const char *body, size_t bytes);

/* A reply in pieces. They are copied, and sent when the loop turns. exchange_end ends the reply and
 * makes the exchange invalid; exchange_break ends it where it cannot be completed, so that the
 * client sees that it is cut off. */
void exchange_begin(exchange *x, int status, const char *type);
void exchange_write(exchange *x, const char *bytes, size_t n);
void exchange_end(exchange *x);
void exchange_break(exchange *x);

/* Calls gone with `user` if the client goes away before the reply has ended, and the exchange is
 * invalid from then on: what was begun for it should stop. One at a time; NULL: none. */
typedef void exchange_gone_fn(void *user);
void exchange_on_gone(exchange *x, exchange_gone_fn *gone, void *user);

/* What the log says of it besides status, bytes and time; before the reply ends. */
void exchange_note(exchange *x, uint64_t prompt_tokens, uint64_t cached_tokens,
                   uint64_t answer_tokens);

typedef void exchange_handler(exchange *x);

typedef struct exchange_route {
	const char *method;
	const char *path; /* exact; with a final "*": all that begin so */
	exchange_handler *handle;
} exchange_route;

#endif
