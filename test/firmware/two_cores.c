/* two_cores.c - a board of two cores for the library for none: threads and clock are this system's,
 * memory is not the library's */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/os/cores.h"
#include "runtime/os/os.h"

struct os_thread {
	pthread_t handle;
	os_thread_fn *run;
	void *argument;
};

struct os_monitor {
	pthread_mutex_t mutex;
	pthread_cond_t condition;
};

void cores_read(cores_facts *facts, const char *root)
{
	(void)root;
	*facts = (cores_facts){ .allowed = 2, .physical = 2, .fast = 2, .chosen = 2 };
}

static void *run_thread(void *argument)
{
	os_thread *thread = argument;

	thread->run(thread->argument);
	return NULL;
}

os_thread *os_start_thread(os_thread_fn *run, void *argument)
{
	os_thread *thread = malloc(sizeof *thread);

	if (!thread)
		return NULL;
	*thread = (os_thread){ .run = run, .argument = argument };
	if (pthread_create(&thread->handle, NULL, run_thread, thread) == 0)
		return thread;
	free(thread);
	return NULL;
}

void os_join_thread(os_thread *thread)
{
	(void)pthread_join(thread->handle, NULL);
	free(thread);
}

void os_yield(void)
{
	(void)sched_yield();
}

os_monitor *os_new_monitor(void)
{
	os_monitor *monitor = malloc(sizeof *monitor);

	if (!monitor)
		return NULL;
	(void)pthread_mutex_init(&monitor->mutex, NULL);
	(void)pthread_cond_init(&monitor->condition, NULL);
	return monitor;
}

void os_free_monitor(os_monitor *monitor)
{
	(void)pthread_cond_destroy(&monitor->condition);
	(void)pthread_mutex_destroy(&monitor->mutex);
	free(monitor);
}

void os_lock(os_monitor *monitor)
{
	(void)pthread_mutex_lock(&monitor->mutex);
}

void os_unlock(os_monitor *monitor)
{
	(void)pthread_mutex_unlock(&monitor->mutex);
}

void os_wait(os_monitor *monitor)
{
	(void)pthread_cond_wait(&monitor->condition, &monitor->mutex);
}

void os_wake_all(os_monitor *monitor)
{
	os_lock(monitor);
	(void)pthread_cond_broadcast(&monitor->condition);
	os_unlock(monitor);
}

int64_t os_clock_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
