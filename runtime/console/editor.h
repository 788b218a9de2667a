/* editor.h - editing a message: keys in, drawing out
 *
 * Knows no terminal: bytes are fed, and what is to be drawn goes to a function of the caller. Keys
 * are those of readline's emacs mode as far as they exist here; enter sends, alt-enter, ctrl-J or a
 * backslash before enter begin a new line.
 */
#ifndef CONSOLE_EDITOR_H
#define CONSOLE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/console/candidates.h"
#include "runtime/console/history.h"
#include "runtime/console/keys.h"
#include "runtime/console/layout.h"
#include "runtime/console/line.h"
#include "runtime/console/view.h"

typedef enum editor_result {
	EDITOR_MORE,      /* everything was taken, and nothing is decided */
	EDITOR_SENT,      /* enter */
	EDITOR_CANCELLED, /* ctrl-C: the text can be yanked into the next */
	EDITOR_ENDED,     /* ctrl-D without text */
	EDITOR_SUSPENDED  /* ctrl-Z: editing goes on after editor_redraw */
} editor_result;

typedef struct editor_options {
	const char *prompt, *more; /* before the first line, and before the others */
	history *history;          /* NULL: none */
	candidates_fn *complete;   /* NULL: tab does nothing */
	void *user;                /* of complete */
	bool has_colors;           /* and other attributes */
} editor_options;

typedef struct editor {
	editor_options options;
	line line;
	keys keys;
	view view;
	layout layout;
	size_t top;        /* the first row that is shown, of a text that is too high */
	size_t entry;      /* of the history that is shown; history->n: none */
	line_text draft;   /* what was typed before the history was looked at */
	int goal;          /* the column that up and down keep to; -1: the cursor's */
	bool is_searching; /* ctrl-R */
	size_t found;      /* history->n: nothing */
	char query[256];   /* what is searched */
	size_t n_query;
	candidates candidates;
	bool shows_candidates;
	bool is_given;    /* something was there to edit */
	const char *hint; /* shown until the next key; NULL: none */
	char status[256];
} editor;

/* Options are copied, the texts they point to are not. */
void editor_open(editor *e, const editor_options *options, output_write_fn *write, void *user);
void editor_free(editor *e);

/* The terminal's size, at once and whenever it changes. */
void editor_resize(editor *e, int columns, int rows);

/* Begins a message with text [n] in it. False: no memory, and it begins empty. */
bool editor_begin(editor *e, const char *text, size_t n);

/* Takes bytes until something is decided; *used says how many. Draws nothing, but
 * for ctrl-L, which clears the screen. */
editor_result editor_feed(editor *e, const uint8_t *bytes, size_t n, size_t *used);

/* Milliseconds to wait for another byte before editor_expire; -1: for ever. */
int editor_timeout(const editor *e);
editor_result editor_expire(editor *e);

/* Draws what has changed. To be called when no byte is waiting. */
void editor_draw(editor *e);

/* Draws a message that is sent or given up as it stays on the screen, and goes to the row below. */
void editor_finish(editor *e);

/* Draws everything, where the cursor stands at the start of a row. */
void editor_redraw(editor *e);

/* Removes the message from the screen, for something else to be printed; editor_redraw follows. */
void editor_hide(editor *e);

/* A line below the text, cut to the width; "": none. Shown by the next drawing. */
void editor_set_status(editor *e, const char *status);

/* The message, with a zero after it; valid until editor_begin. */
const char *editor_text(const editor *e, size_t *n);

#endif
