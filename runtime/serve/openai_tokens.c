/* openai_tokens.c - see openai_tokens.h */
#include "runtime/serve/openai_tokens.h"

#include <math.h>

double openai_logprob(float logprob)
{
	return isfinite(logprob) ? (double)logprob : OPENAI_UNLIKELY;
}

/* Fields of one token; a part of a character shows in `bytes` only. A token without text has an
 * empty list there: the Responses API knows no null. */
static void put_token(json_writer *w, const job_token *token)
{
	size_t i;

	json_put_text(w, "token", token->text, token->bytes);
	json_put_exactly(w, "logprob", openai_logprob(token->logprob), true);
	json_open(w, "bytes", '[');
	for (i = 0; i < token->bytes; i++)
		json_put_unsigned(w, NULL, (unsigned char)token->text[i]);
	json_close(w);
}

void openai_tokens_add(openai_tokens *t, const job_event *event)
{
	json_writer w = { .sink = body_add, .user = &t->json };
	size_t i;

	body_add(&t->json, t->n == 0 ? "[" : ",", 1);
	t->n++;
	json_open(&w, NULL, '{');
	put_token(&w, &event->token);
	json_open(&w, "top_logprobs", '[');
	for (i = 0; i < event->n_top; i++) {
		json_open(&w, NULL, '{');
		put_token(&w, &event->top[i]);
		json_close(&w);
	}
	json_close(&w);
	json_close(&w);
}

void openai_tokens_put(openai_tokens *t, json_writer *w)
{
	json_open(w, "logprobs", '{');
	body_add(&t->json, t->n == 0 ? "[]" : "]", t->n == 0 ? 2 : 1);
	if (t->json.failed)
		json_put_null(w, "content");
	else
		json_put_json(w, "content", t->json.bytes, t->json.n);
	json_put_null(w, "refusal");
	json_close(w);
	openai_tokens_clear(t);
}

void openai_tokens_clear(openai_tokens *t)
{
	body_clear(&t->json);
	t->n = 0;
}

void openai_tokens_free(openai_tokens *t)
{
	body_free(&t->json);
	t->n = 0;
}
