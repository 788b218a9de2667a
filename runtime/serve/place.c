/* place.c - see place.h */
#include "runtime/serve/place.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/eval/sequence.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

size_t place_count_held(const place *p)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(p->sequence);

	if (!f)
		return 0;
	return f->position - f->start < p->n ? (size_t)(f->position - f->start) : p->n;
}

/* ---- the prompt cache ----------------------------------------------------------------------- */

static keeper_task *task_of(const place_set *set, const place *p)
{
	return &set->keeper->tasks[p - set->places];
}

static bool needs_saving(const place_set *set, const place *p)
{
	size_t n = place_count_held(p);

	return set->caches && n >= PROMPT_CACHE_LEAST && n != p->cached;
}

bool place_save(place_set *set, place *p)
{
	prompt_cache *cache;

	if (!needs_saving(set, p))
		return false;
	p->cached = place_count_held(p); /* once, also if the disk is full */
	return (cache = owner_caches_get(set->caches, p->owner)) &&
	       prompt_cache_put(cache, p->sequence, p->tokens, p->cached, NULL, NULL) == BRISE_OK;
}

bool place_ask_to_save(place_set *set, place *p)
{
	keeper_task *t;

	if (p->is_on_disk || !needs_saving(set, p))
		return false;
	p->cached = place_count_held(p);
	p->is_on_disk = true;
	t = task_of(set, p);
	t->seeks = false;
	t->key = p->owner;
	t->sequence = p->sequence;
	t->tokens = p->tokens;
	t->n = p->cached;
	keeper_ask(set->keeper, t);
	return true;
}

static void ask_to_seek(place_set *set, place *p, size_t least)
{
	const job *j = p->job;
	keeper_task *t = task_of(set, p);

	p->is_on_disk = true;
	t->seeks = true;
	t->key = j->plan.who.key;
	t->sequence = p->sequence;
	t->tokens = j->plan.prompt;
	t->n = j->plan.n;
	t->least = least;
	t->model = set->model;
	t->options = &set->options;
	keeper_ask(set->keeper, t);
}

static void drop_found(place_set *set, place *p)
{
	keeper_task *t = set->keeper ? task_of(set, p) : NULL;

	if (!t)
		return;
	brise_free_sequence(t->found);
	memory_free(t->held);
	t->found = NULL;
	t->held = NULL;
}

void place_collect(place_set *set)
{
	uint32_t i;

	for (i = 0; set->keeper && i < set->n; i++) {
		place *p = &set->places[i];

		if (!p->is_on_disk || !keeper_collect(set->keeper, task_of(set, p)))
			continue;
		p->is_on_disk = false;
		if (task_of(set, p)->was_cancelled)
			p->cached = 0;
	}
}

void place_stop_keeper(place_set *set)
{
	uint32_t i;

	if (!set->keeper)
		return;
	keeper_stop(set->keeper);
	place_collect(set);
	for (i = 0; i < set->n; i++) {
		place *p = &set->places[i];

		if (p->is_on_disk)
			p->cached = 0;
		p->is_on_disk = false;
	}
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

static bool is_missed_less(const place *p, const place *q)
{
	return p->is_on_disk != q->is_on_disk ? !p->is_on_disk : p->used < q->used;
}

/* The free place that is missed least: an empty one, or that whose text was used longest ago;
 * rather one that the disk has nothing to do with. */
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
		if (!best || is_missed_less(p, best))
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

place *place_take(place_set *set, job *j)
{
	size_t shared;
	place *p;

	(void)find_best(set, j, &shared);
	p = find_continued(set, j, shared);
	if (p && p->is_on_disk)
		keeper_cancel(set->keeper, task_of(set, p)); /* the text stays and grows */
	if (!p)
		p = find_free(set);
	p->job = j;
	p->number = j->number;
	p->used = ++set->count;
	p->state = PLACE_PREPARING;
	p->step = PLACE_SAVES;
	p->began = os_clock();
	return p;
}

/* The text that was found on disk becomes the place's, if it shares more than `shared` tokens.
 * *kept: how many it shares, or as it was. */
static brise_status take_found(place_set *set, place *p, size_t shared, size_t *kept,
                               brise_error *err)
{
	keeper_task *t = set->keeper ? task_of(set, p) : NULL;
	const job_plan *plan = &p->job->plan;
	brise_status status;
	size_t found;

	if (!t || !t->found)
		return BRISE_OK;
	status =
	        brise_keep_prefix(t->found, t->held, t->n_held, plan->prompt, plan->n, &found, err);
	if (status == BRISE_OK && found > shared) {
		brise_free_sequence(p->sequence);
		p->sequence = t->found;
		t->found = NULL;
		*kept = p->cached = found;
	}
	drop_found(set, p);
	return status;
}

static brise_status settle(place_set *set, place *p, const place *source, size_t shared,
                           brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t kept = 0;
	uint64_t start;

	if (p != source)
		p->cached = 0;
	if ((status = take_found(set, p, shared, &kept, err)) != BRISE_OK)
		return status;
	if (kept > 0)
		return set_text(p, p->job, kept, err);
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
	return status == BRISE_OK ? set_text(p, p->job, kept, err) : status;
}

/* Whether a job wants more from the disk than the `shared` tokens that places have. */
static bool wants_disk(const place_set *set, const job *j, size_t shared)
{
	return set->keeper && j->plan.keeps && !j->plan.embeds && j->plan.n >= PROMPT_CACHE_LEAST &&
	       shared + PROMPT_CACHE_WORTH < j->plan.n;
}

/* One step. *is_ready: it was the last. */
static brise_status go_on(place_set *set, place *p, bool *is_ready, brise_error *err)
{
	size_t shared, own = count_usable(p, p->job);
	const place *source = find_best(set, p->job, &shared);
	brise_status status = BRISE_OK;

	source = own > 0 && own == shared ? p : source;
	switch (p->step) {
	case PLACE_SAVES:
		p->step = PLACE_SEEKS;
		if (set->keeper && (p != source || 2 * shared < place_count_held(p)))
			(void)place_ask_to_save(set, p);
		break;
	case PLACE_SEEKS:
		p->step = PLACE_SETTLES;
		if (!wants_disk(set, p->job, shared))
			break;
		if (!p->sequence)
			status = brise_new_sequence(&p->sequence, set->model, &set->options, err);
		if (status == BRISE_OK)
			ask_to_seek(set, p, shared + PROMPT_CACHE_WORTH);
		break;
	case PLACE_SETTLES:
		if ((status = settle(set, p, source, shared, err)) == BRISE_OK)
			*is_ready = true;
	}
	return status;
}

brise_status place_prepare(place_set *set, place *p, bool *is_ready, brise_error *err)
{
	brise_status status = BRISE_OK;

	*is_ready = false;
	while (status == BRISE_OK && !p->is_on_disk && !*is_ready)
		status = go_on(set, p, is_ready, err);
	if (status != BRISE_OK) {
		place_forget(p, true);
		return status;
	}
	if (*is_ready) {
		p->state = PLACE_READING;
		find_leader(set, p, p->n_kept);
	}
	return BRISE_OK;
}

bool place_may_leave(const place_set *set, const place *p)
{
	return !p->is_on_disk || !task_of(set, p)->seeks;
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

void place_leave(place_set *set, place *p)
{
	bool keeps = p->job->plan.keeps && !p->job->plan.embeds,
	     has_text = p->state != PLACE_PREPARING;

	drawing_close(&p->drawing);
	memory_free(p->sums);
	p->sums = NULL;
	if (p->has_drafts)
		drafter_free(&p->drafts);
	p->has_drafts = false;
	p->follows = NULL;
	p->job = NULL;
	p->state = PLACE_FREE;
	drop_found(set, p);
	if (!has_text)
		return;
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
