/* request_tools.c - "tools" and "tool_choice" of OpenAI's chat (request_fields.h) */
#include <string.h>

#include "runtime/serve/request_fields.h"

/* {"name": ..., "description": ..., "parameters": {...}, "strict": ...} */
static bool read_function(request *r, fields *f)
{
	const char *name = NULL, *text, *raw;
	char key[32], item[REFUSAL_PARAM];
	bool strict = false;
	size_t bytes;
	void *slot;

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "name"))
			fields_read_name(f, &name);
		else if (!strcmp(key, "description"))
			fields_read_string(f, &text, &bytes);
		else if (!strcmp(key, "strict"))
			fields_read_bool(f, &strict);
		else if (!strcmp(key, "parameters") && fields_peek(f) != JSON_OBJECT)
			fields_refuse_type(f, "an object");
		else if (!strcmp(key, "parameters"))
			fields_read_raw(f, &raw, &bytes);
		else
			fields_skip(f);
	if (!name || !*name)
		return fields_refuse_missing_in(f, item, ".name");
	if (!(slot = pool_append(&r->pool, &r->tool_names, r->n_tools, sizeof(char *))))
		return false;
	memcpy(slot, &name, sizeof(char *));
	r->n_tools++;
	r->is_strict = r->is_strict || strict;
	return true;
}

static bool read_tool(request *r, fields *f)
{
	char key[32], item[REFUSAL_PARAM];
	const char *type = NULL;
	bool has_function = false;

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "type")) {
			if (fields_read_name(f, &type) && strcmp(type, "function") != 0)
				fields_refuse(f, "invalid_value",
				              "Invalid value: '%s'. Supported values are: "
				              "'function'.",
				              type);
		} else if (!strcmp(key, "function")) {
			has_function = read_function(r, f);
		} else {
			fields_skip(f);
		}
	return (type && has_function) ||
	       fields_refuse_missing_in(f, item, type ? ".function" : ".type");
}

/* Each is read for its types; the chat's format and the grammar read the text again. */
bool request_read_tools(request *r, fields *f)
{
	size_t from;

	r->n_tools = 0;
	r->is_strict = false;
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "an array");
	from = f->json.at;
	for (fields_enter_array(f); fields_next_element(f);)
		if (!read_tool(r, f))
			return false;
	if (f->why->status != 0)
		return false;
	r->tools = r->n_tools > 0 ? f->json.text + from : NULL;
	r->tools_bytes = r->n_tools > 0 ? f->json.at - from : 0;
	return true;
}

/* {"name": ...} */
static void read_named(request *r, fields *f)
{
	char key[32];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "name"))
			fields_read_name(f, &r->named);
		else
			fields_skip(f);
}

bool request_read_tool_choice(request *r, fields *f)
{
	const char *text = NULL;
	char key[32];

	if (fields_peek(f) == JSON_STRING) {
		if (!fields_read_name(f, &text))
			return false;
		if (!strcmp(text, "none"))
			r->choice = TOOLS_NONE;
		else if (!strcmp(text, "auto"))
			r->choice = TOOLS_AUTO;
		else if (!strcmp(text, "required"))
			r->choice = TOOLS_REQUIRED;
		else
			return fields_refuse(f, "invalid_value",
			                     "Invalid value: '%s'. Supported values are: 'none', "
			                     "'auto', and 'required'.",
			                     text);
		return true;
	}
	if (fields_peek(f) != JSON_OBJECT)
		return fields_refuse_type(f, "a string or an object");
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "type")) {
			if (fields_read_name(f, &text) && strcmp(text, "function") != 0)
				fields_refuse(f, "invalid_value",
				              "Invalid value: '%s'. Supported values are: "
				              "'function'.",
				              text);
		} else if (!strcmp(key, "function")) {
			read_named(r, f);
		} else {
			fields_skip(f);
		}
	r->choice = TOOLS_NAMED;
	return r->named ? true : fields_refuse_missing(f, "tool_choice.function.name");
}
