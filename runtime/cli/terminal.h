/* terminal.h - terminal handling: signals, the progress line, text without control characters
 *
 * A progress line is drawn on standard error when that is a terminal, ten times a second at most,
 * and erased before anything else is printed. In a pipe nothing of it appears.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/portable.h"

/* Once, at start: a closed pipe and a file that is larger than allowed become write errors instead
 * of signals, so that commands can clean up; standard streams that are closed are opened on
 * /dev/null, so that no file of the program gets their number. */
void terminal_prepare(void);

/* From here on the first SIGINT, SIGTERM or SIGHUP asks to stop, the second kills. Signals ignored
 * at start stay ignored. */
void terminal_catch_signals(void);

/* For commands that leave nothing behind: from here on such a signal ends the process at once, with
 * a line that says so and status 128 + its number. */
void terminal_end_on_signals(void);

/* Whether a signal asked to stop. A brise_cancel_fn. */
bool terminal_was_interrupted(void *unused);

/* For commands that wait for descriptors: catches signals as terminal_catch_signals does, and
 * returns a descriptor that has a byte to read for each that came. -1: errno. */
int terminal_open_signals(void);

/* 128 + the signal's number after an interruption, else EXIT_FAILED. */
int terminal_exit_status(void);

/* Seconds on a clock that only goes forward. */
double terminal_clock(void);

typedef struct terminal_line {
	bool enabled;
	int drawn;   /* columns on the screen now */
	double next; /* no drawing before */
} terminal_line;

/* The first drawing waits half a second: short work shows nothing. */
void terminal_open_line(terminal_line *line);

/* True if it is time to draw, so that callers need not compute what will not be shown. */
bool terminal_is_due(const terminal_line *line);

/* Replaces the line's text, cut to the screen's width. Draws whether due or not; nothing if not
 * enabled. */
void terminal_draw_line(terminal_line *line, const char *format, ...) PORTABLE_PRINTF(2, 3);

void terminal_erase_line(terminal_line *line);

/* Writes text to `out`. On a terminal, control characters except line feed and tab become U+FFFD.
 * `bytes` of `text` are whole UTF-8 characters. */
void terminal_write_text(FILE *out, bool is_terminal, const char *text, size_t bytes);

bool terminal_is_terminal(FILE *stream);

/* "0.3 s", "12 s", "2:05", "1:02:03" into text. */
void terminal_format_duration(double seconds, char *text, size_t size);

/* "512 B", "3.40 kB", "3.78 GB" into text; units of 1000. */
void terminal_format_bytes(double bytes, char *text, size_t size);

/* "12", "16.0 M", "7.24 G" into text, for numbers of things. */
void terminal_format_count(double count, char *text, size_t size);

#endif
