/* writer.h - writes an answer as it comes: wrapped at words, and without what drives a terminal
 *
 * A word is written at once; when it turns out too long for its row it is taken back with
 * backspaces and written in the next, so that nothing waits for its end. Between characters of
 * double width rows break anywhere but before closing punctuation. Code blocks are not wrapped;
 * what continues a list item is indented. Control characters, and those that reorder or hide text,
 * are shown (width.h) and never sent.
 *
 * In a pipe the bytes pass as they are, whole characters at a time, and a line feed ends them.
 */
#ifndef CONSOLE_WRITER_H
#define CONSOLE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/console/markup.h"
#include "runtime/console/view.h"

typedef enum writer_kind {
	WRITER_PIPE,
	WRITER_DUMB, /* a terminal that knows carriage return, line feed and backspace */
	WRITER_FULL
} writer_kind;

/* A word of more bytes is broken where it ends. */
#define WRITER_WORD_MAX 512u

typedef struct writer {
	writer_kind kind;
	bool has_colors;
	int columns;        /* of the terminal; the last stays free, but in code */
	int column, indent; /* of the row */
	int spaces;         /* that come before the next word, if that is in the same row */
	char word[WRITER_WORD_MAX];
	size_t n_word;
	int word_columns;
	width_cluster cluster; /* the last one; bytes 0: what comes joins none */
	markup markup;
	char held[4]; /* the beginning of a character */
	size_t n_held;
	bool is_open, was_return, is_styled;
	char status[256];
	bool has_status, is_blocked; /* it is on the screen; it must not be until the row ends */
	output output;
} writer;

void writer_open(writer *w, writer_kind kind, bool has_colors, output_write_fn *write, void *user);

/* The terminal's width, also in the middle of an answer. */
void writer_resize(writer *w, int columns);

/* The cursor is at the start of another row: the process was stopped, and goes on. */
void writer_begin_row(writer *w);

/* Begins an answer, at the start of a row. */
void writer_begin(writer *w);

/* Writes text [n], which may end in the middle of a character. */
void writer_put(writer *w, const char *text, size_t n);

/* A line below the text while an answer is written, also one that begins later, on a terminal that
 * is not dumb; "": none. */
void writer_set_status(writer *w, const char *status);

/* Ends the answer, with a line feed if it does not end with one. The status is removed. */
void writer_end(writer *w);

#endif
