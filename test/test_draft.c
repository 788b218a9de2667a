/* test_draft.c - drafts without a model: the index against a search of the whole history, its
 * memory, and how many drafts are taken */
#include <stdlib.h>

#include "runtime/drafter.h"
#include "test/check.h"
#include "test/failing_heap.h"
#include "test/random.h"

/* ---- the index ------------------------------------------------------------------------------ */

/* A text of `n` tokens, of which the first has position `first`. */
typedef struct text {
	int32_t *tokens;
	uint64_t first, n;
} text;

/* Whether the `length` tokens before `source` and before the end are the same, by the text. */
static bool is_match(const text *t, uint64_t end, uint64_t source, unsigned length)
{
	unsigned i;

	for (i = 1; i <= length; i++)
		if (t->tokens[source - i] != t->tokens[end - i])
			return false;
	return true;
}

/* The latest successor of the last `length` of `end` tokens, by looking everywhere; 0: none. */
static uint64_t search(const text *t, uint64_t end, unsigned length)
{
	uint64_t begin = end > DRAFT_HISTORY ? end - DRAFT_HISTORY : 0, source;

	for (source = end - 1; end > length && source >= begin + length; source--)
		if (is_match(t, end, source, length))
			return source;
	return 0;
}

typedef struct found {
	unsigned asked, lost; /* lost: another answer than the search's */
	bool wrong;           /* what was found was no match, or outside the history */
} found;

static void ask(found *f, const draft_index *index, const text *t, uint64_t end)
{
	uint64_t source = 0, expected = 0, at = 0;
	unsigned length;

	for (length = DRAFT_LONGEST; length >= DRAFT_SHORTEST && expected == 0; length--)
		expected = search(t, end, length);
	f->asked++;
	if (draft_index_find(index, &source)) {
		at = source - t->first;
		if (at >= end || end - at >= DRAFT_HISTORY ||
		    !is_match(t, end, at, DRAFT_SHORTEST) ||
		    draft_index_get(index, source) != t->tokens[at])
			f->wrong = true;
	}
	f->lost += at != expected;
}

/* Texts of few and of many different tokens, with and without repetitions, longer than the
 * history; `first` lets positions cross 2^32. */
static found ask_about(uint64_t first, uint32_t alphabet, unsigned copied, uint64_t seed)
{
	text t = { malloc(3 * DRAFT_HISTORY * sizeof *t.tokens), first, 3 * DRAFT_HISTORY };
	found f = { 0, 0, false };
	uint64_t i, from = 0;
	draft_index index;

	if (!t.tokens || !draft_index_new(&index))
		exit(1);
	index.n = first;
	for (i = 0; i < t.n; i++) {
		if (i > 0 && random_next(&seed) % 16 == 0)
			from = i < DRAFT_HISTORY ? random_next(&seed) % i
			                         : i - 1 - random_next(&seed) % (DRAFT_HISTORY - 1);
		t.tokens[i] = i > 0 && random_next(&seed) % 100 < copied
		                      ? t.tokens[from]
		                      : (int32_t)(random_next(&seed) % alphabet);
		from++;
		draft_index_add(&index, t.tokens[i]);
		if (i < 300 || random_next(&seed) % 128 == 0)
			ask(&f, &index, &t, i + 1);
	}
	draft_index_free(&index);
	free(t.tokens);
	return f;
}

static void test_the_index_finds_what_a_search_finds(check_counts *counts)
{
	static const struct {
		uint32_t alphabet;
		unsigned copied;
	} texts[] = { { 1, 0 },    { 2, 0 },    { 7, 0 },     { 200, 0 },
		      { 4096, 0 }, { 200, 90 }, { 4096, 50 }, { 32000, 90 } };
	static const uint64_t firsts[] = { 0, (UINT64_C(1) << 32) - DRAFT_HISTORY - 5000 };
	unsigned i, k;

	for (i = 0; i < sizeof texts / sizeof *texts; i++)
		for (k = 0; k < 2; k++) {
			found f = ask_about(firsts[k], texts[i].alphabet, texts[i].copied, 1 + i);

			CHECK(counts, !f.wrong, "%u tokens: a match that is none",
			      texts[i].alphabet);
			CHECK(counts, f.lost * 20 <= f.asked,
			      "%u tokens, %u %% copied: %u of %u lost", texts[i].alphabet,
			      texts[i].copied, f.lost, f.asked);
			if (getenv("BRISE_TEST_VERBOSE"))
				fprintf(stderr, "%u tokens, %u %% copied: %u of %u lost\n",
				        texts[i].alphabet, texts[i].copied, f.lost, f.asked);
		}
}

static void test_a_match_is_measured_within_the_history(check_counts *counts)
{
	draft_index index;
	uint64_t source = 0;
	unsigned i;

	if (!draft_index_new(&index))
		exit(1);
	for (i = 0; i < 3; i++)
		draft_index_add(&index, 9);
	CHECK(counts, draft_index_find(&index, &source) && source == 2, "9 9 9: from %u",
	      (unsigned)source);
	CHECK(counts, draft_index_measure(&index, 2, 16) == 2, "%u before the text's start",
	      draft_index_measure(&index, 2, 16));
	for (i = 0; i < DRAFT_HISTORY; i++)
		draft_index_add(&index, (int32_t)i);
	for (i = 0; i < 20; i++)
		draft_index_add(&index, (int32_t)(DRAFT_HISTORY - 20 + i));
	CHECK(counts, draft_index_find(&index, &source) && index.n - source == 20, "repeated");
	CHECK(counts, draft_index_measure(&index, source, 16) == 16, "%u of 16",
	      draft_index_measure(&index, source, 16));
	CHECK(counts,
	      draft_index_measure(&index, index.n - DRAFT_HISTORY, 16) == 0 &&
	              draft_index_measure(&index, index.n - 2 * DRAFT_HISTORY, 16) == 0,
	      "tokens that are gone");
	for (i = 0; i < DRAFT_HISTORY; i++)
		draft_index_add(&index, 7);
	CHECK(counts, draft_index_measure(&index, index.n - DRAFT_HISTORY + 3, 16) == 3,
	      "only three tokens before it are held");
	draft_index_free(&index);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void test_a_text_of_any_length_takes_the_same_memory(check_counts *counts)
{
	int32_t drafts[DRAFT_MOST];
	uint64_t seed = 5;
	drafter d;
	long before;
	unsigned i;

	CHECK(counts, drafter_new(&d), "new");
	before = atomic_load(&requests);
	for (i = 0; i < 1000000; i++) {
		drafter_add(&d, (int32_t)(random_next(&seed) % (1 + i / 1000)), true);
		drafter_note_pass(&d, 1 + drafter_propose(&d, drafts, DRAFT_MOST), 1, 1);
	}
	CHECK(counts, atomic_load(&requests) == before, "%ld allocations",
	      atomic_load(&requests) - before);
	drafter_free(&d);
	CHECK(counts, atomic_load(&in_use) == 0, "%ld in use", atomic_load(&in_use));
}

static void test_no_memory_is_reported(check_counts *counts)
{
	unsigned i;

	for (i = 1; i <= 2; i++) {
		drafter d;

		atomic_store(&fail_at, atomic_load(&requests) + i);
		CHECK(counts, !drafter_new(&d), "allocation %u fails", i);
		drafter_free(&d);
		CHECK(counts, atomic_load(&in_use) == 0, "%ld in use", atomic_load(&in_use));
	}
	atomic_store(&fail_at, 0);
}

/* ---- drafts --------------------------------------------------------------------------------- */

/* Drafts that always pay. */
static size_t propose(drafter *d, int32_t *drafts, size_t most)
{
	unsigned i;

	d->pace.seconds[1] = d->pace.seconds[DRAFT_MOST + 1] = 1;
	d->pace.balance = 0;
	for (i = 0; i < DRAFT_PACE_CLASSES; i++)
		d->pace.right[i] = 1;
	return drafter_propose(d, drafts, most);
}

static void test_drafts_continue_what_the_text_repeats(check_counts *counts)
{
	static const int32_t once[] = { 5, 6, 7, 8, 9, 10, 11, 12 };
	int32_t drafts[DRAFT_MOST];
	drafter d;
	size_t n, i;
	bool same = true;

	CHECK(counts, drafter_new(&d), "new");
	CHECK(counts, propose(&d, drafts, DRAFT_MOST) == 0, "an empty text has drafts");
	for (i = 0; i < 8; i++)
		drafter_add(&d, once[i], false);
	CHECK(counts, propose(&d, drafts, DRAFT_MOST) == 0, "a text without repetition has drafts");
	drafter_add(&d, 5, true);
	CHECK(counts, propose(&d, drafts, DRAFT_MOST) == 0, "one token is no match");
	drafter_add(&d, 6, true);
	n = propose(&d, drafts, 6);
	CHECK(counts, n == 6 && !memcmp(drafts, once + 2, 6 * sizeof *drafts), "%zu drafts", n);
	/* Beyond the text's end the drafts repeat themselves. */
	n = propose(&d, drafts, DRAFT_MOST);
	for (i = 0; i < n; i++)
		same = same && drafts[i] == once[(2 + i) % 8];
	CHECK(counts, n == DRAFT_MOST && same, "%zu drafts", n);
	drafter_free(&d);
}

static void test_the_latest_source_is_taken_unless_one_matches_longer(check_counts *counts)
{
	int32_t drafts[DRAFT_MOST];
	drafter d;
	int32_t i;

	CHECK(counts, drafter_new(&d), "new");
	for (i = 0; i <= 20; i++)
		drafter_add(&d, i, false);
	for (i = 16; i < 20; i++) /* once more, and something else follows */
		drafter_add(&d, i, false);
	drafter_add(&d, 50, false);
	for (i = 16; i < 20; i++)
		drafter_add(&d, i, true);
	CHECK(counts, propose(&d, drafts, 1) == 1 && drafts[0] == 50, "the latest: %d", drafts[0]);
	drafter_add(&d, 60, true);
	CHECK(counts, d.match == 0, "a match of %u after a token never seen", d.match);
	for (i = 5; i < 20; i++)
		drafter_add(&d, i, true);
	CHECK(counts, propose(&d, drafts, 2) == 2 && drafts[0] == 20 && drafts[1] == 16,
	      "the one followed since its beginning: %d, %d", drafts[0], drafts[1]);
	CHECK(counts, d.match == 15, "a match of %u", d.match);
	drafter_free(&d);
}

/* ---- how many ------------------------------------------------------------------------------- */

/* What a pass of 1, 2, 4 and so on to 64 rows costs on a machine. */
typedef struct machine {
	const char *name;
	double cost[7], noise;
} machine;

static double pass_cost(const machine *m, size_t rows)
{
	unsigned i = 0;

	while ((size_t)2 << i < rows)
		i++;
	if (rows == 1)
		return m->cost[0];
	return m->cost[i] + (m->cost[i + 1] - m->cost[i]) * ((double)rows / (double)(1u << i) - 1);
}

/* Seconds per token over `n` tokens of a text where a match of m tokens stands before a token with
 * `share` and the token is then what followed the match with `right`. */
static double play(const machine *m, double share, double right, unsigned n, uint64_t seed)
{
	double seconds = 0;
	draft_pace pace;
	unsigned tokens = 0, match = 0;

	draft_pace_begin(&pace);
	while (tokens < n) {
		size_t drafts = match > 0 ? draft_pace_choose(&pace, match, DRAFT_MOST) : 0,
		       drawn = 0;
		double noise = (double)(random_next(&seed) % 1000) / 1000,
		       cost = pass_cost(m, drafts + 1) * (1 + m->noise * noise * noise);
		bool hit = true;

		while (hit && drawn <= drafts) {
			hit = match > 0 && (double)(random_next(&seed) % 1000) < 1000 * right;
			if (match > 0)
				draft_pace_note_token(&pace, match, hit);
			match = hit ? match + (match < DRAFT_MATCH_MAX)
			        : (double)(random_next(&seed) % 1000) < 1000 * share
			                ? 2 + (unsigned)(random_next(&seed) % 3)
			                : 0;
			drawn++;
		}
		draft_pace_note_pass(&pace, drafts + 1, drawn, cost);
		seconds += cost;
		tokens += (unsigned)drawn;
	}
	return seconds / tokens / (1 + m->noise / 3);
}

static const machine machines[] = {
	{ "kernels that read once", { 1, 1.1, 1.25, 1.7, 2.6, 4.4, 8 }, 0 },
	{ "the same, with noise", { 1, 1.1, 1.25, 1.7, 2.6, 4.4, 8 }, 0.3 },
	{ "two rows cost more than two passes", { 1, 2.3, 3, 3.4, 4.9, 8, 15 }, 0 },
	{ "the same, with noise", { 1, 2.3, 3, 3.4, 4.9, 8, 15 }, 0.3 },
	{ "each row costs a pass", { 1, 2, 4, 8, 16, 32, 64 }, 0 },
	{ "weights from a disk", { 1, 1.01, 1.02, 1.03, 1.05, 1.1, 1.2 }, 0 },
};

static void test_text_without_repetition_loses_little(check_counts *counts)
{
	static const double rights[] = { 0, 0.05, 0.15, 0.3, 0.5 };
	unsigned i, k, n;

	for (i = 0; i < sizeof machines / sizeof *machines; i++)
		for (k = 0; k < sizeof rights / sizeof *rights; k++)
			for (n = 200; n <= 20000; n *= 10) {
				double cost = play(&machines[i], 0.4, rights[k], n, 1 + k);

				CHECK(counts, cost < 1.03, "%s, %g right, %u tokens: %.3f",
				      machines[i].name, rights[k], n, cost);
			}
}

/* Of 20 texts. */
static double play_repetitions(const machine *m, double right, unsigned n)
{
	double cost = 0;
	unsigned i;

	for (i = 1; i <= 20; i++)
		cost += play(m, 0.9, right, n, i) / 20;
	if (getenv("BRISE_TEST_VERBOSE"))
		fprintf(stderr, "%s, %g right: %.3f\n", m->name, right, cost);
	return cost;
}

/* Long ones: hundreds of tokens copied, as in code that is edited. They would catch passes that
 * stop at the number of rows to which they pay everywhere. */
static void test_repetitions_pay(check_counts *counts)
{
	static const double most[][2] = { { 0.3, 0.17 },  { 0.3, 0.17 },  { 0.58, 0.34 },
		                          { 0.58, 0.34 }, { 1.03, 1.03 }, { 0.17, 0.04 } };
	unsigned i;

	for (i = 0; i < sizeof machines / sizeof *machines; i++) {
		double cost = play_repetitions(&machines[i], 0.93, 1000),
		       cost_of_long = play_repetitions(&machines[i], 0.995, 2000);

		CHECK(counts, cost < most[i][0], "%s: %.3f", machines[i].name, cost);
		CHECK(counts, cost_of_long < most[i][1], "%s, long: %.3f", machines[i].name,
		      cost_of_long);
	}
}

/* A text that begins to repeat itself, or a machine that becomes free, is noticed. */
static void test_what_was_expensive_is_measured_again(check_counts *counts)
{
	draft_pace pace;
	unsigned i;
	size_t rows;

	draft_pace_begin(&pace);
	draft_pace_note_pass(&pace, 1, 1, 1);
	for (rows = 2; rows <= DRAFT_MOST + 1; rows++)
		draft_pace_note_pass(&pace, rows, rows, (double)rows);
	CHECK(counts, draft_pace_choose(&pace, 16, DRAFT_MOST) == 0, "a pass that does not pay");
	for (i = 0; i < 300 && draft_pace_choose(&pace, 16, DRAFT_MOST) == 0; i++)
		draft_pace_note_pass(&pace, 1, 1, 1);
	CHECK(counts, i > 100 && i < 300, "again after %u", i);
}

/* Without a clock all passes take 0 seconds. */
static void test_without_a_clock_drafts_are_taken(check_counts *counts)
{
	draft_pace pace;

	draft_pace_begin(&pace);
	CHECK(counts, draft_pace_choose(&pace, 16, DRAFT_MOST) == 0, "before the first pass");
	draft_pace_note_pass(&pace, 1, 1, 0);
	CHECK(counts, draft_pace_choose(&pace, 16, DRAFT_MOST) == 3, "few at first");
	draft_pace_note_pass(&pace, 4, 4, 0);
	CHECK(counts, draft_pace_choose(&pace, 16, DRAFT_MOST) > 4, "after a pass");
	CHECK(counts, draft_pace_choose(&pace, 16, 3) == 3, "as many as there is room for");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_the_index_finds_what_a_search_finds(&counts));
	RUN(test_a_match_is_measured_within_the_history(&counts));
	RUN(test_a_text_of_any_length_takes_the_same_memory(&counts));
	RUN(test_no_memory_is_reported(&counts));
	RUN(test_drafts_continue_what_the_text_repeats(&counts));
	RUN(test_the_latest_source_is_taken_unless_one_matches_longer(&counts));
	RUN(test_text_without_repetition_loses_little(&counts));
	RUN(test_repetitions_pay(&counts));
	RUN(test_what_was_expensive_is_measured_again(&counts));
	RUN(test_without_a_clock_drafts_are_taken(&counts));
	return check_report("draft", &counts);
}
