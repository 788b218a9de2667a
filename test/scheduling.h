/* scheduling.h - a scheduler of breeze and clients that collect what it says, for tests */
#ifndef TEST_SCHEDULING_H
#define TEST_SCHEDULING_H

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/scheduler.h"
#include "test/check.h"
#include "test/random.h"
#include "test/scratch.h"

#define CLIENT_TEXT   4096u
#define CLIENT_TOKENS 600u

/* A job and what its events were. */
typedef struct client {
	job *job; /* NULL: over, or not submitted */
	job_plan plan;
	brise_sampling sampling;
	char text[CLIENT_TEXT];
	size_t bytes;
	int32_t ids[CLIENT_TOKENS];
	float logprobs[CLIENT_TOKENS];
	size_t n_ids, n_drawn; /* ids that were kept, tokens that came */
	job_token top;         /* the likeliest at the last token */
	unsigned n_begun, n_events, n_calls;
	bool is_done, is_failed, is_late; /* late: an event after the last */
	job_event last;
	brise_error error;
	float embedding[1024];
	size_t dim;
	double started, longest_wait, last_piece;
	unsigned n_released;
} client;

static inline void client_event(void *user, const job_event *e)
{
	client *c = user;
	double now = os_clock();

	c->is_late |= c->is_done || c->is_failed;
	c->n_events++;
	switch (e->kind) {
	case JOB_BEGUN:
		c->n_begun++;
		c->last_piece = now;
		break;
	case JOB_TOKEN:
		c->n_drawn++;
		if (c->n_ids < CLIENT_TOKENS) {
			c->logprobs[c->n_ids] = e->token.logprob;
			c->ids[c->n_ids++] = e->token.id;
		}
		if (e->n_top > 0)
			c->top = e->top[0];
		break;
	case JOB_PIECE:
		c->n_calls += e->piece.kind == BRISE_ANSWER_CALL;
		if (c->bytes + e->piece.bytes < CLIENT_TEXT) {
			memcpy(c->text + c->bytes, e->piece.text, e->piece.bytes);
			c->bytes += e->piece.bytes;
		}
		if (now - c->last_piece > c->longest_wait)
			c->longest_wait = now - c->last_piece;
		c->last_piece = now;
		break;
	case JOB_EMBEDDING:
		c->dim = e->dim;
		memcpy(c->embedding, e->embedding, e->dim * sizeof(float));
		break;
	case JOB_DONE:
		c->is_done = true;
		c->last = *e;
		c->job = NULL;
		break;
	case JOB_FAILED:
		c->is_failed = true;
		c->error = *e->error;
		c->job = NULL;
		break;
	}
}

static inline void client_release(void *held)
{
	client *c = held;

	c->n_released++;
}

static inline void client_init(client *c, const int32_t *prompt, size_t n, uint64_t limit,
                               uint64_t seed)
{
	memset(c, 0, sizeof *c);
	brise_init_sampling(&c->sampling, sizeof c->sampling);
	c->sampling.temperature = 1;
	c->sampling.seed = seed;
	c->plan = (job_plan){ .prompt = prompt,
		              .n = n,
		              .sampling = &c->sampling,
		              .limit = limit,
		              .grammar_after = -1,
		              .has_logprobs = true,
		              .n_top = 1,
		              .keeps = true,
		              .release = client_release,
		              .held = c };
}

static inline brise_status client_submit(client *c, scheduler *s, brise_error *err)
{
	c->started = os_clock();
	return scheduler_submit(s, &c->job, &c->plan, client_event, c, err);
}

/* Delivers events for so long at most, or until something came. */
static inline void scheduling_turn(scheduler *s, int timeout_ms)
{
	struct pollfd wake = { .fd = scheduler_wake(s), .events = POLLIN };

	(void)poll(&wake, 1, timeout_ms);
	scheduler_deliver(s);
}

/* Delivers until clients [n] have no job, a minute at most. */
static inline bool scheduling_finish(scheduler *s, client *clients, size_t n)
{
	double end = os_clock() + 60;
	size_t i;

	for (;;) {
		for (i = 0; i < n && !clients[i].job; i++)
			;
		if (i == n || os_clock() > end)
			return i == n;
		scheduling_turn(s, 100);
	}
}

/* breeze, converted with the program that was built, into folder/breeze.brise. */
static inline void scheduling_convert(char *path, size_t bytes, const char *folder,
                                      const char *type)
{
	const char *build = getenv("BRISE_BUILD");
	char command[1200];

	(void)snprintf(path, bytes, "%s/breeze.brise", folder);
	(void)snprintf(
	        command, sizeof command,
	        "%s/brise convert test/models/breeze '%s' --type %s --effort fast 2>/dev/null",
	        build ? build : "build", path, type);
	if (system(command) != 0) {
		fprintf(stderr, "%s failed\n", command);
		exit(1);
	}
}

#endif
