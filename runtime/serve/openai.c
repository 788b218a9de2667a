/* openai.c - see openai.h */
#include "runtime/serve/openai.h"

#include <stdio.h>
#include <string.h>

#include "runtime/os/os.h"

void openai_put_error(json_writer *w, const refusal *why)
{
	json_open(w, "error", '{');
	json_put_string(w, "message", why->message);
	json_put_string(w, "type", why->type);
	json_put_string(w, "param", why->param[0] ? why->param : NULL);
	json_put_string(w, "code", why->code);
	json_close(w);
}

void openai_refuse(exchange *x, const refusal *why)
{
	body b = { .n = 0 };
	json_writer w = { .sink = body_add, .user = &b };

	json_open(&w, NULL, '{');
	openai_put_error(&w, why);
	json_close(&w);
	if (why->status == 503)
		exchange_add_header(x, "Retry-After", "1");
	exchange_reply(x, why->status, OPENAI_JSON, b.failed ? "" : b.bytes, b.failed ? 0 : b.n);
	body_free(&b);
}

void openai_explain(refusal *why, const job_event *event)
{
	const char *message = event->error ? event->error->message : "evaluation failed";
	bool is_bias = strncmp(message, "logit_bias", strlen("logit_bias")) == 0;

	if (event->error && event->error->code == BRISE_EUNSUPPORTED)
		(void)refusal_set(why, 400, "unsupported_value", is_bias ? "logit_bias" : NULL,
		                  "The answer cannot go on: %s.", message);
	else
		(void)refusal_set(why, 500, NULL, NULL, "%s", message);
}

void openai_put_usage(json_writer *w, const openai_usage *usage)
{
	json_open(w, "usage", '{');
	json_put_unsigned(w, "prompt_tokens", usage->prompt);
	json_put_unsigned(w, "completion_tokens", usage->answer);
	json_put_unsigned(w, "total_tokens", usage->prompt + usage->answer);
	json_open(w, "prompt_tokens_details", '{');
	json_put_unsigned(w, "cached_tokens", usage->kept);
	json_close(w);
	if (usage->thought > 0) {
		json_open(w, "completion_tokens_details", '{');
		json_put_unsigned(w, "reasoning_tokens", usage->thought);
		json_close(w);
	}
	json_close(w);
}

void openai_init_head(openai_head *head, const char *prefix, const exchange *x, const char *model)
{
	const exchange_facts *facts = exchange_get_facts(x);
	const service *s = facts->service;

	/* Two starts of the server within one second are the only way to the same id twice. */
	(void)snprintf(head->id, sizeof head->id, "%s%llx%08llx", prefix,
	               (unsigned long long)s->created, (unsigned long long)facts->number);
	head->created = os_time();
	head->model = model ? model : s->name;
}

void openai_put_head(json_writer *w, const openai_head *head, const char *object)
{
	json_put_string(w, "id", head->id);
	json_put_string(w, "object", object);
	json_put_integer(w, "created", head->created);
	json_put_string(w, "model", head->model);
	json_put_string(w, "system_fingerprint", "brise-" BRISE_VERSION);
}

const char *openai_reason(job_reason reason)
{
	switch (reason) {
	case JOB_CALLED:
		return "tool_calls";
	case JOB_LIMITED:
	case JOB_FULL:
		return "length";
	case JOB_ENDED:
	case JOB_STOPPED:
		break;
	}
	return "stop";
}

void openai_reply(exchange *x, const body *b)
{
	refusal why = { .status = 0 };

	if (!b->failed) {
		exchange_reply(x, 200, OPENAI_JSON, b->bytes, b->n);
		return;
	}
	(void)refusal_set(&why, 500, NULL, NULL, "out of memory");
	openai_refuse(x, &why);
}
