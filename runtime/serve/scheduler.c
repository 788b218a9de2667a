/* scheduler.c - the side of the thread of control: submitting, cancelling, events, figures */
#include "runtime/serve/scheduler.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/eval/sequence.h"
#include "runtime/os/memory.h"
#include "runtime/serve/scheduler_parts.h"
#include "runtime/sized.h"

#define PLACES_DEFAULT 4u
#define SLICE_DEFAULT  64u
#define QUEUE_DEFAULT  64u

/* ---- making one ----------------------------------------------------------------------------- */

static void fill_defaults(scheduler_options *o)
{
	o->places = o->places ? o->places : PLACES_DEFAULT;
	o->slice = o->slice ? o->slice : SLICE_DEFAULT;
	o->queue = o->queue ? o->queue : QUEUE_DEFAULT;
	if (o->engine.size == 0)
		brise_init_engine_options(&o->engine, sizeof o->engine);
	if (o->sequence.size == 0)
		brise_init_sequence_options(&o->sequence, sizeof o->sequence);
	o->sequence.position = 0;
}

/* What the options make of a sequence; *context: positions without a window, 0 with one. */
static brise_status examine_sequence(const brise_model *model, const scheduler_options *o,
                                     uint64_t *context, uint64_t *bytes, brise_error *err)
{
	const brise_sequence_facts *f;
	brise_sequence *sequence;
	brise_status status = brise_new_sequence(&sequence, model, &o->sequence, err);

	if (status != BRISE_OK)
		return status;
	f = brise_get_sequence_facts(sequence);
	*context = f->window > 0 ? 0 : f->slots;
	*bytes = f->kv_bytes;
	brise_free_sequence(sequence);
	return BRISE_OK;
}

brise_status scheduler_count_bytes(const brise_model *model, const scheduler_options *options,
                                   uint64_t *bytes, brise_error *err)
{
	scheduler_options o = *options;
	uint64_t context, sequence;
	brise_status status;

	fill_defaults(&o);
	if ((status = examine_sequence(model, &o, &context, &sequence, err)) != BRISE_OK ||
	    (status = brise_get_engine_bytes(model, &o.engine, bytes, err)) != BRISE_OK)
		return status;
	*bytes += o.places * sequence;
	return BRISE_OK;
}

static brise_status check_options(scheduler *s, brise_error *err)
{
	const scheduler_options *o = &s->o;
	const uint32_t rows = o->engine.rows ? o->engine.rows : PASS_ROWS_DEFAULT;
	uint64_t bytes;

	if (o->places > SCHEDULER_MOST_PLACES)
		return error_set(err, BRISE_EINVAL, "%" PRIu32 " answers at once, at most %u",
		                 o->places, SCHEDULER_MOST_PLACES);
	/* A prompt needs a row beside those of all that draw. */
	if (o->places > 1 && o->places >= rows)
		return error_set(err, BRISE_EINVAL,
		                 "%" PRIu32 " answers at once, expected fewer than the %" PRIu32
		                 " rows of a pass",
		                 o->places, rows);
	if (o->memory > 0 && !o->path)
		return error_set(err, BRISE_EINVAL, "a limit on memory needs the model's path");
	s->set.n = o->places;
	s->set.options = o->sequence;
	s->figures.places = o->places;
	s->figures.queue = o->queue;
	return examine_sequence(s->model, o, &s->most_prompt, &bytes, err);
}

static brise_status open_caches(scheduler *s, brise_error *err)
{
	const scheduler_options *o = &s->o;

	if (!owner_caches_open(&s->caches, o->cache,
	                       o->cache_bytes / (o->n_owners > 0 ? o->n_owners : 1), o->owners,
	                       o->n_owners))
		return error_set(err, BRISE_ENOMEM, "no memory for cached prompts");
	s->set.caches = &s->caches;
	s->set.keeper = &s->keeper;
	return keeper_open(&s->keeper, o->places, s->monitor, &s->caches, err);
}

static brise_status start(scheduler *s, brise_error *err)
{
	const uint32_t rows = s->o.engine.rows ? s->o.engine.rows : PASS_ROWS_DEFAULT;
	brise_status status;

	s->figures.context = s->most_prompt;
	s->monitor = os_new_monitor();
	s->facts = memory_new(s->o.places, sizeof *s->facts);
	s->set.places = memory_new(s->o.places, sizeof *s->set.places);
	s->rows = memory_new(rows, sizeof *s->rows);
	s->row_place = memory_new(rows, sizeof *s->row_place);
	if (!s->monitor || !s->facts || !s->set.places || !s->rows || !s->row_place)
		return error_set(err, BRISE_ENOMEM, "no memory for a scheduler");
	if (!os_open_event(&s->wake))
		return error_errno(err, "no pipe for the scheduler's events");
	if (s->o.cache && (status = open_caches(s, err)) != BRISE_OK)
		return status;
	if (!(s->thread = os_start_thread(scheduler_run, s)))
		return error_errno(err, "no thread for evaluation");
	return BRISE_OK;
}

brise_status scheduler_new(scheduler **out, const brise_model *model,
                           const scheduler_options *options, brise_error *err)
{
	scheduler *s = memory_new(1, sizeof *s);
	brise_status status;

	*out = NULL;
	if (!s)
		return error_set(err, BRISE_ENOMEM, "no memory for a scheduler");
	s->model = model;
	s->o = *options;
	s->wake = (os_event){ -1, -1 };
	job_notes_open(&s->notes);
	job_queue_open(&s->queue);
	fill_defaults(&s->o);
	if ((status = check_options(s, err)) == BRISE_OK)
		status = start(s, err);
	if (status != BRISE_OK)
		scheduler_free(s);
	else
		*out = s;
	return status;
}

/* Frees jobs that the evaluation thread is done with. */
static void free_over(scheduler *s)
{
	job *j, *next;

	os_lock(s->monitor);
	j = s->over;
	s->over = NULL;
	os_unlock(s->monitor);
	for (; j; j = next) {
		next = j->next;
		job_free(j);
	}
}

void scheduler_free(scheduler *s)
{
	job_note *note;
	job *j;

	if (!s)
		return;
	if (s->thread) {
		os_lock(s->monitor);
		s->stops = true;
		os_unlock(s->monitor);
		os_wake_all(s->monitor);
		os_join_thread(s->thread);
	}
	/* Jobs whose last event has not been delivered. */
	while ((note = job_notes_take(&s->notes))) {
		job_event_kind kind = note->event.kind;

		j = note->job;
		memory_free(note);
		if (kind == JOB_DONE || kind == JOB_FAILED)
			job_free(j);
	}
	while ((j = job_queue_take(&s->queue))) {
		job_queue_end(&s->queue, j);
		job_free(j);
	}
	if (s->monitor)
		free_over(s);
	keeper_close(&s->keeper);
	owner_caches_close(&s->caches);
	os_close_event(&s->wake);
	os_free_monitor(s->monitor);
	memory_free(s->facts);
	memory_free(s->set.places);
	memory_free(s->rows);
	memory_free(s->row_place);
	memory_free(s);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static brise_status check_plan(const scheduler *s, const job_plan *plan, brise_error *err)
{
	const brise_model_facts *facts = brise_get_model_facts(s->model);
	brise_sampler *sampler;
	brise_status status;
	size_t i;

	if (!plan->prompt || plan->n == 0)
		return error_set(err, BRISE_EINVAL, "the prompt is empty");
	if (s->most_prompt > 0 && plan->n > s->most_prompt)
		return error_set(err, BRISE_EINVAL,
		                 "the prompt has %zu tokens, the context has %" PRIu64, plan->n,
		                 s->most_prompt);
	for (i = 0; i < plan->n; i++)
		if (plan->prompt[i] < 0 || (uint32_t)plan->prompt[i] >= facts->vocab)
			return error_set(err, BRISE_EINVAL,
			                 "token %zu of the prompt is %" PRId32
			                 ", outside the vocabulary of %" PRIu32,
			                 i, plan->prompt[i], facts->vocab);
	if (plan->who.key > s->o.n_owners)
		return error_set(err, BRISE_EINVAL, "key %zu of %zu", plan->who.key, s->o.n_owners);
	if ((plan->must_call || plan->text_grammar) &&
	    (plan->grammar_after < 0 || (uint32_t)plan->grammar_after >= facts->vocab))
		return error_set(err, BRISE_EINVAL, "no token that begins a call");
	if (plan->has_logprobs && plan->n_top > JOB_MOST_TOP)
		return error_set(err, BRISE_EINVAL, "%u likeliest tokens, at most %u", plan->n_top,
		                 JOB_MOST_TOP);
	status = brise_new_sampler(&sampler, facts->vocab, plan->sampling, err);
	brise_free_sampler(sampler);
	return status;
}

brise_status scheduler_submit(scheduler *s, job **out, const job_plan *plan, job_event_fn *each,
                              void *user, brise_error *err)
{
	brise_status status = check_plan(s, plan, err);
	bool is_full, is_added = false;
	uint32_t n_waiting;
	job *j;

	*out = NULL;
	if (status != BRISE_OK || (status = job_new(&j, plan, err)) != BRISE_OK)
		return status;
	j->s = s;
	j->each = each;
	j->user = user;
	j->submitted = os_clock();
	os_lock(s->monitor);
	is_full = !job_queue_has_room(&s->queue, plan, s->o.queue);
	if (is_full)
		s->figures.jobs_refused++;
	else if ((is_added = job_queue_add(&s->queue, j)))
		j->number = ++s->n_jobs;
	n_waiting = s->queue.n;
	os_unlock(s->monitor);
	if (!is_added) {
		j->plan.release = NULL; /* still the caller's */
		job_free(j);
		return is_full ? error_set(err, BRISE_EFULL,
		                           "%" PRIu32 " requests are waiting already", n_waiting)
		               : error_set(err, BRISE_ENOMEM, "no memory for another job");
	}
	os_wake_all(s->monitor);
	*out = j;
	return BRISE_OK;
}

void scheduler_cancel(job *j)
{
	scheduler *s = j->s;
	bool is_free;

	os_lock(s->monitor);
	if (j->is_ending) {
		os_unlock(s->monitor);
		return;
	}
	if (j->stage == JOB_WAITS)
		job_queue_remove(&s->queue, j);
	if (j->stage != JOB_IS_OVER)
		s->figures.jobs_cancelled++;
	job_notes_drop(&s->notes, j);
	is_free = j->stage != JOB_RUNS;
	j->is_cancelled = true;
	os_unlock(s->monitor);
	if (is_free)
		job_free(j);
	else
		os_wake_all(s->monitor);
}

int scheduler_wake(const scheduler *s)
{
	return s->wake.read;
}

static job_note *take_note(scheduler *s)
{
	job_note *note;

	os_lock(s->monitor);
	note = job_notes_take(&s->notes);
	if (note && (note->event.kind == JOB_DONE || note->event.kind == JOB_FAILED))
		note->job->is_ending = true;
	os_unlock(s->monitor);
	return note;
}

void scheduler_deliver(scheduler *s)
{
	job_note *note;

	os_clear_event(&s->wake);
	free_over(s);
	while ((note = take_note(s))) {
		job *j = note->job;
		bool is_last = note->event.kind == JOB_DONE || note->event.kind == JOB_FAILED;

		j->each(j->user, &note->event);
		memory_free(note);
		if (is_last)
			job_free(j);
	}
}

/* ---- what it is doing ----------------------------------------------------------------------- */

scheduler_state scheduler_get_state(scheduler *s, brise_error *err)
{
	scheduler_state state;

	os_lock(s->monitor);
	state = s->state;
	if (err)
		*err = s->error;
	os_unlock(s->monitor);
	return state;
}

void scheduler_get_figures(scheduler *s, scheduler_figures *figures)
{
	os_lock(s->monitor);
	*figures = s->figures;
	figures->n_waiting = s->queue.n;
	os_unlock(s->monitor);
}

void scheduler_get_place(scheduler *s, size_t index, place_facts *facts)
{
	os_lock(s->monitor);
	*facts = s->facts[index];
	os_unlock(s->monitor);
	if (facts->state != PLACE_FREE)
		facts->seconds = os_clock() - facts->seconds;
}
