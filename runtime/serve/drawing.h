/* drawing.h - the answer of a job, drawn token by token: logits in, events out
 *
 * What it gives out follows from the job and the logits alone.
 */
#ifndef SERVE_DRAWING_H
#define SERVE_DRAWING_H

#include "runtime/generate.h"
#include "runtime/serve/constraint.h"
#include "runtime/serve/job.h"
#include "runtime/serve/stops.h"

/* Hands a note on; it is the receiver's. */
typedef void drawing_post_fn(void *user, job_note *note);

typedef struct drawing {
	job *job;
	const brise_model *model;
	drawing_post_fn *post;
	void *user;
	generation g;
	brise_answer *reader; /* NULL: plain text by g.decoder */
	constraint constraint;
	stops stops;
	uint64_t text_in, text_out; /* bytes of text that came, and that were given out */
	job_notes held;             /* JOB_TOKEN notes whose text is held back */
	size_t n_calls;
	job_reason reason;
	size_t stop;   /* of JOB_STOPPED */
	bool is_over;  /* `reason` says why, or `status` is an error */
	bool is_cut;   /* a call is not whole */
	int32_t token; /* the last drawn */
	brise_status status;
	brise_error error;
} drawing;

/* Errors: BRISE_EINVAL a setting of the job, BRISE_ENOMEM. Needs closing in any case. */
brise_status drawing_open(drawing *d, job *j, const brise_model *model, drawing_post_fn *post,
                          void *user, brise_error *err);
void drawing_close(drawing *d);

/* Draws a token from logits [vocab]. d->token is it unless d->is_over; after a limit, a stop text
 * or a grammar's end it is it nevertheless. Errors are in d->status. */
void drawing_next(drawing *d, const float *logits);

/* The answer ends, for `reason`, unless it is over: gives out what is held back. */
void drawing_finish(drawing *d, job_reason reason);

#endif
