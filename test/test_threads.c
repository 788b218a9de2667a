/* test_threads.c - the pool under load: far more threads than cores, cores removed while it runs,
 * loops shorter than the pool
 *
 * Every item must be worked on exactly once, and the calls must return: a lost wake-up hangs the
 * test.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/os/threads.h"
#include "test/check.h"

#define ITEMS_MAX 4096u

typedef struct counted_job {
	/* each item belongs to one worker: no two write the same byte, unless the pool is wrong */
	unsigned char times[ITEMS_MAX];
	atomic_uint wrong_workers;
	unsigned threads;
} counted_job;

static void count_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	counted_job *job = argument;

	if (worker >= job->threads)
		atomic_fetch_add(&job->wrong_workers, 1);
	for (; first < end; first++)
		job->times[first]++;
}

/* How many of `loops` loops did not do each item once. */
static unsigned run_loops(pool *p, counted_job *job, unsigned loops, size_t items, size_t grain)
{
	unsigned loop, wrong = 0;
	size_t i;

	for (loop = 0; loop < loops; loop++) {
		bool once = true;

		memset(job->times, 0, sizeof job->times);
		pool_run(p, count_piece, job, items, grain);
		for (i = 0; i < ITEMS_MAX; i++)
			once = once && job->times[i] == (i < items);
		wrong += !once;
	}
	return wrong;
}

static void test_items_are_done_once_by_any_number_of_threads(check_counts *counts)
{
	static const unsigned threads[] = { 1, 2, 3, 8, 64 };
	static const size_t items[] = { 0, 1, 2, 7, 63, 64, 65, 1000, ITEMS_MAX };
	unsigned t, i, grain;

	for (t = 0; t < sizeof threads / sizeof *threads; t++) {
		counted_job job = { .threads = threads[t] };
		brise_error err;
		pool *p;

		if (pool_new(&p, threads[t], &err) != BRISE_OK) {
			CHECK(counts, false, "%s", err.message);
			continue;
		}
		for (i = 0; i < sizeof items / sizeof *items; i++)
			for (grain = 0; grain < 10; grain += 3) {
				unsigned wrong = run_loops(p, &job, 40, items[i], grain);

				CHECK(counts, wrong == 0 && atomic_load(&job.wrong_workers) == 0,
				      "%u threads, %zu items by %u: %u of 40 loops wrong",
				      threads[t], items[i], grain, wrong);
			}
		pool_free(p);
	}
}

/* Restricts the process to one core and back to all, repeatedly. */
typedef struct thief {
	pthread_t victim;
	cpu_set_t all;
	atomic_bool stop;
	unsigned thefts;
} thief;

static void *steal_cores(void *argument)
{
	thief *t = argument;
	unsigned cpu = 0;

	while (!atomic_load(&t->stop)) {
		cpu_set_t one;

		CPU_ZERO(&one);
		while (!CPU_ISSET(cpu % CPU_SETSIZE, &t->all))
			cpu++;
		CPU_SET(cpu++ % CPU_SETSIZE, &one);
		(void)pthread_setaffinity_np(t->victim, sizeof one, &one);
		sched_yield();
		(void)pthread_setaffinity_np(t->victim, sizeof t->all, &t->all);
		t->thefts++;
	}
	return NULL;
}

static void test_cores_may_come_and_go(check_counts *counts)
{
	counted_job job = { .threads = 4 };
	thief t = { .victim = pthread_self(), .thefts = 0 };
	unsigned wrong;
	brise_error err;
	pthread_t thread;
	pool *p;

	CPU_ZERO(&t.all);
	if (sched_getaffinity(0, sizeof t.all, &t.all) != 0 || pool_new(&p, 4, &err) != BRISE_OK) {
		check_skip(counts, "cores may come and go", "no affinity here");
		return;
	}
	if (pthread_create(&thread, NULL, steal_cores, &t) != 0) {
		check_skip(counts, "cores may come and go", "no thread to take them");
		pool_free(p);
		return;
	}
	wrong = run_loops(p, &job, 400, 500, 3);
	atomic_store(&t.stop, true);
	pthread_join(thread, NULL);
	CHECK(counts, wrong == 0, "%u of 400 loops wrong while cores went %u times", wrong,
	      t.thefts);
	pool_free(p);
}

/* A pool made where only one core is allowed, and used after all are. */
static void test_a_pool_born_on_one_core_works(check_counts *counts)
{
	counted_job job = { .threads = 8 };
	cpu_set_t all, one;
	unsigned cpu = 0, before, after;
	brise_error err;
	pool *p;

	CPU_ZERO(&all);
	if (sched_getaffinity(0, sizeof all, &all) != 0) {
		check_skip(counts, "a pool born on one core", "no affinity here");
		return;
	}
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof one, &one);
	CHECK(counts, threads_available() == 1, "one core allowed, %u threads chosen",
	      threads_available());
	if (pool_new(&p, 8, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	before = run_loops(p, &job, 100, 300, 1);
	(void)sched_setaffinity(0, sizeof all, &all);
	after = run_loops(p, &job, 100, 300, 1);
	CHECK(counts, before == 0 && after == 0, "%u and %u of 100 loops wrong", before, after);
	pool_free(p);
}

/* Idle workers sleep after a moment: they must wake for the next loop, and for the end. */
static void test_sleepers_wake(check_counts *counts)
{
	counted_job job = { .threads = 8 };
	unsigned round, wrong = 0;
	brise_error err;
	pool *p;

	for (round = 0; round < 20; round++) {
		struct timespec nap = { 0, 2000000 };

		if (pool_new(&p, 8, &err) != BRISE_OK) {
			CHECK(counts, false, "%s", err.message);
			return;
		}
		(void)nanosleep(&nap, NULL);
		wrong += run_loops(p, &job, 2, 100, 1);
		if (round % 2)
			(void)nanosleep(&nap, NULL);
		pool_free(p);
	}
	CHECK(counts, wrong == 0, "%u loops wrong", wrong);
}

/* Runs check in a child process and returns how it ended: 0 is success, 14 the alarm. */
static int run_in_child(int (*check)(void *), void *argument)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		(void)alarm(20);
		_exit(check(argument));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Address space for some stacks of threads, not for all. */
static int use_starved_pool(void *argument)
{
	struct rlimit limit = { (rlim_t)200 << 20, (rlim_t)200 << 20 };
	counted_job job = { .threads = 64 };
	brise_error err;
	pool *p;

	(void)argument;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		return 1;
	if (pool_new(&p, 64, &err) != BRISE_OK)
		return 2;
	if (pool_threads(p) >= 64)
		return 3;
	if (run_loops(p, &job, 40, 1000, 1) != 0 || run_loops(p, &job, 40, 7, 1) != 0)
		return 4;
	pool_free(p);
	return 0;
}

static void test_a_pool_goes_on_with_the_threads_that_started(check_counts *counts)
{
	if (SANITIZED) {
		check_skip(counts, "threads that do not start", "sanitizers need all addresses");
		return;
	}
	CHECK(counts, run_in_child(use_starved_pool, NULL) == 0,
	      "loops with fewer threads than wanted");
}

static int use_inherited_pool(void *argument)
{
	counted_job job = { .threads = 8 };

	if (run_loops(argument, &job, 40, 1000, 1) != 0)
		return 1;
	pool_free(argument);
	return 0;
}

static int free_inherited_pool(void *argument)
{
	pool_free(argument);
	return 0;
}

/* Right after a loop the workers spin, a moment later they begin to sleep, then they sleep: the
 * fork happens in all three states. */
static void test_the_child_of_a_fork_works_alone_and_frees(check_counts *counts)
{
	counted_job job = { .threads = 8 };
	unsigned round, wrong = 0, failed = 0;
	brise_error err;
	pool *p;

	if (pool_new(&p, 8, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	for (round = 0; round < 60; round++) {
		struct timespec nap = { 0, (long)(round % 20) * 20000 };

		wrong += run_loops(p, &job, 2, 100, 1);
		(void)nanosleep(&nap, NULL);
		failed +=
		        run_in_child(round % 2 ? use_inherited_pool : free_inherited_pool, p) != 0;
		wrong += run_loops(p, &job, 2, 100, 1);
	}
	CHECK(counts, failed == 0, "%u of 60 children failed or hung", failed);
	CHECK(counts, wrong == 0, "%u loops of the parent wrong", wrong);
	pool_free(p);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_items_are_done_once_by_any_number_of_threads(&counts));
	RUN(test_cores_may_come_and_go(&counts));
	RUN(test_a_pool_born_on_one_core_works(&counts));
	RUN(test_sleepers_wake(&counts));
	RUN(test_a_pool_goes_on_with_the_threads_that_started(&counts));
	RUN(test_the_child_of_a_fork_works_alone_and_frees(&counts));
	return check_report("threads", &counts);
}
