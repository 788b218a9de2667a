/* fake_server.h - exchanges and a scheduler for tests of what lies between: requests come from the
 * test, jobs are recorded, and their events are the test's
 *
 * The functions of exchange.h and scheduler.h are defined here (see the Makefile's rule for
 * test_api_*). One exchange at a time.
 */
#ifndef TEST_FAKE_SERVER_H
#define TEST_FAKE_SERVER_H

#include <stdlib.h>
#include <string.h>

#include "runtime/serve/body.h"
#include "runtime/serve/exchange.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/service.h"
#include "test/chat_maker.h"

#define FAKE_JOBS 80

struct job {
	job_plan plan; /* its pointers are copies */
	brise_sampling sampling;
	job_event_fn *each;
	void *user;
	bool is_cancelled, is_ended;
};

struct exchange {
	exchange_facts facts;
	int status; /* 0: no reply yet */
	char type[64];
	body headers, body; /* "name: value\n"... */
	bool has_begun, has_ended;
	exchange_gone_fn *gone;
	void *user;
	uint64_t noted_prompt, noted_kept, noted_answer;
};

static struct {
	exchange x;
	service service;
	chat_maker vocabulary;
	brise_chat *chat;
	struct job jobs[FAKE_JOBS];
	size_t n_jobs;
	size_t room;      /* jobs that fit the queue */
	uint64_t context; /* what the scheduler says */
	size_t key;       /* that clients have */
} fake;

/* ---- exchange.h ----------------------------------------------------------------------------- */

const exchange_facts *exchange_get_facts(const exchange *x)
{
	return &x->facts;
}

const char *exchange_get_header(const exchange *x, const char *name)
{
	(void)x, (void)name;
	return NULL;
}

void exchange_add_header(exchange *x, const char *name, const char *value)
{
	body_add(&x->headers, name, strlen(name));
	body_add(&x->headers, ": ", 2);
	body_add(&x->headers, value, strlen(value));
	body_add(&x->headers, "\n", 1);
}

void exchange_begin(exchange *x, int status, const char *type)
{
	x->has_begun = true;
	x->status = status;
	(void)snprintf(x->type, sizeof x->type, "%s", type);
}

void exchange_write(exchange *x, const char *bytes, size_t n)
{
	body_add(&x->body, bytes, n);
}

void exchange_end(exchange *x)
{
	x->has_ended = true;
	x->gone = NULL;
}

void exchange_break(exchange *x)
{
	exchange_end(x);
}

void exchange_reply(exchange *x, int status, const char *type, const char *bytes, size_t n)
{
	exchange_begin(x, status, type);
	exchange_write(x, bytes, n);
	exchange_end(x);
}

void exchange_on_gone(exchange *x, exchange_gone_fn *gone, void *user)
{
	x->gone = gone;
	x->user = user;
}

void exchange_note(exchange *x, uint64_t prompt, uint64_t kept, uint64_t answer)
{
	x->noted_prompt = prompt;
	x->noted_kept = kept;
	x->noted_answer = answer;
}

/* ---- scheduler.h ---------------------------------------------------------------------------- */

static inline void *fake_copy(const void *from, size_t n, size_t size)
{
	void *copy = calloc(n + 1, size);

	if (copy && n > 0)
		memcpy(copy, from, n * size);
	return copy;
}

brise_status scheduler_submit(scheduler *s, job **out, const job_plan *plan, job_event_fn *each,
                              void *user, brise_error *err)
{
	struct job *j = &fake.jobs[fake.n_jobs];
	char **stops;
	size_t i;

	(void)s;
	if (fake.n_jobs >= fake.room || fake.n_jobs == FAKE_JOBS) {
		snprintf(err->message, sizeof err->message, "the queue is full");
		return err->code = BRISE_EFULL;
	}
	if (plan->n == 0 || (fake.context > 0 && plan->n >= fake.context)) {
		snprintf(err->message, sizeof err->message, "does not fit");
		return err->code = BRISE_EINVAL;
	}
	*j = (struct job){ .plan = *plan, .each = each, .user = user };
	j->sampling = *plan->sampling;
	j->sampling.bias =
	        fake_copy(plan->sampling->bias, j->sampling.n_bias, sizeof *j->sampling.bias);
	j->plan.prompt = fake_copy(plan->prompt, plan->n, sizeof *plan->prompt);
	j->plan.stops = fake_copy(plan->stops, plan->n_stops, sizeof *plan->stops);
	stops = (char **)(uintptr_t)j->plan.stops;
	for (i = 0; i < plan->n_stops; i++)
		stops[i] = fake_copy(plan->stops[i], strlen(plan->stops[i]), 1);
	j->plan.sampling = &j->sampling;
	fake.n_jobs++;
	*out = j;
	return BRISE_OK;
}

static inline void fake_release(struct job *j)
{
	if (j->plan.release)
		j->plan.release(j->plan.held);
	j->plan.release = NULL;
}

void scheduler_cancel(job *j)
{
	j->is_cancelled = true;
	fake_release(j);
}

void scheduler_get_figures(scheduler *s, scheduler_figures *figures)
{
	(void)s;
	memset(figures, 0, sizeof *figures);
	figures->context = fake.context;
}

/* ---- for the test --------------------------------------------------------------------------- */

/* Serves in a format of the vocabulary that fake.vocabulary is. */
static inline bool fake_begin_service(const char *format)
{
	brise_chat_options options = { .size = sizeof options, .format = format };
	brise_error err;

	if (brise_new_chat(&fake.chat, fake.vocabulary.t, NULL, &options, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		return false;
	}
	fake.room = FAKE_JOBS;
	fake.service = (service){ .tokenizer = fake.vocabulary.t,
		                  .chat = fake.chat,
		                  .name = "small",
		                  .created = 1700000000 };
	return true;
}

/* The client goes, if there is one. */
static inline void fake_go(void)
{
	exchange_gone_fn *gone = fake.x.gone;

	fake.x.gone = NULL;
	if (gone)
		gone(fake.x.user);
}

static inline void fake_forget(void)
{
	size_t i, k;

	fake_go();
	for (i = 0; i < fake.n_jobs; i++) {
		struct job *j = &fake.jobs[i];

		for (k = 0; k < j->plan.n_stops; k++)
			free((void *)(uintptr_t)j->plan.stops[k]);
		free((void *)(uintptr_t)j->plan.stops);
		free((void *)(uintptr_t)j->plan.prompt);
		free((void *)(uintptr_t)j->sampling.bias);
	}
	fake.n_jobs = 0;
	body_free(&fake.x.headers);
	body_free(&fake.x.body);
	free((void *)(uintptr_t)fake.x.facts.body);
	memset(&fake.x, 0, sizeof fake.x);
}

static inline void fake_close(void)
{
	fake_forget();
	brise_free_chat(fake.chat);
	chat_maker_close(&fake.vocabulary);
}

/* False: something failed. */
static inline bool fake_open(chat_vocabulary which, const char *format)
{
	memset(&fake, 0, sizeof fake);
	return chat_maker_open(&fake.vocabulary, which, 0, 0) && fake_begin_service(format);
}

/* The same with the small byte-level tokenizer. */
static inline bool fake_open_tekken(const char *format)
{
	memset(&fake, 0, sizeof fake);
	return chat_maker_open_tekken(&fake.vocabulary, NULL, NULL) && fake_begin_service(format);
}

/* Runs one test in such a format, in place of v3. */
static inline void fake_with(const char *format, void (*test)(void))
{
	fake_close();
	if (!fake_open_tekken(format))
		exit(1);
	test();
	fake_close();
	if (!fake_open(VOCABULARY_V3, "v3"))
		exit(1);
}

/* Has a handler answer a request with text [n] as its body. */
static inline void fake_post_bytes(exchange_handler *handle, const char *text, size_t n)
{
	fake_forget();
	fake.x.facts = (exchange_facts){ .method = "POST",
		                         .path = "/",
		                         .query = "",
		                         .body = fake_copy(text, n, 1),
		                         .body_bytes = n,
		                         .number = 7,
		                         .who = { .key = fake.key },
		                         .service = &fake.service };
	handle(&fake.x);
}

/* The same with JSON in which ' stands for ". */
static inline void fake_post(exchange_handler *handle, const char *json)
{
	char *text = fake_copy(json, strlen(json), 1), *p;

	for (p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	fake_post_bytes(handle, text, strlen(text));
	free(text);
}

/* The event of job i; after a cancelled one's end there is none. */
static inline void fake_event(size_t i, job_event event)
{
	struct job *j = &fake.jobs[i];

	if (j->is_cancelled || j->is_ended)
		return;
	j->is_ended = event.kind == JOB_DONE || event.kind == JOB_FAILED;
	event.n_prompt = j->plan.n;
	j->each(j->user, &event);
	if (j->is_ended)
		fake_release(j);
}

static inline void fake_begin(size_t i, size_t n_kept)
{
	fake_event(i, (job_event){ .kind = JOB_BEGUN, .n_kept = n_kept });
}

static inline void fake_piece(size_t i, brise_answer_kind kind, size_t call, const char *text)
{
	fake_event(i,
	           (job_event){ .kind = JOB_PIECE, .piece = { kind, call, text, strlen(text) } });
}

static inline void fake_text(size_t i, const char *text)
{
	fake_piece(i, BRISE_ANSWER_TEXT, 0, text);
}

static inline void fake_done(size_t i, job_reason reason, uint64_t n_tokens, size_t n_kept)
{
	fake_event(i, (job_event){ .kind = JOB_DONE,
	                           .reason = reason,
	                           .n_tokens = n_tokens,
	                           .n_kept = n_kept });
}

/* The reply's body, in which ' stands for ", and times are 0: valid until the next request. */
static inline const char *fake_body(void)
{
	char *p, *created;

	body_add(&fake.x.body, "", 1);
	if (!fake.x.body.bytes)
		return "";
	fake.x.body.n--;
	fake.x.body.bytes[fake.x.body.n] = 0;
	for (p = fake.x.body.bytes; *p; p++)
		*p = *p == '"' ? '\'' : *p;
	for (p = fake.x.body.bytes; (created = strstr(p, "'created':")) != NULL; p = created + 11) {
		char *end = created + 10 + strspn(created + 10, "0123456789");

		memmove(created + 11, end, strlen(end) + 1);
		created[10] = '0';
	}
	return fake.x.body.bytes;
}

#endif
