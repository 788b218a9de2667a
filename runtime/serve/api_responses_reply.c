/* api_responses_reply.c - the events of the Responses API, in the order that its specification has
 *
 *     response.created, response.in_progress
 *     response.output_item.added                     for each item of the output
 *         response.content_part.added                a message: its one part
 *         response.output_text.delta, ..., response.output_text.done
 *         response.content_part.done
 *         response.function_call_arguments.delta, ..., .done          a call
 *         response.reasoning_text.delta, ..., .done                   reasoning, as a message's
 * text response.output_item.done response.completed, response.incomplete or response.failed
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/serve/api_responses.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/openai_tokens.h"
#include "runtime/serve/recent_items.h"
#include "runtime/serve/service.h"

void responses_reply_init(responses_reply *r, const responses_ask *ask, const service *s,
                          uint64_t number, int64_t now)
{
	memset(r, 0, sizeof *r);
	r->ask = ask;
	r->service = s;
	r->model = ask->request.model ? ask->request.model : s->name;
	r->number = number;
	r->created = now;
	r->status = "in_progress";
	(void)snprintf(r->tag, sizeof r->tag, "%" PRIx64 "%08" PRIx64, (uint64_t)s->created,
	               number);
}

void responses_reply_free(responses_reply *r)
{
	reply_parts_free(&r->parts);
	body_free(&r->out);
	openai_tokens_free(&r->tokens);
}

/* ---- events --------------------------------------------------------------------------------- */

static json_writer open_event(responses_reply *r, const char *type)
{
	json_writer w = { .sink = body_add, .user = &r->out };

	body_begin_event(&r->out, type);
	json_open(&w, NULL, '{');
	json_put_string(&w, "type", type);
	json_put_unsigned(&w, "sequence_number", r->sequence++);
	return w;
}

static void close_event(responses_reply *r, json_writer *w)
{
	json_close(w);
	body_end_event(&r->out);
}

static void send_object(responses_reply *r, const char *type)
{
	json_writer w = open_event(r, type);

	responses_put_object(r, &w, "response");
	close_event(r, &w);
}

void responses_reply_begin(responses_reply *r)
{
	send_object(r, "response.created");
	send_object(r, "response.in_progress");
}

/* Where in the output the last item is. */
static void put_place(const responses_reply *r, json_writer *w)
{
	const reply_part *part = &r->parts.parts[r->parts.n - 1];
	char id[80];

	(void)snprintf(id, sizeof id, "%s_%s_%zu", responses_prefix(part), r->tag, r->parts.n - 1);
	json_put_string(w, "item_id", id);
	json_put_unsigned(w, "output_index", r->parts.n - 1);
	if (!part->is_call)
		json_put_unsigned(w, "content_index", 0);
}

static void send_item(responses_reply *r, bool is_new)
{
	json_writer w =
	        open_event(r, is_new ? "response.output_item.added" : "response.output_item.done");

	json_put_unsigned(&w, "output_index", r->parts.n - 1);
	responses_put_item(r, r->parts.n - 1, &w, "item", is_new);
	close_event(r, &w);
}

static void send_part(responses_reply *r, const reply_part *part, bool is_new)
{
	json_writer w = open_event(r, is_new ? "response.content_part.added"
	                                     : "response.content_part.done");

	put_place(r, &w);
	responses_put_part(part, &w, "part", is_new);
	close_event(r, &w);
}

/* tokens [n]: objects with commas between them. */
static void put_tokens(json_writer *w, const char *tokens, size_t n)
{
	json_open(w, "logprobs", '[');
	if (n > 0)
		json_put_json(w, NULL, tokens, n);
	json_close(w);
}

/* Those that no text has come for yet, without their bracket. */
static const char *new_tokens(const responses_reply *r, size_t *n)
{
	*n = r->tokens.n > 0 ? r->tokens.json.n - 1 : 0;
	return *n > 0 ? r->tokens.json.bytes + 1 : NULL;
}

static void send_delta(responses_reply *r, const brise_answer_piece *piece)
{
	bool is_text = piece->kind == BRISE_ANSWER_TEXT;
	json_writer w = open_event(r, is_text ? "response.output_text.delta"
	                              : piece->kind == BRISE_ANSWER_THOUGHT
	                                      ? "response.reasoning_text.delta"
	                                      : "response.function_call_arguments.delta");
	size_t n;
	const char *tokens = new_tokens(r, &n);

	put_place(r, &w);
	json_put_text(&w, "delta", piece->text, piece->bytes);
	if (is_text)
		put_tokens(&w, tokens, n);
	close_event(r, &w);
}

static void send_text_done(responses_reply *r, const reply_part *part)
{
	json_writer w = open_event(r, part->is_thought ? "response.reasoning_text.done"
	                                               : "response.output_text.done");

	put_place(r, &w);
	json_put_text(&w, "text", part->text.bytes ? part->text.bytes : "", part->text.n);
	if (!part->is_thought)
		put_tokens(&w, part->tokens.bytes, part->tokens.n);
	close_event(r, &w);
}

static void send_arguments_done(responses_reply *r, const reply_part *part)
{
	json_writer w = open_event(r, "response.function_call_arguments.done");

	put_place(r, &w);
	json_put_string(&w, "name", part->name);
	json_put_text(&w, "arguments", part->text.bytes ? part->text.bytes : "", part->text.n);
	close_event(r, &w);
}

/* ---- items ---------------------------------------------------------------------------------- */

static bool is_stream(const responses_reply *r)
{
	return r->ask->request.streams;
}

static void begin_item(responses_reply *r, reply_part *part)
{
	if (part->is_call)
		request_name_call(r->service, r->number, 0, r->n_calls++, part->id);
	if (!is_stream(r))
		return;
	send_item(r, true);
	if (!part->is_call)
		send_part(r, part, true);
}

/* Ends the last item, if there is one. A call that the model wrote without arguments has none,
 * unless the answer was cut off before them. */
static void end_item(responses_reply *r)
{
	reply_part *part = reply_parts_last(&r->parts);

	if (!part)
		return;
	if (part->is_call && part->text.n == 0 && strcmp(r->status, "incomplete") != 0)
		body_add(&part->text, "{}", 2);
	if (!is_stream(r))
		return;
	if (part->is_call) {
		send_arguments_done(r, part);
	} else {
		send_text_done(r, part);
		send_part(r, part, false);
	}
	send_item(r, false);
}

/* Tokens of the text go with it; those of calls are left out. */
static void keep_tokens(responses_reply *r, reply_part *part)
{
	size_t n;
	const char *tokens = new_tokens(r, &n);

	if (!part->is_call && !part->is_thought && n > 0) {
		if (part->tokens.n > 0)
			body_add(&part->tokens, ",", 1);
		body_add(&part->tokens, tokens, n);
	}
	part->tokens.failed = part->tokens.failed || r->tokens.json.failed;
}

static void take_piece(responses_reply *r, const brise_answer_piece *piece)
{
	size_t n = r->parts.n;
	reply_part *part;

	if (reply_parts_begins(&r->parts, piece))
		end_item(r);
	part = reply_parts_take(&r->parts, piece);
	if (!part)
		return;
	if (r->parts.n > n)
		begin_item(r, part);
	keep_tokens(r, part);
	if (is_stream(r) && piece->bytes > 0 &&
	    (piece->kind == BRISE_ANSWER_TEXT || piece->kind == BRISE_ANSWER_THOUGHT ||
	     piece->kind == BRISE_ANSWER_ARGUMENTS))
		send_delta(r, piece);
	openai_tokens_clear(&r->tokens);
}

void responses_keep_items(const responses_reply *r, recent_items *recent, size_t owner)
{
	char id[80];
	size_t i;

	for (i = 0; i < r->parts.n; i++) {
		const reply_part *part = &r->parts.parts[i];

		if (part->is_call)
			continue;
		(void)snprintf(id, sizeof id, "%s_%s_%zu", responses_prefix(part), r->tag, i);
		recent_items_keep(recent, owner, id, part->text.bytes ? part->text.bytes : "",
		                  part->text.n);
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

static void finish(responses_reply *r)
{
	json_writer w = { .sink = body_add, .user = &r->out };
	char type[32];

	if (is_stream(r)) {
		(void)snprintf(type, sizeof type, "response.%s", r->status);
		send_object(r, type);
	} else {
		responses_put_object(r, &w, NULL);
	}
}

static void take_done(responses_reply *r, const job_event *event, int64_t now)
{
	static const brise_answer_piece nothing = { .kind = BRISE_ANSWER_TEXT, .text = "" };

	r->n_prompt = event->n_prompt;
	r->n_kept = event->n_kept;
	r->n_answer = event->n_tokens;
	r->n_thought = event->n_thought;
	r->completed = now;
	if (r->parts.n == 0) /* an empty answer is a message, too */
		take_piece(r, &nothing);
	r->status = "completed";
	if (event->reason == JOB_LIMITED || event->reason == JOB_FULL) {
		r->status = "incomplete";
		r->reason = "max_output_tokens";
	}
	end_item(r);
	if (reply_parts_failed(&r->parts)) {
		r->status = "failed";
		r->error = "out of memory";
	}
	finish(r);
}

static void take_failed(responses_reply *r, const job_event *event)
{
	r->n_prompt = event->n_prompt;
	r->n_kept = event->n_kept;
	r->n_answer = event->n_tokens;
	r->n_thought = event->n_thought;
	r->error = event->error ? event->error->message : "the answer failed";
	r->status = "incomplete";
	end_item(r);
	r->status = "failed";
	finish(r);
}

void responses_reply_take(responses_reply *r, const job_event *event, int64_t now)
{
	switch (event->kind) {
	case JOB_TOKEN:
		openai_tokens_add(&r->tokens, event);
		break;
	case JOB_PIECE:
		take_piece(r, &event->piece);
		break;
	case JOB_DONE:
		take_done(r, event, now);
		break;
	case JOB_FAILED:
		take_failed(r, event);
		break;
	case JOB_BEGUN:
	case JOB_EMBEDDING:
		break;
	}
}
