/* notes.h - lines of text that grow: what the converter decided, and from which field */
#ifndef CONVERT_FORMATS_NOTES_H
#define CONVERT_FORMATS_NOTES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/portable.h"

typedef struct notes {
	char *text; /* NUL-terminated lines; NULL when empty */
	size_t bytes;
	bool failed; /* memory ran out: the text is not complete */
} notes;

/* Appends one line; the line feed is added. */
void notes_add(notes *n, const char *format, ...) PORTABLE_PRINTF(2, 3);

#endif
