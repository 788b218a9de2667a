/* reply_parts.c - see reply_parts.h */
#include "runtime/serve/reply_parts.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/json.h"

reply_part *reply_parts_last(reply_parts *p)
{
	return p->n > 0 ? &p->parts[p->n - 1] : NULL;
}

static reply_part *add(reply_parts *p)
{
	if (p->n == p->room) {
		size_t room = 2 * p->room + 4;
		reply_part *grown = memory_resize(p->parts, room, sizeof *grown);

		if (!grown) {
			p->failed = true;
			return NULL;
		}
		p->parts = grown;
		p->room = room;
	}
	p->parts[p->n] = (reply_part){ .name = NULL };
	return &p->parts[p->n++];
}

static reply_part *add_call(reply_parts *p, const brise_answer_piece *piece)
{
	reply_part *part = add(p);

	if (!part)
		return NULL;
	part->is_call = true;
	if (!(part->name = memory_new(piece->bytes + 1, 1))) {
		p->failed = true;
		return NULL;
	}
	memcpy(part->name, piece->text, piece->bytes);
	return part;
}

bool reply_parts_begins(const reply_parts *p, const brise_answer_piece *piece)
{
	const reply_part *last = p->n > 0 ? &p->parts[p->n - 1] : NULL;

	switch (piece->kind) {
	case BRISE_ANSWER_TEXT:
		return !last || last->is_call || last->is_thought;
	case BRISE_ANSWER_THOUGHT:
		return !last || !last->is_thought;
	case BRISE_ANSWER_CALL:
		return true;
	case BRISE_ANSWER_ARGUMENTS:
	case BRISE_ANSWER_CALL_END:
		break;
	}
	return false;
}

reply_part *reply_parts_take(reply_parts *p, const brise_answer_piece *piece)
{
	reply_part *last = reply_parts_last(p);

	if (p->failed)
		return NULL;
	switch (piece->kind) {
	case BRISE_ANSWER_TEXT:
	case BRISE_ANSWER_THOUGHT:
		if (reply_parts_begins(p, piece) && (last = add(p)) != NULL)
			last->is_thought = piece->kind == BRISE_ANSWER_THOUGHT;
		if (last)
			body_add(&last->text, piece->text, piece->bytes);
		return last;
	case BRISE_ANSWER_CALL:
		return add_call(p, piece);
	case BRISE_ANSWER_ARGUMENTS:
		if (last && last->is_call)
			body_add(&last->text, piece->text, piece->bytes);
		return last;
	case BRISE_ANSWER_CALL_END:
		if (last && last->is_call)
			last->is_whole = true;
		return last;
	}
	return NULL;
}

bool reply_parts_failed(const reply_parts *p)
{
	bool failed = p->failed;
	size_t i;

	for (i = 0; i < p->n; i++)
		failed = failed || p->parts[i].text.failed || p->parts[i].tokens.failed;
	return failed;
}

void reply_parts_free(reply_parts *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		memory_free(p->parts[i].name);
		body_free(&p->parts[i].text);
		body_free(&p->parts[i].tokens);
	}
	memory_free(p->parts);
	*p = (reply_parts){ .n = 0 };
}

/* The reader passes over NaN and Infinity, which JSON does not have: outside strings, no other
 * value has their letters. */
bool reply_is_object(const char *text, size_t n)
{
	bool in_string = false, escaped = false;
	json_reader r;
	size_t i;

	for (i = 0; i < n; i++)
		if (in_string) {
			in_string = escaped || text[i] != '"';
			escaped = !escaped && text[i] == '\\';
		} else if (text[i] == 'N' || text[i] == 'I') {
			return false;
		} else {
			in_string = text[i] == '"';
		}
	json_begin(&r, text ? text : "", n, "arguments", NULL);
	return json_peek(&r) == JSON_OBJECT && json_skip(&r) && json_end(&r) == BRISE_OK;
}
