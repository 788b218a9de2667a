/* api_messages_handle.c - from an exchange to a job, and from its events to the reply */
#include "runtime/os/memory.h"
#include "runtime/serve/api_messages.h"
#include "runtime/serve/aside.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/scheduler.h"

typedef struct messages_call {
	request request;
	messages_reply reply;
	exchange *x;
	const service *service;
	refusal why;
	bool begun; /* the head is out */
} messages_call;

static void free_call(messages_call *c)
{
	messages_reply_free(&c->reply);
	request_free(&c->request);
	memory_free(c);
}

static void drop(void *user)
{
	free_call(user);
}

static void refuse(exchange *x, const refusal *why)
{
	body b = { .n = 0 };

	messages_put_error(&b, why);
	if (why->status == 503)
		exchange_add_header(x, "Retry-After", "1");
	exchange_reply(x, why->status, OPENAI_JSON, b.failed ? "" : b.bytes, b.failed ? 0 : b.n);
	body_free(&b);
}

static void refuse_memory(exchange *x)
{
	refusal why = { .status = 0 };

	(void)refusal_set(&why, 500, NULL, NULL, "out of memory");
	refuse(x, &why);
}

/* What was lost for want of memory is not passed over: the message ends with an error. */
static void flush(messages_call *c)
{
	if (!c->reply.out.failed)
		exchange_write(c->x, c->reply.out.bytes, c->reply.out.n);
	c->reply.parts.failed = c->reply.parts.failed || c->reply.out.failed;
	body_clear(&c->reply.out);
}

static void end(messages_call *c, int status)
{
	const messages_reply *r = &c->reply;

	exchange_note(c->x, r->n_prompt, r->n_kept, r->n_answer);
	exchange_on_gone(c->x, NULL, NULL);
	if (c->begun && c->reply.out.failed) {
		exchange_break(c->x);
	} else if (c->begun) {
		flush(c);
		exchange_end(c->x);
	} else if (r->out.failed) {
		refuse_memory(c->x);
	} else {
		exchange_reply(c->x, status, OPENAI_JSON, r->out.bytes, r->out.n);
	}
	free_call(c);
}

static void take(void *user, uint32_t answer, const job_event *event)
{
	messages_call *c = user;
	refusal why = { .status = 500 };

	(void)answer;
	messages_reply_take(&c->reply, event);
	if (event->kind == JOB_FAILED) {
		why.status = 0;
		openai_explain(&why, event);
	}
	if (event->kind == JOB_FAILED || event->kind == JOB_DONE)
		end(c, event->kind == JOB_DONE && !reply_parts_failed(&c->reply.parts)
		               ? 200
		               : why.status);
	else if (c->begun)
		flush(c);
}

static void begin_stream(messages_call *c)
{
	exchange_add_header(c->x, "Cache-Control", "no-cache");
	exchange_begin(c->x, 200, OPENAI_STREAM);
	c->begun = true;
	messages_reply_ping(&c->reply);
	flush(c);
}

static void encode(void *user)
{
	messages_call *c = user;

	(void)request_encode(&c->request, c->service, &c->why);
}

/* The request has been read and encoded, or is to be refused. */
static void answer(void *user, bool is_gone)
{
	messages_call *c = user;
	const exchange_facts *facts = is_gone ? NULL : exchange_get_facts(c->x);

	if (is_gone) {
		free_call(c);
		return;
	}
	if (c->why.status != 0 ||
	    !request_submit(&c->request, facts->service, &facts->who, take, c, &c->why)) {
		refuse(c->x, &c->why);
		free_call(c);
		return;
	}
	messages_reply_init(&c->reply, &c->request, facts->service, facts->number);
	exchange_on_gone(c->x, drop, c);
	if (c->request.unconstrained)
		exchange_add_header(c->x, "X-Brise-Unconstrained-Tools", c->request.unconstrained);
	if (c->request.streams)
		begin_stream(c);
}

static void count(void *user, bool is_gone)
{
	messages_call *c = user;
	body b = { .n = 0 };
	json_writer w = { .sink = body_add, .user = &b };

	if (!is_gone && c->why.status != 0) {
		refuse(c->x, &c->why);
	} else if (!is_gone) {
		json_open(&w, NULL, '{');
		json_put_unsigned(&w, "input_tokens", c->request.n_ids);
		json_close(&w);
		if (b.failed)
			refuse_memory(c->x);
		else
			exchange_reply(c->x, 200, OPENAI_JSON, b.bytes, b.n);
	}
	body_free(&b);
	free_call(c);
}

static void begin(exchange *x, bool counts)
{
	const exchange_facts *facts = exchange_get_facts(x);
	messages_call *c = memory_new(1, sizeof *c);
	void (*done)(void *user, bool is_gone) = counts ? count : answer;

	if (!c) {
		refuse_memory(x);
		return;
	}
	c->x = x;
	c->service = facts->service;
	if (messages_read(&c->request, facts->body, facts->body_bytes, counts, &c->why) &&
	    (counts || request_adapt_system(&c->request, facts->service, facts->who.key, &c->why)))
		aside_run(x, encode, done, c);
	else
		done(c, false);
}

void api_messages(exchange *x)
{
	begin(x, false);
}

void api_messages_count(exchange *x)
{
	begin(x, true);
}
