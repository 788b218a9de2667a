/* aside.c - see aside.h */
#include "runtime/serve/aside.h"

#include "runtime/os/memory.h"
#include "runtime/serve/connection.h"
#include "runtime/serve/exchange_life.h"
#include "runtime/serve/worker.h"

typedef struct aside {
	worker_task task;
	exchange *x; /* NULL: the client has left */
	char *body;  /* what the request's body was, since the client has left */
	void (*run)(void *user);
	void (*done)(void *user, bool is_gone);
	void *user;
} aside;

static void run_task(worker_task *t)
{
	aside *a = (aside *)t;

	a->run(a->user);
}

static void finish_task(worker_task *t)
{
	aside *a = (aside *)t;

	if (a->x)
		exchange_on_gone(a->x, NULL, NULL);
	a->done(a->user, !a->x);
	memory_free(a->body);
	memory_free(a);
}

/* The thread may be reading the body. */
static void leave(void *user)
{
	aside *a = user;
	exchange *x = a->x;

	a->x = NULL;
	if (worker_drop(x->site->worker, &a->task)) {
		finish_task(&a->task);
		return;
	}
	a->body = x->connection->request.body;
	x->connection->request.body = NULL;
}

void aside_run(exchange *x, void (*run)(void *user), void (*done)(void *user, bool is_gone),
               void *user)
{
	worker *w = x->site ? x->site->worker : NULL;
	aside *a = w && x->facts.body_bytes >= ASIDE_BYTES ? memory_new(1, sizeof *a) : NULL;

	if (a) {
		*a = (aside){ { NULL, run_task, finish_task }, x, NULL, run, done, user };
		exchange_on_gone(x, leave, a);
		if (worker_ask(w, &a->task))
			return;
		exchange_on_gone(x, NULL, NULL);
		memory_free(a);
	}
	run(user);
	done(user, false);
}
