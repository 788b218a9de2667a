/* commands.c - what all commands do first and last */
#include "runtime/cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int commands_begin(const options_command *command, int argc, char **argv, void *settings, options_result *result)
{
	switch (options_parse(command, argc, argv, settings, result)) {
	case OPTIONS_READY:
		return COMMANDS_READY;
	case OPTIONS_HELP:
		options_print_help(command, stdout);
		return commands_end(command->name, 0);
	case OPTIONS_WRONG:
		break;
	}
	return report_usage(command->name, "%s", result->message);
}

int commands_end(const char *command, int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE && status == 0)
		return report_error(command, "standard output: %s", errno ? strerror(errno) : "write failed");
	return status ? status : EXIT_FAILED;
}
