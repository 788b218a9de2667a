/* api_responses_object.c - the response object and its items, field by field as the Open Responses
 * specification requires them */
#include <stdio.h>
#include <string.h>

#include "runtime/serve/api_responses.h"
#include "runtime/serve/service.h"

/* ---- items ---------------------------------------------------------------------------------- */

void responses_put_part(const reply_part *part, json_writer *w, const char *key, bool is_new)
{
	json_open(w, key, '{');
	if (part->is_thought) {
		json_put_string(w, "type", "reasoning_text");
		json_put_text(w, "text", part->text.bytes ? part->text.bytes : "",
		              is_new ? 0 : part->text.n);
		json_close(w);
		return;
	}
	json_put_string(w, "type", "output_text");
	json_put_text(w, "text", part->text.bytes ? part->text.bytes : "",
	              is_new ? 0 : part->text.n);
	json_open(w, "annotations", '[');
	json_close(w);
	json_open(w, "logprobs", '[');
	if (!is_new && part->tokens.n > 0)
		json_put_json(w, NULL, part->tokens.bytes, part->tokens.n);
	json_close(w);
	json_close(w);
}

const char *responses_prefix(const reply_part *part)
{
	return part->is_call ? "fc" : part->is_thought ? "rs" : "msg";
}

static void put_item_head(const responses_reply *r, size_t i, json_writer *w, const char *prefix,
                          const char *type)
{
	char id[80];

	(void)snprintf(id, sizeof id, "%s_%s_%zu", prefix, r->tag, i);
	json_put_string(w, "id", id);
	json_put_string(w, "type", type);
}

/* A message is complete if another item has followed it, or if the answer has ended as it should; a
 * call with all of its arguments, since a client may run it. A call that is cut off ends, too. */
static const char *item_status(const responses_reply *r, size_t i, bool is_new)
{
	const reply_part *part = &r->parts.parts[i];

	if (is_new)
		return "in_progress";
	if (part->is_call)
		return part->is_whole && reply_is_object(part->text.bytes, part->text.n)
		               ? "completed"
		               : "incomplete";
	if (i + 1 < r->parts.n)
		return "completed";
	return strcmp(r->status, "incomplete") == 0 || strcmp(r->status, "failed") == 0
	               ? "incomplete"
	               : "completed";
}

static void put_sealed(const reply_part *part, json_writer *w, bool is_new)
{
	body all = { .n = 0 };

	body_add(&all, RESPONSES_SEAL, strlen(RESPONSES_SEAL));
	if (!is_new)
		body_add(&all, part->text.bytes, part->text.n);
	json_put_text(w, "encrypted_content", all.bytes, all.failed ? 0 : all.n);
	body_free(&all);
}

void responses_put_item(const responses_reply *r, size_t i, json_writer *w, const char *key,
                        bool is_new)
{
	const reply_part *part = &r->parts.parts[i];

	json_open(w, key, '{');
	put_item_head(r, i, w, responses_prefix(part),
	              part->is_call      ? "function_call"
	              : part->is_thought ? "reasoning"
	                                 : "message");
	json_put_string(w, "status", item_status(r, i, is_new));
	if (part->is_thought && r->ask->seals)
		put_sealed(part, w, is_new);
	if (part->is_call) {
		json_put_string(w, "call_id", part->id);
		json_put_string(w, "name", part->name);
		json_put_text(w, "arguments", part->text.bytes ? part->text.bytes : "",
		              is_new ? 0 : part->text.n);
	} else {
		if (part->is_thought) {
			json_open(w, "summary", '[');
			json_close(w);
		} else {
			json_put_string(w, "role", "assistant");
		}
		json_open(w, "content", '[');
		if (!is_new)
			responses_put_part(part, w, NULL, false);
		json_close(w);
	}
	json_close(w);
}

/* ---- what was asked for --------------------------------------------------------------------- */

static void put_tools(const responses_ask *ask, json_writer *w)
{
	size_t i;

	json_open(w, "tools", '[');
	for (i = 0; i < ask->tools.n; i++) {
		const api_tool *tool = api_get_tool(&ask->tools, i);

		json_open(w, NULL, '{');
		json_put_string(w, "type", "function");
		json_put_string(w, "name", tool->name);
		if (tool->description)
			json_put_text(w, "description", tool->description, tool->description_bytes);
		else
			json_put_null(w, "description");
		if (reply_is_object(tool->schema, tool->schema_bytes))
			json_put_json(w, "parameters", tool->schema, tool->schema_bytes);
		else
			json_put_null(w, "parameters");
		json_put_bool(w, "strict", tool->is_strict);
		json_close(w);
	}
	json_close(w);
}

static void put_choice(const responses_ask *ask, json_writer *w)
{
	static const char *const words[] = {
		[TOOLS_AUTO] = "auto", [TOOLS_NONE] = "none", [TOOLS_REQUIRED] = "required"
	};

	if (reply_is_object(ask->choice.text, ask->choice.bytes))
		json_put_json(w, "tool_choice", ask->choice.text, ask->choice.bytes);
	else
		json_put_string(w, "tool_choice",
		                ask->request.choice == TOOLS_NAMED ? "required"
		                                                   : words[ask->request.choice]);
}

static void put_text(const responses_ask *ask, json_writer *w)
{
	json_open(w, "text", '{');
	if (reply_is_object(ask->format.text, ask->format.bytes)) {
		json_put_json(w, "format", ask->format.text, ask->format.bytes);
	} else {
		json_open(w, "format", '{');
		json_put_string(w, "type", "text");
		json_close(w);
	}
	json_close(w);
}

static void put_asked(const responses_ask *ask, json_writer *w)
{
	const request *r = &ask->request;

	if (ask->instructions)
		json_put_text(w, "instructions", ask->instructions, ask->instructions_bytes);
	else
		json_put_null(w, "instructions");
	put_tools(ask, w);
	put_choice(ask, w);
	json_put_bool(w, "parallel_tool_calls", r->parallel_calls);
	put_text(ask, w);
	json_put_exactly(w, "temperature", (double)r->sampling.temperature, true);
	json_put_exactly(w, "top_p", (double)r->sampling.top_p, true);
	json_put_exactly(w, "presence_penalty", (double)r->sampling.presence_penalty, true);
	json_put_exactly(w, "frequency_penalty", (double)r->sampling.frequency_penalty, true);
	json_put_unsigned(w, "top_logprobs", r->n_top);
	if (r->has_limit)
		json_put_unsigned(w, "max_output_tokens", r->limit);
	else
		json_put_null(w, "max_output_tokens");
	if (reply_is_object(ask->metadata.text, ask->metadata.bytes)) {
		json_put_json(w, "metadata", ask->metadata.text, ask->metadata.bytes);
	} else {
		json_open(w, "metadata", '{');
		json_close(w);
	}
	json_put_string(w, "prompt_cache_key", ask->cache_key);
	json_put_string(w, "safety_identifier", ask->safety);
}

/* What this server has one way of. */
static void put_fixed(json_writer *w)
{
	json_put_null(w, "previous_response_id");
	json_put_null(w, "max_tool_calls");
	json_put_null(w, "reasoning");
	json_put_string(w, "truncation", "disabled");
	json_put_bool(w, "store", false);
	json_put_bool(w, "background", false);
	json_put_string(w, "service_tier", "default");
}

/* ---- what came of it ------------------------------------------------------------------------ */

static void put_error(const responses_reply *r, json_writer *w)
{
	if (!r->error) {
		json_put_null(w, "error");
		return;
	}
	json_open(w, "error", '{');
	json_put_string(w, "code", "server_error");
	json_put_string(w, "message", r->error);
	json_close(w);
}

static void put_incomplete(const responses_reply *r, json_writer *w)
{
	if (!r->reason) {
		json_put_null(w, "incomplete_details");
		return;
	}
	json_open(w, "incomplete_details", '{');
	json_put_string(w, "reason", r->reason);
	json_close(w);
}

static void put_usage(const responses_reply *r, json_writer *w)
{
	if (!strcmp(r->status, "in_progress")) {
		json_put_null(w, "usage");
		return;
	}
	json_open(w, "usage", '{');
	json_put_unsigned(w, "input_tokens", r->n_prompt);
	json_open(w, "input_tokens_details", '{');
	json_put_unsigned(w, "cached_tokens", r->n_kept);
	json_close(w);
	json_put_unsigned(w, "output_tokens", r->n_answer);
	json_open(w, "output_tokens_details", '{');
	json_put_unsigned(w, "reasoning_tokens", r->n_thought);
	json_close(w);
	json_put_unsigned(w, "total_tokens", r->n_prompt + r->n_answer);
	json_close(w);
}

void responses_put_object(responses_reply *r, json_writer *w, const char *key)
{
	char id[80];
	size_t i;

	(void)snprintf(id, sizeof id, "resp_%s", r->tag);
	json_open(w, key, '{');
	json_put_string(w, "id", id);
	json_put_string(w, "object", "response");
	json_put_integer(w, "created_at", r->created);
	if (r->completed > 0 && !strcmp(r->status, "completed"))
		json_put_integer(w, "completed_at", r->completed);
	else
		json_put_null(w, "completed_at");
	json_put_string(w, "status", r->status);
	json_put_string(w, "model", r->model);
	put_error(r, w);
	put_incomplete(r, w);
	json_open(w, "output", '[');
	for (i = 0; i < r->parts.n && strcmp(r->status, "in_progress") != 0; i++)
		responses_put_item(r, i, w, NULL, false);
	json_close(w);
	put_usage(r, w);
	put_asked(r->ask, w);
	put_fixed(w);
	json_close(w);
}
