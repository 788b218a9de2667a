/* body.h - bytes of a reply that grow, and events of a stream (WHATWG HTML, "server-sent events")
 * in them */
#ifndef SERVE_BODY_H
#define SERVE_BODY_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised; freed with body_free. */
typedef struct body {
	char *bytes; /* [n] */
	size_t n, room;
	bool failed; /* memory ran out: something is missing */
} body;

/* Appends bytes [n] to a body, which is `user`; the sink of a json_writer. */
void body_add(void *user, const char *bytes, size_t n);

/* Forgets the bytes and that memory ran out, and keeps the memory. */
void body_clear(body *b);
void body_free(body *b);

/* Begins an event, whose data is then appended: one line, such as JSON without indentation. name
 * NULL: the event has none. */
void body_begin_event(body *b, const char *name);
void body_end_event(body *b);

#endif
