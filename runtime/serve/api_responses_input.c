/* api_responses_input.c - "input" of the Responses API as messages
 *
 * Items that stand for what this server does not have are passed over, as their tools are: calls of
 * hosted tools and their results. Reasoning and each call is a message of its own here; those in a
 * row are joined where the conversation is encoded.
 */
#include <string.h>

#include "runtime/serve/api_responses.h"
#include "runtime/serve/recent_items.h"
#include "runtime/serve/thoughts.h"

#define TEXT_PARTS "input_text\0output_text\0refusal\0summary_text\0"

static bool add_message(responses_ask *ask, const brise_message *m)
{
	return request_add_message(&ask->request, m);
}

static bool read_role(fields *f, brise_role *role)
{
	static const struct {
		const char *word;
		brise_role role;
	} words[] = { { "user", BRISE_USER },
		      { "assistant", BRISE_ASSISTANT },
		      { "system", BRISE_SYSTEM },
		      { "developer", BRISE_SYSTEM } };
	const char *word;
	size_t i;

	if (!fields_read_name(f, &word))
		return false;
	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].word, word)) {
			*role = words[i].role;
			return true;
		}
	return fields_refuse(f, "invalid_value",
	                     "Invalid value: '%s'. Supported values are: 'assistant', 'system', "
	                     "'developer', and 'user'.",
	                     word);
}

static bool read_message(responses_ask *ask, fields *f)
{
	char key[16], item[REFUSAL_PARAM];
	joined_text text = { .text = NULL };
	brise_message m = { .content = NULL };

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "role"))
			read_role(f, &m.role);
		else if (!strcmp(key, "content"))
			api_read_content(f, TEXT_PARTS, &text);
		else
			fields_skip(f);
	if (m.role == 0)
		return fields_refuse_missing_in(f, item, ".role");
	if (!text.text)
		return fields_refuse_missing_in(f, item, ".content");
	m.content = text.text;
	m.bytes = text.bytes;
	return add_message(ask, &m);
}

static bool read_call(responses_ask *ask, fields *f)
{
	brise_tool_call *call = pool_take(&ask->request.pool, 1, sizeof *call);
	brise_message m = { .role = BRISE_ASSISTANT, .calls = call, .n_calls = 1 };
	char key[16], item[REFUSAL_PARAM];

	if (!call)
		return false;
	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "call_id"))
			fields_read_name(f, &call->id);
		else if (!strcmp(key, "name"))
			fields_read_name(f, &call->name);
		else if (!strcmp(key, "arguments"))
			fields_read_name(f, &call->arguments);
		else
			fields_skip(f);
	if (!call->id || !call->name || !call->arguments)
		return fields_refuse_missing_in(f, item,
		                                !call->id     ? ".call_id"
		                                : !call->name ? ".name"
		                                              : ".arguments");
	return add_message(ask, &m);
}

/* codex has results that answer no call, with a name of its own: what its tools have to say by
 * themselves. To the model they are the user's. */
static bool read_result(responses_ask *ask, fields *f)
{
	char key[16], item[REFUSAL_PARAM];
	joined_text text = { .text = NULL };
	brise_message m = { .role = BRISE_TOOL };

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "call_id"))
			fields_read_name(f, &m.call_id);
		else if (!strcmp(key, "output"))
			api_read_content(f, TEXT_PARTS, &text);
		else
			fields_skip(f);
	if (!text.text)
		return fields_refuse_missing_in(f, item, ".output");
	if (!m.call_id)
		m.role = BRISE_USER;
	m.content = text.text;
	m.bytes = text.bytes;
	return add_message(ask, &m);
}

/* ---- reasoning ------------------------------------------------------------------------------- */

/* A message that is reasoning alone; nothing without any. */
static bool add_thought(responses_ask *ask, const char *thought, size_t bytes)
{
	thoughts list = { .n = 0 };
	joined_text nothing = { .text = NULL };
	brise_message m = { .role = BRISE_ASSISTANT };

	if (!thoughts_add(&list, &nothing, thought, bytes, false, &ask->request.pool))
		return false;
	m.thoughts = list.list;
	m.n_thoughts = list.n;
	return list.n == 0 || add_message(ask, &m);
}

/* A text that was kept, by its id. */
static bool find_kept(responses_ask *ask, const char *id, const char **text, size_t *bytes)
{
	if (!id || !ask->recent || !recent_items_find(ask->recent, ask->owner, id, text, bytes))
		return false;
	*text = pool_copy(&ask->request.pool, *text, *bytes);
	return *text != NULL;
}

/* Clients send the reasoning back as its text, as what they take for encrypted, or by its id alone.
 * A summary is not what the model wrote, and another service's encryption says nothing here. */
static bool read_thought(responses_ask *ask, fields *f)
{
	joined_text text = { .text = NULL };
	const char *sealed = NULL, *id = NULL, *kept;
	size_t n = strlen(RESPONSES_SEAL), sealed_bytes = 0, bytes;
	char key[24];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "content"))
			api_read_content(f, "reasoning_text\0", &text);
		else if (!strcmp(key, "encrypted_content"))
			fields_read_string(f, &sealed, &sealed_bytes);
		else if (!strcmp(key, "id"))
			fields_read_name(f, &id);
		else
			fields_skip(f);
	if (f->why->status != 0)
		return false;
	if (text.bytes > 0)
		return add_thought(ask, text.text, text.bytes);
	if (sealed && !strncmp(sealed, RESPONSES_SEAL, n))
		return add_thought(ask, sealed + n, sealed_bytes - n);
	return !find_kept(ask, id, &kept, &bytes) || add_thought(ask, kept, bytes);
}

/* ---- items ----------------------------------------------------------------------------------- */

/* {"type": "item_reference", "id": ...} */
static bool read_reference(responses_ask *ask, fields *f)
{
	brise_message m = { .role = BRISE_ASSISTANT };
	char key[16], item[REFUSAL_PARAM];
	const char *id = NULL;
	bool found;

	memcpy(item, f->path, sizeof item);
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "id"))
			fields_read_name(f, &id);
		else
			fields_skip(f);
	if (!id)
		return fields_refuse_missing_in(f, item, ".id");
	found = find_kept(ask, id, &m.content, &m.bytes);
	if (!strncmp(id, "rs_", 3)) /* an answer can do without its reasoning */
		return !found || add_thought(ask, m.content, m.bytes);
	if (!found)
		return refusal_set(f->why, 400, "item_not_found", item,
		                   "Item '%s' is not known: this server stores no responses, and "
		                   "knows the last answers only. Send the item itself, as clients "
		                   "do with 'store' set to false.",
		                   id);
	return add_message(ask, &m);
}

static bool read_item(responses_ask *ask, fields *f)
{
	char type[API_TYPE_BYTES];

	if (fields_peek(f) != JSON_OBJECT)
		return fields_refuse_type(f, "an object");
	api_peek_type(f, type);
	if (!*type || !strcmp(type, "message"))
		return read_message(ask, f);
	if (!strcmp(type, "function_call"))
		return read_call(ask, f);
	if (!strcmp(type, "function_call_output"))
		return read_result(ask, f);
	if (!strcmp(type, "item_reference"))
		return read_reference(ask, f);
	if (!strcmp(type, "reasoning"))
		return read_thought(ask, f);
	return fields_skip(f);
}

bool responses_read_input(responses_ask *ask, fields *f)
{
	brise_message m = { .role = BRISE_USER };

	if (fields_peek(f) == JSON_STRING)
		return fields_read_string(f, &m.content, &m.bytes) && add_message(ask, &m);
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "a string or an array");
	for (fields_enter_array(f); fields_next_element(f);)
		if (!read_item(ask, f))
			return false;
	return f->why->status == 0;
}
