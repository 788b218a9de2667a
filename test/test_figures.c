/* test_figures.c - what commands read and print: memory, numbers, ids, suggestions, formatted
 * figures, text on a terminal */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/fit.h"
#include "runtime/cli/input.h"
#include "runtime/cli/nearest.h"
#include "runtime/cli/number.h"
#include "runtime/cli/terminal.h"
#include "test/check.h"
#include "test/random.h"

static check_counts counts;

/* ---- what fits ------------------------------------------------------------------------------- */

static void check_memory_note(void)
{
	brise_model_facts facts = { .file_bytes = 3850000000u };
	char text[256];

	CHECK(&counts, !fit_describe_memory(&facts, 300000000, 8000000000u, text, sizeof text),
	      "a model of 3.85 GB fits 8 GB");
	CHECK(&counts, !fit_describe_memory(&facts, 300000000, 4150000000u, text, sizeof text),
	      "memory that is just enough is enough");
	CHECK(&counts,
	      fit_describe_memory(&facts, 300000000, 4149999999u, text, sizeof text) &&
	              strstr(text, "3.85 GB") && strstr(text, "300 MB") &&
	              strstr(text, "4.15 GB") && strstr(text, "disk"),
	      "a byte less is said with all three sizes: %s", text);
	CHECK(&counts,
	      fit_describe_memory(&facts, 9000000000u, 8000000000u, text, sizeof text) &&
	              strstr(text, "--context"),
	      "a cache larger than memory names the option: %s", text);
	CHECK(&counts, !fit_describe_memory(&facts, 300000000, 0, text, sizeof text),
	      "unknown memory says nothing");
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void check_whole(void)
{
	static const struct {
		const char *text;
		uint64_t most;
		bool accepted;
		uint64_t value;
	} cases[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "007", 9, true, 7 },
		{ "9", 9, true, 9 },
		{ "10", 9, false, 0 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "4294967295", UINT32_MAX, true, UINT32_MAX },
		{ "4294967296", UINT32_MAX, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "1.", 9, false, 0 },
		{ "0x1", 99, false, 0 },
		{ "1e1", 99, false, 0 },
	};
	uint64_t value;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		value = 12345;
		CHECK(&counts,
		      number_read_whole(cases[i].text, strlen(cases[i].text), cases[i].most,
		                        &value) == cases[i].accepted,
		      "'%s'", cases[i].text);
		CHECK(&counts, value == (cases[i].accepted ? cases[i].value : 12345),
		      "'%s' leaves the right value", cases[i].text);
	}
	CHECK(&counts, number_read_whole("123456", 3, 999, &value) && value == 123,
	      "the length ends the number");
	CHECK(&counts, !number_read_whole("1\0002", 3, 999, &value), "a NUL is no digit");
}

static void check_real(void)
{
	static const struct {
		const char *text;
		double value;
	} good[] = { { "0", 0 },       { "1", 1 },        { "-1.5", -1.5 },
		     { "+.5", .5 },    { "5.", 5 },       { "1e3", 1e3 },
		     { "1E-3", 1e-3 }, { "2.5e+2", 250 }, { "1e-999", 0 } };
	static const char *const bad[] = { "",    ".",     "-",   "e5",    "1e", "1e+",
		                           "inf", "-inf",  "nan", "0x10",  "1 ", " 1",
		                           "1,5", "1e999", "--1", "1.2.3", "1f", "-.e1" };
	double value;
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(&counts, number_read_real(good[i].text, &value) && value == good[i].value,
		      "'%s' is %g", good[i].text, good[i].value);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		value = 12345;
		CHECK(&counts, !number_read_real(bad[i], &value) && value == 12345,
		      "'%s' is no number", bad[i]);
	}
}

/* ---- suggestions ----------------------------------------------------------------------------- */

static unsigned naive_distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned best, other;

	if (n == 0 || m == 0)
		return (unsigned)(n + m);
	best = naive_distance(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
	other = naive_distance(a, n - 1, b, m) + 1;
	best = other < best ? other : best;
	other = naive_distance(a, n, b, m - 1) + 1;
	best = other < best ? other : best;
	if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
		other = naive_distance(a, n - 2, b, m - 2) + 1;
		best = other < best ? other : best;
	}
	return best;
}

static void random_word(uint64_t *seed, char *word, size_t most)
{
	size_t n = random_next(seed) % (most + 1), i;

	for (i = 0; i < n; i++)
		word[i] = (char)('a' + random_next(seed) % 3);
	word[n] = '\0';
}

static const char *choose(const char *typed, const char *a, const char *b)
{
	nearest_match match = { NULL, 0 };

	nearest_offer(&match, typed, a);
	nearest_offer(&match, typed, b);
	return nearest_choose(&match, typed);
}

static bool is_chosen(const char *typed, const char *a, const char *b, const char *expected)
{
	const char *chosen = choose(typed, a, b);

	return chosen && strcmp(chosen, expected) == 0;
}

static void check_nearest(void)
{
	char a[8], b[8], long_a[201], long_b[201];
	nearest_match none = { NULL, 0 };
	uint64_t seed = 1;
	unsigned wrong = 0, i;

	for (i = 0; i < 3000; i++) {
		random_word(&seed, a, 5);
		random_word(&seed, b, 5);
		wrong += nearest_distance(a, b) != naive_distance(a, strlen(a), b, strlen(b));
	}
	CHECK(&counts, wrong == 0, "%u of 3000 distances differ from the definition", wrong);
	memset(long_a, 'a', 200);
	memset(long_b, 'a', 200);
	long_a[200] = long_b[200] = '\0';
	long_b[63] = 'b';
	CHECK(&counts, nearest_distance(long_a, long_b) == 0, "texts are compared up to 63 bytes");
	long_b[62] = 'b';
	CHECK(&counts, nearest_distance(long_a, long_b) == 1, "and byte 63 still counts");
	CHECK(&counts, nearest_distance(long_a, "") == 63 && nearest_distance("", long_a) == 63,
	      "a long text against nothing");
	CHECK(&counts, is_chosen("thraeds", "chunk", "threads", "threads"), "a swap is one edit");
	CHECK(&counts, is_chosen("temp", "tokens", "temperature", "temperature"),
	      "a beginning suggests the whole");
	CHECK(&counts, choose("xyz", "tokens", "temperature") == NULL,
	      "nothing near, nothing suggested");
	CHECK(&counts, choose("q", "f16", "x") == NULL,
	      "a name is no suggestion when all of it differs");
	CHECK(&counts, nearest_choose(&none, "x") == NULL, "no candidates, no suggestion");
}

/* ---- formatted figures ----------------------------------------------------------------------- */

static void check_duration(double seconds, const char *expected)
{
	char text[32];

	terminal_format_duration(seconds, text, sizeof text);
	CHECK(&counts, strcmp(text, expected) == 0, "%g s is '%s', not '%s'", seconds, expected,
	      text);
}

static void check_bytes(double bytes, const char *expected)
{
	char text[32];

	terminal_format_bytes(bytes, text, sizeof text);
	CHECK(&counts, strcmp(text, expected) == 0, "%g bytes are '%s', not '%s'", bytes, expected,
	      text);
}

static void check_count(double count, const char *expected)
{
	char text[32];

	terminal_format_count(count, text, sizeof text);
	CHECK(&counts, strcmp(text, expected) == 0, "%g are '%s', not '%s'", count, expected, text);
}

static void check_formats(void)
{
	check_duration(0, "0.0 s");
	check_duration(-1, "0.0 s");
	check_duration(0.26, "0.3 s");
	check_duration(9.94, "9.9 s");
	check_duration(9.96, "10 s");
	check_duration(59.4, "59 s");
	check_duration(59.6, "1:00");
	check_duration(125, "2:05");
	check_duration(3599.6, "1:00:00");
	check_duration(3723, "1:02:03");
	check_duration(1e300, "100000:00:00");
	check_duration(INFINITY, "100000:00:00");
	check_bytes(0, "0 B");
	check_bytes(512, "512 B");
	check_bytes(999, "999 B");
	check_bytes(1000, "1.00 kB");
	check_bytes(3400, "3.40 kB");
	check_bytes(9994, "9.99 kB");
	check_bytes(9996, "10.0 kB");
	check_bytes(99960, "100 kB");
	check_bytes(999400, "999 kB");
	check_bytes(999600, "1.00 MB");
	check_bytes(3.78e9, "3.78 GB");
	check_bytes(1e15, "1000 TB");
	check_count(12, "12");
	check_count(15990784, "16.0 M");
	check_count(7241732096.0, "7.24 G");
	check_count(998e6, "998 M");
}

static void check_text(bool is_terminal, const char *text, size_t bytes, const char *expected)
{
	char *out = NULL;
	size_t n = 0;
	FILE *stream = open_memstream(&out, &n);

	terminal_write_text(stream, is_terminal, text, bytes);
	(void)fclose(stream);
	CHECK(&counts, n == strlen(expected) && memcmp(out, expected, n) == 0,
	      "'%s' is written, not '%s'", expected, out);
	free(out);
}

static void check_terminal_text(void)
{
	check_text(false, "a\033[2Jb\n", 7, "a\033[2Jb\n");
	check_text(true, "a\033[2Jb\n\t", 8, "a\xef\xbf\xbd[2Jb\n\t");
	check_text(true, "\r\x7f", 2, "\xef\xbf\xbd\xef\xbf\xbd");
	check_text(true,
	           "\xc2\x9b"
	           "1m\xc2\xa0\xc3\xa9",
	           8,
	           "\xef\xbf\xbd"
	           "1m\xc2\xa0\xc3\xa9");
	check_text(true, "", 0, "");
}

/* ---- ids ------------------------------------------------------------------------------------- */

static void check_good_ids(const char *text, size_t bytes, const int32_t *expected, size_t n)
{
	brise_error err = { 0 };
	int32_t *ids;
	size_t got;
	brise_status status = input_parse_ids(text, bytes, "name", 100, &ids, &got, &err);

	CHECK(&counts,
	      status == BRISE_OK && got == n &&
	              (n == 0 ? ids == NULL : memcmp(ids, expected, n * sizeof *ids) == 0),
	      "'%s' is read: %s", text, err.message);
	if (status == BRISE_OK)
		free(ids);
}

static void check_bad_ids(const char *text, uint32_t vocab, const char *says)
{
	brise_error err = { 0 };
	int32_t *ids;
	size_t n;
	brise_status status = input_parse_ids(text, strlen(text), "name", vocab, &ids, &n, &err);

	CHECK(&counts,
	      status == BRISE_EFORMAT && ids == NULL && n == 0 && strstr(err.message, says),
	      "'%s' says '%s', not '%s'", text, says, err.message);
}

static void check_ids(void)
{
	static const int32_t three[] = { 1, 99, 0 };
	char *text;
	size_t bytes;
	brise_error err;

	check_good_ids("", 0, NULL, 0);
	check_good_ids(" \n\t\r\n", 5, NULL, 0);
	check_good_ids("1 99 0", 6, three, 3);
	check_good_ids("\n1\t99\r\n00\n", 10, three, 3);
	check_good_ids("1 99 05", 6, three, 3); /* the length ends the last id */
	check_bad_ids("1\n2\n x", 100, "name: line 3: expected a token id from 0 to 99, found 'x'");
	check_bad_ids("1\n100", 100, "line 2: expected a token id from 0 to 99, found '100'");
	check_bad_ids("-1", 100, "line 1: expected a token id from 0 to 99, found '-1'");
	check_bad_ids("\r\n\r\n1,2", 100, "line 3: expected a token id from 0 to 99, found '1,2'");
	check_bad_ids("1 2.0", 100, "found '2.0'");
	check_bad_ids("99999999999999999999999999999999999999999", 100,
	              "found '99999999999999999999999999999999'");
	CHECK(&counts,
	      input_read_text("/", &text, &bytes, &err) == BRISE_EIO && !text && bytes == 0,
	      "a folder is no text");
	CHECK(&counts,
	      input_read_text("/no such file", &text, &bytes, &err) == BRISE_EIO &&
	              strstr(err.message, "/no such file: "),
	      "a missing file is named: %s", err.message);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(check_memory_note());
	RUN(check_whole());
	RUN(check_real());
	RUN(check_nearest());
	RUN(check_formats());
	RUN(check_terminal_text());
	RUN(check_ids());
	return check_report("figures", &counts);
}
