/* api_messages.c - reads requests of the Messages API (api_messages.h) */
#include "runtime/serve/api_messages.h"

#include <string.h>

#include "runtime/serve/request_fields.h"

/* ---- tools ---------------------------------------------------------------------------------- */

/* Tools with a type are the service's own, but for "custom": they are passed over. */
static bool read_tools(api_tools *tools, fields *f)
{
	char type[API_TYPE_BYTES];

	tools->n = 0;
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "an array");
	for (fields_enter_array(f); fields_next_element(f);) {
		if (fields_peek(f) != JSON_OBJECT)
			return fields_refuse_type(f, "an object");
		api_peek_type(f, type);
		if (!(!*type || !strcmp(type, "custom") ? api_read_tool(f, "input_schema", tools)
		                                        : fields_skip(f)))
			return false;
	}
	return f->why->status == 0;
}

static bool set_choice(request *r, fields *f, const char *type)
{
	if (!strcmp(type, "auto"))
		r->choice = TOOLS_AUTO;
	else if (!strcmp(type, "any"))
		r->choice = TOOLS_REQUIRED;
	else if (!strcmp(type, "none"))
		r->choice = TOOLS_NONE;
	else if (!strcmp(type, "tool"))
		r->choice = TOOLS_NAMED;
	else
		return fields_refuse(f, "invalid_value",
		                     "Invalid value: '%s'. Supported values are: 'auto', 'any', "
		                     "'tool', and 'none'.",
		                     type);
	return true;
}

/* {"type": "tool", "name": ..., "disable_parallel_tool_use": ...} */
static bool read_choice(request *r, fields *f)
{
	const char *type = NULL;
	bool single = false;
	char key[32];

	r->named = NULL;
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "type")) {
			if (fields_read_name(f, &type))
				set_choice(r, f, type);
		} else if (!strcmp(key, "name")) {
			fields_read_name(f, &r->named);
		} else if (!strcmp(key, "disable_parallel_tool_use")) {
			fields_read_bool(f, &single);
		} else {
			fields_skip(f);
		}
	r->parallel_calls = !single;
	if (!type)
		return fields_refuse_missing(f, "tool_choice.type");
	if (r->choice == TOOLS_NAMED && !r->named)
		return fields_refuse_missing(f, "tool_choice.name");
	return f->why->status == 0;
}

/* ---- the form of the answer ----------------------------------------------------------------- */

/* {"type": "json_schema", "schema": {...}} */
static bool read_format(request *r, fields *f, const char *param)
{
	char type[API_TYPE_BYTES], key[16];

	api_peek_type(f, type);
	if (fields_peek(f) == JSON_OBJECT && strcmp(type, "json_schema") != 0)
		return fields_refuse(f, "invalid_value",
		                     "Invalid value: '%s'. Supported values are: 'json_schema'.",
		                     type);
	r->form_param = param;
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (strcmp(key, "schema") != 0)
			fields_skip(f);
		else if (fields_peek(f) != JSON_OBJECT)
			fields_refuse_type(f, "an object");
		else if (fields_read_raw(f, &r->grammar, &r->grammar_bytes))
			r->form = FORM_SCHEMA;
	if (r->form != FORM_SCHEMA)
		return fields_refuse(f, "missing_required_parameter",
		                     "Missing required parameter: '%s.schema'.", param);
	return f->why->status == 0;
}

static void read_output(request *r, fields *f)
{
	char key[16];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "format"))
			read_format(r, f, "output_config.format");
		else
			fields_skip(f);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void read_stops(request *r, fields *f)
{
	const char *text;

	r->n_stops = 0;
	if (fields_peek(f) != JSON_ARRAY) {
		fields_refuse_type(f, "an array");
		return;
	}
	for (fields_enter_array(f); fields_next_element(f);) {
		if (r->n_stops == REQUEST_STOPS) {
			fields_refuse(f, "array_above_max_length",
			              "Invalid 'stop_sequences': more than %d.", REQUEST_STOPS);
			return;
		}
		if (fields_read_name(f, &text) && *text)
			r->stops[r->n_stops++] = text;
	}
}

typedef struct message_ask {
	joined_text system;
	api_tools tools;
	bool has_messages;
} message_ask;

static bool read_own(request *r, fields *f, const char *key, message_ask *ask)
{
	if (!strcmp(key, "messages"))
		ask->has_messages = messages_read_list(r, f);
	else if (!strcmp(key, "system"))
		messages_read_system(f, &ask->system);
	else if (!strcmp(key, "max_tokens"))
		request_read_limit(r, f, 1);
	else if (!strcmp(key, "stop_sequences"))
		read_stops(r, f);
	else if (!strcmp(key, "tools"))
		read_tools(&ask->tools, f);
	else if (!strcmp(key, "tool_choice"))
		read_choice(r, f);
	else if (!strcmp(key, "output_config"))
		read_output(r, f);
	else if (!strcmp(key, "output_format"))
		read_format(r, f, "output_format");
	else if (!strcmp(key, "n") || !strcmp(key, "stream_options") ||
	         !strcmp(key, "response_format") || !strcmp(key, "max_completion_tokens") ||
	         !strcmp(key, "n_predict") || !strcmp(key, "stop"))
		fields_skip(f); /* fields of other APIs, which are unknown to this one */
	else
		return false;
	return true;
}

/* The system's text stands in front of the messages, wherever the body has it. */
static bool put_system(request *r, const joined_text *text)
{
	brise_message m = { .role = BRISE_SYSTEM, .content = text->text, .bytes = text->bytes };

	if (text->bytes == 0)
		return true;
	if (!request_add_message(r, &m))
		return false;
	memmove(r->messages + 1, r->messages, (r->n_messages - 1) * sizeof *r->messages);
	r->messages[0] = m;
	return true;
}

bool messages_read(request *r, const char *text, size_t bytes, bool counts, refusal *why)
{
	message_ask ask = { .has_messages = false };
	char key[32];
	fields f;

	request_init(r);
	fields_begin(&f, text, bytes, &r->pool, why);
	for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);)
		if (!read_own(r, &f, key, &ask) && !request_read_field(r, &f, key))
			fields_skip(&f);
	if (!ask.has_messages)
		return fields_refuse_missing(&f, "messages");
	if (!counts && !r->has_limit)
		return fields_refuse_missing(&f, "max_tokens");
	if (!fields_end(&f))
		return false;
	if (r->n_messages == 0)
		return refusal_set(why, 400, "invalid_value", "messages",
		                   "Invalid 'messages': no message in it.");
	if (!put_system(r, &ask.system))
		return refusal_set(why, 500, NULL, NULL, "out of memory");
	return api_set_tools(r, &ask.tools, why) && request_check(r, why);
}
