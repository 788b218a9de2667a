/* check.h - what every test program uses: statements that are counted and reported
 *
 * A test program is a main() that calls CHECK on statements and ends with `return
 * check_report("name");`. Each program prints one line "name: N passed, N failed, N skipped";
 * test/run.sh adds them up.
 */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <stdio.h>

typedef struct check_counts {
	unsigned passed, failed, skipped;
} check_counts;

/* One statement: counted as passed or failed; a failure prints place and printf-formatted details.
 */
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

static inline int check_report(const char *name, const check_counts *counts)
{
	printf("%s: %u passed, %u failed, %u skipped\n", name, counts->passed, counts->failed,
	       counts->skipped);
	return counts->failed != 0;
}

#endif
