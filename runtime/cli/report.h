/* report.h - messages on standard error: one line each, "brise COMMAND: FILE: what: expected,
 * found" */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stddef.h>

#include "runtime/brise.h"
#include "runtime/portable.h"

/* Exit statuses of every command. Interrupted ones end with 128 + the signal's number, as a shell
 * would report it; so do those whose reader has closed the pipe, in silence: 13 is SIGPIPE's
 * everywhere. */
#define EXIT_FAILED      1
#define EXIT_USAGE       2
#define EXIT_READER_LEFT (128 + 13)

/* Prints one line and returns EXIT_FAILED. Control characters, which can come from file names, are
 * replaced. */
int report_error(const char *command, const char *format, ...) PORTABLE_PRINTF(2, 3);

/* The same, and returns EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...) PORTABLE_PRINTF(2, 3);

/* A sink of json_writer.h: user is a FILE. */
void report_json(void *user, const char *bytes, size_t n);

/* A remark that does not change the exit status. */
void report_note(const char *command, const char *format, ...) PORTABLE_PRINTF(2, 3);

/* Prints `message`, that a signal ended the command; returns its exit status. */
int report_interruption(const char *command, const char *message);

/* Prints a library error, a cancellation among them, and returns the exit status. */
int report_status(const char *command, const brise_error *err);

#endif
