/* job.c - copies of plans and events */
#include "runtime/serve/job.h"

#include <stdalign.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

/* ---- jobs ----------------------------------------------------------------------------------- */

static void free_copies(job *j)
{
	size_t i;

	for (i = 0; j->stops && i < j->plan.n_stops; i++)
		memory_free(j->stops[i]);
	memory_free(j->stops);
	memory_free((void *)(uintptr_t)j->plan.prompt);
	memory_free((void *)(uintptr_t)j->sampling.bias);
	memory_free(j->last);
	memory_free(j);
}

static bool copy_stops(job *j, const job_plan *plan)
{
	size_t i;

	if (!(j->stops = memory_new(plan->n_stops + 1, sizeof *j->stops)))
		return false;
	for (i = 0; i < plan->n_stops; i++)
		if (!(j->stops[i] = memory_copy_text(plan->stops[i])))
			return false;
	j->plan.stops = (const char *const *)j->stops;
	return true;
}

static bool copy_sampling(job *j, const brise_sampling *sampling)
{
	brise_sampling *s = &j->sampling;

	brise_init_sampling(s, sizeof *s);
	if (sampling)
		memcpy(s, sampling, sampling->size < sizeof *s ? sampling->size : sizeof *s);
	s->size = sizeof *s;
	j->plan.sampling = s;
	if (s->n_bias == 0 || !s->bias) {
		s->bias = NULL;
		return s->n_bias == 0;
	}
	s->bias = memory_copy(s->bias, s->n_bias * sizeof *s->bias);
	return s->bias != NULL;
}

brise_status job_new(job **out, const job_plan *plan, brise_error *err)
{
	job *j = memory_new(1, sizeof *j);
	void *room;

	*out = j;
	if (!j)
		return error_set(err, BRISE_ENOMEM, "no memory for another job");
	j->plan = *plan;
	j->plan.prompt = memory_copy(plan->prompt, plan->n * sizeof *plan->prompt);
	j->last = job_new_note(j, JOB_DONE, 0, &room);
	if (j->plan.prompt && j->last && copy_sampling(j, plan->sampling) && copy_stops(j, plan))
		return BRISE_OK;
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
