/* line.h - the text that is being edited: one message, which may have several lines
 *
 * Valid UTF-8 with the cursor between clusters (width.h). What is removed by words or lines is kept
 * for yanking; removals in a row collect. Changes can be undone, as far back as memory is set aside
 * for it.
 */
#ifndef CONSOLE_LINE_H
#define CONSOLE_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* A message is not longer: at 4 bytes a token a context of 32,768 takes 128 kB. */
#define LINE_MAX_BYTES ((size_t)4 << 20)

typedef struct line_text {
	char *bytes; /* memory_new, and a zero after them; NULL: none yet */
	size_t n, room;
} line_text;

struct line_change;

typedef struct line {
	line_text text, killed;
	size_t cursor;
	bool was_kill;               /* the last change, so that the next one adds to it */
	bool was_typing;             /* the last change, which the next one is undone with */
	struct line_change *changes; /* the last first */
	size_t changes_bytes;
} line;

void line_free(line *l);

/* Text and cursor to nothing; what was killed stays. */
void line_clear(line *l);

/* Replaces everything by text [n], the cursor behind it. False, and nothing is changed: no memory,
 * or longer than LINE_MAX_BYTES; the same for the others that return bool. */
bool line_set(line *l, const char *text, size_t n);

/* Inserts text [n] at the cursor. */
bool line_insert(line *l, const char *text, size_t n);

/* Replaces [from, cursor) by text [n]. */
bool line_replace(line *l, size_t from, const char *text, size_t n);

/* Removes what lies between the cursor and `to`, where the cursor is then. `is_kept`: for
 * yanking. */
bool line_remove(line *l, size_t to, bool is_kept);

bool line_yank(line *l);

/* Exchanges the clusters around the cursor, or the last two of the line. */
bool line_transpose(line *l);

/* Takes back the last change; false: there is none. */
bool line_undo(line *l);

/* Any key that moves: what is killed or typed from now on is separate. */
void line_move(line *l, size_t to);

/* Places: the next and previous cluster, the end and beginning of a word, of the line among the
 * lines of the text. Each returns the cursor where there is nothing further. */
size_t line_next(const line *l);
size_t line_previous(const line *l);
size_t line_next_word(const line *l);
size_t line_previous_word(const line *l);
size_t line_previous_space(const line *l); /* as words of a shell are: ctrl-W */
size_t line_begin(const line *l);
size_t line_end(const line *l);

#endif
