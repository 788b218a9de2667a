/* worker.h - a thread for what would keep the thread of control from its sockets: tasks one after
 * another
 *
 * All functions are for the thread of control. The thread is started with the first task.
 */
#ifndef SERVE_WORKER_H
#define SERVE_WORKER_H

#include "runtime/brise.h"

/* Part of what the task works on, which the caller frees in `done`. */
typedef struct worker_task {
	struct worker_task *next;
	void (*run)(struct worker_task *t);  /* in the thread */
	void (*done)(struct worker_task *t); /* afterwards, from worker_deliver */
} worker_task;

typedef struct worker worker;

/* Errors: BRISE_ENOMEM, BRISE_EIO; *out is NULL then. */
brise_status worker_new(worker **out, brise_error *err);

/* Waits for the task that is being worked on, and calls `done` of all that are left, of which some
 * were not run. NULL is allowed. */
void worker_free(worker *w);

/* False: there is no thread; nothing will be called. */
bool worker_ask(worker *w, worker_task *t);

/* True: it has not been run and will not be; nothing will be called. */
bool worker_drop(worker *w, const worker_task *t);

/* A descriptor that is readable while there are tasks to deliver. */
int worker_wake(const worker *w);
void worker_deliver(worker *w);

#endif
