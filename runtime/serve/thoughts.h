/* thoughts.h - the reasoning of a message, as it is read beside its text */
#ifndef SERVE_THOUGHTS_H
#define SERVE_THOUGHTS_H

#include "runtime/brise.h"
#include "runtime/serve/joined_text.h"

/* All zero: none. */
typedef struct thoughts {
	void *list; /* brise_thought [n] */
	size_t n;
} thoughts;

/* Appends reasoning, which must outlive the list, at the end of the message's text so far; nothing
 * where it is empty. is_open: the answer goes on with it. False: no memory. */
bool thoughts_add(thoughts *to, joined_text *text, const char *thought, size_t bytes, bool is_open,
                  pool *p);

#endif
