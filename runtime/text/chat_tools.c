/* chat_tools.c - see chat_tools.h
 *
 *     tools        [{"type": "function", "function": {"name": "add", "description": "Adds",
 * "parameters": {}}}] v3, calls    [{"name": "add", "arguments": {"a": 1}, "id": "call00001"}] v3,
 * result   {"content": 3, "call_id": "call00001"} v2, calls    [{"name": "add", "arguments": {"a":
 * 1}}] v2, result   [{"name": "add", "content": 3}]
 *
 * The fields of a tool come in this order whatever the client's is, without others such as
 * "strict".
 */
#include "runtime/text/chat_tools.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/chat_ids.h"
#include "runtime/text/chat_json.h"

/* Results mostly come in the order of their calls. Others are searched for among so many, as a
 * conversation may have a hundred thousand of each. */
#define CALLS_SEARCHED 1000u

static void put(chat_text *out, const char *text)
{
	chat_text_add(out, text, strlen(text), false);
}

static void put_string(chat_text *out, const char *text)
{
	chat_json_string(out, text, strlen(text));
}

/* ---- tools ---------------------------------------------------------------------------------- */

/* JSON of the fields, each made where it is met. */
typedef struct tool_fields {
	chat_text type, name, description, parameters;
} tool_fields;

static void free_fields(tool_fields *f)
{
	chat_text_free(&f->type);
	chat_text_free(&f->name);
	chat_text_free(&f->description);
	chat_text_free(&f->parameters);
}

/* A field of one type; null counts as absent. The last of two counts. */
static bool read_field(json_reader *r, chat_text *to, json_type type, const char *wanted)
{
	if (json_peek(r) == JSON_NULL)
		return json_read_null(r);
	if (json_peek(r) != type)
		return json_refuse(r, BRISE_EFORMAT, wanted);
	to->n = 0;
	return chat_json_value(to, r);
}

static bool read_function(json_reader *r, tool_fields *f)
{
	char key[32];

	if (!json_enter_object(r))
		return false;
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "name"))
			read_field(r, &f->name, JSON_STRING, "a tool's name is a string");
		else if (!strcmp(key, "description"))
			read_field(r, &f->description, JSON_STRING,
			           "a tool's description is a string");
		else if (!strcmp(key, "parameters"))
			read_field(r, &f->parameters, JSON_OBJECT,
			           "a tool's parameters are an object");
		else
			json_skip(r);
	if (r->status == BRISE_OK && f->name.n == 0)
		json_refuse(r, f->name.failed ? BRISE_ENOMEM : BRISE_EFORMAT,
		            f->name.failed ? "no memory for a tool" : "a tool without a name");
	return r->status == BRISE_OK;
}

static void put_field(chat_text *out, const char *key, const chat_text *value, const char *absent)
{
	put(out, key);
	if (value->n > 0)
		chat_text_add(out, value->bytes, value->n, false);
	else
		put(out, absent);
	out->failed |= value->failed;
}

static bool put_tool(chat_text *out, json_reader *r)
{
	tool_fields f = { { .n = 0 }, { .n = 0 }, { .n = 0 }, { .n = 0 } };
	bool has_function = false;
	char key[32];

	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "function"))
			has_function = read_function(r, &f);
		else if (!strcmp(key, "type"))
			read_field(r, &f.type, JSON_STRING, "a tool's type is a string");
		else
			json_skip(r);
	if (r->status == BRISE_OK && !has_function)
		json_refuse(r, BRISE_EFORMAT, "a tool without \"function\"");
	if (r->status == BRISE_OK) {
		put_field(out, "{\"type\": ", &f.type, "\"function\"");
		put_field(out, ", \"function\": {\"name\": ", &f.name, "");
		put_field(out, ", \"description\": ", &f.description, "\"\"");
		put_field(out, ", \"parameters\": ", &f.parameters, "{}");
		put(out, "}}");
	}
	free_fields(&f);
	return r->status == BRISE_OK;
}

brise_status chat_put_tools(chat_text *out, const brise_conversation *c, brise_error *err)
{
	size_t begin = out->n;
	json_reader r;

	if (c->tools_bytes == 0)
		return BRISE_OK;
	json_begin(&r, c->tools, c->tools_bytes, "tools", err);
	if (json_peek(&r) == JSON_NULL) {
		json_read_null(&r);
		return json_end(&r);
	}
	json_enter_array(&r);
	while (json_next_element(&r)) {
		put(out, out->n == begin ? "[" : ", ");
		if (!put_tool(out, &r))
			break;
	}
	if (out->n > begin)
		put(out, "]");
	return json_end(&r);
}

/* ---- calls and results ---------------------------------------------------------------------- */

void chat_put_id(chat_text *out, const char *id)
{
	char nine[CHAT_ID_BYTES + 1];

	brise_map_call_id(id, nine);
	put(out, nine);
}

static void put_id(chat_text *out, const char *key, const char *id)
{
	put(out, key);
	put(out, "\"");
	chat_put_id(out, id); /* letters and digits */
	put(out, "\"");
}

void chat_put_arguments(chat_text *out, const brise_tool_call *call)
{
	const char *arguments = call->arguments ? call->arguments : "";

	chat_json_content(out, arguments, strlen(arguments));
}

void chat_put_calls(chat_text *out, const brise_message *m, bool ids)
{
	size_t i;

	for (i = 0; i < m->n_calls; i++) {
		const brise_tool_call *call = &m->calls[i];

		put(out, i == 0 ? "[{\"name\": " : ", {\"name\": ");
		put_string(out, call->name ? call->name : "");
		put(out, ", \"arguments\": ");
		chat_put_arguments(out, call);
		if (ids && call->id)
			put_id(out, ", \"id\": ", call->id);
		put(out, "}");
	}
	put(out, "]");
}

static bool has_id(const brise_tool_call *call, const char *id)
{
	return id && call->id && !strcmp(call->id, id);
}

/* The call that message i answers, of results that begin with message `first`: that of its id, or
 * the one at its place; NULL: none. */
static const brise_tool_call *find_call(const brise_conversation *c, size_t first, size_t i)
{
	const brise_message *m = first > 0 ? &c->messages[first - 1] : NULL;
	const char *id = c->messages[i].call_id;
	size_t most = m && m->n_calls < CALLS_SEARCHED ? m->n_calls : CALLS_SEARCHED, k;
	const brise_tool_call *here = m && i - first < m->n_calls ? &m->calls[i - first] : NULL;

	if (here && has_id(here, id))
		return here;
	for (k = 0; m && k < most; k++)
		if (has_id(&m->calls[k], id))
			return &m->calls[k];
	return here;
}

const char *chat_find_id(const brise_conversation *c, size_t first, size_t i)
{
	const brise_message *m = &c->messages[i];
	const brise_tool_call *call = m->call_id ? NULL : find_call(c, first, i);

	return m->call_id ? m->call_id : call ? call->id : NULL;
}

void chat_put_result(chat_text *out, const brise_conversation *c, size_t first, size_t i, bool ids)
{
	const brise_message *m = &c->messages[i];
	const brise_tool_call *call = ids ? NULL : find_call(c, first, i);
	const char *id = ids ? chat_find_id(c, first, i) : NULL, *name = m->name ? m->name
	                                                                 : call  ? call->name
	                                                                         : NULL;

	if (ids) {
		put(out, "{\"content\": ");
		chat_json_content(out, m->content, m->bytes);
		if (id)
			put_id(out, ", \"call_id\": ", id);
		put(out, "}");
		return;
	}
	put(out, "[{\"name\": ");
	if (name)
		put_string(out, name);
	else
		put(out, "null");
	put(out, ", \"content\": ");
	chat_json_content(out, m->content, m->bytes);
	put(out, "}]");
}
