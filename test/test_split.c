/* test_split.c - the pattern of Mistral's tokenizers, matched by hand
 *
 * Two references: ranges of characters as the reference's regular expressions have them
 * (BRISE_GOLD), and a matcher that tries the pattern's parts one after another with backtracking,
 * as its definition says.
 */
#include "runtime/text/split.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/text/utf8.h"
#include "test/check.h"
#include "test/json_line.h"
#include "test/random.h"
#include "test/whole_file.h"

static check_counts counts;

/* ---- the pattern as it is defined ----------------------------------------------------------- */

#define MOST_CHARACTERS 64

/* Sets of the pattern; a test character has its class beside it. */
enum { LU_LT_LM_LO_M, LL_LM_LO_M, NOT_CRLF_L_N, N, ONE_SPACE, NOT_S_L_N, CRLF_SLASH, S, CRLF };

static bool is_in(unsigned set, uint32_t c)
{
	split_class class = split_classify(c);
	bool letter = class == SPLIT_UPPER || class == SPLIT_LOWER || class == SPLIT_LETTER,
	     space = class == SPLIT_SPACE || class == SPLIT_NEWLINE, crlf = c == '\r' || c == '\n';

	switch (set) {
	case LU_LT_LM_LO_M:
		return class == SPLIT_UPPER || class == SPLIT_LETTER || class == SPLIT_MARK;
	case LL_LM_LO_M:
		return class == SPLIT_LOWER || class == SPLIT_LETTER || class == SPLIT_MARK;
	case NOT_CRLF_L_N:
		return !crlf && !letter && class != SPLIT_NUMBER;
	case N:
		return class == SPLIT_NUMBER;
	case ONE_SPACE:
		return c == ' ';
	case NOT_S_L_N:
		return !space && !letter && class != SPLIT_NUMBER;
	case CRLF_SLASH:
		return crlf || c == '/';
	case S:
		return space;
	default:
		return crlf;
	}
}

typedef struct part {
	unsigned set, least, most;
} part;

typedef struct alternative {
	part parts[4];
	unsigned n;
	bool not_before_text; /* (?!\S) at its end */
} alternative;

#define ANY 1000

static const alternative alternatives[] = {
	{ { { NOT_CRLF_L_N, 0, 1 }, { LU_LT_LM_LO_M, 0, ANY }, { LL_LM_LO_M, 1, ANY } }, 3, false },
	{ { { NOT_CRLF_L_N, 0, 1 }, { LU_LT_LM_LO_M, 1, ANY }, { LL_LM_LO_M, 0, ANY } }, 3, false },
	{ { { N, 1, 1 } }, 1, false },
	{ { { ONE_SPACE, 0, 1 }, { NOT_S_L_N, 1, ANY }, { CRLF_SLASH, 0, ANY } }, 3, false },
	{ { { S, 0, ANY }, { CRLF, 1, ANY } }, 2, false },
	{ { { S, 1, ANY } }, 1, true },
	{ { { S, 1, ANY } }, 1, false },
};

/* The end of a match of parts `i` and on at a place, or -1; longer first. */
static int match(const alternative *a, unsigned i, const uint32_t *text, unsigned n, unsigned at)
{
	unsigned most = 0, taken;
	int end;

	if (i == a->n || i == sizeof a->parts / sizeof *a->parts)
		return a->not_before_text && at < n && !is_in(S, text[at]) ? -1 : (int)at;
	while (most < a->parts[i].most && at + most < n && is_in(a->parts[i].set, text[at + most]))
		most++;
	for (taken = most + 1; taken-- > a->parts[i].least;)
		if ((end = match(a, i + 1, text, n, at + taken)) >= 0)
			return end;
	return -1;
}

static unsigned match_first(const uint32_t *text, unsigned n, unsigned at)
{
	unsigned i;
	int end;

	for (i = 0; i < sizeof alternatives / sizeof *alternatives; i++)
		if ((end = match(&alternatives[i], 0, text, n, at)) > (int)at)
			return (unsigned)end;
	return at;
}

/* Cuts a text both ways. */
static bool cuts_alike(const uint32_t *characters, unsigned n)
{
	uint8_t text[4 * MOST_CHARACTERS];
	size_t places[MOST_CHARACTERS + 1], bytes = 0, at = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		places[i] = bytes;
		bytes += json_line_put_utf8((char *)text + bytes, characters[i]);
	}
	places[n] = bytes;
	for (i = 0; i < n; at = places[i]) {
		unsigned next = match_first(characters, n, i);

		if (next == i || split_next(text + at, bytes - at) != places[next] - at)
			return false;
		i = next;
	}
	return true;
}

/* ---- tests ---------------------------------------------------------------------------------- */

/* Catches: an order of alternatives, a greedy run that does not give back, or gives back too much.
 * The characters are two of each class, so that short texts have every combination. */
static void test_pieces_are_those_of_the_pattern(void)
{
	static const uint32_t characters[] = { 'A',   0x1c5, 'b',  0xdf, 0x2b0, 0x5d0,
		                               0x301, 0x93f, '7',  0xbd, ' ',   '\t',
		                               0xa0,  '\n',  '\r', '/',  '.',   0x1f600 };
	const unsigned n = sizeof characters / sizeof *characters;
	uint32_t text[MOST_CHARACTERS];
	unsigned a, b, c, d, i, failed = 0;
	uint64_t random = 7;

	for (a = 0; a < n; a++)
		for (b = 0; b < n; b++)
			for (c = 0; c < n; c++)
				for (d = 0; d < n; d++) {
					text[0] = characters[a];
					text[1] = characters[b];
					text[2] = characters[c];
					text[3] = characters[d];
					failed += !cuts_alike(text, 4);
				}
	CHECK(&counts, failed == 0, "%u texts of 4 characters are cut otherwise", failed);
	for (a = 0, failed = 0; a < 20000; a++) {
		unsigned length = 1 + (unsigned)(random_next(&random) % MOST_CHARACTERS);
		unsigned kinds = 1 + (unsigned)(random_next(&random) % n);

		for (i = 0; i < length; i++)
			text[i] = characters[(a + (unsigned)(random_next(&random) % kinds)) % n];
		failed += !cuts_alike(text, length);
	}
	CHECK(&counts, failed == 0, "%u random texts are cut otherwise", failed);
}

/* The first piece's bytes of a C string. */
static size_t first_piece(const char *text)
{
	return split_next((const uint8_t *)text, strlen(text));
}

static void test_pieces_by_hand(void)
{
	static const struct {
		const char *text;
		size_t bytes;
	} cases[] = {
		{ "Hello World", 5 },
		{ " World", 6 },
		{ "HELLOworld", 10 },
		{ "helloWorld", 5 },
		{ "HTTPServer", 10 },
		{ "2024", 1 },
		{ "  x", 1 },
		{ "   ", 3 },
		{ " \n \n x", 4 },
		{ "...\n/\nx", 6 },
		{ " .x", 2 },
		{ ".x", 2 },
		{ "\tx", 2 },
		{ "\t x", 1 },
		{ "\xc2\xa0x", 3 },
		{ "\nx", 1 },
		/* a mark before and in a word; U+02B0 among capitals ends the piece */
		{ "\xcc\x81x", 3 },
		{ "A\xca\xb0"
		  "BC",
		  3 },
		{ "\xcc\x81", 2 },
		{ " \xcc\x81.", 3 },
		/* bytes that are no UTF-8 are symbols */
		{ "\xff\xfe.", 3 },
		{ "\xffx", 2 },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK(&counts, first_piece(cases[i].text) == cases[i].bytes,
		      "\"%s\" begins with a piece of %zu bytes, expected %zu", cases[i].text,
		      first_piece(cases[i].text), cases[i].bytes);
}

/* The ranges of a name in classes.json, each class[c] of which becomes `value`. */
static bool read_ranges(const char *json, const char *name, uint8_t *classes, uint8_t value)
{
	const char *at = json_line_find(json, name);
	unsigned long first, last;
	char *end;

	if (!at || *at != '[')
		return false;
	for (at++; *at == '['; at = end + 1 + (end[1] == ',')) {
		first = strtoul(at + 1, &end, 10);
		last = strtoul(end + 1, &end, 10);
		if (*end != ']' || first > last || last > 0x10ffff)
			return false;
		memset(classes + first, value, last - first + 1);
	}
	return true;
}

static void test_classes_are_those_of_unicode_16(void)
{
	static const struct {
		const char *name;
		split_class class;
	} names[] = { { "Lu", SPLIT_UPPER },  { "Lt", SPLIT_UPPER },   { "Ll", SPLIT_LOWER },
		      { "Lm", SPLIT_LETTER }, { "Lo", SPLIT_LETTER },  { "M", SPLIT_MARK },
		      { "N", SPLIT_NUMBER },  { "space", SPLIT_SPACE } };
	const char *gold = getenv("BRISE_GOLD");
	char path[1000], *json;
	file found;
	uint8_t *classes = calloc(0x110000, 1);
	unsigned differing = 0;
	size_t i;
	uint32_t c;

	(void)snprintf(path, sizeof path, "%s/tekken/classes.json", gold ? gold : "../shared/gold");
	found = read_file(path);
	json = (char *)found.bytes;
	if (!json) {
		check_skip(&counts, "classes of characters", "no ../shared/gold/tekken");
		free(classes);
		return;
	}
	json[found.size] = 0;
	for (i = 0; i < sizeof names / sizeof *names; i++)
		CHECK(&counts,
		      classes && read_ranges(json, names[i].name, classes, (uint8_t)names[i].class),
		      "%s has ranges of %s", path, names[i].name);
	classes['\r'] = classes['\n'] = SPLIT_NEWLINE;
	for (c = 0; c < 0x110000; c++)
		differing += split_classify(c) != classes[c];
	CHECK(&counts, differing == 0, "%u characters are of another class", differing);
	free(classes);
	free(json);
}

/* Catches: a piece for which the whole text is looked at again. */
static void test_time_is_in_proportion(void)
{
	static const char *const units[] = { "a",
		                             "A",
		                             " ",
		                             "\n",
		                             "\xcc\x81",
		                             ("\xca\xb0"
		                              "A"),
		                             ".",
		                             " \n",
		                             "Aa",
		                             ". ",
		                             "A.",
		                             "/\n" };
	const size_t bytes = (size_t)1 << 22;
	uint8_t *text = malloc(bytes);
	size_t i, k, at;
	clock_t start = clock();

	for (i = 0; text && i < sizeof units / sizeof *units; i++) {
		for (k = 0; k < bytes; k++)
			text[k] = (uint8_t)units[i][k % strlen(units[i])];
		for (at = 0; at < bytes;)
			at += split_next(text + at, bytes - at);
		CHECK(&counts, at == bytes, "pieces cover the text");
	}
	CHECK(&counts, clock() - start < 60 * CLOCKS_PER_SEC, "48 MB took a minute");
	free(text);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_pieces_are_those_of_the_pattern());
	RUN(test_pieces_by_hand());
	RUN(test_classes_are_those_of_unicode_16());
	RUN(test_time_is_in_proportion());
	return check_report("split", &counts);
}
