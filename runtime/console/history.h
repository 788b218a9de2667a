/* history.h - messages that were sent before, for the arrow keys and for searching
 *
 * Kept in a file that only its owner can read (mode 0600). Each message is a line there, in which
 * "\n" stands for a line feed and "\\" for a backslash, so that other programs can read it. The
 * newest comes last. A message that is sent again moves to the end. Two programs may use one file:
 * each adds to what is there; when they write at the same moment, one message may be lost, but the
 * file is always whole.
 */
#ifndef CONSOLE_HISTORY_H
#define CONSOLE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/brise.h"

#define HISTORY_MAX_ENTRIES 1000u
#define HISTORY_MAX_BYTES   ((size_t)1 << 20) /* of all entries; a longer message is not kept */

typedef struct history_entry {
	char *text;
	size_t n;
} history_entry;

typedef struct history {
	char *path; /* NULL: not in a file */
	history_entry entries[HISTORY_MAX_ENTRIES];
	size_t n, bytes;
} history;

/* Reads the file, if there is one; path NULL: nothing is kept after history_free. A file that is
 * damaged gives what can be read of it. Errors: BRISE_EIO, BRISE_ENOMEM; the history works without
 * the file then. */
brise_status history_open(history *h, const char *path, brise_error *err);

/* Adds a message and writes the file. Messages of white space alone, or that begin with a space,
 * are left out. Errors: BRISE_EIO, BRISE_ENOMEM: the file is as it was. */
brise_status history_add(history *h, const char *text, size_t n, brise_error *err);

/* Forgets all, in the file too. Errors: as history_add. */
brise_status history_clear(history *h, brise_error *err);

/* The newest entry before `from` that contains text [n]; h->n: none. */
size_t history_find(const history *h, size_t from, const char *text, size_t n);

void history_free(history *h);

#endif
