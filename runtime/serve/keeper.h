/* keeper.h - a thread that puts texts on disk and looks for them there, so that those who draw do
 * not wait for a disk
 *
 * There is a task for each place. While it is asked for and not collected, the sequence and the
 * tokens it was given are not changed by others; they may be read. keeper_open and keeper_close are
 * for the thread of control, the rest for the evaluation thread.
 */
#ifndef SERVE_KEEPER_H
#define SERVE_KEEPER_H

#include "runtime/os/os.h"
#include "runtime/serve/owner_caches.h"

typedef enum keeper_stage { KEEPER_RESTS, KEEPER_ASKED, KEEPER_WORKS, KEEPER_DONE } keeper_stage;

typedef struct keeper_task {
	/* What is asked, constant until it is done. */
	bool seeks; /* a text; otherwise it saves one */
	size_t key; /* whose */
	const brise_sequence *sequence;
	const int32_t *tokens; /* [n] */
	size_t n;
	size_t least; /* seeks: a text that shares more */
	const brise_model *model;
	const brise_sequence_options *options;
	/* The result: of a search, to be freed by who collects it. */
	brise_sequence *found; /* NULL: none */
	int32_t *held;         /* [n_held] */
	size_t n_held;
	bool was_cancelled; /* nothing was saved */
	/* Under the lock. */
	keeper_stage stage;
	uint64_t number; /* in order of asking */
	bool is_cancelled;
} keeper_task;

typedef struct keeper {
	os_monitor *monitor; /* whose waiters are woken when a task is done */
	owner_caches *caches;
	os_thread *thread;
	keeper_task *tasks; /* [n] */
	uint32_t n;
	uint64_t count;
	bool stops;
	/* Called by the thread before each task, for tests; set before the first job. NULL: not. */
	void (*before)(void *user, const keeper_task *t);
	void *user;
} keeper;

/* Starts the thread. What it points to outlives it. Errors: BRISE_ENOMEM, BRISE_EIO. */
brise_status keeper_open(keeper *k, uint32_t n, os_monitor *monitor, owner_caches *caches,
                         brise_error *err);

/* Ends the thread, when it has done the task that it is working on; others are not begun. */
void keeper_stop(keeper *k);

/* The same, if need be, and frees what was found and not collected. All zero is allowed. */
void keeper_close(keeper *k);

/* Begins a task, whose request has been filled in. */
void keeper_ask(keeper *k, keeper_task *t);

/* Gives up saving a text, soon. */
void keeper_cancel(keeper *k, keeper_task *t);

/* Whether a task that was asked for is done; then it rests. */
bool keeper_collect(keeper *k, keeper_task *t);

/* Locked: whether there is a task to collect. */
bool keeper_has_done(const keeper *k);

#endif
