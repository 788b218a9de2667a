/* chat_calls.c - see chat_calls.h
 *
 *     [TOOL_CALLS] [{"name": "add", "arguments": {"a": 1}, "id": "call00001"}]     v2, v3
 *     [TOOL_CALLS]add[ARGS]{"a": 1}                                                later ones
 *     [TOOL_CALLS]add[CALL_ID]call00001[ARGS]{"a": 1}
 *
 * One character at a time. Arguments are passed on as they come once the name is known, whatever
 * the order of the fields. What proves to be no call before its name is known is passed on as text;
 * a call that breaks off later ends there, and what follows is text.
 */
#include "runtime/text/chat_calls.h"

#include <string.h>

#include "runtime/text/json.h"
#include "runtime/os/memory.h"

#define NAME_MAX_BYTES 256u /* of a function; mistral-common takes 64 */

enum state {
	TEXT,      /* outside calls */
	START,     /* behind [TOOL_CALLS] */
	BETWEEN,   /* in the list, outside its objects */
	FIELD,     /* in an object, before a key or its end */
	KEY,       /* in a key */
	COLON,     /* behind it */
	VALUE,     /* before a value */
	IN_VALUE,  /* in one */
	NAME,      /* in the name before [ARGS] */
	ID,        /* in the id behind [CALL_ID] */
	ARGUMENTS, /* behind [ARGS] */
	AFTER      /* behind a call, or the list */
};

enum field { OTHER, NAME_FIELD, ARGUMENTS_FIELD, ID_FIELD };

/* ---- passing on ----------------------------------------------------------------------------- */

static void pass(const chat_calls *c, brise_answer_kind kind, const chat_text *text)
{
	const brise_answer_piece piece = { .kind = kind,
		                           .call = c->n > 0 ? c->n - 1 : 0,
		                           .text = text->bytes ? text->bytes : "",
		                           .bytes = text->n };

	if (c->each)
		c->each(c->user, &piece);
}

static void pass_text(const chat_calls *c, const char *text, size_t n)
{
	const brise_answer_piece piece = {
		.kind = BRISE_ANSWER_TEXT, .call = c->n, .text = text, .bytes = n
	};

	if (c->each && n > 0)
		c->each(c->user, &piece);
}

static void add(chat_text *text, char c)
{
	chat_text_add(text, &c, 1, false);
}

static void begin_call(chat_calls *c)
{
	c->name.n = c->id.n = c->arguments.n = c->value.n = 0;
	c->announced = c->streams = false;
}

/* What was read since the last call is no call, or the call at hand breaks off. */
static void give_up(chat_calls *c)
{
	if (c->announced)
		pass(c, BRISE_ANSWER_CALL_END, &c->id);
	pass_text(c, c->raw.bytes, c->raw.n);
	begin_call(c);
	c->raw.n = 0;
	c->broken = true;
	c->state = TEXT;
}

static void announce(chat_calls *c)
{
	c->n++;
	c->announced = true;
	c->raw.n = 0;
	pass(c, BRISE_ANSWER_CALL, &c->name);
	if (c->arguments.n > 0)
		pass(c, BRISE_ANSWER_ARGUMENTS, &c->arguments);
	c->arguments.n = 0;
}

static void end_call(chat_calls *c)
{
	if (!c->announced) {
		give_up(c); /* an object without a name */
		return;
	}
	pass(c, BRISE_ANSWER_CALL_END, &c->id);
	begin_call(c);
	c->raw.n = 0;
	c->state = c->listed ? BETWEEN : AFTER;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text of a JSON string. False: it is none. */
static bool read_string(const chat_text *from, chat_text *to)
{
	json_reader r;
	size_t bytes;
	char *text;

	json_begin(&r, from->bytes, from->n, "value", NULL);
	if (!json_read_string(&r, &text, &bytes)) {
		to->failed = to->failed || r.status == BRISE_ENOMEM;
		return false;
	}
	to->n = 0;
	chat_text_add(to, text, bytes, false);
	memory_free(text);
	return json_end(&r) == BRISE_OK;
}

static void find_field(chat_calls *c)
{
	static const char *const names[] = {
		[NAME_FIELD] = "name", [ARGUMENTS_FIELD] = "arguments", [ID_FIELD] = "id"
	};
	unsigned i;

	c->field = OTHER;
	for (i = NAME_FIELD; i <= ID_FIELD; i++)
		if (c->key.n == strlen(names[i]) && !memcmp(c->key.bytes, names[i], c->key.n))
			c->field = i;
}

/* Passes on what there is of arguments whose call has been announced. */
static void stream(chat_calls *c)
{
	if (c->streams && c->value.n > 0) {
		pass(c, BRISE_ANSWER_ARGUMENTS, &c->value);
		c->value.n = 0;
	}
}

static void end_value(chat_calls *c)
{
	bool done = true;

	stream(c);
	c->state = c->listed ? FIELD : AFTER;
	if (c->field == NAME_FIELD || c->field == ID_FIELD)
		done = c->is_string &&
		       read_string(&c->value, c->field == NAME_FIELD ? &c->name : &c->id);
	else if (c->field == ARGUMENTS_FIELD && c->is_string) /* JSON within a string */
		done = read_string(&c->value, &c->arguments);
	else if (c->field == ARGUMENTS_FIELD && !c->streams)
		chat_text_add(&c->arguments, c->value.bytes, c->value.n, false);
	c->value.n = 0;
	c->streams = false;
	if (!done) {
		give_up(c);
	} else if (c->field == NAME_FIELD && c->name.n > 0 && !c->announced) {
		announce(c);
	} else if (c->field == ARGUMENTS_FIELD && c->announced && c->arguments.n > 0) {
		pass(c, BRISE_ANSWER_ARGUMENTS, &c->arguments);
		c->arguments.n = 0;
	}
	if (!c->listed && c->state == AFTER)
		end_call(c);
}

static void begin_value(chat_calls *c, char first)
{
	c->value.n = 0;
	c->depth = 0;
	c->begun = c->in_string = c->escaped = false;
	c->is_string = first == '"';
	c->streams = c->field == ARGUMENTS_FIELD && c->announced && !c->is_string;
	c->state = IN_VALUE;
}

/* False: the character is not the value's, which has ended before it. */
static bool take_value(chat_calls *c, char at)
{
	bool bare = c->depth == 0 && !c->in_string;

	if (bare && c->begun && (at == ',' || at == '}' || at == ']' || is_space(at))) {
		end_value(c);
		return c->state == TEXT; /* which the character has become */
	}
	c->begun = true;
	add(&c->value, at);
	if (c->in_string) {
		c->in_string = c->escaped || at != '"';
		c->escaped = !c->escaped && at == '\\';
		if (!c->in_string && c->depth == 0)
			end_value(c);
	} else if (at == '"') {
		c->in_string = true;
		c->escaped = false;
	} else if (at == '{' || at == '[') {
		c->depth++;
	} else if ((at == '}' || at == ']') && --c->depth == 0) {
		end_value(c);
	}
	return true;
}

/* ---- names before [ARGS] -------------------------------------------------------------------- */

/* Takes a mark off the end of a text, where a vocabulary has it as ordinary text. */
static bool drop_end(chat_text *text, const char *mark)
{
	size_t n = strlen(mark);

	if (text->n < n || memcmp(text->bytes + text->n - n, mark, n) != 0)
		return false;
	text->n -= n;
	return true;
}

static void end_name(chat_calls *c)
{
	while (c->name.n > 0 && is_space(c->name.bytes[c->name.n - 1]))
		c->name.n--;
	if (c->name.n == 0)
		give_up(c);
	else
		announce(c);
}

static void begin_arguments(chat_calls *c)
{
	c->field = ARGUMENTS_FIELD;
	if (c->state == NAME)
		end_name(c);
	if (c->announced)
		c->state = ARGUMENTS;
}

static void take_name(chat_calls *c, char at)
{
	add(&c->name, at);
	if (drop_end(&c->name, "[ARGS]")) {
		begin_arguments(c);
	} else if (drop_end(&c->name, "[CALL_ID]")) {
		end_name(c);
		if (c->announced)
			c->state = ID;
	} else if (at == '{') {
		c->name.n--;
		begin_arguments(c);
		if (c->state == ARGUMENTS) {
			begin_value(c, at);
			(void)take_value(c, at);
		}
	} else if (c->name.n > NAME_MAX_BYTES || at == '\n' || at == '"') {
		give_up(c);
	}
}

static void take_id(chat_calls *c, char at)
{
	add(&c->id, at);
	if (drop_end(&c->id, "[ARGS]"))
		begin_arguments(c);
}

/* ---- lists of calls ------------------------------------------------------------------------- */

static void take_start(chat_calls *c, char at)
{
	c->listed = at == '[' || at == '{';
	begin_call(c);
	if (c->listed) {
		c->state = at == '[' ? BETWEEN : FIELD;
	} else {
		c->state = NAME;
		take_name(c, at);
	}
}

static void take_between(chat_calls *c, char at)
{
	if (at == '{') {
		begin_call(c);
		c->state = FIELD;
	} else if (at == ']') {
		c->raw.n = 0;
		c->state = AFTER;
	} else if (at != ',') {
		give_up(c);
	}
}

static void take_field(chat_calls *c, char at)
{
	if (at == '}') {
		end_call(c);
	} else if (at == '"') {
		c->key.n = 0;
		c->escaped = false;
		c->state = KEY;
	} else if (at != ',') {
		give_up(c);
	}
}

static void take_key(chat_calls *c, char at)
{
	if (at == '"' && !c->escaped) {
		find_field(c);
		c->state = COLON;
		return;
	}
	add(&c->key, at);
	c->escaped = !c->escaped && at == '\\';
}

/* False: the character is to be taken once more, in the state that it led to. */
static bool take(chat_calls *c, char at)
{
	/* White space between the parts of calls. */
	if (is_space(at) && c->state != TEXT && c->state != KEY && c->state != IN_VALUE &&
	    c->state != NAME && c->state != ID)
		return true;
	switch (c->state) {
	case START:
		take_start(c, at);
		break;
	case BETWEEN:
		take_between(c, at);
		break;
	case FIELD:
		take_field(c, at);
		break;
	case KEY:
		take_key(c, at);
		break;
	case COLON:
		if (at == ':')
			c->state = VALUE;
		else
			give_up(c);
		break;
	case VALUE:
	case ARGUMENTS:
		if (at == ',' || at == '}' || at == ']' || at == ':') {
			give_up(c);
			break;
		}
		begin_value(c, at);
		return take_value(c, at);
	case IN_VALUE:
		return take_value(c, at);
	case NAME:
		take_name(c, at);
		break;
	case ID:
		take_id(c, at);
		break;
	default:
		break;
	}
	return true;
}

void chat_calls_text(chat_calls *c, const char *text, size_t n)
{
	bool taken = true;
	size_t i;

	for (i = 0; i < n; i += taken) {
		if (c->state == AFTER && !is_space(text[i]))
			c->state = TEXT;
		if (c->state == TEXT) {
			pass_text(c, text + i, n - i);
			return;
		}
		if (c->announced)
			c->raw.n = 0;
		if (taken)
			add(&c->raw, text[i]);
		taken = take(c, text[i]);
	}
	if (c->state == IN_VALUE)
		stream(c);
}

/* ---- marks and ends ------------------------------------------------------------------------- */

void chat_calls_open(chat_calls *c)
{
	*c = (chat_calls){ .state = TEXT };
}

/* Ends what a mark or the end of the answer cuts off. */
static void cut_off(chat_calls *c)
{
	if (c->state == TEXT || c->state == AFTER)
		return;
	if (c->state == BETWEEN && c->n > 0 && !c->announced)
		return; /* a list without its bracket */
	stream(c);
	if (c->announced)
		c->raw.n = 0;
	give_up(c);
	c->state = AFTER;
}

void chat_calls_break(chat_calls *c)
{
	cut_off(c);
	if (c->state == AFTER)
		c->state = TEXT;
}

void chat_calls_mark(chat_calls *c, chat_mark mark)
{
	if (mark == CHAT_MARK_CALLS) {
		cut_off(c);
		begin_call(c);
		c->raw.n = 0;
		c->state = START;
	} else if (mark == CHAT_MARK_ARGUMENTS && (c->state == NAME || c->state == ID)) {
		begin_arguments(c);
	} else if (mark == CHAT_MARK_CALL_ID && c->state == NAME) {
		end_name(c);
		if (c->announced)
			c->state = ID;
	} else {
		cut_off(c);
		c->broken = true;
	}
}

bool chat_calls_finish(chat_calls *c)
{
	bool whole;

	/* A number or a word is known to have ended by what follows it. */
	if (c->state == IN_VALUE && !c->listed && c->depth == 0 && !c->in_string)
		end_value(c);
	cut_off(c);
	whole = !c->broken;
	begin_call(c);
	c->raw.n = 0;
	c->state = TEXT;
	c->broken = false;
	c->n = 0;
	return whole;
}

bool chat_calls_failed(const chat_calls *c)
{
	return c->raw.failed || c->key.failed || c->value.failed || c->name.failed ||
	       c->id.failed || c->arguments.failed;
}

void chat_calls_free(chat_calls *c)
{
	chat_text_free(&c->raw);
	chat_text_free(&c->key);
	chat_text_free(&c->value);
	chat_text_free(&c->name);
	chat_text_free(&c->id);
	chat_text_free(&c->arguments);
}
