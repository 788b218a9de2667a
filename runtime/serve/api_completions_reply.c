/* api_completions_reply.c - replies to completions: one object, or chunks as they come
 *
 * Every prompt is a request of its own; choice p * n + i is answer i of prompt p.
 */
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/api_completions.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/openai_tokens.h"

#define ECHO_MOST UINT64_C(16000000) /* bytes of prompts in one reply */

typedef struct choice {
	body text;
	/* with logprobs, the parts of JSON arrays that were not replied yet */
	body tokens, logprobs, tops, offsets;
	size_t n_tokens;
	size_t offset; /* characters of the text before the next token */
	job_reason reason;
} choice;

typedef struct reply reply;

typedef struct prompt {
	reply *reply;
	size_t number;
	request request;
} prompt;

struct reply {
	completions of;
	exchange *x;
	openai_head head;
	openai_usage usage;
	prompt *prompts;           /* [of.prompts.n] */
	choice *choices;           /* [of.prompts.n * n] */
	size_t submitted, running; /* prompts */
	body out;
	bool begun; /* of a stream: its head is out */
};

static void free_reply(reply *p)
{
	size_t n = p->of.prompts.n, i;

	for (i = 0; p->prompts && i < n; i++)
		request_free(&p->prompts[i].request);
	for (i = 0; p->choices && i < n * p->of.shared.n; i++) {
		choice *c = &p->choices[i];

		body_free(&c->text);
		body_free(&c->tokens);
		body_free(&c->logprobs);
		body_free(&c->tops);
		body_free(&c->offsets);
	}
	body_free(&p->out);
	request_free(&p->of.shared); /* with prompts and choices */
	memory_free(p);
}

static void drop(void *user)
{
	free_reply(user);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static size_t count_characters(const char *text, size_t n)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

/* {"text": logprob, ...}; of tokens with the same text the likeliest comes first. */
static void add_tops(body *b, const job_event *event)
{
	json_writer w = { .sink = body_add, .user = b };
	size_t i;

	body_add(b, "{", 1);
	for (i = 0; i < event->n_top; i++) {
		if (i > 0)
			body_add(b, ",", 1);
		json_put_text(&w, NULL, event->top[i].text, event->top[i].bytes);
		body_add(b, ":", 1);
		json_put_exactly(&w, NULL, openai_logprob(event->top[i].logprob), true);
	}
	body_add(b, "}", 1);
}

static void add_token(choice *c, const job_event *event)
{
	const char *before = c->n_tokens++ > 0 ? "," : "[";
	json_writer w = { .sink = body_add };

	body_add(&c->tokens, before, 1);
	w.user = &c->tokens;
	json_put_text(&w, NULL, event->token.text, event->token.bytes);
	body_add(&c->logprobs, before, 1);
	w.user = &c->logprobs;
	json_put_exactly(&w, NULL, openai_logprob(event->token.logprob), true);
	body_add(&c->tops, before, 1);
	add_tops(&c->tops, event);
	body_add(&c->offsets, before, 1);
	w.user = &c->offsets;
	json_put_unsigned(&w, NULL, c->offset);
	c->offset += count_characters(event->token.text, event->token.bytes);
}

static void put_list(json_writer *w, const char *key, body *b, size_t n)
{
	body_add(b, n > 0 ? "]" : "[]", n > 0 ? 1 : 2);
	if (b->failed)
		json_put_null(w, key);
	else
		json_put_json(w, key, b->bytes, b->n);
	body_clear(b);
}

static void put_tokens(const reply *p, choice *c, json_writer *w)
{
	json_open(w, "logprobs", '{');
	put_list(w, "tokens", &c->tokens, c->n_tokens);
	put_list(w, "token_logprobs", &c->logprobs, c->n_tokens);
	put_list(w, "top_logprobs", &c->tops, c->n_tokens);
	put_list(w, "text_offset", &c->offsets, c->n_tokens);
	json_close(w);
	c->n_tokens = 0;
	(void)p;
}

/* ---- the prompt in front -------------------------------------------------------------------- */

/* The text of a prompt that was given as ids, or as it was given. */
static void add_prompt(const reply *p, size_t i, body *out)
{
	const input *of = (const input *)p->of.prompts.list + i;
	const service *s = exchange_get_facts(p->x)->service;
	brise_decoder *decoder = NULL;
	const char *text;
	size_t bytes, k;

	if (of->text || !of->ids) {
		body_add(out, of->text, of->bytes);
		return;
	}
	if (!s->tokenizer || brise_new_decoder(&decoder, s->tokenizer, NULL) != BRISE_OK)
		return;
	for (k = 0; k < of->n_ids; k++)
		if (brise_decode_token(decoder, of->ids[k], &text, &bytes, NULL) == BRISE_OK)
			body_add(out, text, bytes);
	if (brise_finish_decoder(decoder, &text, &bytes, NULL) == BRISE_OK)
		body_add(out, text, bytes);
	brise_free_decoder(decoder);
}

/* Each of n answers has the prompt in front of it: a request of a few megabytes could ask for a
 * reply of a gigabyte. */
static bool check_echo(const reply *p, refusal *why)
{
	uint64_t total = 0;
	body text = { .n = 0 };
	size_t i;

	for (i = 0; p->of.echoes && i < p->of.prompts.n && total <= ECHO_MOST; i++) {
		body_clear(&text);
		add_prompt(p, i, &text);
		total += (uint64_t)text.n * p->of.shared.n;
	}
	body_free(&text);
	return total <= ECHO_MOST ||
	       refusal_set(why, 400, "invalid_value", "echo",
	                   "Invalid 'echo': the prompts in front of all answers have more than "
	                   "%u MB.",
	                   (unsigned)(ECHO_MOST / 1000000));
}

/* ---- chunks --------------------------------------------------------------------------------- */

static void put_choice(reply *p, size_t i, json_writer *w, const char *text, size_t bytes,
                       const char *reason)
{
	choice *c = &p->choices[i];

	json_open(w, NULL, '{');
	json_put_text(w, "text", text, bytes);
	json_put_unsigned(w, "index", i);
	if (p->of.shared.has_logprobs && (!p->of.shared.streams || c->n_tokens > 0))
		put_tokens(p, c, w);
	else
		json_put_null(w, "logprobs");
	json_put_string(w, "finish_reason", reason);
	json_close(w);
}

/* i: of the choice; SIZE_MAX: none, the chunk of the usage. */
static void send_chunk(reply *p, size_t i, const char *text, size_t bytes, const char *reason)
{
	json_writer w = { .sink = body_add, .user = &p->out };

	body_begin_event(&p->out, NULL);
	json_open(&w, NULL, '{');
	openai_put_head(&w, &p->head, "text_completion");
	json_open(&w, "choices", '[');
	if (i != SIZE_MAX)
		put_choice(p, i, &w, text, bytes, reason);
	json_close(&w);
	if (i == SIZE_MAX)
		openai_put_usage(&w, &p->usage);
	else if (p->of.shared.includes_usage)
		json_put_null(&w, "usage");
	json_close(&w);
	body_end_event(&p->out);
	if (!p->out.failed)
		exchange_write(p->x, p->out.bytes, p->out.n);
	body_clear(&p->out);
}

static void begin_stream(reply *p)
{
	size_t n = p->of.shared.n, i;

	if (p->begun)
		return;
	p->begun = true;
	exchange_add_header(p->x, "Cache-Control", "no-cache");
	exchange_begin(p->x, 200, OPENAI_STREAM);
	for (i = 0; p->of.echoes && i < p->of.prompts.n * n; i++) {
		choice *c = &p->choices[i];

		add_prompt(p, i / n, &c->text);
		send_chunk(p, i, c->text.bytes, c->text.n, NULL);
		body_clear(&c->text);
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

static void reply_whole(reply *p)
{
	json_writer w = { .sink = body_add, .user = &p->out };
	size_t i;

	json_open(&w, NULL, '{');
	openai_put_head(&w, &p->head, "text_completion");
	json_open(&w, "choices", '[');
	for (i = 0; i < p->of.prompts.n * p->of.shared.n; i++) {
		choice *c = &p->choices[i];

		put_choice(p, i, &w, c->text.bytes, c->text.n, openai_reason(c->reason));
		p->out.failed = p->out.failed || c->text.failed;
	}
	json_close(&w);
	openai_put_usage(&w, &p->usage);
	json_close(&w);
	openai_reply(p->x, &p->out);
}

static void finish_reply(reply *p)
{
	exchange_note(p->x, p->usage.prompt, p->usage.kept, p->usage.answer);
	exchange_on_gone(p->x, NULL, NULL);
	if (!p->of.shared.streams) {
		reply_whole(p);
	} else {
		if (p->of.shared.includes_usage)
			send_chunk(p, SIZE_MAX, NULL, 0, NULL);
		exchange_write(p->x, "data: [DONE]\n\n", 14);
		exchange_end(p->x);
	}
	free_reply(p);
}

static void fail_reply(reply *p, const refusal *why)
{
	json_writer w = { .sink = body_add, .user = &p->out };

	exchange_on_gone(p->x, NULL, NULL);
	if (!p->begun) {
		openai_refuse(p->x, why);
	} else {
		body_begin_event(&p->out, NULL);
		json_open(&w, NULL, '{');
		openai_put_error(&w, why);
		json_close(&w);
		body_end_event(&p->out);
		if (!p->out.failed)
			exchange_write(p->x, p->out.bytes, p->out.n);
		exchange_end(p->x);
	}
	free_reply(p);
}

/* ---- jobs and their events ------------------------------------------------------------------ */

static void take_event(void *user, uint32_t answer, const job_event *event);

/* Submits what may be under way besides what is. A full queue is no reason to refuse as long as
 * something of this reply runs, whose end leads here again. */
static bool submit_prompts(reply *p, refusal *why)
{
	const exchange_facts *facts = exchange_get_facts(p->x);

	for (; p->submitted < p->of.prompts.n && p->running < INPUTS_IN_FLIGHT; p->submitted++) {
		prompt *of = &p->prompts[p->submitted];

		of->reply = p;
		of->number = p->submitted;
		if (!of->request.n)
			inputs_make_request(&p->of.prompts, p->submitted, &p->of.shared,
			                    &of->request);
		if (!request_submit(&of->request, facts->service, &facts->who, take_event, of,
		                    why)) {
			if (why->status != 503 || p->running == 0)
				return false;
			why->status = 0;
			return true;
		}
		p->usage.prompt += of->request.n_prompt;
		p->running++;
	}
	return true;
}

static void end_choice(prompt *of, size_t i, const job_event *event)
{
	refusal why = { .status = 0 };
	reply *p = of->reply;

	p->choices[i].reason = event->reason;
	p->usage.answer += event->n_tokens;
	if (i % p->of.shared.n == 0)
		p->usage.kept += event->n_kept;
	if (p->of.shared.streams)
		send_chunk(p, i, "", 0, openai_reason(event->reason));
	if (of->request.running > 0)
		return;
	p->running--;
	if (!submit_prompts(p, &why))
		fail_reply(p, &why);
	else if (p->running == 0)
		finish_reply(p);
}

static void take_event(void *user, uint32_t answer, const job_event *event)
{
	prompt *of = user;
	reply *p = of->reply;
	size_t i = of->number * p->of.shared.n + answer;
	choice *c = &p->choices[i];
	refusal why = { .status = 0 };

	if (event->kind == JOB_FAILED) {
		openai_explain(&why, event);
		fail_reply(p, &why);
		return;
	}
	if (p->of.shared.streams)
		begin_stream(p);
	if (event->kind == JOB_TOKEN)
		add_token(c, event);
	else if (event->kind == JOB_PIECE && !p->of.shared.streams)
		body_add(&c->text, event->piece.text, event->piece.bytes);
	else if (event->kind == JOB_PIECE && event->piece.bytes > 0)
		send_chunk(p, i, event->piece.text, event->piece.bytes, NULL);
	else if (event->kind == JOB_DONE)
		end_choice(of, i, event);
}

bool api_completions_reply(exchange *x, completions *c, refusal *why)
{
	reply *p = memory_new(1, sizeof *p);
	size_t n = c->prompts.n, i;

	if (!p)
		return refusal_set(why, 500, NULL, NULL, "out of memory");
	p->of = *c;
	request_init(&c->shared);
	p->x = x;
	openai_init_head(&p->head, "cmpl-", x, p->of.shared.model);
	p->prompts = pool_take(&p->of.shared.pool, n, sizeof *p->prompts);
	p->choices = pool_take(&p->of.shared.pool, n * p->of.shared.n, sizeof *p->choices);
	if (!p->prompts || !p->choices)
		(void)refusal_set(why, 500, NULL, NULL, "out of memory");
	if (why->status != 0 || !check_echo(p, why) || !submit_prompts(p, why)) {
		free_reply(p);
		return false;
	}
	for (i = 0; p->of.echoes && !p->of.shared.streams && i < n * p->of.shared.n; i++)
		add_prompt(p, i / p->of.shared.n, &p->choices[i].text);
	exchange_on_gone(x, drop, p);
	return true;
}
