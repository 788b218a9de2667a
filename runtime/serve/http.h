/* http.h - a strict, bounded reader of HTTP/1.1 requests (RFC 9112), without sockets
 *
 * Bytes are fed as they come, in pieces of any length; how they are cut changes nothing. The reader
 * stops behind a request, so that the next one of the same connection stays with the caller. What
 * two programs could read differently is refused, since that is what request smuggling is made
 * of: bare LF, folded lines, space before a colon, two lengths, a length and chunks, fields twice
 * that may be there once. nginx accepts some of these and refuses none that is accepted here.
 *
 *     http_begin(&r, &limits);
 *     used = http_read(&r, bytes, n);
 *     switch (r.state) ...
 *     http_next(&r);   when the request has been answered
 *     http_free(&r);
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct http_limits {
	size_t line;   /* bytes of the request line; more is 414 */
	size_t head;   /* bytes of the head, that line included; more is 431 */
	size_t fields; /* of the head; more is 431 */
	size_t body;   /* bytes of the body, without the framing of chunks; more is 413 */
} http_limits;

typedef enum http_state {
	HTTP_IDLE,    /* nothing of a request has come */
	HTTP_HEAD,    /* part of its head */
	HTTP_BODY,    /* its head, and perhaps part of its body */
	HTTP_WHOLE,   /* all of it */
	HTTP_REFUSED, /* status and reason say why; the connection is to be closed */
} http_state;

typedef struct http_field {
	char *name, *value; /* the value without spaces around it */
} http_field;

typedef struct http_request {
	http_state state;
	int status;         /* HTTP_REFUSED: 400, 408, 411, ... */
	const char *reason; /* what was expected, for the client; static */

	/* Of HTTP_BODY and HTTP_WHOLE; valid until http_next. Texts end with NUL and hold none. */
	const char *method; /* known ones: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS */
	const char *path;   /* percent-decoded, begins with "/"; or "*" for OPTIONS */
	const char *query;  /* as sent, without "?"; "": none */
	const char *host;   /* of the target or of Host, with the port; NULL: HTTP/1.0 without */
	unsigned minor;     /* version 1.minor */
	http_field *fields; /* [n_fields] */
	size_t n_fields;
	bool keeps;   /* the connection may be kept for further requests */
	bool expects; /* the client waits for "100 Continue" before it sends the body */
	char *body;   /* [body_bytes] so far, and NUL when whole; NULL: none */
	size_t body_bytes;

	/* The reader's own. */
	http_limits limits;
	char *head; /* [head_bytes] of [head_room] */
	size_t head_bytes, head_room, body_room;
	size_t line_start;      /* in the head */
	bool is_chunked, blank; /* blank: an empty line has come before the request line */
	int step;
	uint64_t left;        /* bytes of the body or of the chunk that are still to come */
	unsigned digits;      /* of the size of a chunk */
	size_t framing_bytes; /* extensions and trailers so far */
} http_request;

void http_begin(http_request *r, const http_limits *limits);

/* Reads from bytes [n] up to the end of the request at most. Returns how many were used: all,
 * unless the state is HTTP_WHOLE or HTTP_REFUSED. */
size_t http_read(http_request *r, const char *bytes, size_t n);

/* Prepares for the next request. */
void http_next(http_request *r);
void http_free(http_request *r);

/* The value of the first field of that name, compared without regard to case; NULL: none. */
const char *http_find_field(const http_request *r, const char *name);

/* Makes the state HTTP_REFUSED; returns false. */
bool http_refuse(http_request *r, int status, const char *reason);

/* Whether text [n] is a token as names of fields are, n > 0. */
bool http_is_token(const char *text, size_t n);

/* Whether a and b are equal but for the case of ASCII letters. */
bool http_is_same(const char *a, const char *b);

/* Whether a list of words with commas between (Connection) has the word. */
bool http_has_word(const char *list, const char *word);

#endif
