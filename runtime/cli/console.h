/* console.h - a conversation with the user: messages are read, answers are written
 *
 * At a terminal messages are edited (runtime/console/editor.h) and answers wrapped (writer.h). A
 * dumb terminal's own line editing is used. In a pipe every line is a message, and answers are
 * plain.
 *
 *     while ((result = console_read(c, "", 0, &text, &n)) != CONSOLE_ENDED) {
 *             if (result != CONSOLE_MESSAGE)
 *                     continue;
 *             console_begin_answer(c);
 *             ... console_write(c, piece, bytes), until console_is_interrupted(c) ...
 *             console_end_answer(c);
 *     }
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/brise.h"
#include "runtime/console/candidates.h"

typedef struct console console;

typedef enum console_result {
	CONSOLE_MESSAGE,
	CONSOLE_CANCELLED, /* ctrl-C: nothing, or what was typed is taken back */
	CONSOLE_ENDED      /* ctrl-D, the end of the input, a signal, a failure */
} console_result;

typedef struct console_options {
	const char *command;     /* for messages: "chat" */
	const char *history;     /* a file; NULL: the history ends with the console */
	const char *prompt;      /* at a terminal; NULL: "> " */
	const char *more;        /* before further lines of a message; NULL: blanks */
	candidates_fn *complete; /* for tab; NULL: none */
	void *user;              /* of complete */
	bool hides_status;
} console_options;

/* Options are copied, the texts they point to are not. A history that cannot be read is noted. From
 * here on SIGINT, SIGTERM and SIGHUP are the console's, instead of terminal.h's: a third SIGINT
 * that nothing has come of, or a second of the others, ends the process with the terminal set back.
 * One console at a time. Errors: BRISE_ENOMEM. */
brise_status console_open(console **opened, const console_options *options, brise_error *err);

/* The terminal and signals as they were. NULL allowed. */
void console_close(console *c);

/* Reads a message, beginning with `given` [n_given] at a terminal. text [n], with a zero after
 * it, is valid until the next call; it is UTF-8 if it comes from a terminal, otherwise any bytes.
 * Messages are not longer than LINE_MAX_BYTES (line.h): the rest of a longer line is dropped, with
 * a note. */
console_result console_read(console *c, const char *given, size_t n_given, const char **text,
                            size_t *n);

/* An answer, to standard output. While one is written ctrl-C is noted. */
void console_begin_answer(console *c);
void console_write(console *c, const char *text, size_t n);
void console_end_answer(console *c);

/* What the program itself says, between messages: like an answer, but to standard error if standard
 * output is not a terminal. Lines that are too long are wrapped. */
void console_say(console *c, const char *text);

/* Whether an answer is to stop: ctrl-C, or the program is to end. Begins anew with every message
 * and answer. A brise_cancel_fn. */
bool console_is_interrupted(void *c);

/* A line below what is edited or written, on a terminal that can have one; "": none. Cheap when it
 * is as before. */
void console_set_status(console *c, const char *text);

/* Whether a message is edited at a terminal, rather than read from a pipe or a file. */
bool console_is_interactive(const console *c);

/* Whether what console_read is given can be edited. */
bool console_has_editor(const console *c);

/* After CONSOLE_ENDED: the signal that ended it, 0: none. */
int console_signal(const console *c);

/* Whether an answer could not be written: a closed pipe, a full disk. */
bool console_has_failed(const console *c);

/* Forgets the history, in its file too. */
brise_status console_clear_history(console *c, brise_error *err);

#endif
