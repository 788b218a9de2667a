/* report.c - one line on standard error */
#include "runtime/cli/report.h"
#include "runtime/cli/terminal.h"

#include <stdarg.h>
#include <stdio.h>

static void print_line(const char *command, const char *format, va_list args)
{
	char line[1024];
	char *c;

	(void)vsnprintf(line, sizeof line, format, args);
	for (c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "brise%s%s: %s\n", command ? " " : "", command ? command : "", line);
}

int report_error(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(command, format, args);
	va_end(args);
	return EXIT_FAILED;
}

int report_usage(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(command, format, args);
	va_end(args);
	return EXIT_USAGE;
}

void report_note(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(command, format, args);
	va_end(args);
}

int report_interruption(const char *command, const char *message)
{
	/* A terminal has echoed ^C where the cursor stood. */
	if (terminal_is_terminal(stderr))
		(void)fputc('\r', stderr);
	report_note(command, "%s", message);
	return terminal_exit_status();
}

int report_status(const char *command, const brise_error *err)
{
	if (err->code == BRISE_ECANCELED)
		return report_interruption(command, err->message);
	return report_error(command, "%s", err->message);
}

void report_json(void *user, const char *bytes, size_t n)
{
	(void)fwrite(bytes, 1, n, user);
}
