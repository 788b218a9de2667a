/* commands.h - the commands, and how each begins and ends */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "runtime/cli/options.h"
#include "runtime/cli/report.h"

/* argv[0] is the command's name. Each returns the exit status. */
typedef int commands_main(int argc, char **argv);

commands_main cli_run, cli_chat, cli_info, cli_tokenize, cli_logits, cli_perplexity, cli_compare,
        cli_convert, cli_calibrate, cli_export, cli_bench, cli_serve, cli_batch;

/* Not an exit status: the command has work to do. */
#define COMMANDS_READY (-1)

/* Reads the options; prints help or what is wrong with them. Returns COMMANDS_READY or the exit
 * status. */
int commands_begin(const options_command *command, int argc, char **argv, void *settings,
                   options_result *result);

/* Flushes standard output and turns a lost write into status 1 with a message, or EXIT_READER_LEFT
 * without one if the reader went away. */
int commands_end(const char *command, int status);

/* The same for a command that stops at a write that failed; `error` is the errno of that, or 0. */
int commands_end_after(const char *command, int status, int error);

/* The same where it is known that a write has failed that was not one of stdio's. */
int commands_end_lost(const char *command);

#endif
