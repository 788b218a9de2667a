/* longest.c - see longest.h
 *
 * All occurrences are collected and then chosen from, longest first. Whether one overlaps a chosen
 * one shows at its ends, since that one is at least as long.
 */
#include "runtime/text/longest.h"

#include <stdlib.h>

#include "runtime/os/memory.h"

typedef struct matches {
	longest_match *items;
	size_t n, room;
} matches;

static bool add(matches *m, size_t at, const added_pattern *pattern)
{
	size_t room = m->room ? 2 * m->room : 16;
	longest_match *grown;

	if (m->n == m->room) {
		if (!(grown = memory_resize(m->items, room, sizeof *grown)))
			return false;
		m->items = grown;
		m->room = room;
	}
	m->items[m->n++] = (longest_match){ at, pattern };
	return true;
}

/* Every pattern at every place. */
static bool collect(matches *m, const added_set *set, const uint8_t *text, size_t bytes,
                    bool special)
{
	const added_pattern *p;
	size_t at, most;

	for (at = 0; at < bytes; at++)
		for (most = bytes - at; (p = added_match(set, text + at, most, special)) != NULL;
		     most = p->bytes - 1u)
			if (!add(m, at, p))
				return false;
	return true;
}

static int compare_places(const void *a, const void *b)
{
	const longest_match *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static int compare_lengths(const void *a, const void *b)
{
	const longest_match *x = a, *y = b;

	if (x->pattern->bytes != y->pattern->bytes)
		return x->pattern->bytes > y->pattern->bytes ? -1 : 1;
	if (x->pattern->id != y->pattern->id)
		return x->pattern->id < y->pattern->id ? -1 : 1;
	return compare_places(a, b);
}

/* Keeps those that overlap none before them; `taken` has a flag for each byte of the text. */
static void choose(matches *m, uint8_t *taken)
{
	size_t i, k, n = 0;

	for (i = 0; i < m->n; i++) {
		longest_match match = m->items[i];
		size_t end = match.at + match.pattern->bytes;

		if (taken[match.at] || taken[end - 1])
			continue;
		for (k = match.at; k < end; k++)
			taken[k] = 1;
		m->items[n++] = match;
	}
	m->n = n;
}

bool longest_find(const added_set *set, const uint8_t *text, size_t bytes, bool special,
                  longest_match **found, size_t *n)
{
	matches m = { NULL, 0, 0 };
	bool done = collect(&m, set, text, bytes, special);
	uint8_t *taken = done && m.n > 1 ? memory_new(bytes, 1) : NULL;

	if (done && m.n > 1) {
		qsort(m.items, m.n, sizeof *m.items, compare_lengths);
		if (taken)
			choose(&m, taken);
		qsort(m.items, m.n, sizeof *m.items, compare_places);
		done = taken != NULL;
	}
	memory_free(taken);
	if (!done) {
		memory_free(m.items);
		m = (matches){ NULL, 0, 0 };
	}
	*found = m.items;
	*n = m.n;
	return done;
}
