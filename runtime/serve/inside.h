/* inside.h - requests that come from inside the program: the same handlers, without a connection */
#ifndef SERVE_INSIDE_H
#define SERVE_INSIDE_H

#include "runtime/serve/exchange.h"

/* Receives the whole reply: JSON [bytes], valid during the call. */
typedef void inside_reply_fn(void *user, int status, const char *body, size_t bytes);

/* Hands a request to a handler. facts are copied, what they point to must live until the reply. The
 * reply may come within this call. A stream as reply becomes status 400. Returns the exchange until
 * it has been replied; NULL: it has been, or there is no memory (*failed). */
exchange *inside_ask(const exchange_facts *facts, exchange_handler *handle, inside_reply_fn *reply,
                     void *user, bool *failed);

/* As if the client had gone: no reply comes. */
void inside_leave(exchange *x);

#endif
