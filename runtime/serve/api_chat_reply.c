/* api_chat_reply.c - replies to chat completions: one object, or chunks as they come
 *
 * A reply lives from the request's submission until its last answer has ended, or its client has
 * gone. With n answers their chunks come in the order in which they are drawn.
 */
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/api_chat.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/openai_tokens.h"

typedef struct call {
	char id[10];
	const char *name;
	body arguments;
} call;

typedef struct answer {
	body text, thought;
	void *calls; /* [n_calls] call */
	size_t n_calls;
	openai_tokens tokens; /* with logprobs: those that were not replied yet */
	job_reason reason;
} answer;

typedef struct reply {
	request request;
	exchange *x;
	const service *service;
	uint64_t number; /* of the exchange */
	openai_head head;
	openai_usage usage;
	answer *answers; /* [request.n] */
	body out;        /* what is being written */
	bool begun;      /* of a stream: its head is out */
} reply;

static call *get_call(const answer *a, size_t i)
{
	return (call *)a->calls + i;
}

static void free_reply(reply *p)
{
	size_t i, k;

	for (i = 0; p->answers && i < p->request.n; i++) {
		answer *a = &p->answers[i];

		for (k = 0; k < a->n_calls; k++)
			body_free(&get_call(a, k)->arguments);
		body_free(&a->text);
		body_free(&a->thought);
		openai_tokens_free(&a->tokens);
	}
	body_free(&p->out);
	request_free(&p->request); /* with the answers and the calls */
	memory_free(p);
}

static void drop(void *user)
{
	free_reply(user);
}

/* ---- chunks --------------------------------------------------------------------------------- */

static void put_chunk_head(reply *p, json_writer *w)
{
	body_begin_event(&p->out, NULL);
	json_open(w, NULL, '{');
	openai_put_head(w, &p->head, "chat.completion.chunk");
	json_open(w, "choices", '[');
}

static void send_chunk(reply *p, json_writer *w)
{
	json_close(w);
	body_end_event(&p->out);
	if (!p->out.failed)
		exchange_write(p->x, p->out.bytes, p->out.n);
	body_clear(&p->out);
}

/* Opens {"index": ..., "delta": { of one answer. */
static json_writer open_chunk(reply *p, uint32_t index)
{
	json_writer w = { .sink = body_add, .user = &p->out };

	put_chunk_head(p, &w);
	json_open(&w, NULL, '{');
	json_put_unsigned(&w, "index", index);
	json_open(&w, "delta", '{');
	return w;
}

static void close_chunk(reply *p, uint32_t index, json_writer *w, const char *reason)
{
	answer *a = &p->answers[index];

	json_close(w);
	if (a->tokens.n > 0)
		openai_tokens_put(&a->tokens, w);
	else
		json_put_null(w, "logprobs");
	json_put_string(w, "finish_reason", reason);
	json_close(w);
	json_close(w);
	if (p->request.includes_usage)
		json_put_null(w, "usage");
	send_chunk(p, w);
}

/* The stream's head, and for every answer a chunk that says who speaks. */
static void begin_stream(reply *p)
{
	json_writer w;
	uint32_t i;

	if (p->begun)
		return;
	p->begun = true;
	exchange_add_header(p->x, "Cache-Control", "no-cache");
	exchange_begin(p->x, 200, OPENAI_STREAM);
	for (i = 0; i < p->request.n; i++) {
		w = open_chunk(p, i);
		json_put_string(&w, "role", "assistant");
		json_put_string(&w, "content", "");
		json_put_null(&w, "refusal");
		close_chunk(p, i, &w, NULL);
	}
}

/* Reasoning has a field of its own, as servers of reasoning models have it (DeepSeek's, vLLM's). */
static void send_text(reply *p, uint32_t index, const brise_answer_piece *piece)
{
	bool is_thought = piece->kind == BRISE_ANSWER_THOUGHT;
	json_writer w = open_chunk(p, index);

	json_put_text(&w, is_thought ? "reasoning_content" : "content", piece->text, piece->bytes);
	close_chunk(p, index, &w, NULL);
}

/* A call begins with its name and id, and its arguments follow. */
static void send_call(reply *p, uint32_t index, size_t i, const brise_answer_piece *arguments)
{
	const call *c = get_call(&p->answers[index], i);
	json_writer w = open_chunk(p, index);

	json_open(&w, "tool_calls", '[');
	json_open(&w, NULL, '{');
	json_put_unsigned(&w, "index", i);
	if (!arguments) {
		json_put_string(&w, "id", c->id);
		json_put_string(&w, "type", "function");
	}
	json_open(&w, "function", '{');
	if (!arguments)
		json_put_string(&w, "name", c->name);
	json_put_text(&w, "arguments", arguments ? arguments->text : "",
	              arguments ? arguments->bytes : 0);
	json_close(&w);
	json_close(&w);
	json_close(&w);
	close_chunk(p, index, &w, NULL);
}

static void send_end(reply *p, uint32_t index)
{
	json_writer w = open_chunk(p, index);

	close_chunk(p, index, &w, openai_reason(p->answers[index].reason));
}

static void send_usage(reply *p)
{
	json_writer w = { .sink = body_add, .user = &p->out };

	put_chunk_head(p, &w);
	json_close(&w);
	openai_put_usage(&w, &p->usage);
	send_chunk(p, &w);
}

/* ---- one object ----------------------------------------------------------------------------- */

static void put_calls(const answer *a, json_writer *w)
{
	size_t i;

	json_open(w, "tool_calls", '[');
	for (i = 0; i < a->n_calls; i++) {
		const call *c = get_call(a, i);

		json_open(w, NULL, '{');
		json_put_string(w, "id", c->id);
		json_put_string(w, "type", "function");
		json_open(w, "function", '{');
		json_put_string(w, "name", c->name);
		json_put_text(w, "arguments", c->arguments.bytes, c->arguments.n);
		json_close(w);
		json_close(w);
	}
	json_close(w);
}

static void put_choice(const reply *p, uint32_t index, json_writer *w)
{
	answer *a = &p->answers[index];

	json_open(w, NULL, '{');
	json_put_unsigned(w, "index", index);
	json_open(w, "message", '{');
	json_put_string(w, "role", "assistant");
	if (a->text.n == 0 && a->n_calls > 0)
		json_put_null(w, "content");
	else
		json_put_text(w, "content", a->text.bytes, a->text.n);
	if (a->thought.n > 0)
		json_put_text(w, "reasoning_content", a->thought.bytes, a->thought.n);
	json_put_null(w, "refusal");
	if (a->n_calls > 0)
		put_calls(a, w);
	json_close(w);
	if (p->request.has_logprobs)
		openai_tokens_put(&a->tokens, w);
	else
		json_put_null(w, "logprobs");
	json_put_string(w, "finish_reason", openai_reason(a->reason));
	json_close(w);
}

static void reply_whole(reply *p)
{
	json_writer w = { .sink = body_add, .user = &p->out };
	uint32_t i;

	json_open(&w, NULL, '{');
	openai_put_head(&w, &p->head, "chat.completion");
	json_open(&w, "choices", '[');
	for (i = 0; i < p->request.n; i++) {
		put_choice(p, i, &w);
		p->out.failed =
		        p->out.failed || p->answers[i].text.failed || p->answers[i].thought.failed;
	}
	json_close(&w);
	openai_put_usage(&w, &p->usage);
	json_close(&w);
	openai_reply(p->x, &p->out);
}

/* ---- events --------------------------------------------------------------------------------- */

static void finish_reply(reply *p)
{
	exchange_note(p->x, p->usage.prompt, p->usage.kept, p->usage.answer);
	exchange_on_gone(p->x, NULL, NULL);
	if (!p->request.streams) {
		reply_whole(p);
	} else {
		if (p->request.includes_usage)
			send_usage(p);
		exchange_write(p->x, "data: [DONE]\n\n", 14);
		exchange_end(p->x);
	}
	free_reply(p);
}

static void fail_reply(reply *p, const job_event *event)
{
	json_writer w = { .sink = body_add, .user = &p->out };
	refusal why = { .status = 0 };

	openai_explain(&why, event);
	exchange_on_gone(p->x, NULL, NULL);
	if (!p->begun) {
		openai_refuse(p->x, &why);
	} else {
		body_begin_event(&p->out, NULL);
		json_open(&w, NULL, '{');
		openai_put_error(&w, &why);
		send_chunk(p, &w);
		exchange_end(p->x);
	}
	free_reply(p);
}

static void begin_call(reply *p, uint32_t index, const brise_answer_piece *piece)
{
	answer *a = &p->answers[index];
	call *c = pool_append(&p->request.pool, &a->calls, a->n_calls, sizeof *c);
	const char *name = pool_copy(&p->request.pool, piece->text, piece->bytes);

	if (!c || !name) {
		a->text.failed = true;
		return;
	}
	request_name_call(p->service, p->number, index, a->n_calls, c->id);
	c->name = name;
	a->n_calls++;
	if (p->request.streams)
		send_call(p, index, a->n_calls - 1, NULL);
}

static void take_piece(reply *p, uint32_t index, const brise_answer_piece *piece)
{
	answer *a = &p->answers[index];

	switch (piece->kind) {
	case BRISE_ANSWER_TEXT:
	case BRISE_ANSWER_THOUGHT:
		if (!p->request.streams)
			body_add(piece->kind == BRISE_ANSWER_TEXT ? &a->text : &a->thought,
			         piece->text, piece->bytes);
		else if (piece->bytes > 0)
			send_text(p, index, piece);
		break;
	case BRISE_ANSWER_CALL:
		begin_call(p, index, piece);
		break;
	case BRISE_ANSWER_ARGUMENTS:
		if (a->n_calls == 0)
			break;
		if (p->request.streams)
			send_call(p, index, a->n_calls - 1, piece);
		else
			body_add(&get_call(a, a->n_calls - 1)->arguments, piece->text,
			         piece->bytes);
		break;
	case BRISE_ANSWER_CALL_END: /* ids are ours: a stream has them before the model writes one
	                             */
		break;
	}
}

static void end_answer(reply *p, uint32_t index, const job_event *event)
{
	p->answers[index].reason = event->reason;
	p->usage.answer += event->n_tokens;
	p->usage.thought += event->n_thought;
	p->usage.kept = index == 0 ? event->n_kept : p->usage.kept;
	if (p->request.streams)
		send_end(p, index);
	if (p->request.running == 0)
		finish_reply(p);
}

static void take_event(void *user, uint32_t index, const job_event *event)
{
	reply *p = user;

	if (event->kind == JOB_FAILED) {
		fail_reply(p, event);
		return;
	}
	if (p->request.streams)
		begin_stream(p);
	if (event->kind == JOB_PIECE)
		take_piece(p, index, &event->piece);
	else if (event->kind == JOB_TOKEN)
		openai_tokens_add(&p->answers[index].tokens, event);
	else if (event->kind == JOB_DONE)
		end_answer(p, index, event);
}

bool api_chat_reply(exchange *x, request *r, refusal *why)
{
	const exchange_facts *facts = exchange_get_facts(x);
	reply *p = memory_new(1, sizeof *p);

	if (!p)
		return refusal_set(why, 500, NULL, NULL, "out of memory");
	p->request = *r;
	p->x = x;
	p->service = facts->service;
	p->number = facts->number;
	openai_init_head(&p->head, "chatcmpl-", x, r->model);
	p->answers = pool_take(&p->request.pool, r->n, sizeof *p->answers);
	if (!p->answers)
		(void)refusal_set(why, 500, NULL, NULL, "out of memory");
	if (!p->answers ||
	    !request_submit(&p->request, facts->service, &facts->who, take_event, p, why)) {
		*r = p->request;
		memory_free(p);
		return false;
	}
	request_init(r);
	if (p->request.unconstrained)
		exchange_add_header(x, "X-Brise-Unconstrained-Tools", p->request.unconstrained);
	p->usage.prompt = p->request.n_prompt;
	exchange_on_gone(x, drop, p);
	return true;
}
