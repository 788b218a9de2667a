/* worker.c - see worker.h */
#include "runtime/serve/worker.h"

#include "runtime/error.h"
#include "runtime/os/event.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

typedef struct task_list {
	worker_task *first, **end;
} task_list;

struct worker {
	os_monitor *monitor;
	os_thread *thread; /* NULL: not started */
	os_event wake;
	/* Under the lock. */
	task_list asked, finished;
	bool stops;
};

static void add(task_list *l, worker_task *t)
{
	t->next = NULL;
	*l->end = t;
	l->end = &t->next;
}

static worker_task *take(task_list *l)
{
	worker_task *t = l->first;

	if (t && !(l->first = t->next))
		l->end = &l->first;
	return t;
}

static void run(void *argument)
{
	worker *w = argument;
	worker_task *t;

	os_lock(w->monitor);
	while (!w->stops) {
		if (!(t = take(&w->asked))) {
			os_wait(w->monitor);
			continue;
		}
		os_unlock(w->monitor);
		t->run(t);
		os_lock(w->monitor);
		add(&w->finished, t);
		os_set_event(&w->wake);
	}
	os_unlock(w->monitor);
}

brise_status worker_new(worker **out, brise_error *err)
{
	worker *w = memory_new(1, sizeof *w);

	*out = NULL;
	if (!w)
		return error_set(err, BRISE_ENOMEM, "no memory for a worker");
	w->wake = (os_event){ -1, -1 };
	w->asked.end = &w->asked.first;
	w->finished.end = &w->finished.first;
	if (!(w->monitor = os_new_monitor())) {
		worker_free(w);
		return error_set(err, BRISE_ENOMEM, "no memory for a worker");
	}
	if (!os_open_event(&w->wake)) {
		worker_free(w);
		return error_errno(err, "no pipe for a worker");
	}
	*out = w;
	return BRISE_OK;
}

void worker_free(worker *w)
{
	worker_task *t;

	if (!w)
		return;
	if (w->thread) {
		os_lock(w->monitor);
		w->stops = true;
		os_unlock(w->monitor);
		os_wake_all(w->monitor);
		os_join_thread(w->thread);
	}
	while ((t = take(&w->finished)) || (t = take(&w->asked)))
		t->done(t);
	os_close_event(&w->wake);
	os_free_monitor(w->monitor);
	memory_free(w);
}

bool worker_ask(worker *w, worker_task *t)
{
	if (!w->thread && !(w->thread = os_start_thread(run, w)))
		return false;
	os_lock(w->monitor);
	add(&w->asked, t);
	os_unlock(w->monitor);
	os_wake_all(w->monitor);
	return true;
}

bool worker_drop(worker *w, const worker_task *t)
{
	worker_task **link;
	bool found;

	os_lock(w->monitor);
	for (link = &w->asked.first; *link && *link != t; link = &(*link)->next)
		;
	if ((found = *link != NULL) && !(*link = t->next))
		w->asked.end = link;
	os_unlock(w->monitor);
	return found;
}

int worker_wake(const worker *w)
{
	return w->wake.read;
}

void worker_deliver(worker *w)
{
	worker_task *t;

	os_clear_event(&w->wake);
	do {
		os_lock(w->monitor);
		t = take(&w->finished);
		os_unlock(w->monitor);
		if (t)
			t->done(t);
	} while (t);
}
