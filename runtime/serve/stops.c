/* stops.c - see stops.h */
#include "runtime/serve/stops.h"

#include <string.h>

#include "runtime/os/memory.h"

void stops_open(stops *s, const char *const *texts, size_t n)
{
	*s = (stops){ .texts = texts, .n = n };
}

void stops_close(stops *s)
{
	memory_free(s->held);
	*s = (stops){ .texts = NULL };
}

static bool append(stops *s, const char *text, size_t bytes)
{
	size_t room = s->room;
	char *held;

	s->n_held -= s->n_given;
	if (s->n_given > 0)
		memmove(s->held, s->held + s->n_given, s->n_held);
	s->n_given = 0;
	while (room - s->n_held < bytes)
		room = 2 * room + 64;
	if (room > s->room) {
		if (!(held = memory_resize(s->held, room, 1)))
			return false;
		s->held = held;
		s->room = room;
	}
	if (bytes > 0)
		memcpy(s->held + s->n_held, text, bytes);
	s->n_held += bytes;
	return true;
}

/* Whether a stop text begins at held[at]; *partly: one may, with what is still to come. */
static bool find_at(const stops *s, size_t at, size_t *which, bool *partly)
{
	size_t left = s->n_held - at, longest = 0, bytes, i;

	*partly = false;
	for (i = 0; i < s->n; i++) {
		bytes = strlen(s->texts[i]);
		if (bytes == 0 || memcmp(s->held + at, s->texts[i], bytes < left ? bytes : left))
			continue;
		if (bytes > left) {
			*partly = true;
		} else if (bytes > longest) {
			longest = bytes;
			*which = i;
		}
	}
	return longest > 0;
}

/* Gives out what is certain, or up to the stop text that begins first. is_end: no more text comes,
 * so what only may begin one is text. */
static stops_result give_out(stops *s, bool is_end, const char **out, size_t *n_out, size_t *which)
{
	bool partly = false;
	size_t at;

	for (at = 0; at < s->n_held; at++) {
		bool found = find_at(s, at, which, &partly);

		if (found || (partly && !is_end)) {
			s->n_held = found ? at : s->n_held;
			*out = s->held;
			*n_out = s->n_given = at;
			return found ? STOPS_FOUND : STOPS_NONE;
		}
	}
	*out = s->held ? s->held : "";
	*n_out = s->n_given = s->n_held;
	return STOPS_NONE;
}

stops_result stops_add(stops *s, const char *text, size_t bytes, const char **out, size_t *n_out,
                       size_t *which)
{
	if (!append(s, text, bytes))
		return STOPS_NO_MEMORY;
	return give_out(s, false, out, n_out, which);
}

stops_result stops_flush(stops *s, const char **out, size_t *n_out, size_t *which)
{
	(void)append(s, "", 0); /* takes no memory */
	return give_out(s, true, out, n_out, which);
}
