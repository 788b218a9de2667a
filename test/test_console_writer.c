/* test_console_writer.c - answers, as they look on a screen */
#include <string.h>

#include "runtime/console/writer.h"
#include "test/check.h"
#include "test/screen.h"

static check_counts counts;

typedef struct page {
	writer writer;
	screen screen;
} page;

static void open_page(page *p, writer_kind kind, int columns, int rows)
{
	screen_open(&p->screen, columns, rows);
	writer_open(&p->writer, kind, false, screen_write, &p->screen);
	writer_resize(&p->writer, columns);
	writer_begin(&p->writer);
}

static void put(page *p, const char *text)
{
	writer_put(&p->writer, text, strlen(text));
}

/* Rows of the screen up to the last that is not empty, each with a line feed. */
static const char *read_page(const page *p)
{
	static char text[SCREEN_ROWS * 256];
	int row, last = 0;

	for (row = 0; row < p->screen.rows; row++)
		if (*screen_row(&p->screen, row))
			last = row + 1;
	text[0] = 0;
	for (row = 0; row < last; row++) {
		(void)strcat(text, screen_row(&p->screen, row));
		(void)strcat(text, "\n");
	}
	return text;
}

static const struct {
	const char *answer, *rows;
} answers[] = {
	{ "the quick brown fox jumps over the dog", "the quick brown fox\njumps over the dog\n" },
	{ "the quick brown foxes", "the quick brown\nfoxes\n" },
	{ "a\n\nb\n", "a\n\nb\n" },
	{ "a\r\nb\rc", "a\nb^Mc\n" },
	{ "0123456789012345678 0123", "0123456789012345678\n0123\n" },
	{ "see 01234567890123456789012345678901234567890123",
	  "see\n0123456789012345678\n9012345678901234567\n890123\n" },
	{ "a\tb\tc", "a       b       c\n" },
	/* Lists: what is wrapped stands below the text. */
	{ "- one two three four five six", "- one two three\n  four five six\n" },
	{ "  10. one two three four", "  10. one two three\n      four\n" },
	{ "  one two three four five", "  one two three\n  four five\n" },
	{ "**one** two three four", "**one** two three\nfour\n" },
	/* Code is not wrapped, and keeps its blanks. */
	{ "```c\nint  main(void) { return 0; }\n```\none two three four five",
	  "```c\nint  main(void) { re\nturn 0; }\n```\none two three four\nfive\n" },
	{ "~~~\n  a\n\tb\n``` no\n~~~~ \none two three four five",
	  "~~~\n  a\n        b\n``` no\n~~~~\none two three four\nfive\n" },
	{ "````\n```\none two three four five\n````\n",
	  "````\n```\none two three four f\nive\n````\n" },
	{ "```x``` one two three four", "```x``` one two\nthree four\n" },
	/* Wide characters, anywhere but before a stop. */
	{ "\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d",
	  "\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\n\u6587\u4e2d\n" },
	{ "\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u3002\u6587",
	  "\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\n\u4e2d\u3002\u6587\n" },
	{ "abcde cafe\u0301 cafe\u0301 cafe\u0301", "abcde cafe\u0301 cafe\u0301\ncafe\u0301\n" },
	{ "\U0001f600 \U0001f600 \U0001f600 abcdefghij a",
	  "\U0001f600 \U0001f600 \U0001f600 abcdefghij\na\n" },
	{ "a \u0301b", "a \u25cc\u0301b\n" },
	/* What would drive the terminal. */
	{ "a\033[31mb\033]0;t\007c", "a^[[31mb^[]0;t^Gc\n" },
	{ "a\xc2\x9b"
	  "1m\xe2\x80\xaez",
	  "a<9B>1m<U+202E>z\n" },
	{ "a\010\010b\177", "a^H^Hb^?\n" },
	{ "\xff\xc3(\xe4\xb8", "\ufffd\ufffd(\ufffd\n" },
};

/* Catches an answer that wraps wrongly, and one that depends on how it came. */
static void test_answers_are_wrapped_at_words(void)
{
	size_t i, piece, at;
	int kind;
	page p;

	for (i = 0; i < sizeof answers / sizeof *answers; i++) {
		const char *answer = answers[i].answer;
		size_t n = strlen(answer);

		for (piece = 1; piece <= n; piece += piece < 4 ? 1 : n)
			for (kind = WRITER_DUMB; kind <= WRITER_FULL; kind++) {
				open_page(&p, (writer_kind)kind, 20, 12);
				for (at = 0; at < n; at += piece)
					writer_put(&p.writer, answer + at,
					           n - at < piece ? n - at : piece);
				writer_end(&p.writer);
				CHECK(&counts, strcmp(read_page(&p), answers[i].rows) == 0,
				      "answer %zu by %zu, kind %d:\n%s", i, piece, kind,
				      read_page(&p));
				CHECK(&counts, p.screen.unknown == 0 && p.screen.column == 0,
				      "answer %zu: column %d", i, p.screen.column);
			}
	}
}

/* Catches a word that is held back until it ends. */
static void test_words_appear_while_they_come(void)
{
	page p;

	open_page(&p, WRITER_FULL, 20, 12);
	put(&p, "the quick brown fox");
	CHECK(&counts, strcmp(read_page(&p), "the quick brown fox\n") == 0, "%s", read_page(&p));
	put(&p, "es");
	CHECK(&counts, strcmp(read_page(&p), "the quick brown\nfoxes\n") == 0, "%s", read_page(&p));
}

static void test_a_status_stands_below_the_answer(void)
{
	page p;

	open_page(&p, WRITER_FULL, 20, 3);
	writer_set_status(&p.writer, "reading the prompt, 5 %");
	CHECK(&counts, strcmp(read_page(&p), "\nreading the prompt,\n") == 0, "%s", read_page(&p));
	put(&p, "one two three ");
	writer_set_status(&p.writer, "3 tokens/s");
	CHECK(&counts, strcmp(read_page(&p), "one two three\n3 tokens/s\n") == 0, "%s",
	      read_page(&p));
	put(&p, "four five six seven eight nine ten");
	CHECK(&counts, strcmp(read_page(&p), "five six seven\neight nine ten\n3 tokens/s\n") == 0,
	      "%s", read_page(&p));
	/* Code that the terminal wraps takes the status's row. */
	put(&p, "\n```\n0123456789012345");
	CHECK(&counts, strcmp(screen_row(&p.screen, 2), "3 tokens/s") == 0, "%s", read_page(&p));
	put(&p, "678901234567");
	CHECK(&counts, strcmp(read_page(&p), "```\n01234567890123456789\n01234567\n") == 0, "%s",
	      read_page(&p));
	put(&p, "\n");
	CHECK(&counts, strcmp(read_page(&p), "01234567\n\n3 tokens/s\n") == 0, "%s", read_page(&p));
	put(&p, "x");
	writer_end(&p.writer);
	CHECK(&counts, strcmp(read_page(&p), "01234567\nx\n") == 0, "%s", read_page(&p));
	CHECK(&counts, p.screen.row == 2 && p.screen.column == 0, "row %d", p.screen.row);
	CHECK(&counts, p.screen.unknown == 0, "unknown");
}

static void test_the_width_changes_meanwhile(void)
{
	page p;

	open_page(&p, WRITER_FULL, 20, 8);
	writer_set_status(&p.writer, "3 tokens/s");
	put(&p, "one two three");
	p.screen.columns = 40;
	writer_resize(&p.writer, 40);
	put(&p, " four five six seven eight nine");
	CHECK(&counts, strstr(read_page(&p), "nine\n3 tokens/s\n") != NULL, "%s", read_page(&p));
	p.screen.columns = 30;
	writer_resize(&p.writer, 30);
	put(&p, " ten eleven twelve thirteen");
	writer_end(&p.writer);
	CHECK(&counts, strstr(read_page(&p), "three four five six se") != NULL, "%s",
	      read_page(&p));
	CHECK(&counts, strstr(read_page(&p), "ten eleven twelve") != NULL, "%s", read_page(&p));
	CHECK(&counts, strstr(read_page(&p), "tokens") == NULL, "%s", read_page(&p));
	/* The status is cleared by the change. */
	open_page(&p, WRITER_FULL, 20, 8);
	writer_set_status(&p.writer, "3 tokens/s");
	put(&p, "one");
	writer_resize(&p.writer, 19);
	CHECK(&counts, strcmp(read_page(&p), "one\n") == 0, "%s", read_page(&p));
}

/* Catches any byte of an answer that a terminal obeys. */
static void test_no_answer_drives_the_terminal(void)
{
	static const char likely[] = "\033[]P\x9b\xc2\x80\x9d\xe2\x80\xae`~- \n\r\t\010\007a0";
	uint32_t state = 3;
	int round, i;
	page p;

	for (round = 0; round < 60; round++) {
		char answer[3000];

		for (i = 0; i < (int)sizeof answer; i++) {
			state = state * 1664525u + 1013904223u;
			answer[i] = state >> 31 ? likely[(state >> 8) % (sizeof likely - 1)]
			                        : (char)(state >> 16);
		}
		open_page(&p, round % 2 ? WRITER_FULL : WRITER_DUMB, 10 + round, 12);
		if (round % 3 == 0)
			writer_set_status(&p.writer, "status\033[2J");
		writer_put(&p.writer, answer, sizeof answer);
		writer_end(&p.writer);
		CHECK(&counts, p.screen.unknown == 0, "round %d: %d", round, p.screen.unknown);
		CHECK(&counts, p.screen.style == 0, "round %d: style", round);
	}
}

typedef struct bytes {
	char text[256];
	size_t n;
} bytes;

static void collect(void *user, const char *text, size_t n)
{
	bytes *b = user;

	memcpy(b->text + b->n, text, n);
	b->n += n;
}

static void test_a_pipe_gets_the_bytes(void)
{
	static const char answer[] = "one \033[1m\xe4\xb8\xad\r\n```\n\xff";
	bytes b = { .n = 0 };
	writer w;

	writer_open(&w, WRITER_PIPE, true, collect, &b);
	writer_begin(&w);
	writer_set_status(&w, "status");
	writer_put(&w, answer, 9);
	CHECK(&counts, b.n == 8, "half a character: %zu bytes", b.n);
	writer_put(&w, answer + 9, sizeof answer - 1 - 9);
	writer_end(&w);
	CHECK(&counts, b.n == sizeof answer && memcmp(b.text, answer, b.n - 1) == 0, "%zu bytes",
	      b.n);
	CHECK(&counts, b.text[b.n - 1] == '\n', "no line feed at the end");
	writer_begin(&w);
	writer_put(&w, "line\n", 5);
	writer_end(&w);
	CHECK(&counts, b.n == sizeof answer + 5, "%zu bytes", b.n);
}

/* ---- collected bytes --------------------------------------------------------------------------
 */

typedef struct collected {
	char all[8000];
	size_t n;
} collected;

static void gather(void *user, const char *from, size_t n)
{
	collected *c = user;

	if (n <= sizeof c->all - c->n)
		memcpy(c->all + c->n, from, n);
	c->n += n;
}

/* A character may have any number of marks: pieces of any length pass whole and in order. */
static void test_pieces_of_any_length_are_written(void)
{
	static const size_t sizes[] = { 1, 1023, 1024, 1025, 2048, 2500, 1, 0, 300 };
	char expected[8000];
	collected c = { .n = 0 };
	output o = { .write = gather, .user = &c };
	size_t i, at = 0;

	for (i = 0; i < sizeof expected; i++)
		expected[i] = (char)(i * 7 % 251);
	for (i = 0; i < sizeof sizes / sizeof *sizes && at + sizes[i] <= sizeof expected;
	     at += sizes[i++])
		output_put(&o, expected + at, sizes[i]);
	output_flush(&o);
	CHECK(&counts, at == c.n && at > 7000 && !memcmp(c.all, expected, at), "%zu of %zu bytes",
	      c.n, at);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_answers_are_wrapped_at_words());
	RUN(test_words_appear_while_they_come());
	RUN(test_a_status_stands_below_the_answer());
	RUN(test_the_width_changes_meanwhile());
	RUN(test_no_answer_drives_the_terminal());
	RUN(test_pieces_of_any_length_are_written());
	RUN(test_a_pipe_gets_the_bytes());
	return check_report("console_writer", &counts);
}
