/* test_small_libc.c - what the library for no system has in place of libc says the same as libc */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The functions under other names, in this one file. */
#define strlen    small_strlen
#define strcmp    small_strcmp
#define strchr    small_strchr
#define qsort     small_qsort
#define vsnprintf small_vsnprintf
#define snprintf  small_snprintf
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
char *strchr(const char *text, int byte);
void qsort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *));
int vsnprintf(char *text, size_t size, const char *format, va_list arguments);
int snprintf(char *text, size_t size, const char *format, ...);
#include "runtime/os/none/print.c"
#include "runtime/os/none/strings.c"
#undef strlen
#undef strcmp
#undef strchr
#undef qsort
#undef vsnprintf
#undef snprintf

#include "runtime/portable.h"
#include "test/check.h"
#include "test/random.h"

static check_counts counts;

static void print_both(char *ours, char *theirs, size_t size, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = small_vsnprintf(ours, size, format, args);
	CHECK(&counts, n == vsnprintf(theirs, size, format, again) && !strcmp(ours, theirs),
	      "\"%s\", expected \"%s\"", ours, theirs);
	va_end(again);
}

/* The whole text, and what of it fits in few bytes. */
PORTABLE_PRINTF(1, 2) static void same(const char *format, ...)
{
	char ours[200], theirs[200];
	va_list args;

	va_start(args, format);
	print_both(ours, theirs, sizeof ours, format, args);
	va_end(args);
	va_start(args, format);
	print_both(ours, theirs, 7, format, args);
	va_end(args);
}

static void test_numbers_and_texts_are_printed_as_libc_prints_them(void)
{
	same("no conversion, 100%% of it");
	same("%s: %s", "model.brise", "");
	same("%.*s|%.40s|%.3s", 4, "abcdefgh", "short", "abcdef");
	same("%d %d %d %d", 0, -1, INT32_MAX, INT32_MIN);
	same("%u %" PRIu32 " %" PRId32, 7u, UINT32_MAX, INT32_MIN);
	same("%" PRIu64 " %" PRId64 " %ld %llu", UINT64_MAX, INT64_MIN, -5L, 5ULL);
	same("%zu..+%zu", (size_t)0, SIZE_MAX);
	same("0x%" PRIx32 " 0x%08" PRIx32 " %x", 0xbeefu, 0xbeefu, 0u);
	same("%5d|%05d|%05d|%3u", 42, 42, -42, 12345u);
	same("%c%c", 'a', '\n');
}

static void test_doubles_are_printed_with_six_digits(void)
{
	static const double some[] = { 0,        1,         -1,           0.5,    1e-5,
		                       1.5e-5,   1e-4,      0.0001234567, 123456, 1234567,
		                       999999.5, 999999.4,  1e15,         1e100,  DBL_MAX,
		                       DBL_MIN,  0.1,       1e6,          100000, 10,
		                       1e4,      9.9999995, 0.00099999996 };
	uint64_t seed = 3;
	size_t i;

	for (i = 0; i < sizeof some / sizeof *some; i++)
		same("%g", some[i]);
	same("%g %g", INFINITY, -INFINITY);
	same("%g", (double)NAN);
	for (i = 0; i < 2000; i++)
		same("%g", (double)(random_float(&seed) *
		                    (float)pow(10, (double)(random_next(&seed) % 60) - 30)));
}

static int compare(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

/* Of every size, with what follows each number. */
static void test_sorting_keeps_items_and_orders_them(void)
{
	struct item {
		uint32_t key, twice;
		char pad[5];
	} items[100];
	uint64_t seed = 5;
	uint32_t n, i;

	for (n = 0; n <= 100; n++) {
		bool sorted = true;

		for (i = 0; i < n; i++) {
			items[i].key =
			        (uint32_t)random_next(&seed) % 4 ? (uint32_t)random_next(&seed) : i;
			items[i].twice = 2 * items[i].key;
		}
		small_qsort(items, n, sizeof *items, compare);
		for (i = 0; i < n; i++)
			sorted = sorted && items[i].twice == 2 * items[i].key &&
			         (i == 0 || items[i - 1].key <= items[i].key);
		CHECK(&counts, sorted, "%u items", n);
	}
}

static void test_texts_are_measured_compared_and_searched(void)
{
	static const char *const texts[] = { "", "a", "ab", "abc", "b", "\xff", "aa" };
	const size_t n = sizeof texts / sizeof *texts;
	size_t i, k;

	for (i = 0; i < n; i++) {
		CHECK(&counts, small_strlen(texts[i]) == strlen(texts[i]), "%zu", i);
		for (k = 0; k < n; k++) {
			int ours = small_strcmp(texts[i], texts[k]),
			    theirs = strcmp(texts[i], texts[k]);

			CHECK(&counts, (ours < 0) == (theirs < 0) && (ours > 0) == (theirs > 0),
			      "%zu %zu", i, k);
		}
		CHECK(&counts,
		      small_strchr(texts[i], 'b') == strchr(texts[i], 'b') &&
		              small_strchr(texts[i], 0) == strchr(texts[i], 0),
		      "%zu", i);
	}
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_numbers_and_texts_are_printed_as_libc_prints_them());
	RUN(test_doubles_are_printed_with_six_digits());
	RUN(test_sorting_keeps_items_and_orders_them());
	RUN(test_texts_are_measured_compared_and_searched());
	return check_report("small_libc", &counts);
}
