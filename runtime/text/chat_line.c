/* chat_line.c - see chat_line.h */
#include "runtime/text/chat_line.h"

#include <string.h>

#include "runtime/os/memory.h"

#define JOIN "\n\n" /* between the text parts of one content, as mistral-common joins them */

static bool no_memory(json_reader *r)
{
	return json_refuse(r, BRISE_ENOMEM, "no memory for a conversation");
}

/* Takes over memory, which is freed with the line; it is freed at once if that fails. */
static bool own(chat_line *line, json_reader *r, void *memory)
{
	if (!memory)
		return no_memory(r);
	if (line->n_owned == line->owned_room) {
		size_t room = 2 * line->owned_room + 16;
		void **grown = memory_resize(line->owned, room, sizeof *grown);

		if (!grown) {
			memory_free(memory);
			return no_memory(r);
		}
		line->owned = grown;
		line->owned_room = room;
	}
	line->owned[line->n_owned++] = memory;
	return true;
}

void chat_line_free(chat_line *line)
{
	size_t i;

	for (i = 0; i < line->n_owned; i++)
		memory_free(line->owned[i]);
	memory_free(line->owned);
	memory_free(line->messages);
	*line = (chat_line){ .room = 0 };
}

/* ---- texts ---------------------------------------------------------------------------------- */

/* A string that has no zero characters, or null: NULL. */
static bool read_text(chat_line *line, json_reader *r, const char **text)
{
	size_t bytes;
	char *found;

	*text = NULL;
	if (json_peek(r) == JSON_NULL)
		return json_read_null(r);
	if (!json_read_string(r, &found, &bytes) || !own(line, r, found))
		return false;
	*text = found;
	return strlen(found) == bytes ||
	       json_refuse(r, BRISE_EFORMAT, "a zero character in a name");
}

/* Any value as it is written. */
static bool read_raw(chat_line *line, json_reader *r, const char **text, size_t *bytes)
{
	char *copy;
	size_t from;

	(void)json_peek(r); /* passes white space */
	from = r->at;
	if (!json_skip(r))
		return false;
	*bytes = r->at - from;
	if (!(copy = memory_new(*bytes + 1, 1)) || !own(line, r, copy))
		return copy ? false : no_memory(r);
	memcpy(copy, r->text + from, *bytes);
	*text = copy;
	return true;
}

static bool is_word(const char *text, size_t bytes, const char *word)
{
	return bytes == strlen(word) && !memcmp(text, word, bytes);
}

/* {"type": "text", "text": "..."}, or reasoning, {"type": "thinking", "thinking": "...",
 * "closed": false}, whose text may be a list of texts. */
typedef struct part {
	char *text; /* [bytes] from memory_new */
	size_t bytes;
	bool is_thought, is_open;
} part;

static bool read_texts(json_reader *r, char **text, size_t *bytes);

static void read_part_field(json_reader *r, const char *key, part *p)
{
	bool closed = true;

	if (!strcmp(key, "closed")) {
		json_read_bool(r, &closed);
		p->is_open = !closed;
	} else if (p->text || (strcmp(key, "text") != 0 && strcmp(key, "thinking") != 0)) {
		json_skip(r);
	} else if ((p->is_thought = !strcmp(key, "thinking")) && json_peek(r) == JSON_ARRAY) {
		read_texts(r, &p->text, &p->bytes);
	} else {
		json_read_string(r, &p->text, &p->bytes);
	}
}

static bool read_part(json_reader *r, part *p)
{
	char key[32], *type = NULL;
	size_t type_bytes = 0;

	*p = (part){ .text = NULL };
	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "type") && !type)
			json_read_string(r, &type, &type_bytes);
		else
			read_part_field(r, key, p);
	if (r->status == BRISE_OK &&
	    (!p->text || (type && !is_word(type, type_bytes, p->is_thought ? "thinking" : "text"))))
		json_refuse(r, BRISE_EUNSUPPORTED,
		            "a part of a message that is neither text nor reasoning");
	memory_free(type);
	return r->status == BRISE_OK;
}

/* Adds text [bytes] to *all [*n], from memory_new, with JOIN between if `joins`. */
static bool add_text(json_reader *r, char **all, size_t *n, const char *text, size_t bytes,
                     bool joins)
{
	size_t joint = joins && *n > 0 && bytes > 0 ? strlen(JOIN) : 0;
	char *grown = memory_resize(*all, *n + joint + bytes + 1, 1);

	if (!grown)
		return no_memory(r);
	memcpy(grown + *n, JOIN, joint);
	memcpy(grown + *n + joint, text, bytes);
	*all = grown;
	*n += joint + bytes;
	return true;
}

/* A list of texts, joined. */
static bool read_texts(json_reader *r, char **text, size_t *bytes)
{
	char *all = NULL;
	part p;

	*bytes = 0;
	json_enter_array(r);
	while (json_next_element(r)) {
		if (read_part(r, &p) && p.is_thought)
			json_refuse(r, BRISE_EUNSUPPORTED, "reasoning within reasoning");
		else if (r->status == BRISE_OK)
			add_text(r, &all, bytes, p.text, p.bytes, true);
		memory_free(p.text);
	}
	if (r->status == BRISE_OK && !all)
		add_text(r, &all, bytes, "", 0, false);
	*text = all;
	return r->status == BRISE_OK;
}

/* Takes over its text. *list [m->n_thoughts]: from memory_new, twice as large wherever it is full,
 * at powers of two. */
static bool add_thought(chat_line *line, json_reader *r, brise_message *m, brise_thought **list,
                        const part *p)
{
	size_t n = m->n_thoughts;
	brise_thought *grown = *list;

	if (!own(line, r, p->text))
		return false;
	if ((n & (n - 1)) == 0 && !(grown = memory_resize(grown, n > 0 ? 2 * n : 1, sizeof *grown)))
		return no_memory(r);
	grown[n] = (brise_thought){ m->bytes, p->text, p->bytes, p->is_open };
	*list = grown;
	m->n_thoughts++;
	return true;
}

static bool read_parts(chat_line *line, json_reader *r, brise_message *m)
{
	brise_thought *thoughts = NULL;
	bool joins = true, owned;
	char *all = NULL;
	part p;

	json_enter_array(r);
	while (json_next_element(r))
		if (!read_part(r, &p)) {
			memory_free(p.text);
		} else if (p.is_thought) {
			add_thought(line, r, m, &thoughts, &p);
			joins = false;
		} else {
			add_text(r, &all, &m->bytes, p.text, p.bytes, joins);
			memory_free(p.text);
			joins = true;
		}
	m->content = all;
	m->thoughts = thoughts;
	owned = !all || own(line, r, all);
	return (!thoughts || own(line, r, thoughts)) && owned;
}

static bool read_content(chat_line *line, json_reader *r, brise_message *m)
{
	char *text;

	m->content = NULL;
	m->bytes = m->n_thoughts = 0;
	if (json_peek(r) == JSON_NULL)
		return json_read_null(r);
	if (json_peek(r) == JSON_ARRAY)
		return read_parts(line, r, m);
	if (!json_read_string(r, &text, &m->bytes))
		return false;
	m->content = text;
	return own(line, r, text);
}

/* Reasoning beside the content, as chat and the server give it with an answer. */
static void read_reasoning(chat_line *line, json_reader *r, part *p)
{
	*p = (part){ .text = NULL };
	if (json_peek(r) == JSON_NULL)
		json_read_null(r);
	else if (json_read_string(r, &p->text, &p->bytes))
		own(line, r, p->text);
}

/* It stands in front of an answer, unless the content has reasoning in its place. */
static bool put_reasoning(chat_line *line, json_reader *r, brise_message *m, const part *p)
{
	brise_thought *thought;

	if (m->role != BRISE_ASSISTANT || m->n_thoughts > 0 || p->bytes == 0)
		return true;
	if (!own(line, r, thought = memory_new(1, sizeof *thought)))
		return false;
	*thought = (brise_thought){ 0, p->text, p->bytes, false };
	m->thoughts = thought;
	m->n_thoughts = 1;
	return true;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static bool read_function(chat_line *line, json_reader *r, brise_tool_call *call)
{
	char key[32];
	size_t bytes;

	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "name"))
			read_text(line, r, &call->name);
		else if (strcmp(key, "arguments") != 0)
			json_skip(r);
		else if (json_peek(r) == JSON_OBJECT)
			read_raw(line, r, &call->arguments, &bytes);
		else
			read_text(line, r, &call->arguments);
	return r->status == BRISE_OK;
}

static bool read_call(chat_line *line, json_reader *r, brise_tool_call *call)
{
	char key[32];

	*call = (brise_tool_call){ .id = NULL };
	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "id"))
			read_text(line, r, &call->id);
		else if (!strcmp(key, "function"))
			read_function(line, r, call);
		else
			json_skip(r);
	if (r->status == BRISE_OK && !call->name)
		json_refuse(r, BRISE_EFORMAT, "a tool call without the name of its function");
	return r->status == BRISE_OK;
}

static bool read_calls(chat_line *line, json_reader *r, brise_message *m)
{
	brise_tool_call *calls = NULL, *grown;
	size_t n = 0;

	if (json_peek(r) == JSON_NULL)
		return json_read_null(r);
	json_enter_array(r);
	while (json_next_element(r)) {
		if (!(grown = memory_resize(calls, n + 1, sizeof *calls))) {
			no_memory(r);
			break;
		}
		calls = grown;
		if (!read_call(line, r, &calls[n++]))
			break;
	}
	m->calls = calls;
	m->n_calls = n;
	return (!calls || own(line, r, calls)) && r->status == BRISE_OK;
}

/* ---- messages ------------------------------------------------------------------------------- */

static bool read_role(json_reader *r, brise_role *role)
{
	static const struct {
		const char *word;
		brise_role role;
	} words[] = { { "system", BRISE_SYSTEM },
		      { "developer", BRISE_SYSTEM },
		      { "user", BRISE_USER },
		      { "assistant", BRISE_ASSISTANT },
		      { "tool", BRISE_TOOL } };
	char word[32];
	size_t i;

	if (!json_read_name(r, word, sizeof word))
		return false;
	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].word, word)) {
			*role = words[i].role;
			return true;
		}
	return json_refuse(r, BRISE_EFORMAT,
	                   "role: system, developer, user, assistant or tool expected");
}

static bool read_flag(json_reader *r, bool *flag)
{
	return json_peek(r) == JSON_NULL ? json_read_null(r) : json_read_bool(r, flag);
}

static bool read_message(chat_line *line, json_reader *r, brise_message *m)
{
	part reasoning = { .text = NULL };
	bool has_role = false;
	char key[32];

	*m = (brise_message){ .role = BRISE_USER };
	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "role"))
			has_role = read_role(r, &m->role);
		else if (!strcmp(key, "content"))
			read_content(line, r, m);
		else if (!strcmp(key, "reasoning_content") && line->takes_reasoning)
			read_reasoning(line, r, &reasoning);
		else if (!strcmp(key, "tool_calls"))
			read_calls(line, r, m);
		else if (!strcmp(key, "tool_call_id"))
			read_text(line, r, &m->call_id);
		else if (!strcmp(key, "name"))
			read_text(line, r, &m->name);
		else if (!strcmp(key, "prefix"))
			read_flag(r, &m->continued);
		else
			json_skip(r);
	if (r->status == BRISE_OK && !has_role)
		json_refuse(r, BRISE_EFORMAT, "a message without a role");
	return r->status == BRISE_OK && put_reasoning(line, r, m, &reasoning);
}

static bool read_messages(chat_line *line, json_reader *r)
{
	size_t *n = &line->conversation.n;

	*n = 0;
	json_enter_array(r);
	while (json_next_element(r)) {
		if (*n == line->room) {
			size_t room = 2 * line->room + 8;
			brise_message *grown =
			        memory_resize(line->messages, room, sizeof *line->messages);

			if (!grown)
				return no_memory(r);
			line->messages = grown;
			line->room = room;
		}
		if (!read_message(line, r, &line->messages[(*n)++]))
			return false;
	}
	line->conversation.messages = line->messages;
	return r->status == BRISE_OK;
}

bool chat_line_read(chat_line *line, json_reader *r)
{
	brise_conversation *c = &line->conversation;
	bool continues = false, has_messages = false;
	char key[32];

	c->size = sizeof *c;
	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "messages"))
			has_messages = read_messages(line, r);
		else if (!strcmp(key, "tools"))
			read_raw(line, r, &c->tools, &c->tools_bytes);
		else if (!strcmp(key, "continue_final_message"))
			read_flag(r, &continues);
		else
			json_skip(r);
	if (r->status == BRISE_OK && !has_messages)
		json_refuse(r, BRISE_EFORMAT, "\"messages\" expected");
	if (continues && c->n > 0)
		line->messages[c->n - 1].continued = true;
	return r->status == BRISE_OK;
}
