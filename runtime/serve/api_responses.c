/* api_responses.c - reads requests of the Responses API (api_responses.h) */
#include "runtime/serve/api_responses.h"

#include <stdio.h>
#include <string.h>

#include "runtime/serve/request_fields.h"

/* ---- tools ---------------------------------------------------------------------------------- */

/* Tools that are no functions are those of other servers: they are passed over. */
static bool read_tools(responses_ask *ask, fields *f)
{
	char type[API_TYPE_BYTES];

	ask->tools.n = 0;
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "an array");
	for (fields_enter_array(f); fields_next_element(f);) {
		if (fields_peek(f) != JSON_OBJECT)
			return fields_refuse_type(f, "an object");
		api_peek_type(f, type);
		if (!(!strcmp(type, "function") ? api_read_tool(f, "parameters", &ask->tools)
		                                : fields_skip(f)))
			return false;
	}
	return f->why->status == 0;
}

static bool refuse_choice(fields *f, const char *got)
{
	return fields_refuse(f, "invalid_value",
	                     "Invalid value: '%s'. Supported values are: 'none', 'auto', "
	                     "'required', and objects of type 'function' and 'allowed_tools'.",
	                     got);
}

static bool read_mode(request *r, fields *f)
{
	const char *word;

	if (!fields_read_name(f, &word))
		return false;
	if (!strcmp(word, "none"))
		r->choice = TOOLS_NONE;
	else if (!strcmp(word, "auto"))
		r->choice = TOOLS_AUTO;
	else if (!strcmp(word, "required"))
		r->choice = TOOLS_REQUIRED;
	else
		return refuse_choice(f, word);
	return true;
}

/* {"type": "function", "name": ...} */
static bool read_named(request *r, fields *f)
{
	char key[16];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "name"))
			fields_read_name(f, &r->named);
		else
			fields_skip(f);
	r->choice = TOOLS_NAMED;
	return r->named ? f->why->status == 0 : fields_refuse_missing(f, "tool_choice.name");
}

/* {"type": "allowed_tools", "mode": "auto", "tools": [...]}: the tools are looked at again when all
 * are known. */
static bool read_allowed(responses_ask *ask, fields *f)
{
	char key[16];

	ask->allows_some = true;
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "mode"))
			read_mode(&ask->request, f);
		else if (!strcmp(key, "tools") && fields_peek(f) != JSON_ARRAY)
			fields_refuse_type(f, "an array");
		else
			fields_skip(f);
	return f->why->status == 0;
}

static bool read_choice(responses_ask *ask, fields *f)
{
	char type[API_TYPE_BYTES];
	size_t from;
	bool done;

	ask->allows_some = false;
	if (fields_peek(f) != JSON_STRING && fields_peek(f) != JSON_OBJECT)
		return fields_refuse_type(f, "a string or an object");
	from = f->json.at;
	api_peek_type(f, type);
	if (fields_peek(f) == JSON_STRING)
		done = read_mode(&ask->request, f);
	else if (!strcmp(type, "function"))
		done = read_named(&ask->request, f);
	else if (!strcmp(type, "allowed_tools"))
		done = read_allowed(ask, f);
	else
		done = refuse_choice(f, type);
	ask->choice.text = f->json.text + from;
	ask->choice.bytes = f->json.at - from;
	return done;
}

static void allow(responses_ask *ask, const char *name)
{
	api_tool *tools = ask->tools.list;
	size_t i;

	for (i = 0; name && i < ask->tools.n; i++)
		tools[i].is_allowed |= !strcmp(tools[i].name, name);
}

/* Only the tools that the choice names stay allowed. */
static bool allow_some(responses_ask *ask, refusal *why)
{
	api_tool *tools = ask->tools.list;
	const char *name;
	char key[16];
	fields f;
	size_t i;

	for (i = 0; i < ask->tools.n; i++)
		tools[i].is_allowed = false;
	fields_begin_at(&f, ask->choice.text, ask->choice.bytes, "tool_choice", &ask->request.pool,
	                why);
	for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);) {
		if (strcmp(key, "tools") != 0) {
			fields_skip(&f);
			continue;
		}
		for (fields_enter_array(&f); fields_next_element(&f);)
			for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);)
				if (strcmp(key, "name") != 0)
					fields_skip(&f);
				else if (fields_read_name(&f, &name))
					allow(ask, name);
	}
	return fields_end(&f);
}

/* ---- text ----------------------------------------------------------------------------------- */

static void read_schema(request *r, fields *f)
{
	if (fields_peek(f) != JSON_OBJECT)
		fields_refuse_type(f, "an object");
	else
		fields_read_raw(f, &r->grammar, &r->grammar_bytes);
}

/* {"type": "json_schema", "name": ..., "schema": {...}, "strict": ...} */
static void read_format_fields(request *r, fields *f)
{
	const char *text;
	size_t bytes;
	bool strict;
	char key[16];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "schema"))
			read_schema(r, f);
		else if (!strcmp(key, "name"))
			fields_read_name(f, &text);
		else if (!strcmp(key, "description"))
			fields_read_string(f, &text, &bytes);
		else if (!strcmp(key, "strict"))
			fields_read_bool(f, &strict);
		else
			fields_skip(f);
}

static bool read_format(responses_ask *ask, fields *f)
{
	request *r = &ask->request;
	char type[API_TYPE_BYTES];
	size_t from;

	if (fields_peek(f) != JSON_OBJECT)
		return fields_refuse_type(f, "an object");
	from = f->json.at;
	api_peek_type(f, type);
	if (!strcmp(type, "text"))
		r->form = FORM_TEXT;
	else if (!strcmp(type, "json_object"))
		r->form = FORM_JSON;
	else if (!strcmp(type, "json_schema"))
		r->form = FORM_SCHEMA;
	else
		return fields_refuse(f, "invalid_value",
		                     "Invalid value: '%s'. Supported values are: 'text', "
		                     "'json_object', and 'json_schema'.",
		                     type);
	r->form_param = "text.format";
	read_format_fields(r, f);
	ask->format.text = f->json.text + from;
	ask->format.bytes = f->json.at - from;
	if (r->form == FORM_SCHEMA && !r->grammar)
		return fields_refuse_missing(f, "text.format.schema");
	return f->why->status == 0;
}

static void read_text(responses_ask *ask, fields *f)
{
	const char *text;
	char key[16];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "format"))
			read_format(ask, f);
		else if (!strcmp(key, "verbosity"))
			fields_read_name(f, &text);
		else
			fields_skip(f);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void read_include(responses_ask *ask, fields *f)
{
	const char *text;

	for (fields_enter_array(f); fields_next_element(f);)
		if (!fields_read_name(f, &text))
			break;
		else if (!strcmp(text, "message.output_text.logprobs"))
			ask->request.has_logprobs = true;
		else if (!strcmp(text, "reasoning.encrypted_content"))
			ask->seals = true;
}

static void read_top(request *r, fields *f)
{
	int64_t number;

	if (fields_read_integer(f, 0, REQUEST_TOP, &number))
		r->n_top = (unsigned)number;
}

static void read_metadata(responses_ask *ask, fields *f)
{
	if (fields_peek(f) != JSON_OBJECT)
		fields_refuse_type(f, "an object");
	else
		fields_read_raw(f, &ask->metadata.text, &ask->metadata.bytes);
}

/* Fields that ask for what is kept on a server between requests. */
static bool refuse_stored(fields *f, const char *key)
{
	bool asked = true;

	if (!strcmp(key, "store")) {
		if (fields_read_bool(f, &asked) && asked)
			fields_refuse(f, "unsupported_value",
			              "Invalid 'store': this server stores no responses. Leave it "
			              "out, or send false.");
	} else if (!strcmp(key, "background")) {
		if (fields_read_bool(f, &asked) && asked)
			fields_refuse(f, "unsupported_value",
			              "Invalid 'background': this server answers while the client "
			              "waits. Leave it out, or send false.");
	} else if (!strcmp(key, "previous_response_id") || !strcmp(key, "conversation") ||
	           !strcmp(key, "prompt")) {
		fields_refuse(f, "unsupported_parameter",
		              "Unsupported parameter: '%s'. This server stores nothing between "
		              "requests: send the whole conversation in 'input'.",
		              key);
	} else {
		return false;
	}
	return true;
}

static bool read_own(responses_ask *ask, fields *f, const char *key)
{
	const char *text;

	if (!strcmp(key, "input"))
		responses_read_input(ask, f);
	else if (!strcmp(key, "instructions"))
		fields_read_string(f, &ask->instructions, &ask->instructions_bytes);
	else if (!strcmp(key, "tools"))
		read_tools(ask, f);
	else if (!strcmp(key, "tool_choice"))
		read_choice(ask, f);
	else if (!strcmp(key, "parallel_tool_calls"))
		fields_read_bool(f, &ask->request.parallel_calls);
	else if (!strcmp(key, "text"))
		read_text(ask, f);
	else if (!strcmp(key, "max_output_tokens"))
		request_read_limit(&ask->request, f, 1);
	else if (!strcmp(key, "include"))
		read_include(ask, f);
	else if (!strcmp(key, "top_logprobs"))
		read_top(&ask->request, f);
	else if (!strcmp(key, "metadata"))
		read_metadata(ask, f);
	else if (!strcmp(key, "prompt_cache_key"))
		fields_read_name(f, &ask->cache_key);
	else if (!strcmp(key, "safety_identifier"))
		fields_read_name(f, &ask->safety);
	else if (!strcmp(key, "truncation"))
		fields_read_name(f, &text);
	else if (!strcmp(key, "n") || !strcmp(key, "stream_options") ||
	         !strcmp(key, "response_format") || !strcmp(key, "max_tokens"))
		fields_skip(f); /* fields of other APIs, which are unknown to this one */
	else
		return refuse_stored(f, key);
	return true;
}

/* The instructions stand in front of the input, wherever the body has them. */
static bool put_instructions(responses_ask *ask)
{
	request *r = &ask->request;
	brise_message m = { .role = BRISE_SYSTEM,
		            .content = ask->instructions,
		            .bytes = ask->instructions_bytes };

	if (!ask->instructions || ask->instructions_bytes == 0)
		return true;
	if (!request_add_message(r, &m))
		return false;
	memmove(r->messages + 1, r->messages, (r->n_messages - 1) * sizeof *r->messages);
	r->messages[0] = m;
	return true;
}

bool responses_read(responses_ask *ask, const char *text, size_t bytes, refusal *why)
{
	request *r = &ask->request;
	bool has_input = false;
	char key[32];
	fields f;

	request_init(r);
	fields_begin(&f, text, bytes, &r->pool, why);
	for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);) {
		has_input |= !strcmp(key, "input");
		if (!read_own(ask, &f, key) && !request_read_field(r, &f, key))
			fields_skip(&f);
	}
	if (f.why->status == 0 && (!has_input || r->n_messages == 0))
		return has_input ? refusal_set(why, 400, "invalid_value", "input",
		                               "Invalid 'input': no message in it.")
		                 : fields_refuse_missing(&f, "input");
	if (!fields_end(&f))
		return false;
	if (ask->allows_some && !allow_some(ask, why))
		return false;
	if (!put_instructions(ask))
		return refusal_set(why, 500, NULL, NULL, "out of memory");
	return api_set_tools(r, &ask->tools, why) && request_check(r, why);
}
