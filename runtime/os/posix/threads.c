/* threads.c - threads and waiting with POSIX threads */
#include "runtime/os/os.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "runtime/os/memory.h"

struct os_thread {
	pthread_t handle;
	pid_t process; /* that started it */
	os_thread_fn *run;
	void *argument;
};

struct os_monitor {
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	pid_t process;
};

static void *thread_main(void *argument)
{
	os_thread *thread = argument;

	thread->run(thread->argument);
	return NULL;
}

/* Signals are for the program's own threads. Those that a thread's own fault raises must not be
 * blocked: the kernel would end the process instead of calling the handler. */
static int start_without_signals(os_thread *thread)
{
	static const int faults[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t blocked, before;
	size_t i;
	int failed;

	(void)sigfillset(&blocked);
	for (i = 0; i < sizeof faults / sizeof *faults; i++)
		(void)sigdelset(&blocked, faults[i]);
	(void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
	failed = pthread_create(&thread->handle, NULL, thread_main, thread);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

os_thread *os_start_thread(os_thread_fn *run, void *argument)
{
	os_thread *thread = memory_new(1, sizeof *thread);
	int failed;

	if (!thread) {
		errno = ENOMEM;
		return NULL;
	}
	thread->process = getpid();
	thread->run = run;
	thread->argument = argument;
	failed = start_without_signals(thread);
	if (failed) {
		memory_free(thread);
		errno = failed;
		return NULL;
	}
	return thread;
}

void os_join_thread(os_thread *thread)
{
	if (thread->process == getpid())
		(void)pthread_join(thread->handle, NULL);
	memory_free(thread);
}

void os_yield(void)
{
	(void)sched_yield();
}

os_monitor *os_new_monitor(void)
{
	os_monitor *monitor = memory_new(1, sizeof *monitor);

	if (!monitor)
		return NULL;
	monitor->process = getpid();
	if (pthread_mutex_init(&monitor->mutex, NULL) != 0) {
		memory_free(monitor);
		return NULL;
	}
	if (pthread_cond_init(&monitor->condition, NULL) != 0) {
		(void)pthread_mutex_destroy(&monitor->mutex);
		memory_free(monitor);
		return NULL;
	}
	return monitor;
}

void os_free_monitor(os_monitor *monitor)
{
	if (monitor && monitor->process == getpid()) {
		(void)pthread_cond_destroy(&monitor->condition);
		(void)pthread_mutex_destroy(&monitor->mutex);
	}
	memory_free(monitor);
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

/* On the clock of the wall, which every system's condition variables take: when it is set, waiting
 * ends early or late once. */
void os_wait_for(os_monitor *monitor, double seconds)
{
	const double most = 1e8; /* three years */
	struct timespec end;

	seconds = seconds > 0 ? seconds < most ? seconds : most : 0;
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += (time_t)seconds;
	end.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&monitor->condition, &monitor->mutex, &end);
}

void os_wake_all(os_monitor *monitor)
{
	if (monitor->process != getpid())
		return;
	(void)pthread_mutex_lock(&monitor->mutex);
	(void)pthread_cond_broadcast(&monitor->condition);
	(void)pthread_mutex_unlock(&monitor->mutex);
}
