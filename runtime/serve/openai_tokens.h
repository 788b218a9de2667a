/* openai_tokens.h - a growing JSON array of tokens and their logarithms of probability */
#ifndef SERVE_OPENAI_TOKENS_H
#define SERVE_OPENAI_TOKENS_H

#include "runtime/serve/body.h"
#include "runtime/serve/scheduler.h"
#include "runtime/text/json_writer.h"

/* All zero: empty. */
typedef struct openai_tokens {
	body json; /* "[{...},{...}" */
	size_t n;
} openai_tokens;

/* Appends a JOB_TOKEN event as chat's logprobs.content has it. */
void openai_tokens_add(openai_tokens *t, const job_event *event);

/* "logprobs": {"content": [...], "refusal": null} of an object that is open. */
void openai_tokens_put(openai_tokens *t, json_writer *w);
void openai_tokens_clear(openai_tokens *t);
void openai_tokens_free(openai_tokens *t);

/* OpenAI's value for a token that cannot be. */
#define OPENAI_UNLIKELY (-9999.0)
double openai_logprob(float logprob);

#endif
