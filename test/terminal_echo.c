/* terminal_echo.c - a conversation without a model, for tests of terminals: every message is
 * repeated slowly, word by word
 *
 *     terminal_echo [--history FILE] [--pause MS] [--status] [--columns N]
 *
 * Prints each message as JSON-like text first, so that a test sees its bytes. Messages that begin
 * with "/" are commands: /say TEXT, /type TEXT (edited next), /words N, /code, /drive.
 * With --columns the tenth word waits until the terminal has that width.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "runtime/cli/console.h"

typedef struct setting {
	int pause_ms;
	bool has_status;
	int columns;
	unsigned words; /* written so far */
} setting;

static void offer_commands(void *user, candidates *list, const char *text, size_t n)
{
	static const char *const commands[] = { "/say ", "/type ", "/words ", "/code ", "/drive " };
	size_t i;

	(void)user;
	for (i = 0; n > 0 && text[0] == '/' && i < sizeof commands / sizeof *commands; i++)
		candidates_offer(list, 0, commands[i]);
}

/* A word, after a pause in which a model would compute. */
static void write_word(console *c, setting *s, const char *text, size_t n)
{
	struct timespec pause = { s->pause_ms / 1000, s->pause_ms % 1000 * 1000000L };
	char status[96];

	if (console_is_interrupted(c))
		return;
	(void)nanosleep(&pause, NULL);
	(void)snprintf(status, sizeof status,
	               "%u words of an answer that is being written, of its text", ++s->words);
	if (s->has_status)
		console_set_status(c, status);
	console_write(c, text, n);
}

static void write_words(console *c, setting *s, const char *text, size_t n)
{
	size_t from = 0, to;

	for (; from < n; from = to) {
		for (to = from + 1; to < n && text[to] != ' ' && text[to] != '\n'; to++) {
		}
		write_word(c, s, text + from, to - from);
	}
}

static void wait_for_columns(console *c, int columns)
{
	const struct timespec pause = { 0, 10000000 };
	struct winsize size = { 0, 0, 0, 0 };

	while (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != columns &&
	       !console_is_interrupted(c))
		(void)nanosleep(&pause, NULL);
}

static void write_numbers(console *c, setting *s, long n)
{
	char word[32];
	long i;

	for (i = 1; i <= n && !console_is_interrupted(c); i++) {
		if (i == 10 && s->columns > 0)
			wait_for_columns(c, s->columns);
		write_word(c, s, word, (size_t)snprintf(word, sizeof word, " word%ld", i));
	}
}

/* Bytes beyond ASCII's printable ones as \xNN. */
static void write_bytes(console *c, const char *text, size_t n)
{
	char byte[8];
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char b = (unsigned char)text[i];

		if (b >= 0x20 && b < 0x7f && b != '\\')
			console_write(c, text + i, 1);
		else
			console_write(c, byte, (size_t)snprintf(byte, sizeof byte, "\\x%02x", b));
	}
}

static void answer(console *c, setting *s, const char *text, size_t n)
{
	static const char code[] =
	        "Code:\n```\nfor (i = 0; i < n; i++) a[i] = b[i] + c[i] * d[i] - "
	        "e[i] / f[i] + g[i];\n```\nand words after it\n";
	static const char drive[] = "\033[2J\033]0;title\007\xc2\x9b"
	                            "2J\xe2\x80\xaeover\r\n";

	console_begin_answer(c);
	if (n > 7 && !strncmp(text, "/words ", 7)) {
		write_numbers(c, s, strtol(text + 7, NULL, 10));
	} else if (!strncmp(text, "/code", 5)) {
		write_words(c, s, code, sizeof code - 1);
	} else if (!strncmp(text, "/drive", 6)) {
		write_words(c, s, drive, sizeof drive - 1);
	} else {
		console_write(c, "[", 1);
		write_bytes(c, text, n);
		console_write(c, "]\n", 2);
		write_words(c, s, text, n);
	}
	console_end_answer(c);
	if (console_is_interrupted(c) && console_signal(c) == 0)
		console_say(c, "(stopped)");
}

int main(int argc, char **argv)
{
	console_options options = { .command = "echo", .complete = offer_commands };
	setting s = { 0, false, 0, 0 };
	console_result result;
	const char *text;
	char given[256] = "";
	size_t n;
	console *c;
	int i, number;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--history") && i + 1 < argc)
			options.history = argv[++i];
		else if (!strcmp(argv[i], "--pause") && i + 1 < argc)
			s.pause_ms = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--columns") && i + 1 < argc)
			s.columns = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--status"))
			s.has_status = true;
	}
	if (console_open(&c, &options, NULL) != BRISE_OK)
		return 1;
	while ((result = console_read(c, given, strlen(given), &text, &n)) != CONSOLE_ENDED) {
		given[0] = 0;
		if (result == CONSOLE_CANCELLED)
			console_say(c, "(cancelled)");
		else if (n > 5 && !strncmp(text, "/say ", 5))
			console_say(c, "said");
		else if (n > 6 && n < sizeof given && !strncmp(text, "/type ", 6))
			(void)snprintf(given, sizeof given, "%.*s", (int)(n - 6), text + 6);
		else
			answer(c, &s, text, n);
	}
	number = console_signal(c);
	if (console_is_interactive(c))
		console_say(c, "(ended)");
	console_close(c);
	return number ? 128 + number : 0;
}
