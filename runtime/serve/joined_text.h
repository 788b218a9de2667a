/* joined_text.h - a text that is put together from parts, with an empty line between them, as in
 * chat_line.c
 *
 * Its room doubles: however many the parts are, a text takes at most some four times its bytes.
 */
#ifndef SERVE_JOINED_TEXT_H
#define SERVE_JOINED_TEXT_H

#include "runtime/serve/pool.h"

typedef struct joined_text {
	const char *text; /* [bytes], somebody's or the pool's; NULL: none */
	size_t bytes;
	size_t room; /* of memory of the pool that is this text's own; 0: text is not */
	bool parted; /* something else stands at its end: the next part has no line before it */
} joined_text;

/* Appends a part, which must outlive the text; an empty one has no line before it. False: no
 * memory. */
bool joined_text_add(joined_text *to, const char *part, size_t bytes, pool *p);

#endif
