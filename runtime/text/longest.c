/* longest.c - see longest.h
 *
 * All occurrences are collected and then chosen from, longest first. Whether one overlaps a chosen
 * one shows at its ends, since that one is at least as long.
 */
#include "runtime/text/longest.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/os/memory.h"

static bool grow(longest_space *m, size_t room)
{
	longest_match *grown = memory_resize(m->matches, room, sizeof *grown);

	if (!grown)
		return false;
	m->matches = grown;
	m->room = room;
	return true;
}

static bool add(longest_space *m, size_t at, const added_pattern *pattern)
{
	if (m->n == m->room && !grow(m, m->room ? 2 * m->room : 16))
		return false;
	m->matches[m->n++] = (longest_match){ at, pattern };
	return true;
}

static bool reserve_text(longest_space *m, size_t bytes)
{
	if (bytes <= m->text_room)
		return true;
	memory_free(m->taken);
	m->taken = memory_new(bytes, 1);
	m->text_room = m->taken ? bytes : 0;
	return m->taken != NULL;
}

bool longest_reserve(longest_space *m, size_t n, size_t bytes)
{
	return grow(m, n) && reserve_text(m, bytes);
}

void longest_free_space(longest_space *m)
{
	memory_free(m->matches);
	memory_free(m->taken);
	*m = (longest_space){ NULL, 0, 0, NULL, 0 };
}

/* Every pattern at every place where it counts. */
static bool collect(longest_space *m, const added_set *set, const uint8_t *text, size_t bytes,
                    bool special, longest_counts_fn *counts, const void *user)
{
	const added_pattern *p;
	size_t at, most;

	for (at = 0; at < bytes; at++)
		for (most = bytes - at; (p = added_match(set, text + at, most, special)) != NULL;
		     most = p->bytes - 1u)
			if (counts(user, p, at) && !add(m, at, p))
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
static void choose(longest_space *m, uint8_t *taken)
{
	size_t i, k, n = 0;

	for (i = 0; i < m->n; i++) {
		longest_match match = m->matches[i];
		size_t end = match.at + match.pattern->bytes;

		if (taken[match.at] || taken[end - 1])
			continue;
		for (k = match.at; k < end; k++)
			taken[k] = 1;
		m->matches[n++] = match;
	}
	m->n = n;
}

bool longest_find(longest_space *m, const added_set *set, const uint8_t *text, size_t bytes,
                  bool special, longest_counts_fn *counts, const void *user)
{
	m->n = 0;
	if (!collect(m, set, text, bytes, special, counts, user))
		return false;
	if (m->n < 2)
		return true;
	if (!reserve_text(m, bytes))
		return false;
	memset(m->taken, 0, bytes);
	qsort(m->matches, m->n, sizeof *m->matches, compare_lengths);
	choose(m, m->taken);
	qsort(m->matches, m->n, sizeof *m->matches, compare_places);
	return true;
}
