/* test_console_editor.c - editing, as it looks on a screen */
#include <string.h>
#include <sys/stat.h>

#include "runtime/console/editor.h"
#include "test/check.h"
#include "test/scratch.h"
#include "test/screen.h"

static check_counts counts;

/* An editor at a screen. */
typedef struct desk {
	editor editor;
	screen screen;
	history history;
	editor_result result;
} desk;

static void offer_words(void *user, candidates *list, const char *text, size_t n)
{
	static const char *const words[] = { "/help ", "/history ", "/load ", "/list " };
	size_t i;

	(void)user;
	for (i = 0; n > 0 && text[0] == '/' && i < 4; i++)
		candidates_offer(list, 0, words[i]);
}

static void open_desk(desk *d, int columns, int rows)
{
	editor_options options = { .prompt = "> ", .more = ". ", .complete = offer_words };

	memset(d, 0, sizeof *d);
	options.history = &d->history;
	(void)history_open(&d->history, NULL, NULL);
	screen_open(&d->screen, columns, rows);
	editor_open(&d->editor, &options, screen_write, &d->screen);
	editor_resize(&d->editor, columns, rows);
	editor_draw(&d->editor);
}

static void close_desk(desk *d)
{
	CHECK(&counts, d->screen.unknown == 0, "%d controls that no terminal should get",
	      d->screen.unknown);
	editor_free(&d->editor);
	history_free(&d->history);
}

/* Types up to what decides something; the rest is lost. */
static void type(desk *d, const char *bytes)
{
	size_t used;

	d->result = editor_feed(&d->editor, (const uint8_t *)bytes, strlen(bytes), &used);
	editor_draw(&d->editor);
}

static void send(desk *d, const char *bytes)
{
	size_t n;
	const char *text;

	type(d, bytes);
	type(d, "\r");
	text = editor_text(&d->editor, &n);
	CHECK(&counts, d->result == EDITOR_SENT, "not sent: %s", bytes);
	CHECK(&counts, history_add(&d->history, text, n, NULL) == BRISE_OK, "no history");
	editor_finish(&d->editor);
	(void)editor_begin(&d->editor, NULL, 0);
	editor_draw(&d->editor);
}

static bool has_text(const desk *d, const char *expected)
{
	size_t n;
	const char *text = editor_text(&d->editor, &n);

	return n == strlen(expected) && memcmp(text, expected, n) == 0;
}

#define TEXT_IS(d, expected)                                                                       \
	CHECK(&counts, has_text(d, expected), "text is %.*s", (int)(d)->editor.line.text.n,        \
	      (d)->editor.line.text.bytes)
#define ROW_IS(d, row, expected)                                                                   \
	CHECK(&counts, strcmp(screen_row(&(d)->screen, row), expected) == 0, "row %d is '%s'",     \
	      row, screen_row(&(d)->screen, row))
#define CURSOR_IS(d, r, c)                                                                         \
	CHECK(&counts, (d)->screen.row == (r) && (d)->screen.column == (c), "cursor at %d %d",     \
	      (d)->screen.row, (d)->screen.column)

/* ---- text ------------------------------------------------------------------------------------ */

/* Catches a key that does not what it says, or a screen that does not follow. */
static void test_keys_edit_the_text(void)
{
	static const struct {
		const char *keys, *text;
		int column;
	} cases[] = {
		{ "hello", "hello", 7 },
		{ "hello\033[D\033[Dx", "helxlo", 6 },
		{ "hello\001x\005y", "xhelloy", 9 },
		{ "hello\002\002\006x", "hellxo", 7 },
		{ "hello\177\010", "hel", 5 },
		{ "hello\001\033[3~\004", "llo", 2 },
		{ "one two three\027\027", "one ", 6 },
		{ "one two three\033\177x", "one two x", 11 },
		{ "one two\033b\033bx", "xone two", 3 },
		{ "one two\001\033f\033d", "one", 5 },
		{ "one two\001\033d\005\031", " twoone", 9 },
		{ "one two\033[1;5D\013", "one ", 6 },
		{ "one two\033[1;5D\025", "two", 2 },
		{ "one\ntwo\033[A\005\013", "onetwo", 5 },
		{ "one\ntwo\001\025", "onetwo", 5 },
		{ "one two\025\031\031", "one twoone two", 16 },
		{ "a b c\027\027\031", "a b c", 7 },
		{ "one two\001\033d\033d\031", "one two", 9 },
		{ "ab\024", "ba", 4 },
		{ "abc\001\006\024", "bac", 4 },
		{ "a\n\024", "a\n", 2 },
		{ "\n\024\001\024x\024", "\nx", 3 },
		{ "abc\037", "", 2 },
		{ "abc\027def\037\037", "abc", 5 },
		{ "\xe4\xb8\xad\xe6\x96\x87\033[Dx", "\u4e2dx\u6587", 5 },
		{ "ae\xcc\x81i\033[D\177", "ai", 3 },
		{ "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7x\033[D\177", "x", 2 },
		{ "a\033[200~\003\033[A\004\033[201~b", "a\003\033[A\004b", 12 },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		desk d;

		open_desk(&d, 40, 10);
		type(&d, cases[i].keys);
		CHECK(&counts, has_text(&d, cases[i].text), "case %zu: '%.*s'", i,
		      (int)d.editor.line.text.n, d.editor.line.text.bytes);
		CHECK(&counts, d.screen.column == cases[i].column, "case %zu: column %d", i,
		      d.screen.column);
		close_desk(&d);
	}
}

static void test_enter_sends_and_other_keys_begin_lines(void)
{
	desk d;

	open_desk(&d, 40, 10);
	type(&d, "one\ntwo\033\rthree\\");
	type(&d, "\rfour");
	TEXT_IS(&d, "one\ntwo\nthree\nfour");
	ROW_IS(&d, 0, "> one");
	ROW_IS(&d, 1, ". two");
	ROW_IS(&d, 3, ". four");
	CURSOR_IS(&d, 3, 6);
	type(&d, "\r");
	CHECK(&counts, d.result == EDITOR_SENT, "not sent");
	editor_finish(&d.editor);
	CURSOR_IS(&d, 4, 0);
	(void)editor_begin(&d.editor, "given", 5);
	editor_draw(&d.editor);
	ROW_IS(&d, 4, "> given");
	type(&d, "\\\\\r");
	CHECK(&counts, d.result == EDITOR_SENT, "an escaped backslash asks for a line");
	close_desk(&d);
}

static void test_control_keys_decide(void)
{
	desk d;

	open_desk(&d, 40, 10);
	type(&d, "abc\003");
	CHECK(&counts, d.result == EDITOR_CANCELLED, "ctrl-C");
	TEXT_IS(&d, "");
	(void)editor_begin(&d.editor, NULL, 0);
	type(&d, "\031");
	TEXT_IS(&d, "abc");
	type(&d, "\004");
	CHECK(&counts, d.result == EDITOR_MORE, "ctrl-D with text ends");
	type(&d, "\025\004");
	CHECK(&counts, d.result == EDITOR_ENDED, "ctrl-D");
	type(&d, "\032");
	CHECK(&counts, d.result == EDITOR_SUSPENDED, "ctrl-Z");
	type(&d, "\003");
	CHECK(&counts, d.result == EDITOR_MORE, "ctrl-C without text");
	ROW_IS(&d, 1, "ctrl-D ends");
	(void)editor_begin(&d.editor, "given", 5);
	type(&d, "\025\003");
	CHECK(&counts, d.result == EDITOR_CANCELLED, "ctrl-C where a text was given");
	close_desk(&d);
}

/* ---- the screen ------------------------------------------------------------------------------ */

static void test_long_lines_wrap_and_scroll(void)
{
	desk d;
	int i;

	open_desk(&d, 20, 5);
	type(&d, "abcdefghijklmnopqr");
	/* The row is full: the cursor stands where the next character comes. */
	ROW_IS(&d, 0, "> abcdefghijklmnopqr");
	CURSOR_IS(&d, 1, 2);
	type(&d, "st");
	ROW_IS(&d, 1, "  st");
	for (i = 0; i < 5; i++)
		type(&d, "012345678901234567");
	CURSOR_IS(&d, 4, 4);
	ROW_IS(&d, 0, "  670123456789012345");
	type(&d, "\001");
	ROW_IS(&d, 0, "> abcdefghijklmnopqr");
	CURSOR_IS(&d, 0, 2);
	type(&d, "\005");
	CURSOR_IS(&d, 4, 4);
	type(&d, "\025");
	ROW_IS(&d, 0, ">");
	ROW_IS(&d, 1, "");
	CURSOR_IS(&d, 0, 2);
	/* A wide character that does not fit begins the next row. */
	type(&d, "abcdefghijklmnopq\xe4\xb8\xad");
	ROW_IS(&d, 0, "> abcdefghijklmnopq");
	ROW_IS(&d, 1, "  \u4e2d");
	close_desk(&d);
}

static void test_arrows_move_between_rows(void)
{
	desk d;

	open_desk(&d, 40, 10);
	type(&d, "first line\nab\nthird line");
	type(&d, "\033[A");
	CURSOR_IS(&d, 1, 4);
	type(&d, "\033[A");
	CURSOR_IS(&d, 0, 12);
	type(&d, "\033[D\033[B\033[B");
	CURSOR_IS(&d, 2, 11);
	type(&d, "\001x");
	TEXT_IS(&d, "first line\nab\nxthird line");
	close_desk(&d);
}

/* Catches redrawing: at 115,200 baud a screen takes 170 ms, a key may cost a few bytes. */
static void test_a_key_costs_few_bytes(void)
{
	desk d;
	size_t before;
	int i;

	open_desk(&d, 80, 24);
	for (i = 0; i < 70; i++) {
		before = d.screen.written;
		type(&d, "a");
		CHECK(&counts, d.screen.written - before == 1, "%zu bytes",
		      d.screen.written - before);
	}
	before = d.screen.written;
	type(&d, "\033[D");
	CHECK(&counts, d.screen.written - before == 1, "%zu bytes", d.screen.written - before);
	before = d.screen.written;
	type(&d, "\001");
	CHECK(&counts, d.screen.written - before <= 5, "%zu bytes", d.screen.written - before);
	before = d.screen.written;
	type(&d, "\005\177");
	CHECK(&counts, d.screen.written - before <= 12, "%zu bytes", d.screen.written - before);
	editor_set_status(&d.editor, "3 tokens/s");
	editor_draw(&d.editor);
	before = d.screen.written;
	editor_set_status(&d.editor, "4 tokens/s");
	editor_draw(&d.editor);
	CHECK(&counts, d.screen.written - before <= 24, "%zu bytes", d.screen.written - before);
	close_desk(&d);
}

/* What terminals disagree about must not move what follows. */
static void test_a_doubtful_width_moves_nothing(void)
{
	desk d;

	open_desk(&d, 40, 10);
	type(&d, "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7xy");
	CURSOR_IS(&d, 0, 6);
	CHECK(&counts, strcmp(d.screen.cells[0][4], "x") == 0, "x is elsewhere");
	type(&d, "\033[D\033[Dz");
	CHECK(&counts, strcmp(d.screen.cells[0][4], "z") == 0, "z is elsewhere");
	CHECK(&counts, strcmp(d.screen.cells[0][6], "y") == 0, "y is elsewhere");
	/* A mark on nothing does not change the prompt. */
	type(&d, "\005\025\xcc\x81");
	CHECK(&counts, strcmp(d.screen.cells[0][1], " ") == 0, "the prompt has a mark");
	ROW_IS(&d, 0, "> \u25cc\u0301");
	close_desk(&d);
}

static void test_the_status_stands_below(void)
{
	desk d;

	open_desk(&d, 20, 5);
	editor_set_status(&d.editor, "12 % of the window full");
	editor_draw(&d.editor);
	ROW_IS(&d, 1, "12 % of the window"); /* cut; the last column stays free */
	CURSOR_IS(&d, 0, 2);
	type(&d, "abcdefghijklmnopqrst");
	ROW_IS(&d, 1, "  st");
	ROW_IS(&d, 2, "12 % of the window");
	type(&d, "\r");
	editor_finish(&d.editor);
	ROW_IS(&d, 2, "");
	CURSOR_IS(&d, 2, 0);
	close_desk(&d);
}

/* Catches rows that stay behind after a resize; the screen here does not wrap again, as xterm
 * does not. */
static void test_a_wider_screen_is_drawn_anew(void)
{
	desk d;

	open_desk(&d, 20, 5);
	type(&d, "abcdefghijklmnopqrstuvwxyz");
	d.screen.columns = 40;
	editor_resize(&d.editor, 40, 5);
	editor_draw(&d.editor);
	ROW_IS(&d, 0, "> abcdefghijklmnopqrstuvwxyz");
	ROW_IS(&d, 1, "");
	CURSOR_IS(&d, 0, 28);
	close_desk(&d);
}

/* Catches drawing that goes wrong somewhere in a million possibilities: after random keys the
 * screen, drawn by differences, is what drawing everything gives. */
static void test_differences_add_up_to_the_whole(void)
{
	static const char *const typed[] = {
		"a",
		"b",
		"\xe4\xb8\xad",
		"\xcc\x81",
		"\033[D",
		"\033[C",
		"\001",
		"\005",
		"\177",
		"\004",
		"\n",
		"\027",
		"\013",
		"\031",
		"\037",
		"\033[A",
		"\033[B",
		"word ",
		"\xf0\x9f\x98\x80",
		"abcdefghijklmnopqrstuvw",
		"\033[200~x\ty\003z\033[201~",
		"\024",
		"/l\t",
		"\t",
		"\022",
		"w",
	};
	uint32_t state = 7;
	desk d, whole;
	int i, row;

	open_desk(&d, 20, 8);
	send(&d, "words of old");
	send(&d, "two\nlines");
	for (i = 0; i < 6000; i++) {
		state = state * 1664525u + 1013904223u;
		if ((state >> 8) % 600 == 0)
			editor_set_status(&d.editor, (state >> 20) % 2 ? "" : "status");
		type(&d, typed[(state >> 16) % (sizeof typed / sizeof *typed)]);
		if (i % 20 != 19)
			continue;
		/* The same on an empty screen, compared from the bottom. */
		whole = d;
		screen_open(&whole.screen, 20, 8);
		whole.editor.view.output.user = &whole.screen;
		memset(whole.editor.view.frames, 0, sizeof whole.editor.view.frames);
		whole.editor.view.drawn = &whole.editor.view.frames[0];
		whole.editor.view.next = &whole.editor.view.frames[1];
		editor_redraw(&whole.editor);
		for (row = 0; row < whole.editor.view.drawn->n_rows; row++) {
			char drawn[256];
			int at = d.screen.row - d.editor.view.row + row;

			(void)snprintf(drawn, sizeof drawn, "%.200s", screen_row(&d.screen, at));
			if (strcmp(drawn, screen_row(&whole.screen, row)) != 0)
				CHECK(&counts, false, "step %d row %d: '%s', expected '%s'", i, row,
				      drawn, screen_row(&whole.screen, row));
		}
		CHECK(&counts,
		      d.screen.column == whole.screen.column &&
		              d.editor.view.row == whole.editor.view.row,
		      "step %d: cursor", i);
		view_free(&whole.editor.view);
		/* redraw may have moved these */
		d.editor.layout = whole.editor.layout;
		if (i % 200 == 199)
			type(&d, "\007\005\025\025\025\025\025\025");
	}
	close_desk(&d);
}

/* ---- history, candidates --------------------------------------------------------------------- */

static void test_arrows_recall_what_was_sent(void)
{
	desk d;

	open_desk(&d, 40, 20);
	send(&d, "first");
	send(&d, "two\nlines");
	send(&d, " not kept");
	send(&d, "first");
	CHECK(&counts, d.history.n == 2, "%zu entries", d.history.n);
	type(&d, "draft\033[A");
	TEXT_IS(&d, "first");
	type(&d, "\033[A");
	TEXT_IS(&d, "two\nlines");
	type(&d, "\033[A"); /* to its first line */
	TEXT_IS(&d, "two\nlines");
	type(&d, "\033[A");
	TEXT_IS(&d, "two\nlines");
	type(&d, "\016\016");
	TEXT_IS(&d, "draft");
	close_desk(&d);
}

static void test_ctrl_r_searches(void)
{
	desk d;

	open_desk(&d, 40, 20);
	send(&d, "tell me of rivers");
	send(&d, "tell me of hills");
	type(&d, "draft\022te");
	ROW_IS(&d, 2, "search 'te': tell me of hills");
	type(&d, "\022");
	ROW_IS(&d, 2, "search 'te': tell me of rivers");
	type(&d, "\022");
	ROW_IS(&d, 3, "no older message has that");
	type(&d, "\007");
	TEXT_IS(&d, "draft");
	ROW_IS(&d, 2, "> draft");
	type(&d, "\022riv\177\177\177hi\005!");
	TEXT_IS(&d, "tell me of hills!");
	type(&d, "\022rivers\r");
	CHECK(&counts, d.result == EDITOR_SENT, "enter does not send what was found");
	TEXT_IS(&d, "tell me of rivers");
	close_desk(&d);
}

static void test_tab_completes(void)
{
	desk d;

	open_desk(&d, 40, 20);
	type(&d, "/he\t");
	TEXT_IS(&d, "/help ");
	type(&d, "\025/l\t\t");
	ROW_IS(&d, 1, "/load  /list");
	type(&d, "o\t");
	TEXT_IS(&d, "/load ");
	ROW_IS(&d, 1, "");
	type(&d, "\025x\t");
	TEXT_IS(&d, "x");
	close_desk(&d);
}

static void test_history_is_a_private_file(void)
{
	static const char text[] = "a\\b\nlines";
	char folder[512], path[600];
	struct stat facts;
	history *h = calloc(2, sizeof *h);
	size_t i;
	FILE *file;

	scratch_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/history", folder);
	file = fopen(path, "w");
	for (i = 0; i < HISTORY_MAX_ENTRIES + 10; i++)
		(void)fprintf(file, "message %zu\n", i);
	(void)fclose(file);
	CHECK(&counts, history_open(h, path, NULL) == BRISE_OK, "not opened");
	CHECK(&counts, h->n == HISTORY_MAX_ENTRIES, "%zu entries", h->n);
	CHECK(&counts, history_add(h, text, strlen(text), NULL) == BRISE_OK, "not added");
	CHECK(&counts, history_add(h, "message 500", 11, NULL) == BRISE_OK, "not added");
	CHECK(&counts, history_add(h, text, strlen(text), NULL) == BRISE_OK, "not added");
	CHECK(&counts, h->n == HISTORY_MAX_ENTRIES, "%zu entries", h->n);
	CHECK(&counts, h->n > 0 && h->entries[0].n == 10, "the oldest is there");
	CHECK(&counts, stat(path, &facts) == 0 && (facts.st_mode & 0777) == 0600, "mode %o",
	      (unsigned)facts.st_mode);
	CHECK(&counts, history_open(h + 1, path, NULL) == BRISE_OK, "not opened again");
	CHECK(&counts, h[1].n == h->n, "%zu entries, then %zu", h->n, h[1].n);
	CHECK(&counts,
	      h[1].n > 0 && strlen(text) == h[1].entries[h[1].n - 1].n &&
	              memcmp(h[1].entries[h[1].n - 1].text, text, strlen(text)) == 0,
	      "the last is another");
	/* Two programs. */
	(void)history_add(h, "of one", 6, NULL);
	(void)history_add(h + 1, "of the other", 12, NULL);
	CHECK(&counts, history_find(h + 1, h[1].n, "of one", 6) < h[1].n, "lost");
	CHECK(&counts, history_clear(h, NULL) == BRISE_OK && h->n == 0, "not cleared");
	CHECK(&counts, stat(path, &facts) == 0 && facts.st_size == 0, "the file is not empty");
	history_free(h);
	history_free(h + 1);
	/* What is no history gives what can be read. */
	file = fopen(path, "w");
	(void)fwrite("good\n\xff\xfe\n\n\0x\ncut", 1, 14, file);
	(void)fclose(file);
	CHECK(&counts, history_open(h, path, NULL) == BRISE_OK, "not opened");
	CHECK(&counts, h->n == 2, "%zu entries", h->n);
	history_free(h);
	CHECK(&counts, history_open(h, folder, NULL) == BRISE_EIO, "a folder is a history");
	history_free(h);
	free(h);
}

/* ---- size ------------------------------------------------------------------------------------ */

static void test_a_large_paste_is_one_message(void)
{
	size_t n = LINE_MAX_BYTES - 100, used, length;
	char *paste = malloc(n + 32);
	desk d;

	open_desk(&d, 80, 24);
	(void)sprintf(paste, "\033[200~");
	memset(paste + 6, 'x', n);
	for (used = 6 + 60; used < n; used += 61)
		paste[used] = '\r';
	memcpy(paste + 6 + n, "\033[201~", 7);
	d.result = editor_feed(&d.editor, (const uint8_t *)paste, n + 12, &used);
	editor_draw(&d.editor);
	(void)editor_text(&d.editor, &length);
	CHECK(&counts, d.result == EDITOR_MORE && used == n + 12, "taken %zu", used);
	CHECK(&counts, length == n, "%zu bytes", length);
	CHECK(&counts, d.screen.written < 4000, "%zu bytes drawn", d.screen.written);
	type(&d, "0123456789");
	(void)editor_text(&d.editor, &length);
	CHECK(&counts, length == n + 10, "%zu bytes", length);
	memset(paste, 'y', 200);
	(void)editor_feed(&d.editor, (const uint8_t *)paste, 200, &used);
	(void)editor_text(&d.editor, &length);
	CHECK(&counts, length == n + 10, "more than the most: %zu bytes", length);
	editor_draw(&d.editor);
	ROW_IS(&d, 23, "the message is full");
	close_desk(&d);
	free(paste);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_keys_edit_the_text());
	RUN(test_enter_sends_and_other_keys_begin_lines());
	RUN(test_control_keys_decide());
	RUN(test_long_lines_wrap_and_scroll());
	RUN(test_arrows_move_between_rows());
	RUN(test_a_key_costs_few_bytes());
	RUN(test_a_doubtful_width_moves_nothing());
	RUN(test_the_status_stands_below());
	RUN(test_a_wider_screen_is_drawn_anew());
	RUN(test_differences_add_up_to_the_whole());
	RUN(test_arrows_recall_what_was_sent());
	RUN(test_ctrl_r_searches());
	RUN(test_tab_completes());
	RUN(test_history_is_a_private_file());
	RUN(test_a_large_paste_is_one_message());
	return check_report("console_editor", &counts);
}
