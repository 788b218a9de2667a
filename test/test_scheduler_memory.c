/* test_scheduler_memory.c - a scheduler survives that memory cannot be had: every job ends, with a
 * text that is right or an error, and nothing is lost */
#include "runtime/serve/scheduler.h"

#include <poll.h>

#include "runtime/os/os.h"
#include "test/check.h"
#include "test/failing_heap.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define JOBS   4u
#define PROMPT 40u
#define MOST   1500 /* requests for memory that are tried */

static char folder[400], path[512];

typedef struct ending {
	bool is_over, has_failed;
	uint64_t n_tokens;
	unsigned n_released;
} ending;

static void take(void *user, const job_event *event)
{
	ending *e = user;

	e->is_over |= event->kind == JOB_DONE || event->kind == JOB_FAILED;
	e->has_failed |= event->kind == JOB_FAILED;
	if (event->kind == JOB_DONE)
		e->n_tokens = event->n_tokens;
}

static void release(void *held)
{
	((ending *)held)->n_released++;
}

/* Submits jobs of all kinds. Returns how many were not as they should be; *clean: no request
 * failed. */
static unsigned serve(const brise_model *model, const int32_t *prompt, const char *cache,
                      bool *clean)
{
	static const char *const texts[] = { "a", "b" };
	scheduler_options o = { .places = 2,
		                .path = path,
		                .has_drafts = true,
		                .cache = cache,
		                .cache_bytes = (uint64_t)1 << 30 };
	ending ends[JOBS] = { { .is_over = false } };
	bool submitted[JOBS] = { false };
	unsigned wrong = 0, left;
	scheduler *s = NULL;
	double end;
	size_t i;

	*clean = false;
	if (scheduler_new(&s, model, &o, NULL) != BRISE_OK)
		return s != NULL;
	*clean = true;
	for (i = 0; i < JOBS; i++) {
		job_plan plan = { .prompt = prompt,
			          .n = PROMPT,
			          .limit = 6,
			          .stops = texts,
			          .n_stops = 2,
			          .grammar_after = -1,
			          .has_logprobs = true,
			          .n_top = 3,
			          .keeps = true,
			          .ignores_ends = true,
			          .embeds = i == 3,
			          .release = release,
			          .held = &ends[i] };
		job *j;

		submitted[i] = scheduler_submit(s, &j, &plan, take, &ends[i], NULL) == BRISE_OK;
		*clean &= submitted[i];
		ends[i].is_over = !submitted[i];
	}
	end = os_clock() + 20;
	do {
		struct pollfd wake = { .fd = scheduler_wake(s), .events = POLLIN };

		(void)poll(&wake, 1, 20);
		scheduler_deliver(s);
		for (i = left = 0; i < JOBS; i++)
			left += !ends[i].is_over;
	} while (left > 0 && os_clock() < end);
	wrong += left;
	scheduler_free(s);
	for (i = 0; i < JOBS; i++) {
		*clean &= !ends[i].has_failed;
		wrong += ends[i].n_released != submitted[i];
		wrong +=
		        submitted[i] && !ends[i].has_failed && ends[i].n_tokens != (i == 3 ? 0 : 6);
	}
	return wrong;
}

/* With a prompt cache, or NULL. */
static void fail_every_request(check_counts *counts, uint32_t type, const char *cache)
{
	brise_model *model;
	int32_t prompt[PROMPT];
	unsigned wrong = 0, failures = 0;
	long n, before;
	bool clean;

	small_write(&small_open, type, path);
	small_tokens(prompt, PROMPT, small_open.vocab, 3);
	if (brise_open_model(&model, path, NULL, NULL) != BRISE_OK)
		return;
	for (n = 1; n <= MOST; n++) {
		before = atomic_load(&in_use);
		atomic_store(&requests, 0);
		atomic_store(&fail_at, n);
		wrong += serve(model, prompt, cache, &clean);
		failures += !clean;
		atomic_store(&fail_at, 0);
		CHECK(counts, atomic_load(&in_use) == before, "request %ld: %ld left", n,
		      atomic_load(&in_use) - before);
		if (atomic_load(&requests) < n)
			break;
	}
	CHECK(counts, wrong == 0 && failures > 40 && n > 60 && n < MOST,
	      "%u wrong, %u failures, %ld requests", wrong, failures, n);
	brise_close_model(model);
}

/* The 64 answers of one request must not take 64 times its megabytes. */
static void test_jobs_of_one_request_share_copies(check_counts *counts)
{
	enum { ANSWERS = 16, LONG = 1 << 20 };
	scheduler_options o = { .places = 1, .queue = ANSWERS };
	ending ends[ANSWERS] = { { .is_over = false } };
	job *jobs[ANSWERS] = { NULL };
	char *stop = calloc(1, LONG);
	const char *const texts[] = { stop };
	job_plan plan = { .n = PROMPT, .limit = 2, .stops = texts, .n_stops = 1 };
	int32_t prompt[PROMPT];
	brise_model *model;
	scheduler *s = NULL;
	double end = os_clock() + 20;
	size_t i, before, done = 0;

	small_tokens(prompt, PROMPT, small_open.vocab, 3);
	if (!stop || brise_open_model(&model, path, NULL, NULL) != BRISE_OK)
		return;
	memset(stop, 'a', LONG - 1);
	plan.prompt = prompt;
	plan.grammar_after = -1;
	plan.release = release;
	if (scheduler_new(&s, model, &o, NULL) != BRISE_OK)
		return;
	before = atomic_load(&bytes_asked);
	for (i = 0; i < ANSWERS; i++) {
		plan.held = &ends[i];
		plan.like = i > 0 ? jobs[0] : NULL;
		CHECK(counts,
		      scheduler_submit(s, &jobs[i], &plan, take, &ends[i], NULL) == BRISE_OK,
		      "job %zu", i);
	}
	CHECK(counts, atomic_load(&bytes_asked) - before < 4 * LONG, "%zu bytes",
	      atomic_load(&bytes_asked) - before);
	memset(stop, 'b', LONG - 1); /* the jobs have their own */
	scheduler_cancel(jobs[0]);
	while (done + 1 < ANSWERS && os_clock() < end) {
		struct pollfd wake = { .fd = scheduler_wake(s), .events = POLLIN };

		(void)poll(&wake, 1, 20);
		scheduler_deliver(s);
		for (i = 1, done = 0; i < ANSWERS; i++)
			done += ends[i].is_over && !ends[i].has_failed && ends[i].n_released == 1;
	}
	CHECK(counts, done + 1 == ANSWERS, "%zu are over", done);
	scheduler_free(s);
	CHECK(counts, ends[0].n_released == 1, "released %u times", ends[0].n_released);
	brise_close_model(model);
	free(stop);
}

static void test_every_request_for_memory_may_fail(check_counts *counts, uint32_t type)
{
	fail_every_request(counts, type, NULL);
}

/* The second of two with the same text finds it on disk, or what has been written of it. */
static void test_every_request_may_fail_with_a_cache(check_counts *counts, uint32_t type)
{
	char cache[512], command[600];

	(void)snprintf(cache, sizeof cache, "%s/cache", folder);
	fail_every_request(counts, type, cache);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", cache);
	if (system(command) != 0)
		perror(command);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	uint32_t type = 0;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	while ((type = next_book_type(type)) != 0) {
		RUN(test_every_request_for_memory_may_fail(&counts, type));
		RUN(test_jobs_of_one_request_share_copies(&counts));
		RUN(test_every_request_may_fail_with_a_cache(&counts, type));
	}
	return check_report("scheduler_memory", &counts);
}
