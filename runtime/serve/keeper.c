/* keeper.c - see keeper.h */
#include "runtime/serve/keeper.h"

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/session/session.h"

/* ---- the thread ----------------------------------------------------------------------------- */

typedef struct saving {
	keeper *keeper;
	keeper_task *task;
	bool is_released; /* others may change the sequence, and ask for another task */
} saving;

static bool is_cancelled(void *user)
{
	saving *s = user;
	bool result;

	os_lock(s->keeper->monitor);
	result = s->task->is_cancelled;
	os_unlock(s->keeper->monitor);
	return result;
}

static void finish(keeper *k, keeper_task *t)
{
	os_lock(k->monitor);
	t->stage = KEEPER_DONE;
	os_unlock(k->monitor);
	os_wake_all(k->monitor);
}

/* The disk may take longer than reading the sequence does. */
static void release(void *user)
{
	saving *s = user;

	s->is_released = true;
	finish(s->keeper, s->task);
}

static void save(keeper *k, keeper_task *t, prompt_cache *cache)
{
	saving s = { k, t, false };
	const session_watch watch = { is_cancelled, release, &s };
	brise_status status = prompt_cache_put(cache, t->sequence, t->tokens, t->n, &watch, NULL);

	if (s.is_released)
		return;
	t->was_cancelled = status == BRISE_ECANCELED;
	finish(k, t);
}

static void work(keeper *k, keeper_task *t)
{
	prompt_cache *cache;

	if (k->before)
		k->before(k->user, t);
	cache = owner_caches_get(k->caches, t->key);
	if (cache && !t->seeks) {
		save(k, t, cache);
		return;
	}
	if (cache)
		(void)prompt_cache_find(cache, t->sequence, t->model, t->options, t->tokens, t->n,
		                        t->least, &t->found, &t->held, &t->n_held, NULL);
	finish(k, t);
}

/* Locked. The task that was asked for first; NULL: none. */
static keeper_task *next_task(const keeper *k)
{
	keeper_task *best = NULL;
	uint32_t i;

	for (i = 0; i < k->n; i++) {
		keeper_task *t = &k->tasks[i];

		if (t->stage == KEEPER_ASKED && (!best || t->number < best->number))
			best = t;
	}
	return best;
}

static void run(void *argument)
{
	keeper *k = argument;
	keeper_task *t;

	os_lock(k->monitor);
	while (!k->stops) {
		if (!(t = next_task(k))) {
			os_wait(k->monitor);
			continue;
		}
		t->stage = KEEPER_WORKS;
		os_unlock(k->monitor);
		work(k, t);
		os_lock(k->monitor);
	}
	os_unlock(k->monitor);
}

/* ---- its owner ------------------------------------------------------------------------------ */

brise_status keeper_open(keeper *k, uint32_t n, os_monitor *monitor, owner_caches *caches,
                         brise_error *err)
{
	*k = (keeper){ .monitor = monitor, .caches = caches };
	if (!(k->tasks = memory_new(n, sizeof *k->tasks)))
		return error_set(err, BRISE_ENOMEM, "no memory for cached prompts");
	k->n = n;
	if (!(k->thread = os_start_thread(run, k)))
		return error_errno(err, "no thread for cached prompts");
	return BRISE_OK;
}

static void free_result(keeper_task *t)
{
	brise_free_sequence(t->found);
	memory_free(t->held);
	t->found = NULL;
	t->held = NULL;
}

void keeper_stop(keeper *k)
{
	if (!k->thread)
		return;
	os_lock(k->monitor);
	k->stops = true;
	os_unlock(k->monitor);
	os_wake_all(k->monitor);
	os_join_thread(k->thread);
	k->thread = NULL;
}

void keeper_close(keeper *k)
{
	uint32_t i;

	keeper_stop(k);
	for (i = 0; i < k->n; i++)
		free_result(&k->tasks[i]);
	memory_free(k->tasks);
	*k = (keeper){ .n = 0 };
}

void keeper_ask(keeper *k, keeper_task *t)
{
	t->found = NULL;
	t->held = NULL;
	t->n_held = 0;
	t->was_cancelled = false;
	os_lock(k->monitor);
	t->stage = KEEPER_ASKED;
	t->number = k->count++;
	t->is_cancelled = false;
	os_unlock(k->monitor);
	os_wake_all(k->monitor);
}

void keeper_cancel(keeper *k, keeper_task *t)
{
	os_lock(k->monitor);
	t->is_cancelled = true;
	os_unlock(k->monitor);
}

bool keeper_collect(keeper *k, keeper_task *t)
{
	bool is_done;

	os_lock(k->monitor);
	if ((is_done = t->stage == KEEPER_DONE))
		t->stage = KEEPER_RESTS;
	os_unlock(k->monitor);
	return is_done;
}

bool keeper_has_done(const keeper *k)
{
	uint32_t i;

	for (i = 0; i < k->n; i++)
		if (k->tasks[i].stage == KEEPER_DONE)
			return true;
	return false;
}
