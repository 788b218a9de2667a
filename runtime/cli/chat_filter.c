/* chat_filter.c - chat --jsonl: a conversation a line in, its answer a line out
 *
 *     {"messages": [{"role": "user", "content": "Hello"}]}
 *     {"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}
 *
 * Lines are as brise tokenize --chat --jsonl takes them; a line that cannot be answered gives
 * {"error":"..."}, so that there are as many lines out as in.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/chat.h"
#include "runtime/cli/commands.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_line.h"
#include "runtime/text/chat_text.h"
#include "runtime/text/json_writer.h"

typedef struct filter_call {
	chat_text name, arguments, id;
} filter_call;

typedef struct filter {
	talk *t;
	uint64_t record; /* number of the line, from 1 */
	chat_text text;  /* of the answer */
	chat_text thought;
	filter_call *calls;
	size_t n_calls;
	bool failed; /* no memory */
} filter;

/* ---- the answer ----------------------------------------------------------------------------- */

static void forget_answer(filter *f)
{
	size_t i;

	for (i = 0; i < f->n_calls; i++) {
		chat_text_free(&f->calls[i].name);
		chat_text_free(&f->calls[i].arguments);
		chat_text_free(&f->calls[i].id);
	}
	memory_free(f->calls);
	chat_text_free(&f->text);
	chat_text_free(&f->thought);
	f->calls = NULL;
	f->n_calls = 0;
	f->failed = false;
}

static void add_call(filter *f)
{
	filter_call *calls = memory_resize(f->calls, f->n_calls + 1, sizeof *calls);

	if (!calls) {
		f->failed = true;
		return;
	}
	f->calls = calls;
	memset(&calls[f->n_calls++], 0, sizeof *calls);
}

/* A brise_answer_fn. */
static void take_piece(void *user, const brise_answer_piece *piece)
{
	filter *f = user;
	filter_call *call;
	chat_text *text = &f->text;

	if (piece->kind == BRISE_ANSWER_CALL)
		add_call(f);
	if (f->failed)
		return;
	if (piece->kind == BRISE_ANSWER_THOUGHT) {
		text = &f->thought;
	} else if (piece->kind != BRISE_ANSWER_TEXT && f->n_calls > 0) {
		call = &f->calls[f->n_calls - 1];
		text = piece->kind == BRISE_ANSWER_CALL        ? &call->name
		       : piece->kind == BRISE_ANSWER_ARGUMENTS ? &call->arguments
		                                               : &call->id;
	}
	chat_text_add(text, piece->text, piece->bytes, false);
	f->failed |= text->failed;
}

/* A brise_cancel_fn. */
static bool is_to_stop(void *user)
{
	const filter *f = user;

	return console_is_interrupted(f->t->console) || console_has_failed(f->t->console);
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* A sink of json_writer.h. */
static void append(void *user, const char *bytes, size_t n)
{
	chat_text_add(user, bytes, n, false);
}

static void put_text(json_writer *w, const char *key, const chat_text *text)
{
	json_put_text(w, key, text->n > 0 ? text->bytes : "", text->n);
}

static void put_calls(json_writer *w, const filter *f)
{
	size_t i;

	json_open(w, "tool_calls", '[');
	for (i = 0; i < f->n_calls; i++) {
		json_open(w, NULL, '{');
		if (f->calls[i].id.n > 0)
			put_text(w, "id", &f->calls[i].id);
		json_put_string(w, "type", "function");
		json_open(w, "function", '{');
		put_text(w, "name", &f->calls[i].name);
		put_text(w, "arguments", &f->calls[i].arguments);
		json_close(w);
		json_close(w);
	}
	json_close(w);
}

static void write_line(filter *f, const chat_text *line)
{
	console *c = f->t->console;

	console_begin_answer(c);
	console_write(c, line->n > 0 ? line->bytes : "", line->n);
	console_end_answer(c);
}

static void write_answer(filter *f, const answer_figures *figures)
{
	chat_text line = { .n = 0 };
	json_writer w = { .sink = append, .user = &line };

	json_open(&w, NULL, '{');
	json_open(&w, "message", '{');
	json_put_string(&w, "role", "assistant");
	if (f->n_calls > 0 && f->text.n == 0)
		json_put_null(&w, "content");
	else
		put_text(&w, "content", &f->text);
	if (f->thought.n > 0)
		put_text(&w, "reasoning_content", &f->thought);
	if (f->n_calls > 0)
		put_calls(&w, f);
	json_close(&w);
	json_put_string(&w, "finish_reason",
	                figures->reason != GENERATE_END ? "length"
	                : f->n_calls > 0                ? "tool_calls"
	                                                : "stop");
	json_close(&w);
	write_line(f, &line);
	chat_text_free(&line);
}

static void write_error(filter *f, const brise_error *err)
{
	chat_text line = { .n = 0 };
	json_writer w = { .sink = append, .user = &line };
	char text[640];

	(void)snprintf(text, sizeof text, "record %" PRIu64 ": %s", f->record, err->message);
	f->t->result = report_error("chat", "%s", text);
	json_open(&w, NULL, '{');
	json_put_string(&w, "error", text);
	json_close(&w);
	write_line(f, &line);
	chat_text_free(&line);
}

static brise_status encode(filter *f, const char *text, size_t n, int32_t **ids, size_t *n_ids,
                           brise_error *err)
{
	uint64_t room = answerer_room(&f->t->answerer);
	const brise_chat_facts *format = brise_get_chat_facts(f->t->answerer.chat);
	chat_line line = { .takes_reasoning = format && format->thoughts };
	brise_status status;
	json_reader r;

	json_begin(&r, text, n, "JSON", err);
	chat_line_read(&line, &r);
	if ((status = json_end(&r)) == BRISE_OK)
		status =
		        brise_encode_chat(f->t->answerer.chat, &line.conversation, ids, n_ids, err);
	if (status == BRISE_OK && room > 0 && *n_ids > room)
		status = error_set(err, BRISE_EFULL,
		                   "the conversation has %zu tokens, the context %" PRIu64
		                   " positions (--context N keeps more)",
		                   *n_ids, room);
	chat_line_free(&line);
	return status;
}

/* Answers a line. Interrupted: nothing is written. */
static void answer(filter *f, const char *text, size_t n)
{
	talk *t = f->t;
	const chat_settings *s = t->settings;
	answer_figures figures = { .n_prompt = 0 };
	answer_options o = { .sampling = &s->sampling,
		             .grammar = t->grammar,
		             .limit = s->tokens == UINT32_MAX ? UINT64_MAX : s->tokens,
		             .has_drafts = !s->no_drafts,
		             .ignore_ends = s->ignore_eos,
		             .each = take_piece,
		             .cancel = is_to_stop,
		             .user = f };
	int32_t *ids = NULL;
	size_t n_ids = 0;
	brise_error err;
	brise_status status = encode(f, text, n, &ids, &n_ids, &err);

	if (status == BRISE_OK)
		status = answerer_draw(&t->answerer, ids, n_ids, 0, &o, &figures, &err);
	if (status == BRISE_OK && answerer_finish(&t->answerer, &o, NULL) == BRISE_ENOMEM)
		f->failed = true;
	if (status == BRISE_OK && f->failed)
		status = error_set(&err, BRISE_ENOMEM, "no memory for an answer");
	if (status != BRISE_OK)
		write_error(f, &err);
	else if (!figures.is_stopped)
		write_answer(f, &figures);
	t->figures = figures;
	if (s->stats && status == BRISE_OK)
		talk_report_figures(t);
	brise_free(ids);
	forget_answer(f);
}

void talk_filter(talk *t)
{
	filter f = { .t = t };
	console_result result;
	const char *text;
	size_t n;

	while (!console_has_failed(t->console) &&
	       (result = console_read(t->console, "", 0, &text, &n)) != CONSOLE_ENDED) {
		f.record++;
		if (result == CONSOLE_MESSAGE && strspn(text, " \t\r") < n)
			answer(&f, text, n);
	}
}
