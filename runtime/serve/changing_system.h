/* changing_system.h - lines of a system prompt that differ in every request
 *
 * Keys and values are reused up to the first token that differs. Some clients put a line that
 * changes from request to request in front of a long system prompt (Claude Code: "x-anthropic-
 * billing-header: ...; cch=fa690;"), so that nothing of it is reused. Such lines show when the
 * prompts of consecutive requests are compared. They can be moved behind what stays the same.
 */
#ifndef SERVE_CHANGING_SYSTEM_H
#define SERVE_CHANGING_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/brise.h"
#include "runtime/serve/pool.h"

/* Only lines that end within the first bytes of a prompt are looked at: what stands further back
 * leaves enough in front of it to be reused. */
#define CHANGING_HEAD 2048u
/* So much behind the lines must be the same in both prompts, and more than the lines have: two
 * prompts that have little in common are different prompts. */
#define CHANGING_SAME 256u
/* Most lines of each prompt that are looked at behind the first difference: all are compared with
 * all, and a prompt can be nothing but short lines. */
#define CHANGING_LINES 24u
/* Prompts that are remembered: agents alternate between several. */
#define CHANGING_PROMPTS 8u

/* Bytes [from, to) of a text; whole lines. from == to: none. */
typedef struct changing_lines {
	size_t from, to;
} changing_lines;

typedef struct changing_prompt {
	size_t owner, bytes; /* bytes of the whole text; 0: an empty place */
	changing_lines lines;
	char head[CHANGING_HEAD + CHANGING_SAME];
} changing_prompt;

/* The last prompts, newest first. All zero: none yet. */
typedef struct changing_system {
	changing_prompt prompts[CHANGING_PROMPTS];
} changing_system;

/* The lines of `now` that changed since `before`, if what follows them did not. */
changing_lines changing_lines_find(const char *before, size_t n_before, const char *now,
                                   size_t n_now);

/* Remembers a system prompt, and returns its lines that changed since the last one of the same
 * owner that goes on alike. */
changing_lines changing_system_see(changing_system *seen, size_t owner, const char *text, size_t n);

/* Takes the lines out of messages[at], the system's, and puts them, as a message of the system,
 * in front of the user's last, or behind the system's last if that is later. Formats that gather
 * the system's messages thus have them behind the rest of the system's text. *messages [*n]:
 * replaced by memory of the pool. False: no memory. */
bool changing_system_move(brise_message **messages, size_t *n, size_t at, changing_lines lines,
                          pool *p);

#endif
