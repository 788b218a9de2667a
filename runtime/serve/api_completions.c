/* api_completions.c - reads OpenAI's requests for completions */
#include "runtime/serve/api_completions.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/aside.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/request_fields.h"

#define LIMIT 16 /* of tokens, where none is said: OpenAI's */

static void read_suffix(fields *f)
{
	const char *text;
	size_t bytes;

	if (fields_read_string(f, &text, &bytes) && bytes > 0)
		fields_refuse(f, "unsupported_parameter",
		              "Unsupported parameter: 'suffix' is not supported with this model: "
		              "it continues texts at their end only.");
}

/* A number of tokens here, where chat has a boolean. */
static void read_logprobs(completions *c, fields *f)
{
	int64_t top;

	if (!fields_read_integer(f, 0, REQUEST_TOP, &top))
		return;
	c->shared.has_logprobs = true;
	c->shared.n_top = (unsigned)top;
}

static void read_field(completions *c, fields *f, const char *key, int64_t *best_of)
{
	if (!strcmp(key, "prompt"))
		inputs_read(&c->prompts, f);
	else if (!strcmp(key, "echo"))
		fields_read_bool(f, &c->echoes);
	else if (!strcmp(key, "suffix"))
		read_suffix(f);
	else if (!strcmp(key, "best_of"))
		fields_read_integer(f, 1, 20, best_of);
	else if (!strcmp(key, "logprobs"))
		read_logprobs(c, f);
	else if (!request_read_field(&c->shared, f, key))
		fields_skip(f);
}

/* Without a prompt: the begin of a text. */
static bool add_empty(completions *c)
{
	input *one;

	if (c->prompts.n > 0)
		return true;
	one = pool_append(&c->shared.pool, &c->prompts.list, 0, sizeof *one);
	c->prompts.n = one != NULL;
	if (one)
		*one = (input){ .text = "" };
	return one != NULL;
}

bool api_completions_read(completions *c, const char *text, size_t bytes, refusal *why)
{
	int64_t best_of = 0;
	char key[48];
	fields f;

	c->shared.has_limit = true;
	c->shared.limit = LIMIT;
	fields_begin(&f, text, bytes, &c->shared.pool, why);
	for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);)
		read_field(c, &f, key, &best_of);
	if (!fields_end(&f))
		return false;
	if (!add_empty(c))
		return refusal_set(why, 500, NULL, NULL, "out of memory");
	if (best_of > 0 && best_of != c->shared.n)
		return refusal_set(why, 400, "unsupported_parameter", "best_of",
		                   "Unsupported parameter: 'best_of' other than 'n' is not "
		                   "supported.");
	if (c->echoes && c->shared.has_logprobs)
		return refusal_set(
		        why, 400, "unsupported_parameter", "logprobs",
		        "Unsupported parameter: 'logprobs' with 'echo' is not supported.");
	return request_check(&c->shared, why);
}

typedef struct completions_call {
	exchange *x;
	const service *service;
	completions of;
	refusal why;
} completions_call;

static void encode(void *user)
{
	completions_call *c = user;

	(void)inputs_encode(&c->of.prompts, &c->of.shared.pool, &c->of.shared, c->service, &c->why);
}

static void answer(void *user, bool is_gone)
{
	completions_call *c = user;

	if (!is_gone && (c->why.status != 0 || !api_completions_reply(c->x, &c->of, &c->why)))
		openai_refuse(c->x, &c->why);
	request_free(&c->of.shared);
	memory_free(c);
}

void api_completions(exchange *x)
{
	const exchange_facts *facts = exchange_get_facts(x);
	completions_call *c = memory_new(1, sizeof *c);
	refusal why = { .status = 0 };

	if (!c) {
		(void)refusal_set(&why, 500, NULL, NULL, "out of memory");
		openai_refuse(x, &why);
		return;
	}
	c->x = x;
	c->service = facts->service;
	request_init(&c->of.shared);
	if (api_completions_read(&c->of, facts->body, facts->body_bytes, &c->why))
		aside_run(x, encode, answer, c);
	else
		answer(c, false);
}
