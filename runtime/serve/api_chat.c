/* api_chat.c - reads OpenAI's requests for chat completions */
#include "runtime/serve/api_chat.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/api_content.h"
#include "runtime/serve/aside.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/request_fields.h"
#include "runtime/serve/thoughts.h"

/* ---- content -------------------------------------------------------------------------------- */

/* A part: {"type": "text", "text": ...}, {"type": "refusal", "refusal": ...}, or as Mistral's
 * interface has reasoning, {"type": "thinking", "thinking": [{"type": "text", "text": ...}],
 * "closed": false}. */
typedef struct part {
	joined_text text;
	bool is_thought, is_closed;
} part;

static bool is_of_part(const char *type, bool takes_thoughts)
{
	return !strcmp(type, "text") || !strcmp(type, "refusal") ||
	       (takes_thoughts && !strcmp(type, "thinking"));
}

/* takes_thoughts: of the assistant's and the system's messages. */
static bool read_part(fields *f, bool takes_thoughts, part *p)
{
	char key[32], path[REFUSAL_PARAM];
	const char *type = NULL;

	*p = (part){ .is_closed = true };
	memcpy(path, f->path, sizeof path);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "type")) {
			if (fields_read_name(f, &type) && !is_of_part(type, takes_thoughts))
				fields_refuse(f, "unsupported_value",
				              "Invalid '%s': parts of type '%s' are not supported: "
				              "this server takes text only.",
				              path, type);
		} else if (!strcmp(key, "text") || !strcmp(key, "refusal")) {
			fields_read_string(f, &p->text.text, &p->text.bytes);
		} else if (!strcmp(key, "thinking") && takes_thoughts) {
			api_read_content(f, "", &p->text);
		} else if (!strcmp(key, "closed")) {
			fields_read_bool(f, &p->is_closed);
		} else {
			fields_skip(f);
		}
	if (!type || !p->text.text)
		return fields_refuse_missing_in(f, path,
		                                !type                       ? ".type"
		                                : !strcmp(type, "thinking") ? ".thinking"
		                                                            : ".text");
	p->is_thought = !strcmp(type, "thinking");
	return f->why->status == 0;
}

/* What is read of a message's content. */
typedef struct content {
	joined_text text; /* text NULL: none */
	thoughts thoughts;
} content;

static bool read_parts(fields *f, bool takes_thoughts, content *c)
{
	part p;

	*c = (content){ .text = { .text = "" } };
	for (fields_enter_array(f); fields_next_element(f);) {
		if (!read_part(f, takes_thoughts, &p))
			break;
		if (p.is_thought)
			thoughts_add(&c->thoughts, &c->text, p.text.text, p.text.bytes,
			             !p.is_closed, f->pool);
		else
			joined_text_add(&c->text, p.text.text, p.text.bytes, f->pool);
	}
	return f->why->status == 0 && !f->pool->failed;
}

static bool read_content(fields *f, bool takes_thoughts, content *c)
{
	*c = (content){ .text = { .text = NULL } };
	if (fields_peek(f) == JSON_STRING)
		return fields_read_string(f, &c->text.text, &c->text.bytes);
	if (fields_peek(f) == JSON_ARRAY)
		return read_parts(f, takes_thoughts, c);
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
	return fields_refuse_missing_in(f, path, call->id ? ".function.name" : ".id");
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

/* A message as it is read; content and role come in any order. */
typedef struct message {
	brise_message m;
	content content;
	const char *thought; /* [thought_bytes] "reasoning_content", or "reasoning"; NULL: none */
	size_t thought_bytes;
} message;

/* Reasoning beside the content, as servers of reasoning models give it, under either name. */
static bool read_reasoning(fields *f, const char *key, message *m)
{
	const char *text;
	size_t bytes;

	if (!strcmp(key, "reasoning") && (fields_peek(f) != JSON_STRING || m->thought))
		return fields_skip(f);
	if (!fields_read_string(f, &text, &bytes))
		return false;
	m->thought = text;
	m->thought_bytes = bytes;
	return true;
}

static bool read_message_field(fields *f, const char *key, message *m)
{
	const char *text;
	size_t bytes;

	if (!strcmp(key, "role"))
		read_role(f, &m->m.role);
	else if (!strcmp(key, "content"))
		read_content(f, true, &m->content);
	else if (!strcmp(key, "refusal") && !m->content.text.text) /* earlier, for content */
		read_content(f, false, &m->content);
	else if (!strcmp(key, "reasoning_content") || !strcmp(key, "reasoning"))
		read_reasoning(f, key, m);
	else if (!strcmp(key, "tool_calls"))
		read_calls(f, &m->m);
	else if (!strcmp(key, "tool_call_id"))
		fields_read_name(f, &m->m.call_id);
	else if (!strcmp(key, "prefix")) /* Mistral's: the last answer is always continued */
		fields_read_bool(f, &m->m.continued);
	else if (!strcmp(key, "name"))
		fields_read_string(f, &text, &bytes);
	else
		fields_skip(f);
	return f->why->status == 0;
}

/* Puts the parts of a message together. Reasoning beside the content stands in front of it, unless
 * the content has reasoning in its place. */
static bool put_together(fields *f, message *m)
{
	joined_text start = { .text = NULL };

	if (m->m.role == BRISE_ASSISTANT && m->content.thoughts.n == 0 &&
	    !thoughts_add(&m->content.thoughts, &start, m->thought, m->thought_bytes, false,
	                  f->pool))
		return false;
	m->m.content = m->content.text.text;
	m->m.bytes = m->content.text.bytes;
	m->m.thoughts = m->content.thoughts.list;
	m->m.n_thoughts = m->content.thoughts.n;
	if (m->m.role != BRISE_ASSISTANT)
		m->m.n_calls = 0;
	return true;
}

static bool read_message(request *r, fields *f)
{
	message m = { .thought = NULL };
	char key[32], path[REFUSAL_PARAM];

	memcpy(path, f->path, sizeof path);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!read_message_field(f, key, &m))
			break;
	if (!m.m.role)
		return fields_refuse_missing_in(f, path, ".role");
	if (m.m.role == BRISE_TOOL && !m.m.call_id)
		return fields_refuse_missing_in(f, path, ".tool_call_id");
	if (f->why->status != 0 || !put_together(f, &m))
		return false;
	if (!m.m.content &&
	    (m.m.role != BRISE_ASSISTANT || (m.m.n_calls == 0 && m.m.n_thoughts == 0)))
		return fields_refuse_missing_in(f, path, ".content");
	return request_add_message(r, &m.m);
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
