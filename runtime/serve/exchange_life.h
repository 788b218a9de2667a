/* exchange_life.h - an exchange as the server sees it, from its request to its end */
#ifndef SERVE_EXCHANGE_LIFE_H
#define SERVE_EXCHANGE_LIFE_H

#include "runtime/serve/exchange.h"
#include "runtime/serve/http.h"
#include "runtime/serve/inside.h"
#include "runtime/serve/output.h"
#include "runtime/serve/site.h"

struct connection;

/* Bytes of a reply in pieces that may wait for its client to read: a piece behind more ends it. One
 * piece alone may be longer, as one that repeats what a request said. */
#define EXCHANGE_WAITING_MOST ((size_t)4 << 20)

struct exchange {
	exchange_facts facts;
	struct connection *connection; /* this and the next two NULL: from inside the program */
	site *site;
	const http_request *request;
	inside_reply_fn *reply; /* then: receives the reply, with reply_user */
	void *reply_user;
	bool *replied; /* then: set by a reply, while the handler runs; NULL: it does not */
	output fields; /* of the reply's head */
	int status;    /* of the reply; 0: it has not begun */
	bool is_head, is_chunked;
	uint64_t bytes; /* of the body so far */
	double begun;
	exchange_gone_fn *gone;
	void *user;
	uint64_t prompt_tokens, cached_tokens, answer_tokens;
};

/* Begins the connection's exchange for its request, which is whole. False: no memory. */
bool exchange_open(struct connection *c);

/* The client has gone: calls `gone`, and frees the exchange. */
void exchange_lose(exchange *x);

/* A reply with an error as JSON. */
void exchange_refuse(exchange *x, int status, const char *message);

#endif
