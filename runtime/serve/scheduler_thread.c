/* scheduler_thread.c - the evaluation thread: jobs get places, passes follow each other, and when
 * there is nothing to do texts are put on disk and memory is given back */
#include <string.h>

#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"
#include "runtime/serve/scheduler_parts.h"

/* Seconds without a job after which texts go to the prompt cache: a program that is killed loses
 * less, and whoever asks again at once does not wait for the disk. */
#define QUIET_SECONDS 1.0

/* ---- events --------------------------------------------------------------------------------- */

/* Locked. */
static void add_note(scheduler *s, job_note *note)
{
	bool was_empty = !s->notes.first;

	if (note->event.kind == JOB_FAILED)
		note->event.error = &note->error;
	job_notes_add(&s->notes, note);
	if (was_empty)
		os_set_event(&s->wake);
}

void scheduler_post(void *scheduler_, job_note *note)
{
	scheduler *s = scheduler_;
	bool is_cancelled;

	os_lock(s->monitor);
	is_cancelled = note->job->is_cancelled;
	if (!is_cancelled)
		add_note(s, note);
	os_unlock(s->monitor);
	if (is_cancelled)
		memory_free(note);
}

/* The thread is done with a job that it took from the queue: its last event follows, or it is to be
 * freed. */
static void end_job(scheduler *s, job *j, job_note *last, bool is_done)
{
	os_lock(s->monitor);
	job_queue_end(&s->queue, j);
	s->figures.n_running--;
	if (j->is_cancelled || s->stops) {
		j->next = s->over;
		s->over = j;
		j->stage = JOB_IS_FREE;
		os_set_event(&s->wake);
		memory_free(last);
	} else {
		s->figures.jobs_done += is_done;
		s->figures.jobs_failed += !is_done;
		j->stage = JOB_IS_OVER;
		add_note(s, last);
	}
	os_unlock(s->monitor);
	s->last_job = os_clock();
}

static void fail_job(scheduler *s, job *j, const brise_error *error)
{
	job_note *last = j->last;

	j->last = NULL;
	last->event.kind = JOB_FAILED;
	last->event.n_prompt = j->plan.n;
	last->error = *error;
	end_job(s, j, last, false);
}

void scheduler_end_job(scheduler *s, place *p, brise_status status, const brise_error *error)
{
	const drawing *d = &p->drawing;
	job *j = p->job;
	job_note *last = j->last;
	job_event *e = &last->event;
	double now = os_clock();

	e->n_prompt = j->plan.n;
	e->n_kept = p->n_kept;
	e->n_tokens = d->g.n_tokens;
	e->n_thought = brise_count_thought(d->reader);
	if (status != BRISE_OK) {
		e->kind = JOB_FAILED;
		last->error = *error;
	} else {
		e->reason = d->reason;
		e->stop = d->stop;
		e->is_cut = d->is_cut;
		e->wait_s = p->began - j->submitted;
		e->prompt_s = p->evaluated - p->began;
		e->answer_s = now - p->evaluated;
	}
	j->last = NULL;
	place_leave(&s->set, p);
	end_job(s, j, last, status == BRISE_OK);
}

/* ---- loading -------------------------------------------------------------------------------- */

static bool is_stopping(void *user)
{
	scheduler *s = user;
	bool result;

	os_lock(s->monitor);
	result = s->stops;
	os_unlock(s->monitor);
	return result;
}

/* The model's file, again. It must be what the thread of control has open. */
static brise_status open_own(scheduler *s, brise_error *err)
{
	brise_status status = brise_open_model(&s->own, s->o.path, NULL, err);

	if (status == BRISE_OK &&
	    memcmp(s->own->bytes, s->model->bytes, sizeof(format_header)) != 0)
		status = error_set(err, BRISE_EINVAL,
		                   "%s: has been replaced by another model; restart the server",
		                   s->o.path);
	if (status == BRISE_OK && s->o.memory > 0)
		status = brise_limit_memory(s->own, s->o.memory, NULL, is_stopping, s, err);
	return status;
}

brise_status scheduler_load(scheduler *s, brise_error *err)
{
	brise_status status = s->o.path ? open_own(s, err) : BRISE_OK;

	s->set.model = s->own ? s->own : s->model;
	if (status == BRISE_OK)
		status = brise_new_engine(&s->engine, s->set.model, &s->o.engine, err);
	if (status != BRISE_OK)
		scheduler_unload(s);
	return status;
}

void scheduler_unload(scheduler *s)
{
	place_release_all(&s->set);
	brise_free_engine(s->engine);
	brise_close_model(s->own);
	s->engine = NULL;
	s->own = NULL;
}

/* With its state, and without the lock. Jobs that wait fail if it does. */
static void load(scheduler *s)
{
	brise_error error = { BRISE_OK, "" };
	brise_status status;
	uint32_t n;
	job *j;

	os_lock(s->monitor);
	s->state = SCHEDULER_LOADING;
	os_unlock(s->monitor);
	status = scheduler_load(s, &error);
	os_lock(s->monitor);
	s->state = status == BRISE_OK ? SCHEDULER_READY : SCHEDULER_FAILED;
	s->error = error;
	s->figures.loads += status == BRISE_OK;
	n = status == BRISE_OK ? 0 : s->queue.n; /* for later ones it is tried again */
	for (; n > 0 && !s->stops && (j = job_queue_take(&s->queue)); n--) {
		j->stage = JOB_RUNS;
		s->figures.n_running++;
		os_unlock(s->monitor);
		fail_job(s, j, &error);
		os_lock(s->monitor);
	}
	os_unlock(s->monitor);
	s->last_job = os_clock();
}

static void give_back(scheduler *s)
{
	scheduler_unload(s);
	os_lock(s->monitor);
	s->state = SCHEDULER_IDLE;
	s->figures.idle_times++;
	os_unlock(s->monitor);
}

/* ---- jobs get places ------------------------------------------------------------------------ */

static uint32_t count_busy(const scheduler *s)
{
	uint32_t n = 0, i;

	for (i = 0; i < s->set.n; i++)
		n += s->set.places[i].job != NULL;
	return n;
}

static brise_status open_embedding(place *p, const scheduler *s, brise_error *err)
{
	if (!p->job->plan.embeds)
		return BRISE_OK;
	p->sums = memory_new(brise_get_model_facts(s->model)->dim, sizeof *p->sums);
	return p->sums ? BRISE_OK : error_set(err, BRISE_ENOMEM, "no memory for an embedding");
}

static void begin_job(scheduler *s, job *j)
{
	brise_error error = { BRISE_OK, "" };
	place *p = place_take(&s->set, j);
	brise_status status = drawing_open(&p->drawing, j, s->model, scheduler_post, s, &error);

	if (status != BRISE_OK || (status = open_embedding(p, s, &error)) != BRISE_OK)
		scheduler_end_job(s, p, status, &error);
}

static bool is_cancelled(scheduler *s, const place *p)
{
	bool result;

	os_lock(s->monitor);
	result = p->job && p->job->is_cancelled;
	os_unlock(s->monitor);
	return result;
}

static void prepare_place(scheduler *s, place *p)
{
	brise_error error = { BRISE_OK, "" };
	bool is_ready;
	brise_status status = place_prepare(&s->set, p, &is_ready, &error);

	if (status != BRISE_OK)
		scheduler_end_job(s, p, status, &error);
}

/* Jobs that were cancelled leave; those that wait get places, and prepare. */
static void change_places(scheduler *s)
{
	uint32_t i;
	job *j;

	place_collect(&s->set);
	for (i = 0; i < s->set.n; i++) {
		place *p = &s->set.places[i];

		if (is_cancelled(s, p) && place_may_leave(&s->set, p))
			scheduler_end_job(s, p, BRISE_OK, NULL);
	}
	while (count_busy(s) < s->set.n) {
		os_lock(s->monitor);
		if ((j = job_queue_take(&s->queue))) {
			j->stage = JOB_RUNS;
			s->figures.n_running++;
		}
		os_unlock(s->monitor);
		if (!j)
			break;
		begin_job(s, j);
	}
	for (i = 0; i < s->set.n; i++)
		if (s->set.places[i].state == PLACE_PREPARING)
			prepare_place(s, &s->set.places[i]);
}

/* For scheduler_get_place. */
static void publish_places(scheduler *s)
{
	uint32_t i;

	os_lock(s->monitor);
	for (i = 0; i < s->set.n; i++) {
		const place *p = &s->set.places[i];
		place_facts *f = &s->facts[i];

		*f = (place_facts){ .state = p->state,
			            .owner = p->owner,
			            .n_held = place_count_held(p) };
		if (!p->job)
			continue;
		f->number = p->number;
		f->n_prompt = p->job->plan.n;
		f->n_kept = p->n_kept;
		f->n_read = f->n_held < f->n_prompt ? (size_t)f->n_held : (size_t)f->n_prompt;
		f->n_drawn = p->drawing.g.n_tokens;
		f->limit = p->job->plan.limit;
		f->seconds = p->began; /* scheduler_get_place makes it a duration */
	}
	os_unlock(s->monitor);
}

/* ---- nothing to do -------------------------------------------------------------------------- */

/* Puts one text on disk, or lets the keeper do it. False: all are there, or on the way. */
static bool save_one(scheduler *s, bool (*save)(place_set *set, place *p))
{
	uint32_t i;

	for (i = 0; i < s->set.n; i++)
		if (!s->set.places[i].job && save(&s->set, &s->set.places[i]))
			return true;
	return false;
}

static bool is_on_disk(const scheduler *s)
{
	uint32_t i;

	for (i = 0; i < s->set.n; i++)
		if (s->set.places[i].is_on_disk)
			return true;
	return false;
}

/* Waits for jobs that can begin, or for the keeper, for a time at most; 0: any. */
static void wait_for_work(scheduler *s, double seconds)
{
	os_lock(s->monitor);
	if (!s->stops && (s->queue.n == 0 || count_busy(s) == s->set.n) &&
	    !keeper_has_done(&s->keeper)) {
		if (seconds > 0)
			os_wait_for(s->monitor, seconds);
		else
			os_wait(s->monitor);
	}
	os_unlock(s->monitor);
}

/* Seconds until something is to be done without a job; 0: nothing is. */
static double time_left(const scheduler *s, double since, bool saves)
{
	double left = 0;

	if (s->engine && s->o.idle_seconds > 0 && since < s->o.idle_seconds)
		left = s->o.idle_seconds - since;
	if (saves && since < QUIET_SECONDS && (left == 0 || QUIET_SECONDS - since < left))
		left = QUIET_SECONDS - since;
	return left;
}

static void rest(scheduler *s)
{
	double since = os_clock() - s->last_job, idle = s->o.idle_seconds;
	bool saves = s->set.keeper && s->engine, is_idle = s->engine && idle > 0 && since >= idle;

	if (saves && (is_idle || since >= QUIET_SECONDS))
		(void)save_one(s, place_ask_to_save);
	if (is_idle && !is_on_disk(s)) {
		give_back(s);
		publish_places(s);
		return;
	}
	wait_for_work(s, time_left(s, since, saves));
}

static bool has_rows(const scheduler *s)
{
	uint32_t i;

	for (i = 0; i < s->set.n; i++)
		if (s->set.places[i].state > PLACE_PREPARING)
			return true;
	return false;
}

void scheduler_run(void *argument)
{
	scheduler *s = argument;
	bool has_jobs;
	uint32_t i;

	load(s);
	while (!is_stopping(s)) {
		os_lock(s->monitor);
		has_jobs = s->queue.n > 0;
		os_unlock(s->monitor);
		if (has_jobs && !s->engine)
			load(s);
		if (s->engine)
			change_places(s);
		publish_places(s);
		if (has_rows(s))
			scheduler_run_pass(s);
		else if (count_busy(s) > 0)
			wait_for_work(s, 0);
		else
			rest(s);
	}
	place_stop_keeper(&s->set);
	for (i = 0; i < s->set.n; i++)
		if (s->set.places[i].job)
			scheduler_end_job(s, &s->set.places[i], BRISE_OK, NULL);
	while (s->engine && save_one(s, place_save))
		;
	scheduler_unload(s);
}
