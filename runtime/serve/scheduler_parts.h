/* scheduler_parts.h - what the two threads of a scheduler share, and what belongs to which */
#ifndef SERVE_SCHEDULER_PARTS_H
#define SERVE_SCHEDULER_PARTS_H

#include "runtime/os/event.h"
#include "runtime/os/os.h"
#include "runtime/serve/job_queue.h"
#include "runtime/serve/place.h"

#define SCHEDULER_MOST_PLACES 256u

struct scheduler {
	/* Constant once made. */
	const brise_model *model;
	scheduler_options o;  /* defaults filled in */
	uint64_t most_prompt; /* tokens of a prompt; 0: any number */
	os_monitor *monitor;
	os_event wake;
	os_thread *thread;
	drafter_force_fn *force; /* drafts of another origin, for tests, set before the first job */

	/* Under the monitor's lock. */
	bool stops;
	scheduler_state state;
	brise_error error; /* of SCHEDULER_FAILED */
	job_queue queue;
	job_notes notes;
	job *over; /* to be freed by the thread of control */
	uint64_t n_jobs;
	scheduler_figures figures;
	place_facts *facts; /* [places] */

	/* The evaluation thread's. */
	brise_model *own;     /* opened from o.path; NULL: not loaded, or without a path */
	brise_engine *engine; /* NULL: not loaded */
	place_set set;
	keeper keeper;       /* its thread ends before the evaluation thread does */
	owner_caches caches; /* the keeper's while it runs */
	brise_row *rows;     /* [engine's rows] */
	uint32_t *row_place; /* [engine's rows] which place */
	uint32_t n_rows;
	bool has_prompts;   /* in the pass */
	uint32_t n_between; /* rows of prompts in a pass with rows of those that draw */
	uint32_t first;     /* place that is first in the next pass */
	double evaluated;   /* os_clock when the pass had its first logits */
	double last_job;    /* os_clock when a job ended last */
};

/* A drawing_post_fn of the scheduler: queues an event, unless its job has been cancelled. */
void scheduler_post(void *scheduler, job_note *note);

/* The job of a place is over: its last event, with an error or, without, as the drawing says. */
void scheduler_end_job(scheduler *s, place *p, brise_status status, const brise_error *error);

/* One pass over the weights for the jobs in places, of which there are some. */
void scheduler_run_pass(scheduler *s);

/* The evaluation thread; argument: the scheduler. */
void scheduler_run(void *argument);

/* Loads and gives back what evaluation needs. */
brise_status scheduler_load(scheduler *s, brise_error *err);
void scheduler_unload(scheduler *s);

#endif
