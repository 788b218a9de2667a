/* api_messages_input.c - "messages" and "system" of the Messages API as a request's messages
 *
 * A message's content is a text or a list of blocks. Of the user's, results of tools become
 * messages of their own, in front of the text beside them, as the calls that they answer precede
 * both.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/serve/api_messages.h"
#include "runtime/serve/thoughts.h"

/* A message as it is read. */
typedef struct message {
	brise_role role;
	joined_text text;
	thoughts thoughts;
	void *calls; /* brise_tool_call [n_calls] */
	size_t n_calls;
	void *results; /* brise_message [n_results] */
	size_t n_results;
} message;

/* ---- blocks --------------------------------------------------------------------------------- */

static bool read_text(fields *f, message *m)
{
	char key[16], item[REFUSAL_PARAM];
	const char *text = NULL;
	size_t bytes = 0;

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "text"))
			fields_read_string(f, &text, &bytes);
		else
			fields_skip(f);
	if (!text)
		return fields_refuse_missing_in(f, item, ".text");
	return joined_text_add(&m->text, text, bytes, f->pool);
}

/* Reasoning. Its signature, by which a service knows its own, is passed over. */
static bool read_thinking(fields *f, message *m)
{
	char key[16], item[REFUSAL_PARAM];
	const char *text = NULL;
	size_t bytes = 0;

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "thinking"))
			fields_read_string(f, &text, &bytes);
		else
			fields_skip(f);
	if (!text)
		return fields_refuse_missing_in(f, item, ".thinking");
	return thoughts_add(&m->thoughts, &m->text, text, bytes, false, f->pool);
}

static bool read_input(fields *f, brise_tool_call *call)
{
	const char *raw;
	size_t bytes;

	if (fields_peek(f) != JSON_OBJECT)
		return fields_refuse_type(f, "an object");
	if (!fields_read_raw(f, &raw, &bytes))
		return false;
	call->arguments = pool_copy(f->pool, raw, bytes);
	return call->arguments != NULL;
}

static bool read_call(fields *f, message *m)
{
	brise_tool_call *call = pool_append(f->pool, &m->calls, m->n_calls, sizeof *call);
	char key[16], item[REFUSAL_PARAM];

	if (!call)
		return false;
	*call = (brise_tool_call){ .id = NULL };
	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "id"))
			fields_read_name(f, &call->id);
		else if (!strcmp(key, "name"))
			fields_read_name(f, &call->name);
		else if (!strcmp(key, "input"))
			read_input(f, call);
		else
			fields_skip(f);
	if (!call->id || !call->name || !call->arguments)
		return fields_refuse_missing_in(f, item,
		                                !call->id     ? ".id"
		                                : !call->name ? ".name"
		                                              : ".input");
	m->n_calls++;
	return true;
}

/* Formats have no sign for a result that is an error: its text says so. */
static bool read_result(fields *f, message *m)
{
	brise_message *result = pool_append(f->pool, &m->results, m->n_results, sizeof *result);
	char key[16], item[REFUSAL_PARAM];
	joined_text text = { .text = "" }, failed = { .text = NULL };
	bool is_error = false;

	if (!result)
		return false;
	*result = (brise_message){ .role = BRISE_TOOL };
	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "tool_use_id"))
			fields_read_name(f, &result->call_id);
		else if (!strcmp(key, "content"))
			api_read_content(f, "", &text);
		else if (!strcmp(key, "is_error"))
			fields_read_bool(f, &is_error);
		else
			fields_skip(f);
	if (!result->call_id)
		return fields_refuse_missing_in(f, item, ".tool_use_id");
	if (is_error) {
		failed = (joined_text){ .text = "Error:", .bytes = 6 };
		if (!joined_text_add(&failed, text.text, text.bytes, f->pool))
			return false;
		text = failed;
	}
	result->content = text.text;
	result->bytes = text.bytes;
	m->n_results++;
	return f->why->status == 0;
}

/* Blocks of calls of tools that the service itself has, and of what a service alone can read, as
 * hidden reasoning: they say nothing to this server's model. */
static bool is_passed(const char *type)
{
	static const char *const types[] = { "thinking", "redacted_thinking", "server_tool_use",
		                             "mcp_tool_use", "compaction" };
	static const char result[] = "_tool_result";
	size_t i, n = strlen(type);

	for (i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(types[i], type))
			return true;
	return n > strlen(result) && !strcmp(type + n - strlen(result), result);
}

static bool read_block(fields *f, message *m)
{
	char type[API_TYPE_BYTES];

	if (fields_peek(f) != JSON_OBJECT)
		return fields_refuse_type(f, "an object");
	api_peek_type(f, type);
	if (!strcmp(type, "text"))
		return read_text(f, m);
	if (!strcmp(type, "tool_use") && m->role == BRISE_ASSISTANT)
		return read_call(f, m);
	if (!strcmp(type, "thinking") && m->role == BRISE_ASSISTANT)
		return read_thinking(f, m);
	if (!strcmp(type, "tool_result") && m->role == BRISE_USER)
		return read_result(f, m);
	if (is_passed(type))
		return fields_skip(f);
	if (!*type)
		return fields_refuse_missing_in(f, f->path, ".type");
	return fields_refuse(f, "invalid_value",
	                     "'%s' is a block of type '%s', which is not supported%s.", f->path,
	                     type,
	                     !strcmp(type, "tool_use")      ? " in messages of the user"
	                     : !strcmp(type, "tool_result") ? " in messages of the assistant"
	                                                    : ": the model reads text alone");
}

static bool read_content(fields *f, message *m)
{
	if (fields_peek(f) == JSON_STRING)
		return fields_read_string(f, &m->text.text, &m->text.bytes);
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "a string or an array");
	for (fields_enter_array(f); fields_next_element(f);)
		if (!read_block(f, m))
			return false;
	return f->why->status == 0;
}

/* ---- messages ------------------------------------------------------------------------------- */

/* The role is looked for before the content, which may stand in front of it. */
static bool peek_role(fields *f, brise_role *role)
{
	const char *word = NULL;
	fields ahead = *f;
	char key[16];

	for (fields_enter_object(&ahead); fields_next_key(&ahead, key, sizeof key);)
		if (strcmp(key, "role") != 0) {
			fields_skip(&ahead);
		} else if (!fields_read_name(&ahead, &word)) {
			return false;
		} else if (!strcmp(word, "user") || !strcmp(word, "assistant") ||
		           !strcmp(word, "system")) {
			*role = *word == 'u'   ? BRISE_USER
			        : *word == 'a' ? BRISE_ASSISTANT
			                       : BRISE_SYSTEM;
		} else {
			return fields_refuse(&ahead, "invalid_value",
			                     "Invalid value: '%s'. Supported values are: 'user' "
			                     "and 'assistant'.",
			                     word);
		}
	if (f->why->status != 0)
		return false;
	return word ? true : fields_refuse_missing_in(f, f->path, ".role");
}

static bool add_messages(request *r, const message *m)
{
	const brise_message said = { .role = m->role,
		                     .content = m->text.text,
		                     .bytes = m->text.bytes,
		                     .calls = m->calls,
		                     .n_calls = m->n_calls,
		                     .thoughts = m->thoughts.list,
		                     .n_thoughts = m->thoughts.n };
	const brise_message *results = m->results;
	size_t i;

	for (i = 0; i < m->n_results; i++)
		if (!request_add_message(r, &results[i]))
			return false;
	if (m->n_results > 0 && m->text.bytes == 0)
		return true;
	/* an answer of which nothing is left, as when it was the service's tools alone */
	if (m->role == BRISE_ASSISTANT && m->n_calls == 0 && m->text.bytes == 0 &&
	    m->thoughts.n == 0)
		return true;
	return request_add_message(r, &said);
}

static bool read_message(request *r, fields *f)
{
	char key[16], item[REFUSAL_PARAM];
	message m = { .n_calls = 0 };
	bool has_content = false;

	if (fields_peek(f) != JSON_OBJECT)
		return fields_refuse_type(f, "an object");
	memcpy(item, f->path, sizeof item);
	if (!peek_role(f, &m.role))
		return false;
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "content")) {
			m.n_calls = m.n_results = 0;
			m.text = (joined_text){ .text = NULL };
			m.thoughts = (thoughts){ .n = 0 };
			has_content = read_content(f, &m);
		} else {
			fields_skip(f);
		}
	if (!has_content)
		return fields_refuse_missing_in(f, item, ".content");
	return f->why->status == 0 && add_messages(r, &m);
}

bool messages_read_list(request *r, fields *f)
{
	r->n_messages = 0;
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "an array");
	for (fields_enter_array(f); fields_next_element(f);)
		if (!read_message(r, f))
			return false;
	return f->why->status == 0;
}

bool messages_read_system(fields *f, joined_text *system)
{
	return api_read_content(f, "", system);
}
