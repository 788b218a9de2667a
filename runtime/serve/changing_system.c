/* changing_system.c - see changing_system.h */
#include "runtime/serve/changing_system.h"

#include <string.h>

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Bytes that both texts begin with. */
static size_t common(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t most = min_size(n_a, n_b), n = 0;

	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* End of the line that holds byte `at`, its newline included. */
static size_t line_end(const char *text, size_t n, size_t at)
{
	const char *newline = at < n ? memchr(text + at, '\n', n - at) : NULL;

	return newline ? (size_t)(newline - text) + 1 : n;
}

static size_t line_start(const char *text, size_t at)
{
	while (at > 0 && text[at - 1] != '\n')
		at--;
	return at;
}

/* Each end of a line of `now` behind the difference is tried with each of `before`, the nearest
 * first: lines may have been added or removed. */
changing_lines changing_lines_find(const char *before, size_t n_before, const char *now,
                                   size_t n_now)
{
	size_t differs = common(before, n_before, now, n_now), to, old, i, k;
	changing_lines lines = { 0, 0 };
	size_t from = line_start(now, differs);

	if (differs == n_now || differs == n_before || differs >= CHANGING_HEAD)
		return lines;
	to = line_end(now, n_now, differs);
	for (i = 0; i < CHANGING_LINES && to <= CHANGING_HEAD && to < n_now; i++) {
		old = line_end(before, n_before, differs);
		for (k = 0; k < CHANGING_LINES && old <= CHANGING_HEAD && old < n_before; k++) {
			size_t same = common(before + old, n_before - old, now + to, n_now - to);

			if (same >= CHANGING_SAME && same > to - from) {
				lines.from = from;
				lines.to = to;
				return lines;
			}
			old = line_end(before, n_before, old);
		}
		to = line_end(now, n_now, to);
	}
	return lines;
}

static size_t head_bytes(size_t n)
{
	return min_size(n, CHANGING_HEAD + CHANGING_SAME);
}

static bool is_same(const changing_prompt *p, const char *text, size_t n)
{
	return p->bytes == n && !memcmp(p->head, text, head_bytes(n));
}

/* Lines that all prompts of a kind have changed are found again where two in a row are equal, as
 * when a client repeats a request. */
changing_lines changing_system_see(changing_system *seen, size_t owner, const char *text, size_t n)
{
	changing_prompt *p = seen->prompts;
	changing_lines lines = { 0, 0 };
	size_t i, head = head_bytes(n);

	if (n == 0)
		return lines;
	for (i = 0; i < CHANGING_PROMPTS && p[i].bytes > 0; i++) {
		if (p[i].owner != owner)
			continue;
		if (is_same(&p[i], text, n))
			lines = p[i].lines;
		else
			lines = changing_lines_find(p[i].head, head_bytes(p[i].bytes), text, head);
		if (lines.to > lines.from || is_same(&p[i], text, n))
			break;
	}
	memmove(p + 1, p, (i < CHANGING_PROMPTS ? i : CHANGING_PROMPTS - 1) * sizeof *p);
	p->owner = owner;
	p->bytes = n;
	p->lines = lines;
	memcpy(p->head, text, head);
	return lines;
}

/* The message without the lines, and without empty lines that would begin it then. */
static bool cut(brise_message *m, changing_lines lines, pool *p)
{
	size_t rest;
	char *text;

	while (lines.from == 0 && lines.to < m->bytes && m->content[lines.to] == '\n')
		lines.to++;
	rest = m->bytes - lines.to;
	if (!(text = pool_take(p, lines.from + rest + 1, 1)))
		return false;
	memcpy(text, m->content, lines.from);
	memcpy(text + lines.from, m->content + lines.to, rest);
	m->content = text;
	m->bytes = lines.from + rest;
	return true;
}

static size_t without_newlines(const char *text, size_t n)
{
	while (n > 0 && text[n - 1] == '\n')
		n--;
	return n;
}

/* In front of the user's last message, or behind the system's if that is later; without both, at
 * the end. */
static size_t find_place(const brise_message *messages, size_t n, size_t at)
{
	size_t i = n;

	while (i > at + 1 && messages[i - 1].role != BRISE_USER &&
	       messages[i - 1].role != BRISE_SYSTEM)
		i--;
	if (i == at + 1)
		return n;
	return messages[i - 1].role == BRISE_USER ? i - 1 : i;
}

bool changing_system_move(brise_message **messages, size_t *n, size_t at, changing_lines lines,
                          pool *p)
{
	brise_message moved = { .role = BRISE_SYSTEM }, *all = pool_take(p, *n + 1, sizeof *all);
	size_t place;

	if (!all)
		return false;
	moved.content = (*messages)[at].content + lines.from;
	moved.bytes = without_newlines(moved.content, lines.to - lines.from);
	place = find_place(*messages, *n, at);
	memcpy(all, *messages, place * sizeof *all);
	all[place] = moved;
	memcpy(all + place + 1, *messages + place, (*n - place) * sizeof *all);
	if (!cut(&all[at], lines, p))
		return false;
	*messages = all;
	++*n;
	return true;
}
