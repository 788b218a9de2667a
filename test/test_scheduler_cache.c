/* test_scheduler_cache.c - what a scheduler keeps on disk, gives back when idle, and takes again */
#include "runtime/serve/scheduler.h"

#include <dirent.h>
#include <time.h>

#include "test/scheduling.h"

#define PROMPT 120u

static char folder[400], path[512], place[512];
static brise_model *model;
static int32_t prompt[PROMPT];

static scheduler *start(check_counts *counts, scheduler_options o)
{
	brise_error err = { BRISE_OK, "" };
	scheduler *s = NULL;

	o.path = path;
	o.cache = place;
	o.cache_bytes = (uint64_t)1 << 30;
	CHECK(counts, scheduler_new(&s, model, &o, &err) == BRISE_OK, "%s", err.message);
	return s;
}

static void remove_cache(void)
{
	char command[600];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", place);
	if (system(command) != 0)
		perror(command);
}

/* A job of an owner; its text and how much of its prompt was kept are compared. */
static void ask(check_counts *counts, scheduler *s, client *c, size_t owner, bool kept,
                const char *what)
{
	static client first;
	static bool has_first;

	client_init(c, prompt, PROMPT, 12, 3);
	c->plan.who.key = owner;
	(void)client_submit(c, s, NULL);
	CHECK(counts, scheduling_finish(s, c, 1) && c->is_done, "%s: not answered: %s", what,
	      c->error.message);
	CHECK(counts, (c->last.n_kept > 0) == kept, "%s: %zu tokens kept", what, c->last.n_kept);
	if (!has_first)
		first = *c;
	has_first = true;
	CHECK(counts, c->n_ids == first.n_ids && !memcmp(c->ids, first.ids, sizeof c->ids),
	      "%s: another text", what);
}

static unsigned count_folders(const char *begin)
{
	DIR *d = opendir(place);
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

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	brise_error err;
	size_t i;

	check_choose(argc, argv);
	scratch_folder(folder, sizeof folder);
	scheduling_convert(path, sizeof path, folder, "q4");
	(void)snprintf(place, sizeof place, "%s/cache", folder);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	for (i = 0; i < PROMPT; i++)
		prompt[i] = i == 0 ? 1 : (int32_t)(260 + i * 7 % 1000);
	RUN(test_texts_are_found_after_a_restart(&counts));
	RUN(test_owners_have_folders_of_their_own(&counts));
	RUN(test_texts_that_leave_are_kept(&counts));
	RUN(test_idle_gives_back_and_takes_again(&counts));
	RUN(test_owned_weights_are_given_back(&counts));
	RUN(test_replaced_model_is_refused(&counts));
	brise_close_model(model);
	return check_report("scheduler_cache", &counts);
}
