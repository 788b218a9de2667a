/* slices.c - see slices.h */
#include "convert/slices.h"

#include <stdatomic.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

typedef struct run {
	const slices *job;
	atomic_bool stopped;
	brise_status *statuses; /* first failure of each worker */
	brise_error *errors;
} run;

static void run_some(void *all, unsigned worker, size_t first, size_t end)
{
	run *r = all;
	const slices *job = r->job;

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

brise_status slices_run_on(const slices *job, pool *threads, brise_error *err)
{
	run r = { .job = job };
	unsigned n = pool_threads(threads), i;
	brise_status status = BRISE_OK;

	atomic_init(&r.stopped, false);
	r.statuses = memory_new(n, sizeof *r.statuses);
	r.errors = memory_new(n, sizeof *r.errors);
	if (!r.statuses || !r.errors) {
		status = error_set(err, BRISE_ENOMEM, "no memory for %u threads", n);
		goto done;
	}
	pool_run(threads, run_some, &r, job->n, 1);
	for (i = 0; i < n && status == BRISE_OK; i++)
		if ((status = r.statuses[i]) != BRISE_OK && err)
			*err = r.errors[i];
done:
	memory_free(r.statuses);
	memory_free(r.errors);
	return status;
}

brise_status slices_run(const slices *job, brise_error *err)
{
	pool *threads;
	brise_status status = pool_new(&threads, job->threads, err);

	if (status == BRISE_OK)
		status = slices_run_on(job, threads, err);
	pool_free(threads);
	return status;
}
