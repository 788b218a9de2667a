/* stops.h - texts that end an answer, found across the pieces in which it comes */
#ifndef SERVE_STOPS_H
#define SERVE_STOPS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct stops {
	const char *const *texts; /* [n] the caller's; empty ones are ignored */
	size_t n;
	char *held; /* [n_held], room for [room]: what may be the begin of a stop text */
	size_t n_held, room;
	size_t n_given; /* of held, at its begin: what stops_add has given out */
} stops;

/* Nothing is held yet; texts must outlive it. */
void stops_open(stops *s, const char *const *texts, size_t n);
void stops_close(stops *s);

typedef enum stops_result { STOPS_NONE, STOPS_FOUND, STOPS_NO_MEMORY } stops_result;

/* Adds text [bytes] of the answer. *out [*n_out]: what is certain to be part of it now, valid until
 * the next call. Found: it ends there, with texts[*which], the one that begins first, and of those
 * the longest. */
stops_result stops_add(stops *s, const char *text, size_t bytes, const char **out, size_t *n_out,
                       size_t *which);

/* The answer ends here, or something else than text follows: gives out what is held, likewise. */
stops_result stops_flush(stops *s, const char **out, size_t *n_out, size_t *which);

#endif
