/* place.c - see place.h */
#include "runtime/serve/place.h"

#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/eval/sequence.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/sha256.h"

size_t place_count_held(const place *p)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(p->sequence);

	if (!f)
		return 0;
	return f->position - f->start < p->n ? (size_t)(f->position - f->start) : p->n;
}

/* ---- the prompt cache ----------------------------------------------------------------------- */

/* Opens an owner's cache when it is first needed. NULL: there is none. */
static prompt_cache *open_cache(place_set *set, size_t owner)
{
	prompt_cache *cache = &set->caches[owner];
	char hex[33], *folder;
	uint8_t digest[32];
	const char *key;
	size_t size, i;

	if (!set->folder || cache->folder)
		return set->folder ? cache : NULL;
	if (owner == 0)
		return prompt_cache_open(cache, set->folder, set->cache_bytes, NULL) == BRISE_OK
		               ? cache
		               : NULL;
	key = set->owners[owner - 1];
	sha256(digest, key, strlen(key));
	for (i = 0; i < 16; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", (unsigned)digest[i]);
	size = strlen(set->folder) + sizeof hex + 8;
	if (!(folder = memory_new(size, 1)))
		return NULL;
	(void)snprintf(folder, size, "%s/key-%s", set->folder, hex);
	if (prompt_cache_open(cache, folder, set->cache_bytes, NULL) != BRISE_OK)
		cache = NULL;
	memory_free(folder);
	return cache;
}

bool place_save(place_set *set, place *p)
{
	size_t n = place_count_held(p);
	prompt_cache *cache;

	if (n < PROMPT_CACHE_LEAST || n == p->cached || !(cache = open_cache(set, p->owner)))
		return false;
	p->cached = n; /* once, also if the disk is full */
	return prompt_cache_put(cache, p->sequence, p->tokens, n, NULL) == BRISE_OK;
}

/* ---- what texts share ----------------------------------------------------------------------- */

static size_t count_common(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
	size_t n = n_a < n_b ? n_a : n_b, i;

	for (i = 0; i < n && a[i] == b[i]; i++)
		;
	return i;
}

/* How many of the job's tokens the place's text begins with, of its first n, with at least one of
 * the job's left. */
static size_t count_shared(const place *p, const job *j, size_t n)
{
	if (!j->plan.keeps || j->plan.embeds || p->owner != j->plan.who.key)
		return 0;
	return count_common(p->tokens, n, j->plan.prompt, j->plan.n - 1);
}

/* The same of what it has evaluated and can go back to. */
static size_t count_usable(const place *p, const job *j)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(p->sequence);
	size_t shared = f ? count_shared(p, j, place_count_held(p)) : 0;

	return shared > 0 && f->start + shared >= f->rewind_from ? shared : 0;
}

static place *find_best(place_set *set, const job *j, size_t *shared)
{
	place *best = NULL;
	uint32_t i;

	*shared = 0;
	for (i = 0; i < set->n; i++) {
		size_t n = count_usable(&set->places[i], j);

		if (n > *shared) {
			*shared = n;
			best = &set->places[i];
		}
	}
	return best;
}

/* Of the free places that whose text the job continues: it shares as much as any, and half of the
 * text at least. NULL: none. */
static place *find_continued(place_set *set, const job *j, size_t most)
{
	uint32_t i;

	for (i = 0; i < set->n && most > 0; i++) {
		place *p = &set->places[i];

		if (!p->job && count_usable(p, j) == most && 2 * most >= place_count_held(p))
			return p;
	}
	return NULL;
}

/* The free place that is missed least: an empty one, or that whose text was used longest ago. */
static place *find_free(place_set *set)
{
	place *best = NULL;
	uint32_t i;

	for (i = 0; i < set->n; i++) {
		place *p = &set->places[i];

		if (p->job)
			continue;
		if (p->n == 0)
			return p;
		if (!best || p->used < best->used)
			best = p;
	}
	return best;
}

/* ---- taking a place ------------------------------------------------------------------------- */

/* The place's text becomes the job's prompt, of which `kept` are evaluated. */
static brise_status set_text(place *p, const job *j, size_t kept, brise_error *err)
{
	size_t room = j->plan.n + 256;
	int32_t *tokens = memory_new(room, sizeof *tokens);

	if (!tokens)
		return error_set(err, BRISE_ENOMEM, "no memory for %zu token ids", j->plan.n);
	memcpy(tokens, j->plan.prompt, j->plan.n * sizeof *tokens);
	memory_free(p->tokens);
	p->tokens = tokens;
	p->n = j->plan.n;
	p->most = room;
	p->owner = j->plan.who.key;
	p->n_kept = kept;
	if (p->cached > kept)
		p->cached = 0;
	return BRISE_OK;
}

/* Looks on disk for more than the *kept tokens that the place has. */
static brise_status take_cached(place_set *set, place *p, const job *j, size_t *kept,
                                brise_error *err)
{
	prompt_cache *cache;
	brise_sequence *before = p->sequence;
	brise_status status;

	if (!j->plan.keeps || j->plan.embeds || !(cache = open_cache(set, j->plan.who.key)))
		return BRISE_OK;
	status = prompt_cache_take(cache, &p->sequence, set->model, &set->options, j->plan.prompt,
	                           *kept, j->plan.prompt, j->plan.n, kept, err);
	if (p->sequence != before)
		p->cached = *kept;
	return status;
}

/* A job of the same owner that reads a prompt which begins like this one's for longer than
 * `kept`. */
static void find_leader(place_set *set, place *p, size_t kept)
{
	size_t most = kept + PLACE_WORTH;
	uint32_t i;

	p->follows = NULL;
	for (i = 0; i < set->n; i++) {
		place *q = &set->places[i];
		size_t shared;

		if (q == p || !q->job || q->state != PLACE_READING || !q->job->plan.keeps ||
		    q->number >= p->number)
			continue;
		shared = count_shared(q, p->job, q->job->plan.n);
		if (shared > most) {
			most = shared;
			p->follows = q;
			p->follows_number = q->number;
			p->follows_until = shared;
		}
	}
}

static brise_status prepare(place_set *set, place *p, const place *source, size_t shared,
                            const job *j, brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t kept = 0;
	uint64_t start;

	if (!p->sequence)
		status = brise_new_sequence(&p->sequence, set->model, &set->options, err);
	if (status != BRISE_OK)
		return status;
	start = brise_get_sequence_facts(p->sequence)->start;
	if (shared >= PLACE_WORTH && p != source &&
	    sequence_copy(p->sequence, source->sequence, shared, NULL) == BRISE_OK)
		kept = shared;
	else
		status = brise_rewind_sequence(p->sequence,
		                               start + (kept = p == source ? shared : 0), err);
	if (status == BRISE_OK)
		status = take_cached(set, p, j, &kept, err);
	return status == BRISE_OK ? set_text(p, j, kept, err) : status;
}

brise_status place_take(place_set *set, place **out, job *j, brise_error *err)
{
	size_t shared;
	place *source = find_best(set, j, &shared), *p = find_continued(set, j, shared);
	brise_status status;

	if (p)
		source = p;
	else
		p = find_free(set);
	if (p != source || 2 * shared < place_count_held(p))
		(void)place_save(set, p);
	if (p != source)
		p->cached = 0;
	status = prepare(set, p, source, shared, j, err);
	if (status != BRISE_OK) {
		place_forget(p, true);
		return status;
	}
	p->job = j;
	p->number = j->number;
	p->used = ++set->count;
	p->state = PLACE_READING;
	p->began = os_clock();
	find_leader(set, p, p->n_kept);
	*out = p;
	return BRISE_OK;
}

bool place_waits(place_set *set, place *p)
{
	const place *q = p->follows;
	size_t shared;

	if (!q)
		return false;
	if (q->job && q->number == p->follows_number && place_count_held(q) < p->follows_until)
		return true;
	p->follows = NULL;
	shared = count_usable(q, p->job);
	if (shared >= p->n_kept + PLACE_WORTH &&
	    sequence_copy(p->sequence, q->sequence, shared, NULL) == BRISE_OK) {
		p->n_kept = shared;
		p->cached = 0;
	}
	if (place_count_held(p) < p->follows_until) /* the leader has left early */
		find_leader(set, p, place_count_held(p));
	return p->follows != NULL;
}

/* ---- leaving it ----------------------------------------------------------------------------- */

bool place_add(place *p, int32_t token)
{
	int32_t *tokens;

	if (p->n == p->most) {
		if (!(tokens = memory_resize(p->tokens, 2 * p->most + 256, sizeof *tokens)))
			return false;
		p->tokens = tokens;
		p->most = 2 * p->most + 256;
	}
	p->tokens[p->n++] = token;
	return true;
}

void place_forget(place *p, bool failed)
{
	memory_free(p->tokens);
	p->tokens = NULL;
	p->n = p->most = p->cached = 0;
	if (failed) {
		brise_free_sequence(p->sequence);
		p->sequence = NULL;
	}
}

void place_leave(place *p)
{
	bool keeps = p->job->plan.keeps && !p->job->plan.embeds;

	drawing_close(&p->drawing);
	memory_free(p->sums);
	p->sums = NULL;
	if (p->has_drafts)
		drafter_free(&p->drafts);
	p->has_drafts = false;
	p->follows = NULL;
	p->job = NULL;
	p->state = PLACE_FREE;
	if (keeps)
		p->n = place_count_held(p);
	else
		place_forget(p, false);
}

void place_release_all(place_set *set)
{
	uint32_t i;

	for (i = 0; i < set->n; i++)
		place_forget(&set->places[i], true);
}
