/* slices.h - runs work in slices on all threads, with one place for failures, progress and
 * cancellation */
#ifndef CONVERT_SLICES_H
#define CONVERT_SLICES_H

#include "runtime/os/threads.h"

typedef struct slices {
	size_t n;
	unsigned threads; /* 1..THREADS_MAX */

	/* Does slice `index`; worker in [0, threads). Called from any thread, in no order. */
	brise_status (*work)(void *self, unsigned worker, size_t index, brise_error *err);

	/* Called now and then, only on the caller's thread: the place for callbacks. A failure ends
	 * the work. */
	brise_status (*tell)(void *self, size_t index, brise_error *err);
	void *self;
} slices;

/* Returns when all slices are done, or after the first failures: *err is then that of the lowest
 * worker. Errors: those of work and tell; BRISE_ENOMEM, BRISE_EIO no threads. */
brise_status slices_run(const slices *job, brise_error *err);

/* The same on threads that are there already, as many as they are; job->threads is at least as
 * many. */
brise_status slices_run_on(const slices *job, pool *threads, brise_error *err);

#endif
