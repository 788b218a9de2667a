/* dialog.c - see dialog.h */
#include "runtime/cli/dialog.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_text.h"

static void free_message(dialog_message *m)
{
	memory_free(m->text);
	memory_free(m->ids);
}

void dialog_free(dialog *d)
{
	dialog_cut(d, 0);
	memory_free(d->messages);
	memset(d, 0, sizeof *d);
}

void dialog_cut(dialog *d, size_t n)
{
	size_t first;

	while (d->n > n)
		free_message(&d->messages[--d->n]);
	first = dialog_get_system(d) ? 1 : 0;
	if (d->dropped > d->n - first)
		d->dropped = d->n - first;
}

bool dialog_set_aside(dialog *d, size_t from, dialog_part *part)
{
	size_t n = d->n - from;

	if (!(part->messages = memory_copy(d->messages + from, n * sizeof *part->messages)))
		return false;
	part->n = n;
	part->dropped = d->dropped;
	d->n = from;
	dialog_cut(d, from);
	return true;
}

/* There is room: that of a dialog only grows. */
void dialog_put_back(dialog *d, dialog_part *part)
{
	if (part->n == 0)
		return;
	memcpy(d->messages + d->n, part->messages, part->n * sizeof *part->messages);
	d->n += part->n;
	d->dropped = part->dropped;
	part->n = 0;
	dialog_free_part(part);
}

void dialog_free_part(dialog_part *part)
{
	while (part->n > 0)
		free_message(&part->messages[--part->n]);
	memory_free(part->messages);
	part->messages = NULL;
}

static char *copy_text(const char *text, size_t bytes)
{
	char *copy = memory_new(bytes + 1, 1);

	if (copy && bytes > 0)
		memcpy(copy, text, bytes);
	return copy;
}

/* Makes room for a message at `index`. NULL: no memory. */
static dialog_message *insert(dialog *d, size_t index, brise_role role, const char *text,
                              size_t bytes)
{
	dialog_message *m = d->messages;
	char *copy;

	if (d->n == d->room) {
		if (!(m = memory_resize(m, 2 * d->room + 16, sizeof *m)))
			return NULL;
		d->messages = m;
		d->room = 2 * d->room + 16;
	}
	if (!(copy = copy_text(text, bytes)))
		return NULL;
	memmove(m + index + 1, m + index, (d->n - index) * sizeof *m);
	d->n++;
	m[index] = (dialog_message){ .role = role, .text = copy, .bytes = bytes };
	return &m[index];
}

bool dialog_add(dialog *d, brise_role role, const char *text, size_t bytes)
{
	return insert(d, d->n, role, text, bytes) != NULL;
}

bool dialog_set_system(dialog *d, const char *text, size_t bytes)
{
	bool has_one = dialog_get_system(d) != NULL;

	if (bytes > 0 && !insert(d, 0, BRISE_SYSTEM, text, bytes))
		return false;
	if (has_one) {
		size_t old = bytes > 0 ? 1 : 0;

		free_message(&d->messages[old]);
		memmove(d->messages + old, d->messages + old + 1,
		        (d->n - old - 1) * sizeof *d->messages);
		d->n--;
	}
	return true;
}

const dialog_message *dialog_get_system(const dialog *d)
{
	return d->n > 0 && d->messages[0].role == BRISE_SYSTEM ? &d->messages[0] : NULL;
}

const dialog_message *dialog_get_last(const dialog *d)
{
	return d->n > 0 ? &d->messages[d->n - 1] : NULL;
}

size_t dialog_find_last_of_user(const dialog *d)
{
	size_t i = d->n;

	while (i > 0 && d->messages[i - 1].role != BRISE_USER)
		i--;
	return i > 0 ? i - 1 : d->n;
}

/* ---- what the model is shown ---------------------------------------------------------------- */

/* Index of the first message that is shown, the system's aside. */
static size_t first_shown(const dialog *d)
{
	return (dialog_get_system(d) ? 1u : 0u) + d->dropped;
}

size_t dialog_count_turns(const dialog *d)
{
	size_t i, n = 0;

	for (i = first_shown(d); i < d->n; i++)
		n += d->messages[i].role == BRISE_USER;
	return n;
}

bool dialog_drop_turn(dialog *d)
{
	size_t first = first_shown(d), i = first + 1;

	while (i < d->n && d->messages[i].role != BRISE_USER)
		i++;
	if (i >= d->n)
		return false;
	d->dropped += i - first;
	return true;
}

/* Messages that are shown, those before `end`. */
typedef struct showing {
	brise_message *messages; /* [n], from memory_new */
	size_t n;
} showing;

static brise_status show(const dialog *d, size_t end, showing *s, brise_error *err)
{
	size_t i;

	s->n = 0;
	if (!(s->messages = memory_new(d->n + 1, sizeof *s->messages)))
		return error_set(err, BRISE_ENOMEM, "no memory for %zu messages", d->n);
	for (i = 0; i < end; i++) {
		const dialog_message *m = &d->messages[i];

		if (i >= first_shown(d) || m->role == BRISE_SYSTEM)
			s->messages[s->n++] = (brise_message){ .role = m->role,
				                               .content = m->text,
				                               .bytes = m->bytes };
	}
	return BRISE_OK;
}

/* continued: the last message is an answer that goes on. */
static brise_status encode(const dialog *d, const brise_chat *chat, size_t end, bool continued,
                           int32_t **ids, size_t *n, brise_error *err)
{
	brise_conversation c = { .size = sizeof c };
	brise_status status;
	showing s;

	*ids = NULL;
	*n = 0;
	if ((status = show(d, end, &s, err)) != BRISE_OK)
		return status;
	c.messages = s.messages;
	c.n = s.n;
	if (continued)
		s.messages[s.n - 1].continued = true;
	status = brise_encode_chat(chat, &c, ids, n, err);
	memory_free(s.messages);
	return status;
}

static bool begins_with(const int32_t *ids, size_t n, const int32_t *part, size_t n_part)
{
	return n >= n_part && (n_part == 0 || !memcmp(ids, part, n_part * sizeof *ids));
}

/* Puts the ids that message `index` was drawn as in place of those of its text. Where a format
 * writes what stands before an answer differently once the conversation has gone on, there is no
 * such place, and nothing of it has been evaluated. *ids is from brise_encode_chat, or grown. */
static brise_status put_drawn(const dialog *d, const brise_chat *chat, size_t index, int32_t **ids,
                              size_t *n, brise_error *err)
{
	const dialog_message *m = &d->messages[index];
	int32_t *before = NULL, *through = NULL, *grown;
	size_t n_before, n_through, rest;
	brise_status status;

	if ((status = encode(d, chat, index, false, &before, &n_before, err)) != BRISE_OK ||
	    (status = encode(d, chat, index + 1, true, &through, &n_through, err)) != BRISE_OK)
		goto done;
	if (!begins_with(*ids, *n, through, n_through) ||
	    !begins_with(through, n_through, before, n_before))
		goto done;
	rest = *n - n_through;
	if (!(grown = memory_new(n_before + m->n_ids + rest + 1, sizeof *grown))) {
		status = error_set(err, BRISE_ENOMEM, "no memory for %zu token ids", *n);
		goto done;
	}
	memcpy(grown, *ids, n_before * sizeof *grown);
	memcpy(grown + n_before, m->ids, m->n_ids * sizeof *grown);
	memcpy(grown + n_before + m->n_ids, *ids + n_through, rest * sizeof *grown);
	brise_free(*ids);
	*ids = grown;
	*n = n_before + m->n_ids + rest;
done:
	brise_free(before);
	brise_free(through);
	return status;
}

brise_status dialog_encode(const dialog *d, const brise_chat *chat, int32_t **ids, size_t *n,
                           brise_error *err)
{
	brise_status status = encode(d, chat, d->n, false, ids, n, err);
	size_t i;

	/* The last first, so that what stands before the others is still as encoded. */
	for (i = d->n; i-- > first_shown(d) && status == BRISE_OK;)
		if (d->messages[i].ids)
			status = put_drawn(d, chat, i, ids, n, err);
	if (status != BRISE_OK) {
		brise_free(*ids);
		*ids = NULL;
	}
	return status;
}

/* ---- answers -------------------------------------------------------------------------------- */

brise_status dialog_add_answer(dialog *d, const brise_chat *chat, const char *text, size_t bytes,
                               const int32_t *ids, size_t n, const int32_t *prompt, size_t n_prompt,
                               brise_error *err)
{
	int32_t *whole = NULL;
	dialog_message *m;
	brise_status status = BRISE_OK;
	size_t n_whole;

	if (!(m = insert(d, d->n, BRISE_ASSISTANT, text, bytes)))
		return error_set(err, BRISE_ENOMEM, "no memory for an answer");
	if (n == 0)
		return BRISE_OK;
	status = dialog_encode(d, chat, &whole, &n_whole, err);
	if (status == BRISE_OK && (!begins_with(whole, n_whole, prompt, n_prompt) ||
	                           !begins_with(whole + n_prompt, n_whole - n_prompt, ids, n))) {
		if ((m->ids = memory_copy(ids, n * sizeof *ids)) != NULL)
			m->n_ids = n;
		else
			status = error_set(err, BRISE_ENOMEM, "no memory for an answer");
	}
	brise_free(whole);
	if (status != BRISE_OK)
		dialog_cut(d, d->n - 1);
	return status;
}

/* A brise_answer_fn. Ids of tool calls are never kept; reasoning is in the ids alone. */
static void take_piece(void *user, const brise_answer_piece *piece)
{
	chat_text *text = user;

	chat_text_add(text, piece->text, piece->kind == BRISE_ANSWER_TEXT ? piece->bytes : 0,
	              false);
	text->failed |= piece->kind != BRISE_ANSWER_TEXT && piece->kind != BRISE_ANSWER_THOUGHT;
}

/* Whether ids give the text. */
static bool mean_text(const dialog_message *m, brise_answer *answer)
{
	chat_text text = { .n = 0 };
	bool same = true;
	size_t i;

	for (i = 0; i < m->n_ids && same; i++)
		same = brise_read_answer(answer, m->ids[i], take_piece, &text, NULL) == BRISE_OK;
	same &= brise_finish_answer(answer, take_piece, &text, NULL) == BRISE_OK;
	same = same && !text.failed && text.n == m->bytes &&
	       (text.n == 0 || !memcmp(text.bytes, m->text, text.n));
	chat_text_free(&text);
	return same;
}

brise_status dialog_check_ids(dialog *d, const brise_chat *chat, brise_error *err)
{
	brise_answer *answer;
	brise_status status = brise_new_answer(&answer, chat, err);
	size_t i;

	for (i = 0; i < d->n && status == BRISE_OK; i++) {
		dialog_message *m = &d->messages[i];

		if (m->ids && !mean_text(m, answer)) {
			memory_free(m->ids);
			m->ids = NULL;
			m->n_ids = 0;
		}
	}
	brise_free_answer(answer);
	return status;
}
