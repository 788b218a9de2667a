/* pieces.c - see pieces.h */
#include "convert/pieces.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/error.h"

typedef struct run {
	const pieces *job;
	atomic_bool stopped;
	brise_status *statuses; /* first failure of each worker */
	brise_error *errors;
} run;

static void run_some(void *all, unsigned worker, size_t first, size_t end)
{
	run *r = all;
	const pieces *job = r->job;

	for (; first < end && !atomic_load(&r->stopped); first++) {
		brise_status status = job->work(job->self, worker, first, &r->errors[worker]);

		if (status == BRISE_OK && worker == 0)
			status = job->tell(job->self, first, &r->errors[0]);
		if (status != BRISE_OK) {
			r->statuses[worker] = status;
			atomic_store(&r->stopped, true);
		}
	}
}

brise_status pieces_run(const pieces *job, brise_error *err)
{
	run r = { .job = job };
	pool *workers = NULL;
	brise_status status;
	unsigned i;

	atomic_init(&r.stopped, false);
	r.statuses = calloc(job->threads, sizeof *r.statuses);
	r.errors = calloc(job->threads, sizeof *r.errors);
	if (!r.statuses || !r.errors)
		status = error_set(err, BRISE_ENOMEM, "no memory for %u threads", job->threads);
	else
		status = pool_new(&workers, job->threads, err);
	if (status != BRISE_OK)
		goto done;
	pool_run(workers, run_some, &r, job->n, 1);
	for (i = 0; i < job->threads && status == BRISE_OK; i++)
		if ((status = r.statuses[i]) != BRISE_OK && err)
			*err = r.errors[i];
done:
	pool_free(workers);
	free(r.statuses);
	free(r.errors);
	return status;
}
