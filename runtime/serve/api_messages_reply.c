/* api_messages_reply.c - the events of the Messages API, and its message
 *
 *     ping                              while the prompt is evaluated
 *     message_start                     with the prompt's tokens
 *     content_block_start               for each block of the content: thinking, text or tool_use
 *         content_block_delta, ...      thinking_delta, text_delta or input_json_delta; behind
 *                                       thinking a signature_delta
 *     content_block_stop
 *     message_delta                     with stop_reason and the answer's tokens
 *     message_stop
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/serve/api_messages.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/service.h"
#include "runtime/text/json_writer.h"

/* Clients send reasoning back if it is signed. */
#define SIGNATURE "brise"

void messages_reply_init(messages_reply *r, const request *asked, const service *s, uint64_t number)
{
	memset(r, 0, sizeof *r);
	r->request = asked;
	r->service = s;
	r->model = asked->model ? asked->model : s->name;
	r->number = number;
	r->streams = asked->streams;
	(void)snprintf(r->id, sizeof r->id, "msg_%" PRIx64 "%08" PRIx64, (uint64_t)s->created,
	               number);
}

void messages_reply_free(messages_reply *r)
{
	reply_parts_free(&r->parts);
	body_free(&r->out);
}

/* ---- parts of objects ----------------------------------------------------------------------- */

/* Tokens that needed no evaluation are not among input_tokens. */
static void put_usage(const messages_reply *r, json_writer *w)
{
	json_open(w, "usage", '{');
	json_put_unsigned(w, "input_tokens", r->n_prompt - r->n_kept);
	json_put_unsigned(w, "cache_creation_input_tokens", 0);
	json_put_unsigned(w, "cache_read_input_tokens", r->n_kept);
	json_put_unsigned(w, "output_tokens", r->n_answer);
	json_put_null(w, "output_tokens_details");
	json_put_null(w, "server_tool_use");
	if (!r->reason || !r->streams) { /* not in message_delta */
		json_put_null(w, "cache_creation");
		json_put_null(w, "inference_geo");
		json_put_string(w, "service_tier", "standard");
		json_put_string(w, "speed", "standard");
	}
	json_close(w);
}

static void put_block(const reply_part *part, json_writer *w, const char *key, bool is_new)
{
	json_open(w, key, '{');
	json_put_string(w, "type",
	                part->is_call      ? "tool_use"
	                : part->is_thought ? "thinking"
	                                   : "text");
	if (part->is_thought) {
		json_put_text(w, "thinking", part->text.bytes ? part->text.bytes : "",
		              is_new ? 0 : part->text.n);
		json_put_string(w, "signature", is_new ? "" : SIGNATURE);
		json_close(w);
		return;
	}
	if (!part->is_call) {
		json_put_text(w, "text", part->text.bytes ? part->text.bytes : "",
		              is_new ? 0 : part->text.n);
		json_put_null(w, "citations");
		json_close(w);
		return;
	}
	json_put_string(w, "id", part->id);
	json_put_string(w, "name", part->name);
	if (!is_new && reply_is_object(part->text.bytes, part->text.n)) {
		json_put_json(w, "input", part->text.bytes, part->text.n);
	} else {
		json_open(w, "input", '{');
		json_close(w);
	}
	json_open(w, "caller", '{');
	json_put_string(w, "type", "direct");
	json_close(w);
	json_close(w);
}

static void put_stop(const messages_reply *r, json_writer *w)
{
	json_put_string(w, "stop_reason", r->reason);
	json_put_string(w, "stop_sequence", r->stop);
	json_put_null(w, "stop_details");
	json_put_null(w, "container");
}

static void put_message(const messages_reply *r, json_writer *w, const char *key)
{
	size_t i;

	json_open(w, key, '{');
	json_put_string(w, "id", r->id);
	json_put_string(w, "type", "message");
	json_put_string(w, "role", "assistant");
	json_put_string(w, "model", r->model);
	json_open(w, "content", '[');
	for (i = 0; i < r->parts.n; i++)
		put_block(&r->parts.parts[i], w, NULL, false);
	json_close(w);
	put_stop(r, w);
	json_put_null(w, "diagnostics");
	put_usage(r, w);
	json_close(w);
}

/* ---- events --------------------------------------------------------------------------------- */

static json_writer open_event(messages_reply *r, const char *type)
{
	json_writer w = { .sink = body_add, .user = &r->out };

	body_begin_event(&r->out, type);
	json_open(&w, NULL, '{');
	json_put_string(&w, "type", type);
	return w;
}

static void close_event(messages_reply *r, json_writer *w)
{
	json_close(w);
	body_end_event(&r->out);
}

static void send_empty(messages_reply *r, const char *type)
{
	json_writer w = open_event(r, type);

	close_event(r, &w);
}

void messages_reply_ping(messages_reply *r)
{
	send_empty(r, "ping");
}

static void send_start(messages_reply *r)
{
	json_writer w;

	if (r->begun || !r->streams)
		return;
	r->begun = true;
	w = open_event(r, "message_start");
	put_message(r, &w, "message");
	close_event(r, &w);
}

static void send_block_start(messages_reply *r, const reply_part *part)
{
	json_writer w = open_event(r, "content_block_start");

	json_put_unsigned(&w, "index", r->parts.n - 1);
	put_block(part, &w, "content_block", true);
	close_event(r, &w);
}

static void send_delta(messages_reply *r, const reply_part *part, const brise_answer_piece *piece)
{
	const char *type = part->is_call      ? "input_json_delta"
	                   : part->is_thought ? "thinking_delta"
	                                      : "text_delta",
	           *key = part->is_call      ? "partial_json"
	                  : part->is_thought ? "thinking"
	                                     : "text";
	json_writer w = open_event(r, "content_block_delta");

	json_put_unsigned(&w, "index", r->parts.n - 1);
	json_open(&w, "delta", '{');
	json_put_string(&w, "type", type);
	json_put_text(&w, key, piece->text, piece->bytes);
	json_close(&w);
	close_event(r, &w);
}

static void send_signature(messages_reply *r)
{
	json_writer w = open_event(r, "content_block_delta");

	json_put_unsigned(&w, "index", r->parts.n - 1);
	json_open(&w, "delta", '{');
	json_put_string(&w, "type", "signature_delta");
	json_put_string(&w, "signature", SIGNATURE);
	json_close(&w);
	close_event(r, &w);
}

static void send_block_stop(messages_reply *r)
{
	const reply_part *last = reply_parts_last(&r->parts);
	json_writer w;

	if (!last || !r->streams)
		return;
	if (last->is_thought)
		send_signature(r);
	w = open_event(r, "content_block_stop");
	json_put_unsigned(&w, "index", r->parts.n - 1);
	close_event(r, &w);
}

static void send_end(messages_reply *r)
{
	json_writer w = open_event(r, "message_delta");

	json_open(&w, "delta", '{');
	put_stop(r, &w);
	json_close(&w);
	put_usage(r, &w);
	close_event(r, &w);
	send_empty(r, "message_stop");
}

/* ---- events of the job ---------------------------------------------------------------------- */

static void take_piece(messages_reply *r, const brise_answer_piece *piece)
{
	bool is_delta = piece->kind == BRISE_ANSWER_TEXT || piece->kind == BRISE_ANSWER_THOUGHT ||
	                piece->kind == BRISE_ANSWER_ARGUMENTS;
	size_t n = r->parts.n;
	reply_part *part;

	if (reply_parts_begins(&r->parts, piece))
		send_block_stop(r);
	if (!(part = reply_parts_take(&r->parts, piece)))
		return;
	if (r->parts.n > n && part->is_call)
		request_name_call(r->service, r->number, 0, r->n_calls++, part->id);
	if (r->parts.n > n && r->streams)
		send_block_start(r, part);
	if (is_delta && r->streams && piece->bytes > 0)
		send_delta(r, part, piece);
}

/* A call that is cut off is none that a client could carry out. */
static const char *find_reason(const job_event *event)
{
	switch (event->reason) {
	case JOB_CALLED:
		return event->is_cut ? "max_tokens" : "tool_use";
	case JOB_LIMITED:
		return "max_tokens";
	case JOB_FULL:
		return "model_context_window_exceeded";
	case JOB_STOPPED:
		return "stop_sequence";
	case JOB_ENDED:
		break;
	}
	return "end_turn";
}

static void take_figures(messages_reply *r, const job_event *event)
{
	r->n_prompt = event->n_prompt;
	r->n_kept = event->n_kept;
}

static void put_failure(messages_reply *r, const refusal *why)
{
	if (r->streams)
		body_begin_event(&r->out, "error");
	messages_put_error(&r->out, why);
	if (r->streams)
		body_end_event(&r->out);
}

static void take_done(messages_reply *r, const job_event *event)
{
	json_writer w = { .sink = body_add, .user = &r->out };
	refusal why = { .status = 0 };

	take_figures(r, event);
	send_start(r);
	send_block_stop(r);
	r->n_answer = event->n_tokens;
	r->reason = find_reason(event);
	if (event->reason == JOB_STOPPED && event->stop < r->request->n_stops)
		r->stop = r->request->stops[event->stop];
	if (reply_parts_failed(&r->parts) && !refusal_set(&why, 500, NULL, NULL, "out of memory"))
		put_failure(r, &why);
	else if (r->streams)
		send_end(r);
	else
		put_message(r, &w, NULL);
}

void messages_reply_take(messages_reply *r, const job_event *event)
{
	refusal why = { .status = 0 };

	switch (event->kind) {
	case JOB_BEGUN:
		take_figures(r, event);
		send_start(r);
		break;
	case JOB_PIECE:
		send_start(r);
		take_piece(r, &event->piece);
		break;
	case JOB_DONE:
		take_done(r, event);
		break;
	case JOB_FAILED:
		openai_explain(&why, event);
		put_failure(r, &why);
		break;
	case JOB_TOKEN:
	case JOB_EMBEDDING:
		break;
	}
}

/* ---- errors --------------------------------------------------------------------------------- */

static const char *error_type(int status)
{
	switch (status) {
	case 401:
		return "authentication_error";
	case 403:
		return "permission_error";
	case 404:
		return "not_found_error";
	case 413:
		return "request_too_large";
	case 429:
		return "rate_limit_error";
	case 503:
		return "overloaded_error";
	default:
		return status >= 500 ? "api_error" : "invalid_request_error";
	}
}

void messages_put_error(body *out, const refusal *why)
{
	json_writer w = { .sink = body_add, .user = out };

	json_open(&w, NULL, '{');
	json_put_string(&w, "type", "error");
	json_open(&w, "error", '{');
	json_put_string(&w, "type", error_type(why->status));
	json_put_string(&w, "message", why->message);
	json_close(&w);
	json_put_null(&w, "request_id");
	json_close(&w);
}
