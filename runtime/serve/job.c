/* job.c - copies of plans and events */
#include "runtime/serve/job.h"

#include <stdalign.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

/* ---- jobs ----------------------------------------------------------------------------------- */

static void release_texts(job_texts *t)
{
	size_t i;

	if (!t || --t->users > 0)
		return;
	for (i = 0; t->stops && i < t->n_stops; i++)
		memory_free(t->stops[i]);
	memory_free(t->stops);
	memory_free(t->prompt);
	memory_free(t->bias);
	memory_free(t);
}

static bool copy_stops(job_texts *t, const job_plan *plan)
{
	if (!(t->stops = memory_new(plan->n_stops + 1, sizeof *t->stops)))
		return false;
	for (; t->n_stops < plan->n_stops; t->n_stops++)
		if (!(t->stops[t->n_stops] = memory_copy_text(plan->stops[t->n_stops])))
			return false;
	return true;
}

static bool copy_bias(job_texts *t, const brise_sampling *sampling)
{
	if (!sampling || sampling->n_bias == 0)
		return true;
	if (!sampling->bias)
		return false;
	t->bias = memory_copy(sampling->bias, sampling->n_bias * sizeof *t->bias);
	return t->bias != NULL;
}

/* NULL: no memory. */
static job_texts *copy_texts(const job_plan *plan)
{
	job_texts *t = memory_new(1, sizeof *t);

	if (!t)
		return NULL;
	t->users = 1;
	t->prompt = memory_copy(plan->prompt, plan->n * sizeof *plan->prompt);
	if (t->prompt && copy_bias(t, plan->sampling) && copy_stops(t, plan))
		return t;
	release_texts(t);
	return NULL;
}

static job_texts *take_texts(const job_plan *plan)
{
	if (!plan->like)
		return copy_texts(plan);
	plan->like->texts->users++;
	return plan->like->texts;
}

/* Those of the plan are the caller's. */
static void point_to_texts(job *j, const brise_sampling *sampling)
{
	brise_sampling *s = &j->sampling;

	brise_init_sampling(s, sizeof *s);
	if (sampling)
		memcpy(s, sampling, sampling->size < sizeof *s ? sampling->size : sizeof *s);
	s->size = sizeof *s;
	s->bias = j->texts->bias;
	j->plan.sampling = s;
	j->plan.prompt = j->texts->prompt;
	j->plan.stops = (const char *const *)j->texts->stops;
	j->plan.like = NULL;
}

static void free_copies(job *j)
{
	release_texts(j->texts);
	memory_free(j->last);
	memory_free(j);
}

brise_status job_new(job **out, const job_plan *plan, brise_error *err)
{
	job *j = memory_new(1, sizeof *j);
	void *room;

	*out = j;
	if (!j)
		return error_set(err, BRISE_ENOMEM, "no memory for another job");
	j->plan = *plan;
	j->texts = take_texts(plan);
	j->last = job_new_note(j, JOB_DONE, 0, &room);
	if (j->texts && j->last) {
		point_to_texts(j, plan->sampling);
		return BRISE_OK;
	}
	free_copies(j);
	*out = NULL;
	return error_set(err, BRISE_ENOMEM, "no memory for a job of %zu tokens", plan->n);
}

void job_free(job *j)
{
	void (*release)(void *held) = j->plan.release;
	void *held = j->plan.held;

	free_copies(j);
	if (release)
		release(held);
}

/* ---- events --------------------------------------------------------------------------------- */

job_note *job_new_note(job *j, job_event_kind kind, size_t bytes, void **room)
{
	const size_t align = alignof(max_align_t),
	             head = (sizeof(job_note) + align - 1) / align * align;
	job_note *note = memory_new(1, head + bytes);

	if (!note)
		return NULL;
	note->job = j;
	note->event.kind = kind;
	*room = (char *)note + head;
	return note;
}

void job_notes_open(job_notes *notes)
{
	notes->first = NULL;
	notes->end = &notes->first;
}

void job_notes_add(job_notes *notes, job_note *note)
{
	note->next = NULL;
	*notes->end = note;
	notes->end = &note->next;
}

job_note *job_notes_take(job_notes *notes)
{
	job_note *note = notes->first;

	if (note && !(notes->first = note->next))
		notes->end = &notes->first;
	return note;
}

void job_notes_drop(job_notes *notes, const job *j)
{
	job_note **link = &notes->first, *note;

	while ((note = *link)) {
		if (note->job == j) {
			*link = note->next;
			memory_free(note);
		} else {
			link = &note->next;
		}
	}
	notes->end = link;
}
