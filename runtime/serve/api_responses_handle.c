/* api_responses_handle.c - from an exchange to a job, and from its events to the reply */
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/api_responses.h"
#include "runtime/serve/aside.h"
#include "runtime/serve/openai.h"

typedef struct responses_call {
	responses_ask ask;
	responses_reply reply;
	exchange *x;
	const service *service;
	refusal why;
	bool begun; /* the head is out */
} responses_call;

static void free_call(responses_call *c)
{
	responses_reply_free(&c->reply);
	request_free(&c->ask.request);
	memory_free(c);
}

static void drop(void *user)
{
	free_call(user);
}

static void flush(responses_call *c)
{
	if (!c->reply.out.failed)
		exchange_write(c->x, c->reply.out.bytes, c->reply.out.n);
	c->reply.parts.failed = c->reply.parts.failed || c->reply.out.failed;
	body_clear(&c->reply.out);
}

static void end(responses_call *c)
{
	const responses_reply *r = &c->reply;
	const exchange_facts *facts = exchange_get_facts(c->x);
	const service *s = facts->service;

	if (s->recent)
		responses_keep_items(r, s->recent, facts->who.key);
	exchange_note(c->x, r->n_prompt, r->n_kept, r->n_answer);
	exchange_on_gone(c->x, NULL, NULL);
	if (c->begun && c->reply.out.failed) {
		exchange_break(c->x);
	} else if (c->begun) {
		flush(c);
		exchange_end(c->x);
	} else {
		openai_reply(c->x, &c->reply.out);
	}
	free_call(c);
}

/* A job that failed before anything was replied is an error of HTTP's. */
static void fail(responses_call *c, const job_event *event)
{
	refusal why = { .status = 0 };

	openai_explain(&why, event);
	exchange_on_gone(c->x, NULL, NULL);
	openai_refuse(c->x, &why);
	free_call(c);
}

static void take(void *user, uint32_t answer, const job_event *event)
{
	responses_call *c = user;

	(void)answer;
	if (event->kind == JOB_FAILED && !c->begun) {
		fail(c, event);
		return;
	}
	responses_reply_take(&c->reply, event, os_time());
	if (event->kind == JOB_DONE || event->kind == JOB_FAILED)
		end(c);
	else if (c->begun)
		flush(c);
}

/* What is wrong with messages is wrong with the field that they come from. */
static void refuse(exchange *x, refusal *why)
{
	if (!strcmp(why->param, "messages"))
		strcpy(why->param, "input");
	openai_refuse(x, why);
}

static void begin_stream(responses_call *c)
{
	exchange_add_header(c->x, "Cache-Control", "no-cache");
	exchange_begin(c->x, 200, OPENAI_STREAM);
	c->begun = true;
	responses_reply_begin(&c->reply);
	flush(c);
}

static void encode(void *user)
{
	responses_call *c = user;

	(void)request_encode(&c->ask.request, c->service, &c->why);
}

/* The request has been read and encoded, or is to be refused. */
static void answer(void *user, bool is_gone)
{
	responses_call *c = user;
	const exchange_facts *facts = is_gone ? NULL : exchange_get_facts(c->x);

	if (is_gone) {
		free_call(c);
		return;
	}
	if (c->why.status != 0 ||
	    !request_submit(&c->ask.request, facts->service, &facts->who, take, c, &c->why)) {
		refuse(c->x, &c->why);
		free_call(c);
		return;
	}
	responses_reply_init(&c->reply, &c->ask, facts->service, facts->number, os_time());
	exchange_on_gone(c->x, drop, c);
	if (c->ask.request.unconstrained)
		exchange_add_header(c->x, "X-Brise-Unconstrained-Tools",
		                    c->ask.request.unconstrained);
	if (c->ask.request.streams)
		begin_stream(c);
}

static void count(void *user, bool is_gone)
{
	responses_call *c = user;
	body b = { .n = 0 };
	json_writer w = { .sink = body_add, .user = &b };

	if (!is_gone && c->why.status != 0) {
		refuse(c->x, &c->why);
	} else if (!is_gone) {
		json_open(&w, NULL, '{');
		json_put_string(&w, "object", "response.input_tokens");
		json_put_unsigned(&w, "input_tokens", c->ask.request.n_ids);
		json_close(&w);
		openai_reply(c->x, &b);
	}
	body_free(&b);
	free_call(c);
}

static void begin(exchange *x, bool counts)
{
	const exchange_facts *facts = exchange_get_facts(x);
	service *s = facts->service;
	responses_call *c = memory_new(1, sizeof *c);
	refusal why = { .status = 0 };
	void (*done)(void *user, bool is_gone) = counts ? count : answer;

	if (!c) {
		(void)refusal_set(&why, 500, NULL, NULL, "out of memory");
		openai_refuse(x, &why);
		return;
	}
	c->x = x;
	c->service = s;
	c->ask.recent = s->recent;
	c->ask.owner = facts->who.key;
	if (responses_read(&c->ask, facts->body, facts->body_bytes, &c->why) &&
	    (counts || request_adapt_system(&c->ask.request, s, facts->who.key, &c->why)))
		aside_run(x, encode, done, c);
	else
		done(c, false);
}

void api_responses(exchange *x)
{
	begin(x, false);
}

void api_responses_count(exchange *x)
{
	begin(x, true);
}
