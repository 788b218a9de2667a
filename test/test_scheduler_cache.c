/* test_scheduler_cache.c - what a scheduler keeps on disk, gives back when idle, and takes again */
#include "runtime/serve/scheduler.h"

#include <dirent.h>
#include <stdatomic.h>
#include <time.h>

#include "runtime/serve/scheduler_parts.h"
#include "test/scheduling.h"
#include "test/tested_types.h"

#define PROMPT 120u

static char folder[400], path[512], cache[512];
static brise_model *model;
static int32_t prompt[PROMPT];
static client expected; /* what the current model answers to ask() */
static bool has_expected;

static scheduler *start(check_counts *counts, scheduler_options o)
{
	brise_error err = { BRISE_OK, "" };
	scheduler *s = NULL;

	o.path = path;
	o.cache = cache;
	o.cache_bytes = (uint64_t)1 << 30;
	CHECK(counts, scheduler_new(&s, model, &o, &err) == BRISE_OK, "%s", err.message);
	return s;
}

static void remove_cache(void)
{
	char command[600];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", cache);
	if (system(command) != 0)
		perror(command);
}

/* A job of an owner; its text and how much of its prompt was kept are compared. */
static void ask(check_counts *counts, scheduler *s, client *c, size_t owner, bool kept,
                const char *what)
{
	client_init(c, prompt, PROMPT, 12, 3);
	c->plan.who.key = owner;
	(void)client_submit(c, s, NULL);
	CHECK(counts, scheduling_finish(s, c, 1) && c->is_done, "%s: not answered: %s", what,
	      c->error.message);
	CHECK(counts, (c->last.n_kept > 0) == kept, "%s: %zu tokens kept", what, c->last.n_kept);
	if (!has_expected)
		expected = *c;
	has_expected = true;
	CHECK(counts, c->n_ids == expected.n_ids && !memcmp(c->ids, expected.ids, sizeof c->ids),
	      "%s: another text", what);
}

static unsigned count_folders(const char *begin)
{
	DIR *d = opendir(cache);
	struct dirent *entry;
	unsigned n = 0;

	while (d && (entry = readdir(d)))
		n += !strncmp(entry->d_name, begin, strlen(begin));
	if (d)
		closedir(d);
	return n;
}

static void test_texts_are_found_after_a_restart(check_counts *counts)
{
	scheduler_options o = { .places = 2 };
	scheduler *s = start(counts, o);
	static client c;

	ask(counts, s, &c, 0, false, "first");
	scheduler_free(s);
	s = start(counts, o);
	ask(counts, s, &c, 0, true, "after a restart");
	scheduler_free(s);
	remove_cache();
}

/* The names of folders do not tell the keys; who shows another key finds nothing. */
static void test_owners_have_folders_of_their_own(check_counts *counts)
{
	static const char *const keys[] = { "first key", "second key" };
	static const char *const turned[] = { "second key", "first key", "third key" };
	scheduler_options o = { .places = 2, .owners = keys, .n_owners = 2 };
	scheduler *s = start(counts, o);
	static client c;

	ask(counts, s, &c, 1, false, "first owner");
	scheduler_free(s);
	CHECK(counts, count_folders("key-") == 1 && count_folders("key-first") == 0, "folders");
	o.owners = turned;
	o.n_owners = 3;
	s = start(counts, o);
	ask(counts, s, &c, 3, false, "another");
	ask(counts, s, &c, 0, false, "nobody");
	ask(counts, s, &c, 1, false, "second owner");
	ask(counts, s, &c, 2, true, "first owner, in another order");
	scheduler_free(s);
	remove_cache();
}

/* A text that had to leave its place is found on disk. */
static void test_texts_that_leave_are_kept(check_counts *counts)
{
	scheduler_options o = { .places = 1 };
	scheduler *s = start(counts, o);
	static client c;
	int32_t other[PROMPT];
	size_t i;

	for (i = 0; i < PROMPT; i++)
		other[i] = 300 + (int32_t)i;
	ask(counts, s, &c, 0, false, "first");
	client_init(&c, other, PROMPT, 3, 1);
	(void)client_submit(&c, s, NULL);
	(void)scheduling_finish(s, &c, 1);
	ask(counts, s, &c, 0, true, "after another text");
	scheduler_free(s);
	remove_cache();
}

/* ---- a slow disk ---------------------------------------------------------------------------- */

/* Tasks wait as long as it is closed. */
typedef struct slow_disk {
	atomic_bool is_closed;
	atomic_uint n_saves, n_searches; /* that have come */
} slow_disk;

static void pass_disk(void *user, const keeper_task *t)
{
	const struct timespec pause = { 0, 1000000 };
	slow_disk *d = user;

	atomic_fetch_add(t->seeks ? &d->n_searches : &d->n_saves, 1);
	while (atomic_load(&d->is_closed))
		(void)nanosleep(&pause, NULL);
}

static scheduler *start_slow(check_counts *counts, scheduler_options o, slow_disk *d)
{
	scheduler *s = start(counts, o);

	s->keeper.before = pass_disk;
	s->keeper.user = d;
	return s;
}

static void make_other(int32_t *other, size_t n, int32_t first)
{
	size_t i;

	for (i = 0; i < n; i++)
		other[i] = first + (int32_t)i;
}

static void begin_stream(scheduler *s, client *stream, const int32_t *its_prompt)
{
	client_init(stream, its_prompt, 5, 1000000, 1);
	stream->plan.ignores_ends = true;
	(void)client_submit(stream, s, NULL);
	while (stream->n_drawn < 3)
		scheduling_turn(s, 100);
}

/* Turns until a stream has so many more tokens, or for a minute. */
static bool draws_more(scheduler *s, const client *stream, size_t n)
{
	double end = os_clock() + 60;

	for (n += stream->n_drawn; stream->n_drawn < n && os_clock() < end;)
		scheduling_turn(s, 100);
	return stream->n_drawn >= n;
}

/* A job that waits for the disk keeps no other waiting: not when a text must be saved for it, and
 * not when its own is looked for. */
static void test_streams_do_not_wait_for_the_disk(check_counts *counts)
{
	scheduler_options o = { .places = 2 };
	slow_disk d = { .is_closed = false };
	scheduler *s = start_slow(counts, o, &d);
	static client stream, c;
	int32_t other[PROMPT];

	make_other(other, PROMPT, 300);
	ask(counts, s, &c, 0, false, "first");
	begin_stream(s, &stream, other + 50);
	atomic_store(&d.is_closed, true);
	client_init(&c, other, PROMPT, 3, 1);
	(void)client_submit(&c, s, NULL);
	CHECK(counts, draws_more(s, &stream, 30) && atomic_load(&d.n_saves) == 1,
	      "%zu tokens while a text is saved", stream.n_drawn);
	CHECK(counts, c.n_events == 0, "a place was taken from a text that is being saved");
	atomic_store(&d.is_closed, false);
	CHECK(counts, scheduling_finish(s, &c, 1) && c.is_done, "the job that waited");
	atomic_store(&d.is_closed, true);
	client_init(&c, prompt, PROMPT, 3, 1);
	(void)client_submit(&c, s, NULL);
	CHECK(counts, draws_more(s, &stream, 30) && c.n_events == 0,
	      "%zu tokens while a text is looked for", stream.n_drawn);
	atomic_store(&d.is_closed, false);
	CHECK(counts, scheduling_finish(s, &c, 1) && c.is_done && c.last.n_kept > PROMPT / 2,
	      "%zu tokens kept of a text that left, %u events", c.last.n_kept, c.n_events);
	scheduler_cancel(stream.job);
	scheduler_free(s);
	remove_cache();
}

/* Who leaves while the disk works for it gets no event, and its place is free again: at once if the
 * disk does not read its prompt. The text that was to leave for it stays. */
static void test_who_waits_for_the_disk_may_leave(check_counts *counts)
{
	scheduler_options o = { .places = 1 };
	slow_disk d = { .is_closed = true };
	scheduler *s = start_slow(counts, o, &d);
	double end = os_clock() + 10;
	static client c, next;
	int32_t other[PROMPT];

	make_other(other, PROMPT, 300);
	client_init(&c, other, PROMPT, 3, 1);
	(void)client_submit(&c, s, NULL);
	while (atomic_load(&d.n_searches) == 0)
		scheduling_turn(s, 1);
	scheduler_cancel(c.job);
	scheduling_turn(s, 20);
	CHECK(counts, c.n_events == 0 && c.n_released == 0, "the disk has its prompt");
	atomic_store(&d.is_closed, false);
	ask(counts, s, &next, 0, false, "the next");
	CHECK(counts, c.n_events == 0 && c.n_released == 1, "released %u times", c.n_released);
	atomic_store(&d.is_closed, true);
	client_init(&c, other, PROMPT, 3, 1);
	(void)client_submit(&c, s, NULL);
	while (atomic_load(&d.n_saves) == 0)
		scheduling_turn(s, 1);
	scheduler_cancel(c.job);
	while (c.n_released == 0 && os_clock() < end)
		scheduling_turn(s, 10);
	CHECK(counts, c.n_events == 0 && c.n_released == 1, "while the disk has another's text");
	atomic_store(&d.is_closed, false);
	ask(counts, s, &next, 0, true, "what did not leave");
	scheduler_free(s);
	remove_cache();
}

/* Jobs of a few prompts, with fewer places than prompts, a disk that is slow at random and clients
 * that leave at random: the same texts, and every job is released once. */
static void delay_disk(void *user, const keeper_task *t)
{
	uint64_t seed = atomic_fetch_add((atomic_uint *)user, 1);
	unsigned n = random_next(&seed) % 4 ? 0 : 3000;

	(void)t;
	while (n-- > 0)
		os_yield();
}

static void test_texts_are_right_with_a_slow_disk(check_counts *counts)
{
	enum { TEXTS = 5, AT_ONCE = 4 };
	scheduler_options o = { .places = 2 };
	static int32_t prompts[TEXTS][PROMPT];
	static client first[TEXTS], now[AT_ONCE];
	unsigned wrong = 0, kept = 0, turn, released = 0, submitted = 0;
	scheduler *s = start(counts, o);
	atomic_uint count = 0;
	uint64_t seed = 5;
	size_t i;

	s->keeper.before = delay_disk;
	s->keeper.user = &count;
	for (i = 0; i < TEXTS; i++) {
		make_other(prompts[i], PROMPT, (int32_t)(300 + 40 * i));
		client_init(&first[i], prompts[i], PROMPT, 10, i);
		(void)client_submit(&first[i], s, NULL);
		(void)scheduling_finish(s, &first[i], 1);
	}
	for (turn = 0; turn < 40; turn++) {
		size_t text[AT_ONCE];

		for (i = 0; i < AT_ONCE; i++) {
			text[i] = random_next(&seed) % TEXTS;
			client_init(&now[i], prompts[text[i]], PROMPT, 10, text[i]);
			submitted += client_submit(&now[i], s, NULL) == BRISE_OK;
		}
		scheduling_turn(s, (int)(random_next(&seed) % 3));
		i = random_next(&seed) % AT_ONCE;
		if (now[i].job) {
			scheduler_cancel(now[i].job);
			now[i].job = NULL;
		}
		(void)scheduling_finish(s, now, AT_ONCE);
		for (i = 0; i < AT_ONCE; i++) {
			const client *x = &first[text[i]];

			kept += now[i].is_done && now[i].last.n_kept > 0;
			wrong += now[i].is_done && (now[i].n_ids != x->n_ids ||
			                            memcmp(now[i].ids, x->ids, sizeof x->ids) != 0);
		}
		do
			for (i = released = 0; i < AT_ONCE; i++)
				released += now[i].n_released;
		while (released < AT_ONCE && (scheduling_turn(s, 10), true));
		wrong += released != AT_ONCE;
	}
	CHECK(counts, wrong == 0 && submitted == 40 * AT_ONCE && kept > 60,
	      "%u wrong, %u submitted, %u kept something", wrong, submitted, kept);
	scheduler_free(s);
	remove_cache();
}

static void wait_for_state(scheduler *s, scheduler_state state)
{
	double end = os_clock() + 30;

	while (scheduler_get_state(s, NULL) != state && os_clock() < end)
		scheduling_turn(s, 20);
}

static uint64_t processor_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void test_idle_gives_back_and_takes_again(check_counts *counts)
{
	scheduler_options o = { .places = 2, .idle_seconds = 0.2 };
	scheduler *s = start(counts, o);
	scheduler_figures f;
	static client c;
	uint64_t before;

	ask(counts, s, &c, 0, false, "first");
	wait_for_state(s, SCHEDULER_IDLE);
	scheduler_get_figures(s, &f);
	CHECK(counts, scheduler_get_state(s, NULL) == SCHEDULER_IDLE && f.idle_times == 1, "idle");
	before = processor_ns();
	scheduling_turn(s, 500);
	scheduling_turn(s, 500);
	CHECK(counts, processor_ns() - before < 5000000, "%llu ns of processor time while idle",
	      (unsigned long long)(processor_ns() - before));
	ask(counts, s, &c, 0, true, "after idling");
	scheduler_get_figures(s, &f);
	CHECK(counts, f.loads == 2, "loaded %llu times", (unsigned long long)f.loads);
	scheduler_free(s);
	remove_cache();
}

/* The same with weights that are read into memory. */
static void test_owned_weights_are_given_back(check_counts *counts)
{
	brise_memory_facts facts;
	scheduler_options o = { .places = 1, .idle_seconds = 0.1 };
	scheduler *s;
	static client c;

	CHECK(counts,
	      brise_plan_memory(model, (uint64_t)1 << 30, &facts, sizeof facts, NULL) == BRISE_OK,
	      "plan");
	o.memory = facts.least + (facts.kept_bytes > facts.least ? facts.kept_bytes / 2 : 0);
	s = start(counts, o);
	ask(counts, s, &c, 0, false, "first");
	wait_for_state(s, SCHEDULER_IDLE);
	ask(counts, s, &c, 0, true, "after idling");
	scheduler_free(s);
	remove_cache();
}

static void test_replaced_model_is_refused(check_counts *counts)
{
	scheduler_options o = { .places = 1, .idle_seconds = 0.1 };
	scheduler *s = start(counts, o);
	char other[600];
	static client c;

	ask(counts, s, &c, 0, false, "first");
	wait_for_state(s, SCHEDULER_IDLE);
	(void)snprintf(other, sizeof other, "%s.kept", path);
	CHECK(counts, rename(path, other) == 0, "renaming");
	scheduling_convert(path, sizeof path, folder, "q8");
	client_init(&c, prompt, PROMPT, 3, 1);
	(void)client_submit(&c, s, NULL);
	CHECK(counts, scheduling_finish(s, &c, 1) && c.is_failed, "a model that is another one");
	(void)rename(other, path);
	ask(counts, s, &c, 0, true, "when it is back");
	scheduler_free(s);
	remove_cache();
}

/* Texts that are continued from the disk have the keys and values of the type's own passes, and
 * weights under a limit are read in the type's own pieces. */
static void test_products(check_counts *counts)
{
	RUN(test_texts_are_found_after_a_restart(counts));
	RUN(test_texts_that_leave_are_kept(counts));
	RUN(test_idle_gives_back_and_takes_again(counts));
	RUN(test_owned_weights_are_given_back(counts));
}

/* The rest is the same for every type. */
static void test_files(check_counts *counts)
{
	RUN(test_owners_have_folders_of_their_own(counts));
	RUN(test_streams_do_not_wait_for_the_disk(counts));
	RUN(test_who_waits_for_the_disk_may_leave(counts));
	RUN(test_texts_are_right_with_a_slow_disk(counts));
	RUN(test_replaced_model_is_refused(counts));
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	uint32_t type = 0;
	brise_error err;
	size_t i;

	check_choose(argc, argv);
	scratch_folder(folder, sizeof folder);
	(void)snprintf(cache, sizeof cache, "%s/cache", folder);
	for (i = 0; i < PROMPT; i++)
		prompt[i] = i == 0 ? 1 : (int32_t)(260 + i * 7 % 1000);
	while ((type = next_book_type(type)) != 0) {
		scheduling_convert(path, sizeof path, folder, type_name(type));
		if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
			fprintf(stderr, "%s\n", err.message);
			return 1;
		}
		has_expected = false;
		test_products(&counts);
		if (type == TYPE_Q4)
			test_files(&counts);
		brise_close_model(model);
	}
	return check_report("scheduler_cache", &counts);
}
