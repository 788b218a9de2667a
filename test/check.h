/* check.h - what every test program uses: statements that are counted and reported
 *
 *     int main(int argc, char **argv)
 *     {
 *             check_counts counts = { 0, 0, 0 };
 *
 *             check_choose(argc, argv);
 *             RUN(test_ring_keeps_exactly_the_last_positions(&counts));
 *             return check_report("ring", &counts);
 *     }
 *
 * A test CHECKs statements. The program prints one line "ring: N passed, N failed, N skipped",
 * which test/run.sh adds up; it fails if a statement failed, and if none was tested. With names of
 * tests as arguments it runs those alone.
 */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CHECK_CHOSEN_MAX 32

typedef struct check_counts {
	unsigned passed, failed, skipped;
} check_counts;

/* The tests that the command line names; none: all are run. */
static struct {
	const char *names[CHECK_CHOSEN_MAX];
	bool found[CHECK_CHOSEN_MAX];
	int n;
} check_chosen;

static inline void check_choose(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && check_chosen.n < CHECK_CHOSEN_MAX; i++)
		check_chosen.names[check_chosen.n++] = argv[i];
}

/* call: a function call as text; whether the function is to be run. */
static inline bool check_is_chosen(const char *call)
{
	size_t length = strcspn(call, "(");
	bool chosen = check_chosen.n == 0;
	int i;

	for (i = 0; i < check_chosen.n; i++)
		if (strlen(check_chosen.names[i]) == length &&
		    !strncmp(check_chosen.names[i], call, length))
			chosen = check_chosen.found[i] = true;
	return chosen;
}

#define RUN(call)                                                                                  \
	do {                                                                                       \
		if (check_is_chosen(#call))                                                        \
			call;                                                                      \
	} while (0)

/* One statement: counted as passed or failed; a failure prints place and printf-formatted
 * details. */
#define CHECK(counts, condition, ...)                                                              \
	do {                                                                                       \
		if (condition) {                                                                   \
			(counts)->passed++;                                                        \
		} else {                                                                           \
			(counts)->failed++;                                                        \
			fprintf(stderr, "%s:%d: FAILED: %s: ", __FILE__, __LINE__, #condition);    \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
		}                                                                                  \
	} while (0)

static inline void check_skip(check_counts *counts, const char *what, const char *reason)
{
	counts->skipped++;
	fprintf(stderr, "skipped: %s: %s\n", what, reason);
}

/* Prints the counts; returns main's result. */
static inline int check_report(const char *name, const check_counts *counts)
{
	unsigned failed = counts->failed;
	int i;

	for (i = 0; i < check_chosen.n; i++)
		if (!check_chosen.found[i]) {
			fprintf(stderr, "FAILED: %s has no test %s\n", name, check_chosen.names[i]);
			failed++;
		}
	if (failed == 0 && counts->passed == 0)
		fprintf(stderr, "FAILED: %s tested nothing\n", name);
	printf("%s: %u passed, %u failed, %u skipped\n", name, counts->passed, failed,
	       counts->skipped);
	return failed != 0 || counts->passed == 0;
}

#endif
