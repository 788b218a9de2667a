/* drafter.c - follows a source through the text as long as it is right */
#include "runtime/drafter.h"

#include <string.h>

bool drafter_new(drafter *d)
{
	*d = (drafter){ .match = 0 };
	draft_pace_begin(&d->pace);
	return draft_index_new(&d->index);
}

void drafter_free(drafter *d)
{
	draft_index_free(&d->index);
}

/* The token is in the index. A source that was right stays one for the next token, unless the index
 * knows one with a longer match. */
static void choose_source(drafter *d, bool right)
{
	uint64_t found;
	unsigned match;

	if (right) {
		d->source++;
		d->match += d->match < DRAFT_MATCH_MAX;
	} else {
		d->match = 0;
	}
	if (!draft_index_find(&d->index, &found))
		return;
	match = draft_index_measure(&d->index, found, DRAFT_MATCH_MAX);
	if (match > d->match) {
		d->match = match;
		d->source = found;
	}
}

void drafter_add(drafter *d, int32_t token, bool drawn)
{
	bool right = d->match > 0 && draft_index_get(&d->index, d->source) == token;

	if (drawn && d->match > 0)
		draft_pace_note_token(&d->pace, d->match, right);
	draft_index_add(&d->index, token);
	choose_source(d, right);
}

size_t drafter_propose(drafter *d, int32_t *drafts, size_t most)
{
	uint64_t age = d->index.n - d->source;
	size_t n, i;

	if (most > DRAFT_MOST)
		most = DRAFT_MOST;
	if (d->force)
		return d->force(d->user, drafts, most);
	n = d->match > 0 ? draft_pace_choose(&d->pace, d->match, most) : 0;
	/* Where the source reaches the text's end, the drafts themselves follow: a repetition. */
	for (i = 0; i < n; i++)
		drafts[i] = i < age ? draft_index_get(&d->index, d->source + i) : drafts[i - age];
	return n;
}

void drafter_note_pass(drafter *d, size_t rows, size_t drawn, double seconds)
{
	draft_pace_note_pass(&d->pace, rows, drawn, seconds);
}
