/* line.c - see line.h */
#include "runtime/console/line.h"

#include <stdint.h>
#include <string.h>

#include "runtime/console/width.h"
#include "runtime/os/memory.h"
#include "runtime/text/utf8_classes.h"

/* What undoing takes at most. */
#define CHANGES_MAX_BYTES ((size_t)1 << 20)

/* One change: at `at`, n bytes came in, and the `removed` were there before. */
typedef struct line_change {
	struct line_change *before;
	size_t at, inserted, removed, cursor;
	char bytes[];
} line_change;

/* ---- texts ---------------------------------------------------------------------------------- */

static bool reserve(line_text *text, size_t n)
{
	size_t room = text->room ? text->room : 256;
	char *bytes;

	if (n > LINE_MAX_BYTES)
		return false;
	while (room <= n)
		room *= 2;
	if (text->bytes && room == text->room)
		return true;
	bytes = memory_resize(text->bytes, room, 1);
	if (!bytes)
		return false;
	text->bytes = bytes;
	text->room = room;
	return true;
}

/* Replaces text[from, to) by bytes [n], for which there is room, and ends it. */
static void splice(line_text *text, size_t from, size_t to, const char *bytes, size_t n)
{
	memmove(text->bytes + from + n, text->bytes + to, text->n - to);
	if (n > 0)
		memcpy(text->bytes + from, bytes, n);
	text->n = text->n - (to - from) + n;
	text->bytes[text->n] = 0;
}

/* ---- changes -------------------------------------------------------------------------------- */

static void forget_changes(line *l)
{
	while (l->changes) {
		line_change *before = l->changes->before;

		memory_free(l->changes);
		l->changes = before;
	}
	l->changes_bytes = 0;
}

/* Makes room by forgetting all: what is older cannot be undone without what is newer. A change that
 * cannot be remembered is made all the same. */
static void remember(line *l, size_t from, size_t to, size_t n)
{
	size_t removed = to - from, bytes = sizeof(line_change) + removed;
	line_change *change;

	if (l->was_typing && l->changes && removed == 0 &&
	    l->changes->at + l->changes->inserted == from) {
		l->changes->inserted += n;
		return;
	}
	if (l->changes_bytes + bytes > CHANGES_MAX_BYTES)
		forget_changes(l);
	change = bytes <= CHANGES_MAX_BYTES ? memory_new(1, bytes) : NULL;
	if (!change) {
		forget_changes(l);
		return;
	}
	change->before = l->changes;
	change->at = from;
	change->inserted = n;
	change->removed = removed;
	change->cursor = l->cursor;
	memcpy(change->bytes, l->text.bytes + from, removed);
	l->changes = change;
	l->changes_bytes += bytes;
}

static bool change(line *l, size_t from, size_t to, const char *bytes, size_t n)
{
	if (!reserve(&l->text, l->text.n - (to - from) + n))
		return false;
	remember(l, from, to, n);
	splice(&l->text, from, to, bytes, n);
	l->cursor = from + n;
	l->was_kill = l->was_typing = false;
	return true;
}

bool line_undo(line *l)
{
	line_change *last = l->changes;

	if (!last || !reserve(&l->text, l->text.n - last->inserted + last->removed))
		return false;
	splice(&l->text, last->at, last->at + last->inserted, last->bytes, last->removed);
	l->cursor = last->cursor;
	l->changes = last->before;
	l->changes_bytes -= sizeof *last + last->removed;
	memory_free(last);
	l->was_kill = l->was_typing = false;
	return true;
}

/* ---- editing -------------------------------------------------------------------------------- */

void line_free(line *l)
{
	forget_changes(l);
	memory_free(l->text.bytes);
	memory_free(l->killed.bytes);
	memset(l, 0, sizeof *l);
}

void line_clear(line *l)
{
	forget_changes(l);
	l->text.n = l->cursor = 0;
	if (l->text.bytes)
		l->text.bytes[0] = 0;
	l->was_kill = l->was_typing = false;
}

bool line_set(line *l, const char *text, size_t n)
{
	return change(l, 0, l->text.n, text, n);
}

bool line_insert(line *l, const char *text, size_t n)
{
	bool inserted = change(l, l->cursor, l->cursor, text, n);

	l->was_typing = true;
	return inserted;
}

bool line_replace(line *l, size_t from, const char *text, size_t n)
{
	return change(l, from, l->cursor, text, n);
}

bool line_remove(line *l, size_t to, bool is_kept)
{
	size_t from = to < l->cursor ? to : l->cursor, n;
	bool is_added = l->was_kill;

	to = to < l->cursor ? l->cursor : to;
	n = to - from;
	if (n == 0)
		return true;
	if (is_kept) {
		line_text *killed = &l->killed;
		size_t at = is_added && from == l->cursor ? killed->n : 0;

		if (!is_added)
			killed->n = 0;
		if (!reserve(killed, killed->n + n))
			return false;
		splice(killed, at, at, l->text.bytes + from, n);
	}
	(void)change(l, from, to, NULL, 0); /* shorter: there is room */
	l->was_kill = is_kept;
	return true;
}

bool line_yank(line *l)
{
	return l->killed.n == 0 || change(l, l->cursor, l->cursor, l->killed.bytes, l->killed.n);
}

bool line_transpose(line *l)
{
	char both[2 * WIDTH_CLUSTER_MAX];
	size_t middle = l->cursor, begin = line_begin(l), from, first, second;
	width_cluster cluster;

	if (middle == line_end(l))
		middle = line_previous(l);
	if (middle <= begin || middle == l->text.n)
		return true;
	first = width_step_back(l->text.bytes, middle);
	from = middle - first;
	width_measure(l->text.bytes + middle, l->text.n - middle, &cluster);
	second = cluster.bytes;
	memcpy(both, l->text.bytes + middle, second);
	memcpy(both + second, l->text.bytes + from, first);
	return change(l, from, middle + second, both, first + second);
}

void line_move(line *l, size_t to)
{
	l->cursor = to;
	l->was_kill = l->was_typing = false;
}

/* ---- places --------------------------------------------------------------------------------- */

static size_t step(const line *l, size_t at)
{
	width_cluster cluster;

	if (at == l->text.n)
		return at;
	width_measure(l->text.bytes + at, l->text.n - at, &cluster);
	return at + cluster.bytes;
}

static size_t step_back(const line *l, size_t at)
{
	return at == 0 ? 0 : at - width_step_back(l->text.bytes, at);
}

size_t line_next(const line *l)
{
	return step(l, l->cursor);
}

size_t line_previous(const line *l)
{
	return step_back(l, l->cursor);
}

static bool is_word_at(const line *l, size_t at)
{
	return utf8_begins_with_word((const uint8_t *)l->text.bytes + at, l->text.n - at);
}

/* One character is looked at, of all the spaces that may follow. */
static bool is_space_at(const line *l, size_t at)
{
	size_t n = l->text.n - at;

	return utf8_count_spaces((const uint8_t *)l->text.bytes + at, n < 4 ? n : 4) > 0;
}

size_t line_next_word(const line *l)
{
	size_t at = l->cursor;

	while (at < l->text.n && !is_word_at(l, at))
		at = step(l, at);
	while (at < l->text.n && is_word_at(l, at))
		at = step(l, at);
	return at;
}

size_t line_previous_word(const line *l)
{
	size_t at = l->cursor;

	while (at > 0 && !is_word_at(l, step_back(l, at)))
		at = step_back(l, at);
	while (at > 0 && is_word_at(l, step_back(l, at)))
		at = step_back(l, at);
	return at;
}

size_t line_previous_space(const line *l)
{
	size_t at = l->cursor;

	while (at > 0 && is_space_at(l, step_back(l, at)))
		at = step_back(l, at);
	while (at > 0 && !is_space_at(l, step_back(l, at)))
		at = step_back(l, at);
	return at;
}

size_t line_begin(const line *l)
{
	size_t at = l->cursor;

	while (at > 0 && l->text.bytes[at - 1] != '\n')
		at--;
	return at;
}

size_t line_end(const line *l)
{
	const char *end;

	if (l->cursor == l->text.n)
		return l->cursor;
	end = memchr(l->text.bytes + l->cursor, '\n', l->text.n - l->cursor);
	return end ? (size_t)(end - l->text.bytes) : l->text.n;
}
