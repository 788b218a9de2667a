/* editor.c - what keys do; see editor.h. Drawing is in editor_draw.c */
#include "runtime/console/editor.h"

#include <string.h>

#include "runtime/os/memory.h"

void editor_open(editor *e, const editor_options *options, output_write_fn *write, void *user)
{
	memset(e, 0, sizeof *e);
	e->options = *options;
	view_open(&e->view, options->has_colors, write, user);
	(void)editor_begin(e, NULL, 0);
}

void editor_free(editor *e)
{
	line_free(&e->line);
	layout_free(&e->layout);
	view_free(&e->view);
	memory_free(e->draft.bytes);
}

bool editor_begin(editor *e, const char *text, size_t n)
{
	line_clear(&e->line);
	e->entry = e->options.history ? e->options.history->n : 0;
	memory_free(e->draft.bytes);
	memset(&e->draft, 0, sizeof e->draft);
	e->is_searching = e->shows_candidates = false;
	e->hint = NULL;
	e->goal = -1;
	e->top = 0;
	e->is_given = n > 0;
	return n == 0 || line_set(&e->line, text, n);
}

const char *editor_text(const editor *e, size_t *n)
{
	*n = e->line.text.n;
	return *n > 0 ? e->line.text.bytes : "";
}

void editor_set_status(editor *e, const char *status)
{
	size_t n = strlen(status);

	n = n < sizeof e->status ? n : sizeof e->status - 1;
	memcpy(e->status, status, n);
	e->status[n] = 0;
}

/* The only ways that a change fails are length and memory. */
static void change(editor *e, bool changed)
{
	if (!changed)
		e->hint = e->line.text.n > LINE_MAX_BYTES / 2 ? "the message is full" : "no memory";
}

/* ---- history -------------------------------------------------------------------------------- */

static bool keep_draft(editor *e)
{
	const line_text *text = &e->line.text;
	char *copy = memory_copy(text->n > 0 ? text->bytes : "", text->n > 0 ? text->n : 1);

	if (!copy)
		return false;
	memory_free(e->draft.bytes);
	e->draft.bytes = copy;
	e->draft.n = text->n;
	return true;
}

static void show_entry(editor *e, size_t entry)
{
	const history *h = e->options.history;

	if (e->entry == h->n && !keep_draft(e)) {
		change(e, false);
		return;
	}
	e->entry = entry;
	line_clear(&e->line);
	if (entry == h->n)
		change(e, line_set(&e->line, e->draft.bytes, e->draft.n));
	else
		change(e, line_set(&e->line, h->entries[entry].text, h->entries[entry].n));
}

static void show_older(editor *e)
{
	if (e->options.history && e->entry > 0)
		show_entry(e, e->entry - 1);
}

static void show_newer(editor *e)
{
	if (e->options.history && e->entry < e->options.history->n)
		show_entry(e, e->entry + 1);
}

/* Up and down move among the rows of the text first. */
static void move_rows(editor *e, int by)
{
	line *l = &e->line;
	size_t row;
	int goal = e->goal;

	if (!layout_compute(&e->layout, l->text.bytes, l->text.n))
		return;
	row = layout_row(&e->layout, l->cursor);
	if (by < 0 && row == 0) {
		show_older(e);
		return;
	}
	if (by > 0 && row + 1 == e->layout.n) {
		show_newer(e);
		return;
	}
	if (goal < 0)
		goal = layout_column(&e->layout, l->text.bytes, row, l->cursor);
	row = by < 0 ? row - 1 : row + 1;
	line_move(l, layout_offset(&e->layout, l->text.bytes, l->text.n, row, goal));
	e->goal = goal;
}

/* ---- searching ------------------------------------------------------------------------------ */

static void search(editor *e, size_t from)
{
	const history *h = e->options.history;
	size_t found = history_find(h, from, e->query, e->n_query);

	if (found < h->n)
		e->found = found;
	else
		e->hint = "no older message has that";
}

static void begin_search(editor *e)
{
	if (!e->options.history)
		return;
	e->is_searching = true;
	e->found = e->options.history->n;
	e->n_query = 0;
}

static void end_search(editor *e, bool is_taken)
{
	e->is_searching = false;
	if (is_taken && e->found < e->options.history->n)
		show_entry(e, e->found);
}

/* Whether the key was the search's; any other ends it and counts. */
static bool take_search_key(editor *e, key k)
{
	char text[4];
	size_t n;

	if (k.kind == KEY_TEXT) {
		n = width_encode(k.character, text);
		if (n <= sizeof e->query - e->n_query) {
			memcpy(e->query + e->n_query, text, n);
			e->n_query += n;
			search(e, e->found < e->options.history->n ? e->found + 1
			                                           : e->options.history->n);
		}
		return true;
	}
	if (k.kind != KEY_CONTROL || !k.character || !strchr("RGC?H", (int)k.character)) {
		end_search(e, true);
		return k.kind == KEY_ESCAPE;
	}
	if (k.character == 'R') {
		search(e, e->found);
	} else if (k.character == 'G' || k.character == 'C') {
		end_search(e, false);
	} else if (e->n_query > 0) {
		e->n_query -= width_step_back(e->query, e->n_query);
		e->found = e->options.history->n;
		search(e, e->found);
	}
	return true;
}

/* ---- completing ----------------------------------------------------------------------------- */

static void complete(editor *e)
{
	candidates *list = &e->candidates;
	line *l = &e->line;
	size_t common;

	if (!e->options.complete)
		return;
	candidates_begin(list, l->cursor > 0 ? l->text.bytes : "", l->cursor);
	e->options.complete(e->options.user, list, list->text, list->n_text);
	if (list->n == 0)
		return;
	common = candidates_common(list);
	if (common > l->cursor - list->from)
		change(e, line_replace(l, list->from, list->bytes, common));
	else
		e->shows_candidates = list->n > 1;
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* A backslash at the end, itself not escaped by one, asks for another line. */
static bool ends_with_backslash(const line *l)
{
	size_t n = 0;

	while (n < l->cursor && l->text.bytes[l->cursor - 1 - n] == '\\')
		n++;
	return n % 2 == 1 && l->cursor == l->text.n;
}

static editor_result send(editor *e)
{
	if (!ends_with_backslash(&e->line))
		return EDITOR_SENT;
	change(e, line_replace(&e->line, e->line.cursor - 1, "\n", 1));
	return EDITOR_MORE;
}

/* Ctrl-K and ctrl-U at the end or beginning of a line take the line feed. */
static void kill_line(editor *e, bool is_forward)
{
	line *l = &e->line;
	size_t to = is_forward ? line_end(l) : line_begin(l);

	if (to == l->cursor)
		to = is_forward ? line_next(l) : line_previous(l);
	change(e, line_remove(l, to, true));
}

static editor_result take_removing(editor *e, uint32_t character)
{
	line *l = &e->line;

	switch (character) {
	case '?':
	case 'H':
		change(e, line_remove(l, line_previous(l), false));
		break;
	case 'D':
		if (l->text.n == 0)
			return EDITOR_ENDED;
		change(e, line_remove(l, line_next(l), false));
		break;
	case 'K':
		kill_line(e, true);
		break;
	case 'U':
		kill_line(e, false);
		break;
	case 'W':
		change(e, line_remove(l, line_previous_space(l), true));
		break;
	case 'C':
		if (l->text.n == 0 && !e->is_given) {
			e->hint = "ctrl-D ends";
			return EDITOR_MORE;
		}
		l->cursor = l->text.n;
		(void)line_remove(l, 0, true);
		return EDITOR_CANCELLED;
	default:
		break;
	}
	return EDITOR_MORE;
}

static editor_result take_control(editor *e, uint32_t character)
{
	line *l = &e->line;

	switch (character) {
	case 'A':
		line_move(l, line_begin(l));
		break;
	case 'B':
		line_move(l, line_previous(l));
		break;
	case 'E':
		line_move(l, line_end(l));
		break;
	case 'F':
		line_move(l, line_next(l));
		break;
	case 'I':
		complete(e);
		break;
	case 'L':
		view_clear(&e->view);
		break;
	case 'M':
		return send(e);
	case 'N':
		show_newer(e);
		break;
	case 'P':
		show_older(e);
		break;
	case 'R':
		begin_search(e);
		break;
	case 'T':
		change(e, line_transpose(l));
		break;
	case 'Y':
		change(e, line_yank(l));
		break;
	case 'Z':
		return EDITOR_SUSPENDED;
	case '_':
		if (!line_undo(l))
			e->hint = "nothing to undo";
		break;
	default:
		return take_removing(e, character);
	}
	return EDITOR_MORE;
}

static void take_alt(editor *e, uint32_t character)
{
	line *l = &e->line;

	switch (character) {
	case 'b':
	case 'B':
		line_move(l, line_previous_word(l));
		break;
	case 'f':
	case 'F':
		line_move(l, line_next_word(l));
		break;
	case 'd':
	case 'D':
		change(e, line_remove(l, line_next_word(l), true));
		break;
	case '?':
		change(e, line_remove(l, line_previous_word(l), true));
		break;
	default:
		break;
	}
}

static void take_moving(editor *e, key_kind kind)
{
	line *l = &e->line;
	size_t to;

	switch (kind) {
	case KEY_LEFT:
		to = line_previous(l);
		break;
	case KEY_RIGHT:
		to = line_next(l);
		break;
	case KEY_WORD_LEFT:
		to = line_previous_word(l);
		break;
	case KEY_WORD_RIGHT:
		to = line_next_word(l);
		break;
	case KEY_HOME:
		to = line_begin(l);
		break;
	case KEY_END:
		to = line_end(l);
		break;
	default:
		return;
	}
	line_move(l, to);
}

static editor_result take_key(editor *e, key k)
{
	line *l = &e->line;

	e->hint = NULL;
	e->shows_candidates = false;
	if (e->is_searching && take_search_key(e, k))
		return EDITOR_MORE;
	if (k.kind != KEY_UP && k.kind != KEY_DOWN)
		e->goal = -1;
	switch (k.kind) {
	case KEY_CONTROL:
		return take_control(e, k.character);
	case KEY_ALT:
		take_alt(e, k.character);
		break;
	case KEY_NEW_LINE:
		change(e, line_insert(l, "\n", 1));
		break;
	case KEY_UP:
		move_rows(e, -1);
		break;
	case KEY_DOWN:
		move_rows(e, 1);
		break;
	case KEY_DELETE:
		change(e, line_remove(l, line_next(l), false));
		break;
	case KEY_DELETE_WORD:
		change(e, line_remove(l, line_next_word(l), true));
		break;
	default:
		take_moving(e, k.kind);
		break;
	}
	return EDITOR_MORE;
}

/* Text is collected, so that a paste of megabytes does not move what follows it once for every
 * character. */
editor_result editor_feed(editor *e, const uint8_t *bytes, size_t n, size_t *used)
{
	editor_result result = EDITOR_MORE;
	char batch[1024];
	size_t n_batch = 0, step;

	*used = 0;
	while (result == EDITOR_MORE && *used < n) {
		key k = keys_next(&e->keys, bytes + *used, n - *used, &step);
		bool is_text = k.kind == KEY_TEXT && !e->is_searching;

		*used += step;
		if (is_text) {
			n_batch += width_encode(k.character, batch + n_batch);
			e->hint = NULL;
			e->shows_candidates = false;
			e->goal = -1;
		}
		if (n_batch > 0 && (!is_text || n_batch + 4 > sizeof batch)) {
			change(e, line_insert(&e->line, batch, n_batch));
			n_batch = 0;
		}
		if (!is_text && k.kind != KEY_NONE)
			result = take_key(e, k);
	}
	if (n_batch > 0)
		change(e, line_insert(&e->line, batch, n_batch));
	return result;
}

int editor_timeout(const editor *e)
{
	return keys_timeout(&e->keys);
}

editor_result editor_expire(editor *e)
{
	key k = keys_expire(&e->keys);

	return k.kind == KEY_NONE ? EDITOR_MORE : take_key(e, k);
}
