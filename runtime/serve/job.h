/* job.h - a submitted job, and the events on their way to the thread of control */
#ifndef SERVE_JOB_H
#define SERVE_JOB_H

#include "runtime/serve/scheduler.h"

/* An event with copies of all it points to. */
typedef struct job_note {
	struct job_note *next;
	job *job;
	job_event event;
	brise_error error; /* JOB_FAILED: event.error is this */
} job_note;

typedef enum job_stage {
	JOB_WAITS,   /* in the queue */
	JOB_RUNS,    /* the evaluation thread has it */
	JOB_IS_OVER, /* its last event has been posted */
	JOB_IS_FREE  /* the evaluation thread is done with a cancelled one */
} job_stage;

/* Copies of what a plan points to, which jobs of one request share: it may be megabytes. Counted in
 * the thread of control alone. */
typedef struct job_texts {
	size_t users; /* jobs */
	int32_t *prompt;
	brise_logit_bias *bias; /* NULL: none */
	char **stops;           /* [n_stops] */
	size_t n_stops;
} job_texts;

struct job {
	scheduler *s;
	job *next; /* in the queue, or of those to be freed */
	uint64_t number;
	job_plan plan; /* prompt and stops are those of texts */
	brise_sampling sampling;
	job_texts *texts;
	job_event_fn *each;
	void *user;
	double submitted; /* os_clock */
	job_note *last;   /* for the last event, so that it needs no memory; NULL: used */
	/* Under the scheduler's lock. */
	struct job_party *party; /* runtime/serve/job_queue.h; NULL: it neither waits nor runs */
	job_stage stage;
	bool is_cancelled;
	bool is_ending; /* the function is being called with the last event */
};

/* Copies a plan. Errors: BRISE_ENOMEM. */
brise_status job_new(job **out, const job_plan *plan, brise_error *err);

/* Frees it and calls the plan's release. */
void job_free(job *j);

/* A note with room for `bytes` behind it, at *room, aligned for floats and pointers. NULL: no
 * memory. */
job_note *job_new_note(job *j, job_event_kind kind, size_t bytes, void **room);

/* Events that wait for delivery, in order. */
typedef struct job_notes {
	job_note *first, **end;
} job_notes;

void job_notes_open(job_notes *notes);
void job_notes_add(job_notes *notes, job_note *note);
job_note *job_notes_take(job_notes *notes);          /* NULL: none */
void job_notes_drop(job_notes *notes, const job *j); /* frees those of a job */

#endif
