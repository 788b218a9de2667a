/* reply.h - the head of a reply, and the bodies of those that the server itself gives */
#ifndef SERVE_REPLY_H
#define SERVE_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/serve/output.h"

#define REPLY_CHUNKED   UINT64_MAX       /* chunks follow */
#define REPLY_UNBOUNDED (UINT64_MAX - 1) /* the body ends with the connection */

typedef struct reply_head {
	int status;
	const char *type;     /* of the body; NULL: it has none */
	uint64_t bytes;       /* of the body, or one of the above */
	unsigned minor;       /* of the request's version */
	bool keeps;           /* the connection is kept */
	const output *fields; /* further lines, each with CR LF; NULL: none */
} reply_head;

/* The head up to the body. 429 and 503 say when to try again, unless the fields do. */
void reply_write_head(output *o, const reply_head *head);

/* What a status is called: "Not Found". */
const char *reply_get_phrase(int status);

/* {"type": "error", "error": {"type": ..., "message": ..., "param": null, "code": null}}: the form
 * in which OpenAI's clients and Anthropic's both read errors. */
void reply_write_error(output *o, int status, const char *message);

#define REPLY_DATE 40

/* A date as HTTP has it (RFC 9110, 5.6.7), of seconds since 1970. */
void reply_write_date(char text[REPLY_DATE], int64_t seconds);

#endif
