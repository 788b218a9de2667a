/* commands.c - what all commands do first and last */
#include "runtime/cli/commands.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int commands_begin(const options_command *command, int argc, char **argv, void *settings,
                   options_result *result)
{
	switch (options_parse(command, argc, argv, settings, result)) {
	case OPTIONS_READY:
		if (result->ignored[0])
			report_note(command->name, "without effect here, ignored: %s",
			            result->ignored);
		return COMMANDS_READY;
	case OPTIONS_HELP:
		options_print_help(command, stdout);
		return commands_end(command->name, 0);
	case OPTIONS_WRONG:
		break;
	}
	return report_usage(command->name, "%s", result->message);
}

/* Whether standard output is a pipe without a reader: the stream no longer knows the errno of an
 * earlier write. */
static bool reader_went_away(void)
{
	struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

int commands_end_after(const char *command, int status, int error)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	error = errno ? errno : error;
	if (error == EPIPE || reader_went_away())
		return status ? status : EXIT_READER_LEFT;
	return status ? status
	              : report_error(command, "standard output: %s",
	                             error ? strerror(error) : "write failed");
}

int commands_end_lost(const char *command)
{
	return reader_went_away() ? EXIT_READER_LEFT
	                          : report_error(command, "standard output: write failed");
}

int commands_end(const char *command, int status)
{
	return commands_end_after(command, status, 0);
}
