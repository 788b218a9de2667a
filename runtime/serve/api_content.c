/* api_content.c - see api_content.h */
#include "runtime/serve/api_content.h"

#include <stdio.h>
#include <string.h>

#include "runtime/serve/request_fields.h"
#include "runtime/text/json_writer.h"

#define JOIN "\n\n"

void api_peek_type(const fields *f, char type[API_TYPE_BYTES])
{
	json_reader ahead = f->json;
	char key[8];

	type[0] = 0;
	ahead.err = NULL;
	if (json_peek(&ahead) != JSON_OBJECT)
		return;
	json_enter_object(&ahead);
	while (json_next_key(&ahead, key, sizeof key))
		if (strcmp(key, "type") != 0 || json_peek(&ahead) != JSON_STRING) {
			json_skip(&ahead);
		} else if (!json_read_name(&ahead, type, API_TYPE_BYTES)) {
			type[0] = 0;
			return;
		}
}

/* ---- content -------------------------------------------------------------------------------- */

static bool is_among(const char *types, const char *type)
{
	for (; *types; types += strlen(types) + 1)
		if (!strcmp(types, type))
			return true;
	return false;
}

/* {"type": ..., "text": "..."}; a refusal has its text in a field of that name. */
static bool read_part(fields *f, const char *types, body *all)
{
	char key[16], type[API_TYPE_BYTES], item[REFUSAL_PARAM];
	const char *text = NULL;
	size_t bytes = 0;

	api_peek_type(f, type);
	memcpy(item, f->path, sizeof item);
	if (fields_peek(f) == JSON_OBJECT && strcmp(type, "text") != 0 && !is_among(types, type))
		return fields_refuse(f, "invalid_value",
		                     "Invalid type of '%s': '%s' is not supported here, only text "
		                     "is.",
		                     f->path, type);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "text") || !strcmp(key, type))
			fields_read_string(f, &text, &bytes);
		else
			fields_skip(f);
	if (!text)
		return fields_refuse_missing_in(f, item,
		                                !strcmp(type, "refusal") ? ".refusal" : ".text");
	if (all->n > 0 && bytes > 0)
		body_add(all, JOIN, strlen(JOIN));
	body_add(all, text, bytes);
	return f->why->status == 0;
}

bool api_read_content(fields *f, const char *types, joined_text *text)
{
	body all = { .n = 0 };
	bool done = true;

	text->room = 0;
	if (fields_peek(f) == JSON_STRING)
		return fields_read_string(f, &text->text, &text->bytes);
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "a string or an array");
	for (fields_enter_array(f); done && fields_next_element(f);)
		done = read_part(f, types, &all);
	text->bytes = all.n;
	text->text = all.failed ? NULL : pool_copy(f->pool, all.bytes ? all.bytes : "", all.n);
	f->pool->failed |= all.failed;
	body_free(&all);
	return text->text && f->why->status == 0;
}

/* ---- tools ---------------------------------------------------------------------------------- */

bool api_read_tool(fields *f, const char *schema, api_tools *tools)
{
	api_tool tool = { .is_allowed = true }, *slot;
	char key[32], item[REFUSAL_PARAM];

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "name"))
			fields_read_name(f, &tool.name);
		else if (!strcmp(key, "description"))
			fields_read_string(f, &tool.description, &tool.description_bytes);
		else if (!strcmp(key, "strict"))
			fields_read_bool(f, &tool.is_strict);
		else if (!strcmp(key, schema) && fields_peek(f) != JSON_OBJECT)
			fields_refuse_type(f, "an object");
		else if (!strcmp(key, schema))
			fields_read_raw(f, &tool.schema, &tool.schema_bytes);
		else
			fields_skip(f);
	if (!tool.name || !*tool.name)
		return fields_refuse_missing_in(f, item, ".name");
	if (!(slot = pool_append(f->pool, &tools->list, tools->n, sizeof *slot)))
		return false;
	*slot = tool;
	tools->n++;
	return f->why->status == 0;
}

const api_tool *api_get_tool(const api_tools *tools, size_t i)
{
	return (const api_tool *)tools->list + i;
}

static void put_tool(json_writer *w, const api_tool *tool)
{
	json_open(w, NULL, '{');
	json_put_string(w, "type", "function");
	json_open(w, "function", '{');
	json_put_string(w, "name", tool->name);
	if (tool->description)
		json_put_text(w, "description", tool->description, tool->description_bytes);
	if (tool->schema)
		json_put_json(w, "parameters", tool->schema, tool->schema_bytes);
	if (tool->is_strict)
		json_put_bool(w, "strict", true);
	json_close(w);
	json_close(w);
}

/* The request's own reader takes them from there, which also knows their names. */
bool api_set_tools(request *r, const api_tools *tools, refusal *why)
{
	body all = { .n = 0 };
	json_writer w = { .sink = body_add, .user = &all };
	const char *text;
	fields f;
	size_t i, n = 0;

	json_open(&w, NULL, '[');
	for (i = 0; i < tools->n; i++)
		if (api_get_tool(tools, i)->is_allowed) {
			put_tool(&w, api_get_tool(tools, i));
			n++;
		}
	json_close(&w);
	text = n > 0 && !all.failed ? pool_copy(&r->pool, all.bytes, all.n) : NULL;
	n = n > 0 ? all.n : 0;
	r->pool.failed |= all.failed;
	body_free(&all);
	if (n == 0)
		return true;
	if (!text)
		return refusal_set(why, 500, NULL, NULL, "out of memory");
	fields_begin_at(&f, text, n, "tools", &r->pool, why);
	return request_read_tools(r, &f) && fields_end(&f);
}
