/* test_prompt_cache.c - texts that are kept on disk are found again by their tokens, go on with the
 * same bits, and take no more room than they may */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/os/os.h"
#include "runtime/session/cache.h"
#include "runtime/session/cache_entry.h"
#include "runtime/session/session.h"
#include "test/check.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define LONGEST 600u
#define PLENTY  ((uint64_t)1 << 30)

static char folder[400], model_path[512], place[512];

typedef struct setting {
	brise_model *model;
	brise_engine *engine;
	brise_sequence_options options;
	prompt_cache cache;
	int32_t tokens[LONGEST];
} setting;

static uint32_t file_type; /* of the models */

static void set_up(setting *s, check_counts *counts, const format_config *config, uint64_t most)
{
	brise_error err = { BRISE_OK, "" };

	memset(s, 0, sizeof *s);
	s->options = (brise_sequence_options){ .size = sizeof s->options,
		                               .context = LONGEST,
		                               .slack = 40 };
	small_write(config, file_type, model_path);
	CHECK(counts, brise_open_model(&s->model, model_path, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, brise_new_engine(&s->engine, s->model, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, prompt_cache_open(&s->cache, place, most, &err) == BRISE_OK, "%s",
	      err.message);
	small_tokens(s->tokens, LONGEST, config->vocab, 5);
}

static void tear_down(setting *s)
{
	char command[600];

	prompt_cache_close(&s->cache);
	brise_free_engine(s->engine);
	brise_close_model(s->model);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", place);
	if (system(command) != 0)
		perror(command);
}

static brise_sequence *new_sequence(const setting *s)
{
	brise_sequence *sequence;

	(void)brise_new_sequence(&sequence, s->model, &s->options, NULL);
	return sequence;
}

/* Evaluates a text and keeps it. */
static void put(check_counts *counts, setting *s, const int32_t *tokens, size_t n)
{
	brise_sequence *sequence = new_sequence(s);
	brise_error err = { BRISE_OK, "" };

	CHECK(counts,
	      brise_eval_tokens(s->engine, sequence, tokens, n, NULL, NULL, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, prompt_cache_put(&s->cache, sequence, tokens, n, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	brise_free_sequence(sequence);
}

/* How much of a text is found, whose logits must be those of a fresh sequence. */
static size_t take(check_counts *counts, setting *s, const int32_t *tokens, size_t n)
{
	brise_sequence *sequence = new_sequence(s), *fresh = new_sequence(s);
	brise_error err = { BRISE_OK, "" };
	const float *logits;
	size_t kept = 0, bytes = s->model->config.vocab * sizeof *logits;
	float *expected = malloc(bytes);

	CHECK(counts,
	      prompt_cache_take(&s->cache, &sequence, s->model, &s->options, NULL, 0, tokens, n,
	                        &kept, &err) == BRISE_OK,
	      "%s", err.message);
	if (brise_eval_tokens(s->engine, fresh, tokens, n, &logits, NULL, NULL, &err) == BRISE_OK)
		memcpy(expected, logits, bytes);
	CHECK(counts,
	      brise_eval_tokens(s->engine, sequence, tokens + kept, n - kept, &logits, NULL, NULL,
	                        &err) == BRISE_OK &&
	              !memcmp(logits, expected, bytes),
	      "%zu tokens, %zu kept: %s", n, kept, err.message);
	free(expected);
	brise_free_sequence(sequence);
	brise_free_sequence(fresh);
	return kept;
}

typedef struct listing {
	unsigned n;
	uint64_t bytes;
	char first[800];
} listing;

/* The files of the cache. */
static listing list(void)
{
	listing l = { 0, 0, "" };
	char command[600], line[800];
	struct stat facts;
	FILE *names;

	(void)snprintf(command, sizeof command, "find '%s' -type f", place);
	names = popen(command, "r");
	while (names && fgets(line, sizeof line, names)) {
		line[strcspn(line, "\n")] = 0;
		l.n++;
		if (stat(line, &facts) == 0)
			l.bytes += (uint64_t)facts.st_size;
		memcpy(l.first, line, sizeof l.first);
	}
	if (names)
		(void)pclose(names);
	return l;
}

typedef struct watched {
	unsigned asked, read;
	bool cancels;
	bool was_part; /* when the sequence had been read, the file was not in its place */
} watched;

static bool is_cancelled(void *user)
{
	watched *w = user;

	w->asked++;
	return w->cancels;
}

static void was_read(void *user)
{
	watched *w = user;

	w->read++;
	w->was_part = strstr(list().first, ".part") != NULL;
}

/* Saving can be given up, which leaves nothing; or the sequence is given back before the file is in
 * its place. */
static void test_saving_is_watched(check_counts *counts)
{
	setting s;
	watched w = { .cancels = true };
	const session_watch watch = { is_cancelled, was_read, &w };
	brise_sequence *sequence;
	brise_error err;

	set_up(&s, counts, &small_open, PLENTY);
	sequence = new_sequence(&s);
	(void)brise_eval_tokens(s.engine, sequence, s.tokens, 100, NULL, NULL, NULL, NULL);
	CHECK(counts,
	      prompt_cache_put(&s.cache, sequence, s.tokens, 100, &watch, &err) ==
	                      BRISE_ECANCELED &&
	              w.asked == 1 && w.read == 0 && list().n == 0,
	      "asked %u times, read %u times", w.asked, w.read);
	w.cancels = false;
	CHECK(counts,
	      prompt_cache_put(&s.cache, sequence, s.tokens, 100, &watch, &err) == BRISE_OK &&
	              w.read == 1 && w.was_part && list().n == 1 && !strstr(list().first, ".part"),
	      "read %u times", w.read);
	brise_free_sequence(sequence);
	tear_down(&s);
}

/* ---- finding -------------------------------------------------------------------------------- */

static void test_a_text_is_found_by_its_beginning(check_counts *counts)
{
	static const unsigned lengths[] = { 33, 64, 65, 100, 255, 256, 257, 400 };
	int32_t other[LONGEST];
	struct stat facts;
	unsigned i;
	setting s;

	for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		unsigned n = lengths[i];

		set_up(&s, counts, &small_open, PLENTY);
		CHECK(counts, stat(place, &facts) == 0 && (facts.st_mode & 0777) == 0700, "mode %o",
		      facts.st_mode);
		CHECK(counts, take(counts, &s, s.tokens, n) == 0, "nothing is there");
		put(counts, &s, s.tokens, n);
		CHECK(counts, take(counts, &s, s.tokens, n) == n - 1, "%u tokens: itself", n);
		CHECK(counts, take(counts, &s, s.tokens, n + 50) == n, "%u tokens: longer", n);
		CHECK(counts,
		      take(counts, &s, s.tokens, n - 1) == (n - 1 < 50 ? 0 : n - 2) || n < 50,
		      "%u tokens: shorter", n);
		memcpy(other, s.tokens, sizeof other);
		other[n * 3 / 4] ^= 1;
		CHECK(counts, take(counts, &s, other, n + 50) == n * 3 / 4 || n < 50,
		      "%u tokens: another end", n);
		other[20] ^= 1;
		CHECK(counts, take(counts, &s, other, n + 50) == 0, "%u tokens: another text", n);
		tear_down(&s);
	}
}

/* Of a window that has turned only what follows the whole text can be used. */
static void test_a_window_that_has_turned_is_used_where_it_is_right(check_counts *counts)
{
	int32_t other[LONGEST];
	setting s;

	set_up(&s, counts, &small_wide, PLENTY);
	put(counts, &s, s.tokens, 300);
	CHECK(counts, take(counts, &s, s.tokens, 350) == 300, "the whole text");
	memcpy(other, s.tokens, sizeof other);
	other[100] ^= 1;
	CHECK(counts, take(counts, &s, other, 350) == 0, "a part of it");
	memcpy(other, s.tokens, sizeof other);
	other[290] ^= 1;
	CHECK(counts, take(counts, &s, other, 350) == 290, "its last tokens can be rewound");
	tear_down(&s);
}

static void test_the_longest_is_taken(check_counts *counts)
{
	int32_t texts[6][LONGEST];
	unsigned i;
	setting s;

	set_up(&s, counts, &small_open, PLENTY);
	for (i = 0; i < 6; i++) {
		small_tokens(texts[i], LONGEST, small_open.vocab, 100 + i);
		memcpy(texts[i], s.tokens, (50 + 40 * i) * sizeof **texts);
		texts[i][50 + 40 * i] = (s.tokens[50 + 40 * i] + 1) % (int32_t)small_open.vocab;
		put(counts, &s, texts[i], 300);
	}
	CHECK(counts, list().n == 6, "%u files", list().n);
	CHECK(counts, take(counts, &s, s.tokens, 400) == 250, "the last text shares 250");
	for (i = 0; i < 6; i++)
		CHECK(counts, take(counts, &s, texts[i], 400) == 300, "text %u", i);
	tear_down(&s);
}

static void test_what_a_sequence_has_itself_is_not_read(check_counts *counts)
{
	brise_sequence *sequence, *before;
	size_t kept;
	setting s;

	set_up(&s, counts, &small_open, PLENTY);
	put(counts, &s, s.tokens, 300);
	before = sequence = new_sequence(&s);
	CHECK(counts,
	      brise_eval_tokens(s.engine, sequence, s.tokens, 295, NULL, NULL, NULL, NULL) ==
	              BRISE_OK,
	      "eval");
	CHECK(counts,
	      prompt_cache_take(&s.cache, &sequence, s.model, &s.options, s.tokens, 295, s.tokens,
	                        400, &kept, NULL) == BRISE_OK &&
	              sequence == before && kept == 295,
	      "%zu kept", kept);
	brise_free_sequence(sequence);
	tear_down(&s);
}

static void test_other_models_and_windows_are_not_found(check_counts *counts)
{
	setting s;

	set_up(&s, counts, &small_wide, PLENTY);
	put(counts, &s, s.tokens, 300);
	s.options.window = 60;
	CHECK(counts, take(counts, &s, s.tokens, 350) == 0, "another window");
	s.options.window = 0;
	s.options.kv = BRISE_KV_F32;
	CHECK(counts, take(counts, &s, s.tokens, 350) == 0, "another type");
	s.options.kv = BRISE_KV_INT8;
	CHECK(counts, take(counts, &s, s.tokens, 350) == 300, "the same");
	brise_free_engine(s.engine);
	brise_close_model(s.model);
	small_write(&small_wide, TYPE_Q8, model_path);
	CHECK(counts,
	      brise_open_model(&s.model, model_path, NULL, NULL) == BRISE_OK &&
	              brise_new_engine(&s.engine, s.model, NULL, NULL) == BRISE_OK,
	      "open");
	CHECK(counts, take(counts, &s, s.tokens, 350) == 0, "another model");
	tear_down(&s);
}

/* ---- keeping and dropping ---------------------------------------------------------------------
 */

static void test_a_longer_text_takes_the_place_of_its_beginning(check_counts *counts)
{
	setting s;

	set_up(&s, counts, &small_open, PLENTY);
	put(counts, &s, s.tokens, 20);
	CHECK(counts, list().n == 0, "a short text is kept");
	put(counts, &s, s.tokens, 100);
	put(counts, &s, s.tokens, 100);
	CHECK(counts, list().n == 1, "the same text twice: %u files", list().n);
	CHECK(counts, take(counts, &s, s.tokens, 150) == 100, "it is used");
	put(counts, &s, s.tokens, 100);
	CHECK(counts, list().n == 1, "the same text after a use: %u files", list().n);
	put(counts, &s, s.tokens, 200);
	CHECK(counts, list().n == 1, "%u files", list().n);
	CHECK(counts, take(counts, &s, s.tokens, 150) == 149, "the beginning is found in it");
	tear_down(&s);
	/* Where the window has turned, the beginning is not in it any more. */
	set_up(&s, counts, &small_wide, PLENTY);
	put(counts, &s, s.tokens, 100);
	put(counts, &s, s.tokens, 300);
	CHECK(counts, list().n == 2, "%u files", list().n);
	CHECK(counts, take(counts, &s, s.tokens, 150) == 100, "the beginning");
	tear_down(&s);
}

static void test_the_least_useful_are_dropped(check_counts *counts)
{
	int32_t texts[12][200];
	unsigned i;
	uint64_t one;
	setting s;

	set_up(&s, counts, &small_open, PLENTY);
	for (i = 0; i < 12; i++)
		small_tokens(texts[i], 200, small_open.vocab, 200 + i);
	put(counts, &s, texts[0], 200);
	one = list().bytes + 50000; /* as they are estimated */
	CHECK(counts, take(counts, &s, texts[0], 200) == 199, "used once");
	CHECK(counts, take(counts, &s, texts[0], 200) == 199, "used twice");
	s.cache.most_bytes = 5 * one;
	for (i = 1; i < 12; i++) {
		put(counts, &s, texts[i], 200);
		CHECK(counts, list().bytes <= s.cache.most_bytes, "%llu bytes",
		      (unsigned long long)list().bytes);
	}
	CHECK(counts, list().n >= 3 && list().n <= 6, "%u files", list().n);
	CHECK(counts, take(counts, &s, texts[0], 200) == 199, "the one that was used is there");
	CHECK(counts, take(counts, &s, texts[11], 200) == 199, "the last is there");
	s.cache.most_bytes = 1000;
	put(counts, &s, s.tokens, 200);
	CHECK(counts, take(counts, &s, s.tokens, 200) == 0, "what is too large is not kept");
	tear_down(&s);
}

static void test_what_cannot_be_read_is_removed(check_counts *counts)
{
	setting s;
	listing l;
	int file;

	set_up(&s, counts, &small_open, PLENTY);
	put(counts, &s, s.tokens, 300);
	l = list();
	CHECK(counts, l.n == 1 && truncate(l.first, 1000) == 0, "truncate");
	CHECK(counts, take(counts, &s, s.tokens, 350) == 0, "a file that is cut off");
	CHECK(counts, list().n == 0, "it is still there");
	put(counts, &s, s.tokens, 300);
	l = list();
	file = open(l.first, O_WRONLY);
	CHECK(counts, file >= 0 && pwrite(file, "damage", 6, 70000) == 6 && close(file) == 0,
	      "write");
	CHECK(counts, take(counts, &s, s.tokens, 350) == 0, "a file that is damaged");
	CHECK(counts, list().n == 0, "it is still there");
	put(counts, &s, s.tokens, 300);
	CHECK(counts, take(counts, &s, s.tokens, 350) == 300, "and it is kept again");
	tear_down(&s);
}

/* What is too long for the context asked for is neither loaded nor removed, and hides nothing. */
static void test_a_smaller_context_takes_shorter_texts(check_counts *counts)
{
	int32_t shorter[200];
	setting s;

	set_up(&s, counts, &small_open, PLENTY);
	memcpy(shorter, s.tokens, sizeof shorter);
	shorter[150] = (shorter[150] + 1) % (int32_t)small_open.vocab;
	put(counts, &s, shorter, 200);
	put(counts, &s, s.tokens, 300);
	s.options.context = 256;
	CHECK(counts, take(counts, &s, s.tokens, 180) == 150, "the shorter one is not taken");
	CHECK(counts, list().n == 2, "%u files are left", list().n);
	s.options.context = 0;
	CHECK(counts, take(counts, &s, s.tokens, 350) == 300, "the longer one is not taken");
	tear_down(&s);
}

/* Anybody could put a folder of his own where texts are going to lie. */
static void test_a_folder_that_everybody_may_write_to_is_refused(check_counts *counts)
{
	brise_error err = { BRISE_OK, "" };
	prompt_cache cache;
	char open[600];

	(void)snprintf(open, sizeof open, "%s/open", folder);
	CHECK(counts, mkdir(open, 0700) == 0 && chmod(open, 01777) == 0, "%s", open);
	CHECK(counts,
	      prompt_cache_open(&cache, open, PLENTY, &err) == BRISE_EIO &&
	              strstr(err.message, "everybody may write"),
	      "\"%s\"", err.message);
	CHECK(counts, chmod(open, 0775) == 0, "%s", open);
	CHECK(counts, prompt_cache_open(&cache, open, PLENTY, &err) == BRISE_OK, "%s", err.message);
	prompt_cache_close(&cache);
	CHECK(counts, rmdir(open) == 0, "%s", open);
}

/* The cause is that of the first folder that could not be made. */
static void test_a_folder_that_cannot_be_made_says_why(check_counts *counts)
{
	brise_error err = { BRISE_OK, "" };
	prompt_cache cache;
	char below[600];
	FILE *file;

	(void)snprintf(below, sizeof below, "%s/file", folder);
	file = fopen(below, "w");
	CHECK(counts, file && fclose(file) == 0, "%s", below);
	(void)snprintf(below, sizeof below, "%s/file/of/prompts", folder);
	CHECK(counts,
	      prompt_cache_open(&cache, below, PLENTY, &err) == BRISE_EIO &&
	              strstr(err.message, "Not a directory"),
	      "\"%s\"", err.message);
	/* Nobody may make folders in Linux's /sys; one that is below none is "No such file". */
	if (mkdir("/sys/of", 0700) != 0 && (errno == EPERM || errno == EACCES || errno == EROFS))
		CHECK(counts,
		      prompt_cache_open(&cache, "/sys/of/prompts", PLENTY, &err) == BRISE_EIO &&
		              !strstr(err.message, "No such file"),
		      "\"%s\"", err.message);
	(void)snprintf(below, sizeof below, "%s/file", folder);
	CHECK(counts, unlink(below) == 0, "%s", below);
}

/* ---- processes ------------------------------------------------------------------------------ */

static void test_processes_may_be_killed_and_share_the_folder(check_counts *counts)
{
	uint64_t seed = 8;
	unsigned i;
	setting s;

	set_up(&s, counts, &small_open, 300000);
	for (i = 0; i < 60; i++) {
		struct timespec pause = { 0, (long)(random_next(&seed) % 8000000) };
		pid_t children[2];
		unsigned k;

		for (k = 0; k < 2; k++)
			if ((children[k] = fork()) == 0) {
				uint64_t own = i * 2 + k;
				int32_t tokens[100];
				check_counts none = { 0, 0, 0 };

				for (;;) {
					small_tokens(tokens, 100, small_open.vocab,
					             random_next(&own) % 5);
					put(&none, &s, tokens, 100);
					(void)take(&none, &s, tokens, 100);
					if (none.failed > 0)
						_exit(1);
				}
			}
		(void)nanosleep(&pause, NULL);
		for (k = 0; k < 2; k++) {
			int status;

			(void)kill(children[k], SIGKILL);
			(void)waitpid(children[k], &status, 0);
			CHECK(counts, WIFSIGNALED(status), "a process ended by itself");
		}
	}
	for (i = 0; i < 5; i++) {
		int32_t tokens[100];

		small_tokens(tokens, 100, small_open.vocab, i);
		(void)take(counts, &s, tokens, 100);
		put(counts, &s, tokens, 100);
		CHECK(counts, take(counts, &s, tokens, 100) == 99, "text %u", i);
	}
	CHECK(counts, list().bytes <= 300000 && !strstr(list().first, ".part"), "%llu bytes",
	      (unsigned long long)list().bytes);
	tear_down(&s);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void test_names_say_what_they_are_made_of(check_counts *counts)
{
	static const char *const wrong[] = {
		"",
		"x",
		".",
		"00000020-000000-00000000-000000000000-000000000000-0000000000000000-",
		"00000020-000000-00000000-000000000000-000000000000-0000000000000000-0000000",
		"00000020-000000-00000000-000000000000-000000000000-0000000000000000-000000000",
		"00000020-000000-00000000-000000000000-000000000000-0000000000000000-0000000G",
		"00000020_000000-00000000-000000000000-000000000000-0000000000000000-00000000",
		"00000010-000000-00000000-000000000000-000000000000-0000000000000000-00000000",
	};
	int32_t tokens[LONGEST];
	cache_entry e, back;
	entry_hashes h;
	char name[ENTRY_NAME];
	unsigned i;
	size_t n;

	small_tokens(tokens, LONGEST, 64, 1);
	for (n = ENTRY_LEAST; n < LONGEST; n += 13) {
		CHECK(counts, entry_hash(&h, 7, tokens, n), "memory");
		e = entry_of(&h);
		e.uses = (uint32_t)n;
		e.hour = 500000;
		e.bytes = n << 30;
		e.rewind_from = n * 3;
		entry_print(&e, name);
		CHECK(counts, entry_parse(&back, name) && !memcmp(&e, &back, sizeof e), "%s", name);
		entry_free_hashes(&h);
	}
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(counts, !entry_parse(&back, wrong[i]), "'%s'", wrong[i]);
	e.hour = 1000;
	CHECK(counts,
	      entry_score(&e, 1000) > entry_score(&e, 1001) &&
	              entry_score(&e, 1168) * 1.9 < entry_score(&e, 1000) &&
	              entry_score(&e, 0xffffffff) >= 0,
	      "scores");
}

/* How long it takes is printed, and not tested. */
static void test_one_of_ten_thousand_is_found(check_counts *counts)
{
	char name[ENTRY_NAME], path[900];
	int32_t tokens[100];
	cache_entry e;
	entry_hashes h;
	unsigned i;
	double start, best = 1;
	setting s;

	set_up(&s, counts, &small_open, PLENTY);
	for (i = 0; i < 10000; i++) {
		small_tokens(tokens, 100, 64, i);
		if (!entry_hash(&h, 0, tokens, 100))
			break;
		e = entry_of(&h);
		e.bytes = 200000;
		entry_print(&e, name);
		(void)snprintf(path, sizeof path, "%s/%02x", place, entry_bucket(&h));
		(void)mkdir(path, 0700);
		(void)snprintf(path, sizeof path, "%s/%02x/%s", place, entry_bucket(&h), name);
		(void)close(open(path, O_CREAT | O_WRONLY, 0600));
		entry_free_hashes(&h);
	}
	s.cache.most_bytes = (uint64_t)4 << 30;
	put(counts, &s, s.tokens, 300);
	CHECK(counts, list().n == 10001, "%u files", list().n);
	for (i = 0; i < 10; i++) {
		brise_sequence *sequence = new_sequence(&s);
		size_t kept = 0;

		start = os_clock();
		(void)prompt_cache_take(&s.cache, &sequence, s.model, &s.options, NULL, 0, s.tokens,
		                        350, &kept, NULL);
		best = os_clock() - start < best ? os_clock() - start : best;
		CHECK(counts, kept == 300, "%zu kept", kept);
		brise_free_sequence(sequence);
	}
	fprintf(stderr, "one of 10,000 cached prompts is found and loaded in %.2f ms\n",
	        1e3 * best);
	tear_down(&s);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(model_path, sizeof model_path, "%s/model.brise", folder);
	(void)snprintf(place, sizeof place, "%s/cache/of/prompts", folder);
	while ((file_type = next_book_type(file_type)) != 0) {
		RUN(test_a_text_is_found_by_its_beginning(&counts));
		RUN(test_a_window_that_has_turned_is_used_where_it_is_right(&counts));
		RUN(test_saving_is_watched(&counts));
		RUN(test_the_longest_is_taken(&counts));
		RUN(test_what_a_sequence_has_itself_is_not_read(&counts));
		RUN(test_other_models_and_windows_are_not_found(&counts));
		RUN(test_a_longer_text_takes_the_place_of_its_beginning(&counts));
		RUN(test_the_least_useful_are_dropped(&counts));
		RUN(test_what_cannot_be_read_is_removed(&counts));
		RUN(test_a_smaller_context_takes_shorter_texts(&counts));
		RUN(test_a_folder_that_everybody_may_write_to_is_refused(&counts));
		RUN(test_a_folder_that_cannot_be_made_says_why(&counts));
		RUN(test_processes_may_be_killed_and_share_the_folder(&counts));
	}
	file_type = next_book_type(0);
	RUN(test_names_say_what_they_are_made_of(&counts));
	RUN(test_one_of_ten_thousand_is_found(&counts));
	return check_report("prompt_cache", &counts);
}
