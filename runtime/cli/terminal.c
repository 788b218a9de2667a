/* terminal.c - signals, the progress line, text without control characters */
#include "runtime/cli/terminal.h"
#include "runtime/cli/report.h"
#include "runtime/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The program's only global variables: a signal handler has no other way to pass anything on. */
static volatile sig_atomic_t caught_signal;
static volatile sig_atomic_t signal_pipe = -1; /* the end to write to; -1: none */

static void catch_signal(int number)
{
	int error = errno;

	caught_signal = number;
	if (signal_pipe >= 0)
		(void)!write((int)signal_pipe, "", 1);
	errno = error;
}

void terminal_prepare(void)
{
	int descriptor;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* beyond ulimit -f a write fails, as on a full disk */
	/* Read-only on purpose: writing to a closed standard output stays an error. */
	do
		descriptor = open("/dev/null", O_RDONLY);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	if (descriptor > STDERR_FILENO)
		(void)close(descriptor);
}

/* write and _exit are allowed in a signal handler, stdio is not. */
static void end_at_signal(int number)
{
	static const char line[] = "\rbrise: interrupted\n";
	size_t skipped = isatty(STDERR_FILENO) == 1 ? 0 : 1;

	(void)!write(STDERR_FILENO, line + skipped, sizeof line - 1 - skipped);
	_exit(128 + number);
}

static void install(void (*handler)(int))
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	size_t i;

	for (i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct sigaction action, old;

		memset(&action, 0, sizeof action);
		action.sa_handler = handler;
		/* Once only, and reads are not restarted: a program that waits for input stops
		 * too. */
		action.sa_flags = (int)SA_RESETHAND;
		(void)sigemptyset(&action.sa_mask);
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &action, NULL);
	}
}

void terminal_catch_signals(void)
{
	install(catch_signal);
}

int terminal_open_signals(void)
{
	int ends[2];

	if (pipe(ends) != 0)
		return -1;
	(void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	(void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	signal_pipe = ends[1];
	install(catch_signal);
	return ends[0];
}

void terminal_end_on_signals(void)
{
	install(end_at_signal);
}

bool terminal_was_interrupted(void *unused)
{
	(void)unused;
	return caught_signal != 0;
}

int terminal_exit_status(void)
{
	return caught_signal ? 128 + (int)caught_signal : EXIT_FAILED;
}

double terminal_clock(void)
{
	return os_clock();
}

bool terminal_is_terminal(FILE *stream)
{
	return isatty(fileno(stream)) == 1;
}

void terminal_open_line(terminal_line *line)
{
	line->enabled = terminal_is_terminal(stderr);
	line->drawn = 0;
	line->next = terminal_clock() + 0.5;
}

bool terminal_is_due(const terminal_line *line)
{
	return line->enabled && terminal_clock() >= line->next;
}

static int screen_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 8 ? (int)size.ws_col
	                                                                       : 80;
}

/* Blanks cover what is left of a longer line before: no escape sequences, so every terminal
 * understands it. The last column stays free, where some terminals would wrap. */
void terminal_draw_line(terminal_line *line, const char *format, ...)
{
	char text[256];
	va_list args;
	int length, width;

	if (!line->enabled)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	width = screen_columns() - 1;
	length = (int)strlen(text) < width ? (int)strlen(text) : width;
	fprintf(stderr, "\r%.*s%*s", length, text, line->drawn > length ? line->drawn - length : 0,
	        "");
	(void)fflush(stderr);
	line->drawn = length;
	line->next = terminal_clock() + 0.1;
}

void terminal_erase_line(terminal_line *line)
{
	int echoed = caught_signal ? 2 : 0; /* ^C, after the line */

	if (line->drawn > 0)
		fprintf(stderr, "\r%*s\r", line->drawn + echoed, "");
	(void)fflush(stderr);
	line->drawn = 0;
}

/* Length of a control character at text[0..bytes), 0 if it is none: C0 but \n and \t, DEL, and C1
 * (C2 80 .. C2 9F). */
static size_t control_length(const char *text, size_t bytes)
{
	unsigned char c = (unsigned char)text[0];

	if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
		return 1;
	return c == 0xc2 && bytes > 1 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}

void terminal_write_text(FILE *out, bool is_terminal, const char *text, size_t bytes)
{
	size_t start = 0, i = 0;

	while (is_terminal && i < bytes) {
		size_t control = control_length(text + i, bytes - i);

		if (control == 0) {
			i++;
			continue;
		}
		(void)fwrite(text + start, 1, i - start, out);
		(void)fwrite("\xef\xbf\xbd", 1, 3, out);
		i += control;
		start = i;
	}
	(void)fwrite(text + start, 1, bytes - start, out);
}

void terminal_format_duration(double seconds, char *text, size_t size)
{
	unsigned long whole = seconds < 0       ? 0
	                      : seconds < 3.6e8 ? (unsigned long)(seconds + 0.5)
	                                        : 360000000ul;

	if (seconds < 9.95)
		(void)snprintf(text, size, "%.1f s", seconds > 0 ? seconds : 0);
	else if (whole < 60)
		(void)snprintf(text, size, "%lu s", whole);
	else if (whole < 3600)
		(void)snprintf(text, size, "%lu:%02lu", whole / 60, whole % 60);
	else
		(void)snprintf(text, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60,
		               whole % 60);
}

/* Three digits, and the unit that leaves at most three before the point. */
static void format_amount(double amount, const char *const *units, size_t n_units, char *text,
                          size_t size)
{
	size_t unit = 0;

	while (amount >= 999.5 && unit + 1 < n_units) {
		amount /= 1000;
		unit++;
	}
	(void)snprintf(text, size, "%.*f%s",
	               unit == 0 || amount >= 99.95 ? 0
	               : amount >= 9.995            ? 1
	                                            : 2,
	               amount, units[unit]);
}

void terminal_format_bytes(double bytes, char *text, size_t size)
{
	static const char *const units[] = { " B", " kB", " MB", " GB", " TB" };

	format_amount(bytes, units, sizeof units / sizeof units[0], text, size);
}

void terminal_format_count(double count, char *text, size_t size)
{
	static const char *const units[] = { "", " k", " M", " G", " T" };

	format_amount(count, units, sizeof units / sizeof units[0], text, size);
}
