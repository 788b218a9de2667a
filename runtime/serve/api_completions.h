/* api_completions.h - OpenAI's completions: POST /v1/completions */
#ifndef SERVE_API_COMPLETIONS_H
#define SERVE_API_COMPLETIONS_H

#include "runtime/serve/exchange.h"
#include "runtime/serve/inputs.h"
#include "runtime/serve/request.h"

/* The handler. */
void api_completions(exchange *x);

typedef struct completions {
	request shared; /* of all prompts */
	inputs prompts;
	bool echoes; /* the prompt stands in front of its answers */
} completions;

/* Reads a request's body into c, whose request has been initialised; false: refused. */
bool api_completions_read(completions *c, const char *text, size_t bytes, refusal *why);

/* As api_chat_reply. */
bool api_completions_reply(exchange *x, completions *c, refusal *why);

#endif
