/* test_scheduler.c - what a job draws does not depend on who else is served, and places, queue,
 * slices, stop texts and ends are as promised */
#include "runtime/serve/scheduler.h"

#include <math.h>
#include <time.h>

#include "runtime/generate.h"
#include "runtime/serve/scheduler_parts.h"
#include "test/scheduling.h"
#include "test/tested_types.h"

#define MOST_JOBS 12u
#define MOST_TEXT 400u

static char folder[400], path[512];
static brise_model *model;
static uint32_t vocab;

/* Starts of a text, some alike. */
static size_t make_prompt(int32_t *prompt, size_t n, uint64_t seed)
{
	size_t i;

	prompt[0] = 1;
	for (i = 1; i < n; i++)
		prompt[i] = (int32_t)(3 + 256 + random_next(&seed) % (vocab - 259));
	return n;
}

static size_t encode(int32_t *prompt, const char *text)
{
	int32_t *ids = NULL;
	size_t n = 0;

	(void)brise_encode_text(brise_get_tokenizer(model), text, strlen(text), false, &ids, &n,
	                        NULL);
	prompt[0] = brise_get_model_facts(model)->bos;
	memcpy(prompt + 1, ids, n * sizeof *ids);
	brise_free(ids);
	return n + 1;
}

/* ---- without a scheduler -------------------------------------------------------------------- */

typedef struct expected {
	int32_t ids[MOST_TEXT];
	size_t n, bytes;
	char text[CLIENT_TEXT];
	generate_reason reason;
} expected;

static bool take(void *user, const generate_token *token)
{
	expected *x = user;

	x->ids[x->n++] = token->id;
	memcpy(x->text + x->bytes, token->text, token->bytes);
	x->bytes += token->bytes;
	return false;
}

/* What generate_run draws for a client. */
static void draw_alone(expected *x, const client *c)
{
	const brise_model_facts *facts = brise_get_model_facts(model);
	generation g = { .ends = facts->ends, .n_ends = facts->n_ends, .limit = c->plan.limit };
	brise_sampling sampling = c->sampling;
	brise_tokenizer_facts pieces;
	brise_sequence *sequence;
	brise_engine *engine;
	brise_error err;
	const char *text;
	size_t bytes;

	memset(x, 0, sizeof *x);
	brise_get_tokenizer_facts(brise_get_tokenizer(model), &pieces, sizeof pieces);
	sampling.n_pieces = pieces.vocab;
	if (c->plan.ignores_ends)
		g.n_ends = 0;
	if (brise_new_engine(&engine, model, NULL, &err) != BRISE_OK ||
	    brise_new_sequence(&sequence, model, NULL, &err) != BRISE_OK ||
	    brise_new_sampler(&g.sampler, vocab, &sampling, &err) != BRISE_OK ||
	    brise_new_decoder(&g.decoder, brise_get_tokenizer(model), &err) != BRISE_OK ||
	    generate_run(&g, engine, sequence, c->plan.prompt, c->plan.n, take, NULL, x, &err) !=
	            BRISE_OK) {
		fprintf(stderr, "alone: %s\n", err.message);
		exit(1);
	}
	(void)brise_finish_decoder(g.decoder, &text, &bytes, NULL);
	memcpy(x->text + x->bytes, text, bytes);
	x->bytes += bytes;
	x->reason = g.reason;
	brise_free_decoder(g.decoder);
	brise_free_sampler(g.sampler);
	brise_free_sequence(sequence);
	brise_free_engine(engine);
}

static bool is_same(const client *c, const expected *x)
{
	return c->is_done && c->n_ids == x->n && !memcmp(c->ids, x->ids, x->n * sizeof *x->ids) &&
	       c->bytes == x->bytes && !memcmp(c->text, x->text, x->bytes) &&
	       c->last.n_tokens == x->n &&
	       (x->reason == GENERATE_LIMIT) == (c->last.reason == JOB_LIMITED);
}

static scheduler *start(check_counts *counts, scheduler_options o)
{
	brise_error err = { BRISE_OK, "" };
	scheduler *s = NULL;

	o.path = path;
	CHECK(counts, scheduler_new(&s, model, &o, &err) == BRISE_OK, "%s", err.message);
	return s;
}

/* ---- the same text whoever else is served ---------------------------------------------------- */

typedef struct crowd {
	client clients[MOST_JOBS];
	expected expected[MOST_JOBS];
	int32_t prompts[MOST_JOBS][MOST_TEXT];
} crowd;

/* Jobs of all kinds: some share the begin of their prompts. */
static void make_crowd(crowd *w, uint64_t seed)
{
	size_t i, n;

	for (i = 0; i < MOST_JOBS; i++) {
		n = 3 + random_next(&seed) % 200;
		make_prompt(w->prompts[i], n, i % 3 == 0 ? 77 : seed + i);
		client_init(&w->clients[i], w->prompts[i], n, 1 + random_next(&seed) % 40, i);
		w->clients[i].sampling.temperature = i % 4 == 0 ? 0 : 1.2f;
		w->clients[i].sampling.repetition_penalty = i % 5 == 0 ? 1.3f : 1;
		w->clients[i].plan.keeps = i % 6 != 5;
		w->clients[i].plan.ignores_ends = i % 2 == 0;
		draw_alone(&w->expected[i], &w->clients[i]);
	}
}

static void clear_client(client *c)
{
	job_plan plan = c->plan;
	brise_sampling sampling = c->sampling;

	memset(c, 0, sizeof *c);
	c->plan = plan;
	c->sampling = sampling;
	c->plan.sampling = &c->sampling;
}

/* Submits them at random moments and cancels some at random. */
static void run_crowd(check_counts *counts, crowd *w, const scheduler_options *o, uint64_t seed)
{
	scheduler *s = start(counts, *o);
	bool cancelled[MOST_JOBS] = { false };
	size_t i, next = 0, left = MOST_JOBS;
	unsigned wrong = 0;

	for (i = 0; i < MOST_JOBS; i++)
		clear_client(&w->clients[i]);
	while (next < MOST_JOBS || left > 0) {
		if (next < MOST_JOBS && random_next(&seed) % 3 > 0)
			(void)client_submit(&w->clients[next++], s, NULL);
		scheduling_turn(s, (int)(random_next(&seed) % 4));
		for (i = left = 0; i < next; i++) {
			client *c = &w->clients[i];

			if (i % 4 == 3 && c->job && c->n_events > 0 &&
			    random_next(&seed) % 3 == 0) {
				scheduler_cancel(c->job);
				c->job = NULL;
				cancelled[i] = true;
			}
			left += c->job != NULL;
		}
	}
	for (i = 0; i < MOST_JOBS; i++)
		if (!cancelled[i] && !is_same(&w->clients[i], &w->expected[i]))
			wrong++;
	CHECK(counts, wrong == 0, "%u of %u texts differ from those drawn alone, seed %llu", wrong,
	      MOST_JOBS, (unsigned long long)seed);
	scheduler_free(s);
	for (i = wrong = 0; i < MOST_JOBS; i++)
		wrong += w->clients[i].is_late || w->clients[i].n_released != 1;
	CHECK(counts, wrong == 0, "%u jobs were not released once", wrong);
}

static void test_text_does_not_depend_on_others(check_counts *counts)
{
	static crowd w;
	scheduler_options o = { .places = 8 };
	uint64_t seed;

	make_crowd(&w, 5);
	for (seed = 0; seed < 6; seed++) {
		o.places = seed % 2 ? 8 : 3;
		o.slice = seed % 3 ? 16 : 1;
		o.has_drafts = seed % 2;
		o.engine =
		        (brise_engine_options){ .size = sizeof o.engine, .rows = seed % 3 ? 0 : 9 };
		run_crowd(counts, &w, &o, seed);
	}
}

/* One after another, with drafts: each finds the text of one before. */
static void test_reused_prefixes_change_nothing(check_counts *counts)
{
	static crowd w;
	scheduler_options o = { .places = 4, .has_drafts = true };
	scheduler *s = start(counts, o);
	size_t kept = 0, i;
	unsigned wrong = 0;

	make_crowd(&w, 9);
	for (i = 0; i < MOST_JOBS; i++) {
		(void)client_submit(&w.clients[i], s, NULL);
		(void)scheduling_finish(s, &w.clients[i], 1);
		wrong += !is_same(&w.clients[i], &w.expected[i]);
		kept += w.clients[i].last.n_kept;
	}
	CHECK(counts, wrong == 0 && kept > 50, "%u wrong, %zu tokens kept", wrong, kept);
	scheduler_free(s);
}

/* What the job is going to draw, with a mistake here and there. */
static const expected *right_drafts;

static size_t force_drafts(void *user, int32_t *drafts, size_t most)
{
	const place *p = user;
	size_t at = (size_t)p->drawing.g.n_tokens, n;

	for (n = 0; n < most && n < 5 && at + n < right_drafts->n; n++)
		drafts[n] = (at + n) % 4 ? right_drafts->ids[at + n] : 300;
	return n;
}

static void test_drafts_change_nothing(check_counts *counts)
{
	scheduler_options o = { .places = 2, .has_drafts = true };
	scheduler *s = start(counts, o);
	static client c[2];
	static expected x;
	scheduler_figures f;
	int32_t prompt[30];
	size_t i;

	s->force = force_drafts;
	right_drafts = &x;
	make_prompt(prompt, 30, 3);
	for (i = 0; i < 2; i++) {
		client_init(&c[i], prompt, 30, 60, 4);
		c[i].plan.ignores_ends = true;
	}
	draw_alone(&x, &c[0]);
	(void)client_submit(&c[0], s, NULL);
	(void)scheduling_finish(s, &c[0], 1);
	scheduler_get_figures(s, &f);
	CHECK(counts, is_same(&c[0], &x), "another text");
	CHECK(counts, f.accepted > 30 && f.drafts > f.accepted, "%llu of %llu accepted",
	      (unsigned long long)f.accepted, (unsigned long long)f.drafts);
	/* The text that is left in the place is what was drawn. */
	(void)client_submit(&c[1], s, NULL);
	(void)scheduling_finish(s, &c[1], 1);
	CHECK(counts, is_same(&c[1], &x) && c[1].last.n_kept == 29, "again");
	scheduler_free(s);
}

/* The same prompt several times at once is evaluated once. */
static void test_a_prompt_of_many_is_read_once(check_counts *counts)
{
	scheduler_options o = { .places = 4 };
	scheduler *s = start(counts, o);
	scheduler_figures f;
	static client clients[4];
	static expected x;
	int32_t prompt[150];
	unsigned wrong = 0;
	size_t i;

	make_prompt(prompt, 150, 3);
	for (i = 0; i < 4; i++) {
		client_init(&clients[i], prompt, 150, 10, i);
		(void)client_submit(&clients[i], s, NULL);
	}
	(void)scheduling_finish(s, clients, 4);
	for (i = 0; i < 4; i++) {
		draw_alone(&x, &clients[i]);
		wrong += !is_same(&clients[i], &x);
	}
	scheduler_get_figures(s, &f);
	CHECK(counts, wrong == 0, "%u wrong", wrong);
	CHECK(counts, f.prompt_tokens == 600 && f.kept_tokens >= 3 * 149 && f.jobs_done == 4,
	      "%llu of %llu tokens kept", (unsigned long long)f.kept_tokens,
	      (unsigned long long)f.prompt_tokens);
	scheduler_free(s);
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void test_owners_share_nothing(check_counts *counts)
{
	static const char *const keys[] = { "first key", "second key" };
	scheduler_options o = { .places = 4, .owners = keys, .n_owners = 2 };
	scheduler *s = start(counts, o);
	static client c;
	static const struct {
		size_t owner;
		bool keeps, kept;
	} steps[] = { { 1, true, false }, { 2, true, false }, { 0, true, false },
		      { 1, true, true },  { 2, true, true },  { 2, false, false } };
	int32_t prompt[100];
	size_t i;

	make_prompt(prompt, 100, 4);
	for (i = 0; i < sizeof steps / sizeof *steps; i++) {
		client_init(&c, prompt, 100, 2, 0);
		c.plan.who.key = steps[i].owner;
		c.plan.keeps = steps[i].keeps;
		(void)client_submit(&c, s, NULL);
		CHECK(counts,
		      scheduling_finish(s, &c, 1) && c.is_done &&
		              (c.last.n_kept > 0) == steps[i].kept,
		      "step %zu: %zu tokens kept", i, c.last.n_kept);
	}
	/* Two owners at once: neither waits for what the other reads. */
	scheduler_free(s);
}

static void test_owners_take_turns(check_counts *counts)
{
	static const char *const keys[] = { "first key", "second key" };
	scheduler_options o = { .places = 1, .owners = keys, .n_owners = 2 };
	scheduler *s = start(counts, o);
	static client many[6], one;
	int32_t prompt[8];
	unsigned before = 0;
	size_t i;

	make_prompt(prompt, 8, 4);
	for (i = 0; i < 6; i++) {
		client_init(&many[i], prompt, 8, 20, i);
		many[i].plan.who.key = 1;
		(void)client_submit(&many[i], s, NULL);
	}
	client_init(&one, prompt, 8, 20, 9);
	one.plan.who.key = 2;
	(void)client_submit(&one, s, NULL);
	(void)scheduling_finish(s, &one, 1);
	for (i = 0; i < 6; i++)
		before += many[i].is_done;
	CHECK(counts, before <= 2, "%u of another owner's jobs came first", before);
	(void)scheduling_finish(s, many, 6);
	for (i = 1; i < 6; i++)
		CHECK(counts, many[i].is_done && many[i].last.wait_s >= many[i - 1].last.wait_s,
		      "job %zu overtook the one before", i);
	scheduler_free(s);
}

/* ---- queue and cancelling -------------------------------------------------------------------- */

static void test_full_queue_refuses(check_counts *counts)
{
	scheduler_options o = { .places = 1, .queue = 2 };
	scheduler *s = start(counts, o);
	static client clients[8];
	brise_error err = { BRISE_OK, "" };
	int32_t prompt[8];
	unsigned refused = 0, done = 0;
	scheduler_figures f;
	size_t i;

	make_prompt(prompt, 8, 4);
	for (i = 0; i < 8; i++) {
		client_init(&clients[i], prompt, 8, 100, i);
		if (client_submit(&clients[i], s, &err) == BRISE_EFULL)
			refused++;
	}
	CHECK(counts, refused >= 5 && refused <= 6 && clients[7].n_released == 0, "%u refused",
	      refused);
	(void)scheduling_finish(s, clients, 8);
	for (i = 0; i < 8; i++)
		done += clients[i].is_done;
	CHECK(counts, done == 8 - refused, "%u done", done);
	clear_client(&clients[7]);
	CHECK(counts, client_submit(&clients[7], s, &err) == BRISE_OK, "%s", err.message);
	(void)scheduling_finish(s, clients, 8);
	scheduler_get_figures(s, &f);
	CHECK(counts, f.jobs_refused == refused && f.n_waiting == 0 && f.n_running == 0, "figures");
	scheduler_free(s);
}

static void test_bad_plans_are_refused(check_counts *counts)
{
	scheduler_options o = { .places = 2 };
	scheduler *s = start(counts, o);
	int32_t prompt[8], wrong[2] = { 1, -5 };
	brise_error err;
	client c;

	make_prompt(prompt, 8, 4);
	client_init(&c, prompt, 0, 5, 0);
	CHECK(counts, client_submit(&c, s, &err) == BRISE_EINVAL, "no prompt");
	client_init(&c, wrong, 2, 5, 0);
	CHECK(counts, client_submit(&c, s, &err) == BRISE_EINVAL, "an id out of range");
	client_init(&c, prompt, 8, 5, 0);
	c.sampling.top_p = 2;
	CHECK(counts, client_submit(&c, s, &err) == BRISE_EINVAL, "a setting out of range");
	client_init(&c, prompt, 8, 5, 0);
	c.plan.who.key = 1;
	CHECK(counts, client_submit(&c, s, &err) == BRISE_EINVAL, "no such owner");
	CHECK(counts, c.n_released == 0, "what was refused is the caller's");
	scheduler_free(s);
	o.places = 9;
	o.engine = (brise_engine_options){ .size = sizeof o.engine, .rows = 9 };
	o.path = path;
	CHECK(counts, scheduler_new(&s, model, &o, &err) == BRISE_EINVAL && !s, "rows");
}

/* A long job that leaves makes room at once. */
static void test_cancelled_job_frees_its_place(check_counts *counts)
{
	scheduler_options o = { .places = 1 };
	scheduler *s = start(counts, o);
	static client endless, next;
	scheduler_figures before, after;
	int32_t prompt[8];

	make_prompt(prompt, 8, 4);
	client_init(&endless, prompt, 8, 1000000, 0);
	endless.plan.ignores_ends = true;
	client_init(&next, prompt, 8, 3, 0);
	(void)client_submit(&endless, s, NULL);
	while (endless.n_events < 5)
		scheduling_turn(s, 100);
	(void)client_submit(&next, s, NULL);
	scheduler_cancel(endless.job);
	scheduler_get_figures(s, &before);
	endless.n_events = 0;
	endless.job = NULL;
	CHECK(counts, scheduling_finish(s, &next, 1) && next.is_done, "the next is served");
	scheduler_get_figures(s, &after);
	CHECK(counts, after.passes - before.passes <= 5 && endless.n_events == 0,
	      "%llu passes, %u events after leaving",
	      (unsigned long long)(after.passes - before.passes), endless.n_events);
	CHECK(counts, endless.n_released == 1, "released %u times", endless.n_released);
	scheduler_free(s);
	CHECK(counts, endless.n_released == 1 && next.n_released == 1, "once");
}

static void test_free_while_running(check_counts *counts)
{
	scheduler_options o = { .places = 2 };
	static client clients[6];
	int32_t prompt[300];
	unsigned wrong = 0;
	scheduler *s;
	size_t i;
	int turns;

	make_prompt(prompt, 300, 4);
	for (turns = 0; turns < 6; turns++) {
		s = start(counts, o);
		for (i = 0; i < 6; i++) {
			client_init(&clients[i], prompt, 40 * (i + 1), 1000, i);
			(void)client_submit(&clients[i], s, NULL);
		}
		for (i = 0; i < (size_t)turns; i++)
			scheduling_turn(s, 5);
		if (turns % 2)
			scheduler_cancel(clients[turns].job);
		scheduler_free(s);
		for (i = 0; i < 6; i++)
			wrong += clients[i].n_released != 1;
	}
	CHECK(counts, wrong == 0, "%u not released once", wrong);
}

/* ---- slices ---------------------------------------------------------------------------------- */

/* While a long prompt is read, others draw a token for each slice of it. */
static void test_prompts_are_read_in_slices(check_counts *counts)
{
	scheduler_options o = { .places = 2, .slice = 10 };
	scheduler *s = start(counts, o);
	static client streams, reads;
	int32_t prompt[200];
	size_t before;

	make_prompt(prompt, 200, 4);
	client_init(&streams, prompt, 5, 1000000, 0);
	streams.plan.ignores_ends = true;
	client_init(&reads, prompt, 200, 1, 0);
	reads.plan.keeps = false;
	(void)client_submit(&streams, s, NULL);
	while (streams.n_drawn < 3)
		scheduling_turn(s, 100);
	before = streams.n_drawn;
	(void)client_submit(&reads, s, NULL);
	(void)scheduling_finish(s, &reads, 1);
	CHECK(counts, reads.is_done && streams.n_drawn - before >= 19,
	      "%zu tokens were drawn while 20 slices were read", streams.n_drawn - before);
	scheduler_cancel(streams.job);
	scheduler_free(s);
}

/* However many prompts come at once: together they take a slice between two tokens of a stream, and
 * each stream has a token for each slice. */
static void test_prompts_share_a_slice(check_counts *counts)
{
	enum { STREAMS = 2, READS = 5, LENGTH = 150, SLICE = 12 };
	scheduler_options o = { .places = STREAMS + READS, .slice = SLICE };
	scheduler *s = start(counts, o);
	static client streams[STREAMS], reads[READS];
	static int32_t prompts[READS][LENGTH];
	size_t before[STREAMS], i;
	scheduler_figures f;
	unsigned few = 0;

	for (i = 0; i < READS; i++) {
		make_prompt(prompts[i], LENGTH, 40 + i);
		client_init(&reads[i], prompts[i], LENGTH, 1, 0);
		reads[i].plan.embeds = i == 2;
	}
	for (i = 0; i < STREAMS; i++) {
		client_init(&streams[i], prompts[0], 5, 1000000, i);
		streams[i].plan.ignores_ends = true;
		(void)client_submit(&streams[i], s, NULL);
		while (streams[i].n_drawn < 3)
			scheduling_turn(s, 100);
	}
	for (i = 0; i < STREAMS; i++)
		before[i] = streams[i].n_drawn;
	for (i = 0; i < READS; i++)
		(void)client_submit(&reads[i], s, NULL);
	(void)scheduling_finish(s, reads, READS);
	scheduler_get_figures(s, &f);
	CHECK(counts, f.most_between == SLICE, "%llu tokens of prompts between two of a stream",
	      (unsigned long long)f.most_between);
	for (i = 0; i < STREAMS; i++) {
		few += streams[i].n_drawn - before[i] < READS * LENGTH / SLICE - 1;
		scheduler_cancel(streams[i].job);
	}
	CHECK(counts, few == 0 && reads[READS - 1].is_done,
	      "%u streams had fewer tokens than slices", few);
	scheduler_free(s);
}

/* A short prompt does not wait for a long one. */
static void test_short_prompts_overtake(check_counts *counts)
{
	scheduler_options o = { .places = 2, .engine = { .size = sizeof o.engine, .rows = 16 } };
	scheduler *s = start(counts, o);
	static client reads[2];
	static int32_t prompt[600];

	make_prompt(prompt, 600, 4);
	client_init(&reads[0], prompt, 600, 1, 0);
	client_init(&reads[1], prompt + 300, 20, 1, 0);
	(void)client_submit(&reads[0], s, NULL);
	(void)client_submit(&reads[1], s, NULL);
	(void)scheduling_finish(s, &reads[1], 1);
	CHECK(counts, reads[1].is_done && !reads[0].is_done, "the long one came first");
	(void)scheduling_finish(s, reads, 2);
	CHECK(counts, reads[0].is_done, "the long one came never");
	scheduler_free(s);
}

/* ---- what ends a text ------------------------------------------------------------------------ */

/* Cuts a text at every place, and with stop texts that begin but do not come. */
static void test_stop_texts_end_the_answer(check_counts *counts)
{
	scheduler_options o = { .places = 3 };
	scheduler *s = start(counts, o);
	static client c;
	static expected x;
	const char *texts[4] = { "", "no such text", NULL, NULL };
	char stop[8], nearly[10];
	int32_t prompt[40];
	size_t n = encode(prompt, "The wind"), at, length;
	unsigned wrong = 0, tried = 0;

	client_init(&c, prompt, n, 40, 3);
	draw_alone(&x, &c);
	for (at = 0; at + 8 < x.bytes; at += 3) {
		length = 1 + at % 7;
		memcpy(stop, x.text + at, length);
		stop[length] = 0;
		(void)snprintf(nearly, sizeof nearly, "%s\x01", stop);
		texts[2] = nearly;
		texts[3] = stop;
		client_init(&c, prompt, n, 40, 3);
		c.plan.stops = texts;
		c.plan.n_stops = 4;
		(void)client_submit(&c, s, NULL);
		(void)scheduling_finish(s, &c, 1);
		x.text[x.bytes] = 0;
		tried++;
		length = (size_t)(strstr(x.text, stop) - x.text);
		wrong += !c.is_done || c.last.reason != JOB_STOPPED || c.last.stop != 3 ||
		         c.bytes != length || memcmp(c.text, x.text, length);
	}
	CHECK(counts, wrong == 0 && tried > 10, "%u of %u wrong", wrong, tried);
	scheduler_free(s);
}

static void test_ends_and_limits(check_counts *counts)
{
	scheduler_options o = { .places = 3 };
	scheduler *s = start(counts, o);
	static client c;
	static expected x;
	brise_logit_bias bias = { brise_get_model_facts(model)->eos, 100 };
	int32_t prompt[40];
	size_t n = encode(prompt, "The wind");

	client_init(&c, prompt, n, 40, 3);
	c.sampling.bias = &bias;
	c.sampling.n_bias = 1;
	(void)client_submit(&c, s, NULL);
	(void)scheduling_finish(s, &c, 1);
	CHECK(counts, c.is_done && c.last.reason == JOB_ENDED && c.last.n_tokens == 0 && !c.bytes,
	      "an end token ends");
	client_init(&c, prompt, n, 5, 3);
	c.sampling.bias = &bias;
	c.sampling.n_bias = 1;
	c.plan.ignores_ends = true;
	draw_alone(&x, &c);
	(void)client_submit(&c, s, NULL);
	(void)scheduling_finish(s, &c, 1);
	CHECK(counts, is_same(&c, &x) && c.last.reason == JOB_LIMITED && c.last.n_tokens == 5,
	      "end tokens that are ignored");
	client_init(&c, prompt, n, 0, 3);
	(void)client_submit(&c, s, NULL);
	(void)scheduling_finish(s, &c, 1);
	CHECK(counts,
	      c.is_done && c.last.reason == JOB_LIMITED && c.n_begun == 1 && c.last.n_tokens == 0,
	      "a limit of none");
	scheduler_free(s);
}

/* Whoever bans all tokens is told so; it is no failure of the server's. */
static void test_banned_tokens_are_the_client_s(check_counts *counts)
{
	scheduler_options o = { .places = 2 };
	scheduler *s = start(counts, o);
	brise_logit_bias *bias = calloc(vocab, sizeof *bias);
	static client c;
	int32_t prompt[40];
	size_t n = encode(prompt, "The wind");
	uint32_t i;

	for (i = 0; bias && i < vocab; i++)
		bias[i] = (brise_logit_bias){ (int32_t)i, -INFINITY };
	client_init(&c, prompt, n, 5, 3);
	c.sampling.bias = bias;
	c.sampling.n_bias = vocab;
	(void)client_submit(&c, s, NULL);
	(void)scheduling_finish(s, &c, 1);
	CHECK(counts,
	      c.is_failed && c.error.code == BRISE_EUNSUPPORTED &&
	              strstr(c.error.message, "logit_bias") != NULL,
	      "code %d: %s", (int)c.error.code, c.error.message);
	free(bias);
	scheduler_free(s);
}

/* ---- grammars -------------------------------------------------------------------------------- */

static void ask_by_grammar(check_counts *counts, scheduler *s, client *c,
                           const brise_grammar *grammar, const int32_t *prompt, size_t n,
                           uint64_t seed)
{
	client_init(c, prompt, n, 30, seed);
	c->sampling.temperature = 1.5f;
	c->plan.grammar = grammar;
	(void)client_submit(c, s, NULL);
	CHECK(counts, scheduling_finish(s, c, 1) && c->is_done, "%s", c->error.message);
}

static void test_grammars_hold(check_counts *counts)
{
	static const char rules[] = "root ::= (\" yes\" | \" never\") \"!\"";
	brise_grammar_options options;
	scheduler_options o = { .places = 2, .has_drafts = true };
	scheduler *s = start(counts, o);
	brise_grammar *grammar = NULL;
	static client c;
	brise_error err = { BRISE_OK, "" };
	int32_t prompt[40];
	size_t n = encode(prompt, "The wind");
	uint64_t seed;

	brise_init_grammar_options(&options, sizeof options);
	options.kind = BRISE_GRAMMAR_GBNF;
	options.text = rules;
	options.bytes = strlen(rules);
	CHECK(counts,
	      brise_new_grammar(&grammar, brise_get_tokenizer(model), &options, &err) == BRISE_OK,
	      "%s", err.message);
	for (seed = 0; seed < 4; seed++) {
		ask_by_grammar(counts, s, &c, grammar, prompt, n, seed);
		c.text[c.bytes] = 0;
		CHECK(counts,
		      c.last.reason == JOB_ENDED &&
		              (!strcmp(c.text, " yes!") || !strcmp(c.text, " never!")),
		      "\"%s\", reason %d", c.text, (int)c.last.reason);
	}
	/* Behind a token that is drawn first. */
	client_init(&c, prompt, n, 30, 7);
	c.plan.grammar = grammar;
	c.plan.grammar_after = 300;
	c.plan.must_call = true;
	(void)client_submit(&c, s, NULL);
	(void)scheduling_finish(s, &c, 1);
	c.text[c.bytes] = 0;
	CHECK(counts,
	      c.is_done && c.ids[0] == 300 &&
	              (strstr(c.text, " yes!") || strstr(c.text, " never!")),
	      "\"%s\"", c.text);
	scheduler_free(s);
	brise_free_grammar(grammar);
}

/* Would catch a text by the calls' grammar, a call where a text has begun, or one that is refused.
 */
static void test_a_text_or_a_call_follows_its_own_grammar(check_counts *counts)
{
	static const char *const rules[] = { "root ::= (\" yes\" | \" never\") \"!\"",
		                             "root ::= (\" no\" | \" maybe\") \"?\"" };
	brise_logit_bias bias = { 300, 0 };
	scheduler *s = start(counts, (scheduler_options){ .places = 2 });
	brise_grammar *grammars[2] = { NULL, NULL };
	static client c;
	brise_error err = { BRISE_OK, "" };
	int32_t prompt[40];
	size_t n = encode(prompt, "The wind"), i;

	for (i = 0; i < 2; i++) {
		brise_grammar_options options;

		brise_init_grammar_options(&options, sizeof options);
		options.kind = BRISE_GRAMMAR_GBNF;
		options.text = rules[i];
		options.bytes = strlen(rules[i]);
		CHECK(counts,
		      brise_new_grammar(&grammars[i], brise_get_tokenizer(model), &options, &err) ==
		              BRISE_OK,
		      "%s", err.message);
	}
	for (i = 0; i < 2; i++) {
		bias.bias = i == 0 ? -100.0f : 100.0f;
		client_init(&c, prompt, n, 30, i);
		c.sampling.bias = &bias;
		c.sampling.n_bias = 1;
		c.plan.grammar = grammars[0];
		c.plan.grammar_after = 300;
		c.plan.text_grammar = grammars[1];
		(void)client_submit(&c, s, NULL);
		CHECK(counts, scheduling_finish(s, &c, 1) && c.is_done, "%s", c.error.message);
		c.text[c.bytes] = 0;
		CHECK(counts, c.last.reason == JOB_ENDED && (c.ids[0] == 300) == (i == 1),
		      "reason %d, first %d", (int)c.last.reason, (int)c.ids[0]);
		CHECK(counts,
		      i == 0 ? !strcmp(c.text, " no?") || !strcmp(c.text, " maybe?")
		             : strstr(c.text, " yes!") || strstr(c.text, " never!"),
		      "\"%s\"", c.text);
	}
	scheduler_free(s);
	brise_free_grammar(grammars[0]);
	brise_free_grammar(grammars[1]);
}

/* ---- logprobs and embeddings ----------------------------------------------------------------- */

static void test_logprobs_are_of_the_logits(check_counts *counts)
{
	scheduler_options o = { .places = 2 };
	scheduler *s = start(counts, o);
	static client c;
	brise_sequence *sequence;
	brise_engine *engine;
	const float *logits;
	int32_t prompt[40];
	size_t n = encode(prompt, "The wind"), i, k;
	double worst = 0;
	unsigned wrong = 0;

	client_init(&c, prompt, n, 20, 3);
	c.plan.ignores_ends = true;
	c.sampling.temperature = 2;
	(void)client_submit(&c, s, NULL);
	(void)scheduling_finish(s, &c, 1);
	CHECK(counts, c.n_ids == 20, "%zu tokens", c.n_ids);
	brise_new_engine(&engine, model, NULL, NULL);
	brise_new_sequence(&sequence, model, NULL, NULL);
	brise_eval_tokens(engine, sequence, prompt, n, &logits, NULL, NULL, NULL);
	for (i = 0; i < c.n_ids; i++) {
		double sum = 0, most = -INFINITY;

		for (k = 0; k < vocab; k++)
			most = fmax(most, (double)logits[k]);
		for (k = 0; k < vocab; k++)
			sum += exp((double)logits[k] - most);
		worst = fmax(worst, fabs((double)c.logprobs[i] -
		                         ((double)logits[c.ids[i]] - most - log(sum))));
		if (i + 1 == c.n_ids)
			wrong += fabs((double)c.top.logprob + log(sum)) > 1e-5 ||
			         (double)logits[c.top.id] < most;
		brise_eval_tokens(engine, sequence, &c.ids[i], 1, &logits, NULL, NULL, NULL);
	}
	CHECK(counts, worst < 1e-5 && wrong == 0, "off by %g", worst);
	brise_free_sequence(sequence);
	brise_free_engine(engine);
	scheduler_free(s);
}

/* The mean state of a prompt is the same however it is cut and whoever else is served. */
static void test_embeddings_are_the_mean_of_states(check_counts *counts)
{
	scheduler_options o = { .places = 3, .slice = 7 };
	scheduler *s = start(counts, o);
	static client busy, c[2];
	uint32_t dim = brise_get_model_facts(model)->dim;
	int32_t prompt[60];
	double *sum = memory_new(dim, sizeof *sum), worst = 0;
	float *state = memory_new(dim, sizeof *state);
	brise_sequence *sequence;
	brise_engine *engine;
	size_t i, k;

	make_prompt(prompt, 60, 8);
	client_init(&busy, prompt, 30, 1000000, 1);
	(void)client_submit(&busy, s, NULL);
	for (i = 0; i < 2; i++) {
		client_init(&c[i], prompt, 60, 10, 1);
		c[i].plan.embeds = true;
		while (busy.n_events < 3)
			scheduling_turn(s, 100);
		(void)client_submit(&c[i], s, NULL);
		(void)scheduling_finish(s, &c[i], 1);
	}
	scheduler_cancel(busy.job);
	brise_new_engine(&engine, model, NULL, NULL);
	brise_new_sequence(&sequence, model, NULL, NULL);
	for (i = 0; i < 60; i++) {
		brise_row row = { sequence, prompt[i], false };

		brise_eval_rows(engine, &row, 1, NULL, NULL, NULL, NULL);
		brise_get_state(engine, 0, state, NULL);
		for (k = 0; k < dim; k++)
			sum[k] += (double)state[k] / 60;
	}
	for (k = 0; k < dim; k++)
		worst = fmax(worst, fabs(sum[k] - (double)c[0].embedding[k]));
	CHECK(counts, c[0].is_done && c[0].dim == dim && worst < 1e-5 && c[0].last.n_tokens == 0,
	      "off by %g", worst);
	CHECK(counts, !memcmp(c[0].embedding, c[1].embedding, dim * sizeof(float)), "twice");
	CHECK(counts, brise_get_state(engine, 1, state, NULL) == BRISE_EINVAL, "no such row");
	memory_free(sum);
	memory_free(state);
	brise_free_sequence(sequence);
	brise_free_engine(engine);
	scheduler_free(s);
}

/* The state is what the output matrix multiplies. */
static void test_state_gives_the_logits(check_counts *counts)
{
	const brise_model_facts *f = brise_get_model_facts(model);
	brise_sequence *sequence;
	brise_engine *engine;
	const float *logits;
	float *state = memory_new(f->dim, sizeof *state), *row = memory_new(f->dim, sizeof *row);
	size_t output = brise_get_tensor_count(model) - 1, k;
	brise_tensor_facts tensor;
	int32_t prompt[9];
	double worst = 0;
	uint32_t id;

	make_prompt(prompt, 9, 8);
	brise_new_engine(&engine, model, NULL, NULL);
	brise_new_sequence(&sequence, model, NULL, NULL);
	brise_eval_tokens(engine, sequence, prompt, 9, &logits, NULL, NULL, NULL);
	brise_get_state(engine, 8, state, NULL);
	do
		brise_get_tensor_facts(model, output, &tensor, sizeof tensor, NULL);
	while (strcmp(tensor.name, "output") != 0 && output-- > 0);
	for (id = 0; id < f->vocab; id += 97) {
		double sum = 0;

		brise_read_row(model, output, id, row, NULL);
		for (k = 0; k < f->dim; k++)
			sum += (double)row[k] * (double)state[k];
		worst = fmax(worst, fabs(sum - (double)logits[id]));
	}
	CHECK(counts, worst < 0.2, "off by %g", worst);
	memory_free(state);
	memory_free(row);
	brise_free_sequence(sequence);
	brise_free_engine(engine);
}

static bool open_type(uint32_t type)
{
	brise_error err;

	scheduling_convert(path, sizeof path, folder, type_name(type));
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		return false;
	}
	vocab = brise_get_model_facts(model)->vocab;
	return true;
}

/* What depends on how weights are multiplied: a text does not depend on how many rows a pass has,
 * and logits are those of the file's weights. */
static void test_products(check_counts *counts)
{
	RUN(test_text_does_not_depend_on_others(counts));
	RUN(test_reused_prefixes_change_nothing(counts));
	RUN(test_drafts_change_nothing(counts));
	RUN(test_a_prompt_of_many_is_read_once(counts));
	RUN(test_embeddings_are_the_mean_of_states(counts));
	RUN(test_state_gives_the_logits(counts));
}

/* The rest is the same for every type. */
static void test_order(check_counts *counts)
{
	RUN(test_owners_share_nothing(counts));
	RUN(test_owners_take_turns(counts));
	RUN(test_full_queue_refuses(counts));
	RUN(test_bad_plans_are_refused(counts));
	RUN(test_cancelled_job_frees_its_place(counts));
	RUN(test_free_while_running(counts));
	RUN(test_prompts_are_read_in_slices(counts));
	RUN(test_prompts_share_a_slice(counts));
	RUN(test_short_prompts_overtake(counts));
	RUN(test_stop_texts_end_the_answer(counts));
	RUN(test_ends_and_limits(counts));
	RUN(test_banned_tokens_are_the_client_s(counts));
	RUN(test_grammars_hold(counts));
	RUN(test_a_text_or_a_call_follows_its_own_grammar(counts));
	RUN(test_logprobs_are_of_the_logits(counts));
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	uint32_t type = 0;

	check_choose(argc, argv);
	scratch_folder(folder, sizeof folder);
	while ((type = next_book_type(type)) != 0) {
		if (!open_type(type))
			return 1;
		test_products(&counts);
		if (type == TYPE_Q4)
			test_order(&counts);
		brise_close_model(model);
	}
	return check_report("scheduler", &counts);
}
