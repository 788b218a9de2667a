/* test_console_width.c - how many columns characters take, and which belong together */
#include <string.h>

#include "runtime/console/width.h"
#include "test/check.h"

static check_counts counts;

#define FAMILY   "\U0001f469\u200d\U0001f469\u200d\U0001f467"
#define SCOTLAND "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"

/* Catches a character that is counted too wide or too narrow: the cursor would be elsewhere. */
static void test_clusters_take_their_columns(void)
{
	static const struct {
		const char *text;
		int columns;
		bool is_doubtful;
	} cases[] = {
		{ "a", 1, false },
		{ "\u00e9", 1, false },
		{ "e\u0301", 1, false },
		{ "e\u0301\u0323\u0302", 1, false },
		{ "\u4e2d", 2, false },
		{ "\uac00", 2, false },
		{ "\u1100\u1161\u11a8", 2, true },
		{ "\uff21", 2, false },
		{ "\u03b1", 1, false }, /* ambiguous */
		{ "\u2019", 1, false },
		{ "\u0915\u094d", 1, false },
		{ "\u0915\u093e", 2, true }, /* a spacing mark */
		{ "\U0001f600", 2, false },
		{ "\U0001f44d\U0001f3fd", 2, true },
		{ FAMILY, 2, true },
		{ "\u2764\ufe0f", 2, true },
		{ "\U0001f1eb\U0001f1f7", 2, true },
		{ SCOTLAND, 2, true },
		{ "\U00020000", 2, false },
		{ "\u0301", 1, true }, /* on nothing */
		{ "\x1b", 2, false },
		{ "\xc2\x9b", 4, false },
		{ "\u202e", 8, false },
		{ "\U000e0041", 9, false }, /* a tag that is part of no flag */
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		width_cluster cluster;

		width_measure(cases[i].text, strlen(cases[i].text), &cluster);
		CHECK(&counts, cluster.bytes == strlen(cases[i].text), "case %zu: %zu bytes", i,
		      cluster.bytes);
		CHECK(&counts, cluster.columns == cases[i].columns, "case %zu: %d columns", i,
		      cluster.columns);
		CHECK(&counts, cluster.is_doubtful == cases[i].is_doubtful, "case %zu", i);
	}
}

/* Catches clusters that swallow their neighbours, in either direction of walking. */
static void test_both_directions_find_the_same_clusters(void)
{
	static const char text[] =
	        "ae\u0301\u4e2d" FAMILY "x\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea"
	        "\u0301\u200d\n\u0301 b\U0001f44d\U0001f3fd\U0001f44d\xc2\x9b\u0301";
	size_t starts[64], n = 0, at = 0;
	width_cluster cluster;

	while (at < sizeof text - 1) {
		starts[n++] = at;
		width_measure(text + at, sizeof text - 1 - at, &cluster);
		at += cluster.bytes;
	}
	CHECK(&counts, n == 15, "%zu clusters", n);
	while (n-- > 0) {
		CHECK(&counts, at - width_step_back(text, at) == starts[n], "cluster %zu", n);
		at = starts[n];
	}
}

/* Catches a cluster without bound, which a text of marks would make. */
static void test_a_heap_of_marks_is_cut_into_clusters(void)
{
	char text[2001];
	width_cluster cluster;
	size_t at;

	for (at = 0; at < 2000; at += 2)
		memcpy(text + at, "\u0301", 2);
	for (at = 0; at < 2000; at += cluster.bytes) {
		width_measure(text + at, 2000 - at, &cluster);
		CHECK(&counts, cluster.bytes <= WIDTH_CLUSTER_MAX && cluster.bytes > 0, "%zu bytes",
		      cluster.bytes);
	}
	CHECK(&counts, width_step_back(text, 2000) <= WIDTH_CLUSTER_MAX, "too long");
}

/* Catches a character that a terminal obeys and that passes as it is. */
static void test_what_a_terminal_obeys_is_shown(void)
{
	char text[WIDTH_SHOWN_MAX + 1];
	uint32_t c;
	size_t n;

	for (c = 0; c < 0xa0; c++) {
		n = width_show(c, text);
		CHECK(&counts, (n > 0) == (c < 0x20 || c >= 0x7f), "U+%04X", (unsigned)c);
	}
	for (c = 0x2000; c < 0x2080; c++) {
		bool is_shown = (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x206f);

		CHECK(&counts, (width_show(c, text) > 0) == is_shown, "U+%04X", (unsigned)c);
	}
	text[width_show(0x1b, text)] = 0;
	CHECK(&counts, strcmp(text, "^[") == 0, "%s", text);
	text[width_show(0x7f, text)] = 0;
	CHECK(&counts, strcmp(text, "^?") == 0, "%s", text);
	text[width_show(0x9b, text)] = 0;
	CHECK(&counts, strcmp(text, "<9B>") == 0, "%s", text);
	text[width_show(0x202e, text)] = 0;
	CHECK(&counts, strcmp(text, "<U+202E>") == 0, "%s", text);
	text[width_show(0xe0041, text)] = 0;
	CHECK(&counts, strcmp(text, "<U+E0041>") == 0, "%s", text);
}

static void test_characters_survive_encoding(void)
{
	uint32_t c;

	for (c = 0; c < 0x110000; c++) {
		char text[4];
		size_t n, bytes;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		n = width_encode(c, text);
		if (width_decode(text, n, &bytes) != c || bytes != n)
			CHECK(&counts, false, "U+%04X", (unsigned)c);
	}
	CHECK(&counts, width_decode("\xff", 1, &(size_t){ 0 }) == 0xfffd, "not replaced");
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_clusters_take_their_columns());
	RUN(test_both_directions_find_the_same_clusters());
	RUN(test_a_heap_of_marks_is_cut_into_clusters());
	RUN(test_what_a_terminal_obeys_is_shown());
	RUN(test_characters_survive_encoding());
	return check_report("console_width", &counts);
}
