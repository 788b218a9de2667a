/* api_chat.c - reads OpenAI's requests for chat completions */
#include "runtime/serve/api_chat.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/aside.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/request_fields.h"

/* Between the text parts of one content, as mistral-common joins them. */
#define JOIN "\n\n"

/* ---- content -------------------------------------------------------------------------------- */

/* {"type": "text", "text": ...} or {"type": "refusal", "refusal": ...} */
static bool read_part(fields *f, const char **text, size_t *bytes)
{
	char key[32], path[REFUSAL_PARAM];
	const char *type = NULL;
	size_t n;

	*text = NULL;
	memcpy(path, f->path, sizeof path);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "type")) {
			if (!fields_read_name(f, &type) || !strcmp(type, "text") ||
			    !strcmp(type, "refusal"))
				continue;
			fields_refuse(f, "unsupported_value",
			              "Invalid '%s': parts of type '%s' are not supported: this "
			              "server takes text only.",
			              path, type);
		} else if (!strcmp(key, "text") || !strcmp(key, "refusal")) {
			if (fields_read_string(f, text, &n))
				*bytes = n;
		} else {
			fields_skip(f);
		}
	if (!type || !*text) {
		strncat(path, type ? ".text" : ".type", sizeof path - strlen(path) - 1);
		return fields_refuse_missing(f, path);
	}
	return f->why->status == 0;
}

static bool read_parts(fields *f, const char **text, size_t *bytes)
{
	body all = { .n = 0 };
	const char *part;
	size_t n = 0;

	for (fields_enter_array(f); fields_next_element(f);) {
		if (!read_part(f, &part, &n))
			break;
		if (all.n > 0 && n > 0)
			body_add(&all, JOIN, strlen(JOIN));
		body_add(&all, part, n);
	}
	*text = pool_copy(f->pool, all.bytes, all.n);
	*bytes = all.n;
	f->pool->failed = f->pool->failed || all.failed;
	body_free(&all);
	return f->why->status == 0 && *text;
}

static bool read_content(fields *f, const char **text, size_t *bytes)
{
	if (fields_peek(f) == JSON_STRING)
		return fields_read_string(f, text, bytes);
	if (fields_peek(f) == JSON_ARRAY)
		return read_parts(f, text, bytes);
	return fields_refuse_type(f, "one of a string or array of objects");
}

/* ---- tool calls of earlier answers ---------------------------------------------------------- */

static void read_call_function(fields *f, brise_tool_call *call)
{
	char key[32];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "name"))
			fields_read_name(f, &call->name);
		else if (!strcmp(key, "arguments"))
			fields_read_name(f, &call->arguments);
		else
			fields_skip(f);
}

static bool read_call(fields *f, brise_tool_call *call)
{
	char key[32], path[REFUSAL_PARAM];
	const char *type;

	memcpy(path, f->path, sizeof path);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "id")) {
			fields_read_name(f, &call->id);
		} else if (!strcmp(key, "function")) {
			read_call_function(f, call);
		} else if (!strcmp(key, "type")) {
			if (fields_read_name(f, &type) && strcmp(type, "function") != 0)
				fields_refuse(f, "invalid_value",
				              "Invalid value: '%s'. Supported values are: "
				              "'function'.",
				              type);
		} else {
			fields_skip(f);
		}
	if (call->id && call->name)
		return f->why->status == 0;
	strncat(path, call->id ? ".function.name" : ".id", sizeof path - strlen(path) - 1);
	return fields_refuse_missing(f, path);
}

static void read_calls(fields *f, brise_message *m)
{
	brise_tool_call *call;
	void *list = NULL;

	m->n_calls = 0;
	for (fields_enter_array(f); fields_next_element(f); m->n_calls++)
		if (!(call = pool_append(f->pool, &list, m->n_calls, sizeof *call)) ||
		    !read_call(f, call))
			return;
	m->calls = list;
}

/* ---- messages ------------------------------------------------------------------------------- */

static void read_role(fields *f, brise_role *role)
{
	static const struct {
		const char *name;
		brise_role role;
	} roles[] = { { "system", BRISE_SYSTEM },
		      { "developer", BRISE_SYSTEM },
		      { "user", BRISE_USER },
		      { "assistant", BRISE_ASSISTANT },
		      { "tool", BRISE_TOOL } };
	const char *name;
	size_t i;

	if (!fields_read_name(f, &name))
		return;
	for (i = 0; i < sizeof roles / sizeof *roles; i++)
		if (!strcmp(name, roles[i].name)) {
			*role = roles[i].role;
			return;
		}
	fields_refuse(f, "invalid_value",
	              "Invalid value: '%s'. Supported values are: 'system', 'developer', 'user', "
	              "'assistant', and 'tool'.",
	              name);
}

static bool refuse_missing(fields *f, const char *path, const char *name)
{
	char whole[REFUSAL_PARAM];

	memcpy(whole, path, sizeof whole);
	strncat(whole, name, sizeof whole - strlen(whole) - 1);
	return fields_refuse_missing(f, whole);
}

static bool read_message(request *r, fields *f)
{
	brise_message m = { .content = NULL };
	char key[32], path[REFUSAL_PARAM];
	const char *text;
	size_t bytes;

	memcpy(path, f->path, sizeof path);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "role"))
			read_role(f, &m.role);
		else if (!strcmp(key, "content"))
			read_content(f, &m.content, &m.bytes);
		else if (!strcmp(key, "refusal") && !m.content) /* earlier, instead of content */
			read_content(f, &m.content, &m.bytes);
		else if (!strcmp(key, "tool_calls"))
			read_calls(f, &m);
		else if (!strcmp(key, "tool_call_id"))
			fields_read_name(f, &m.call_id);
		else if (!strcmp(key,
		                 "prefix")) /* Mistral's: the last answer is always continued */
			fields_read_bool(f, &m.continued);
		else if (!strcmp(key, "name"))
			fields_read_string(f, &text, &bytes);
		else
			fields_skip(f);
	if (!m.role)
		return refuse_missing(f, path, ".role");
	if (m.role == BRISE_TOOL && !m.call_id)
		return refuse_missing(f, path, ".tool_call_id");
	if (!m.content && (m.role != BRISE_ASSISTANT || m.n_calls == 0))
		return refuse_missing(f, path, ".content");
	if (f->why->status != 0)
		return false;
	if (m.role != BRISE_ASSISTANT)
		m.n_calls = 0;
	return request_add_message(r, &m);
}

static void read_messages(request *r, fields *f)
{
	r->n_messages = 0;
	r->messages = NULL;
	for (fields_enter_array(f); fields_next_element(f);)
		if (!read_message(r, f))
			return;
	if (r->n_messages == 0)
		fields_refuse(f, "empty_array",
		              "Invalid 'messages': empty array. Expected an array with minimum "
		              "length 1, but got an empty array instead.");
}

/* ---- the request ---------------------------------------------------------------------------- */

/* Only text comes out. */
static void read_modalities(fields *f)
{
	const char *name;

	for (fields_enter_array(f); fields_next_element(f);)
		if (fields_read_name(f, &name) && strcmp(name, "text") != 0)
			fields_refuse(f, "unsupported_value",
			              "Invalid value: '%s'. Supported values are: 'text'.", name);
}

static void read_field(request *r, fields *f, const char *key)
{
	int64_t top;

	if (!strcmp(key, "messages"))
		read_messages(r, f);
	else if (!strcmp(key, "tools"))
		request_read_tools(r, f);
	else if (!strcmp(key, "tool_choice"))
		request_read_tool_choice(r, f);
	else if (!strcmp(key, "parallel_tool_calls"))
		fields_read_bool(f, &r->parallel_calls);
	else if (!strcmp(key, "logprobs"))
		fields_read_bool(f, &r->has_logprobs);
	else if (!strcmp(key, "top_logprobs") && fields_read_integer(f, 0, REQUEST_TOP, &top))
		r->n_top = (unsigned)top;
	else if (!strcmp(key, "modalities"))
		read_modalities(f);
	else if (!strcmp(key, "functions") || !strcmp(key, "function_call"))
		fields_refuse(f, "unsupported_parameter",
		              "Unsupported parameter: '%s' is not supported. Use 'tools' and "
		              "'tool_choice' instead.",
		              key);
	else if (!request_read_field(r, f, key))
		fields_skip(f);
}

bool api_chat_read(request *r, const char *text, size_t bytes, refusal *why)
{
	char key[48];
	fields f;

	fields_begin(&f, text, bytes, &r->pool, why);
	for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);)
		read_field(r, &f, key);
	if (!fields_end(&f))
		return false;
	if (r->n_messages == 0)
		return fields_refuse_missing(&f, "messages");
	if (r->n_top > 0 && !r->has_logprobs)
		return refusal_set(why, 400, "invalid_value", "top_logprobs",
		                   "Invalid 'top_logprobs': 'logprobs' must be set to true.");
	return request_check(r, why);
}

typedef struct chat_call {
	exchange *x;
	const service *service;
	request request;
	refusal why;
} chat_call;

static void encode(void *user)
{
	chat_call *c = user;

	(void)request_encode(&c->request, c->service, &c->why);
}

static void answer(void *user, bool is_gone)
{
	chat_call *c = user;

	if (!is_gone && (c->why.status != 0 || !api_chat_reply(c->x, &c->request, &c->why)))
		openai_refuse(c->x, &c->why);
	request_free(&c->request);
	memory_free(c);
}

void api_chat(exchange *x)
{
	const exchange_facts *facts = exchange_get_facts(x);
	chat_call *c = memory_new(1, sizeof *c);
	refusal why = { .status = 0 };

	if (!c) {
		(void)refusal_set(&why, 500, NULL, NULL, "out of memory");
		openai_refuse(x, &why);
		return;
	}
	c->x = x;
	c->service = facts->service;
	request_init(&c->request);
	if (api_chat_read(&c->request, facts->body, facts->body_bytes, &c->why) &&
	    request_adapt_system(&c->request, facts->service, facts->who.key, &c->why))
		aside_run(x, encode, answer, c);
	else
		answer(c, false);
}
