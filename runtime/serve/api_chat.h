/* api_chat.h - OpenAI's chat completions: POST /v1/chat/completions */
#ifndef SERVE_API_CHAT_H
#define SERVE_API_CHAT_H

#include "runtime/serve/exchange.h"
#include "runtime/serve/request.h"

/* The handler. */
void api_chat(exchange *x);

/* Reads a request's body into r; false: refused. */
bool api_chat_read(request *r, const char *text, size_t bytes, refusal *why);

/* Submits r and replies; the reply takes over what is in r, which is empty then. False: refused,
 * nothing was replied, and r is as it was. */
bool api_chat_reply(exchange *x, request *r, refusal *why);

#endif
