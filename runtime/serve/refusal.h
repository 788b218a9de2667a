/* refusal.h - why a request is not answered: each API writes it in its own form */
#ifndef SERVE_REFUSAL_H
#define SERVE_REFUSAL_H

#include <stdbool.h>

#include "runtime/portable.h"

#define REFUSAL_PARAM 96

typedef struct refusal {
	int status; /* of HTTP; 0: not refused */
	/* in OpenAI's words: "invalid_request_error", "server_error", ... and a finer one, such as
	 * "invalid_type", "unsupported_parameter", "context_length_exceeded"; NULL: none */
	const char *type, *code;
	char param[REFUSAL_PARAM]; /* path of the field, "messages[0].content"; "": none */
	char message[600];         /* UTF-8; may quote the client */
} refusal;

/* Fills *why unless it is filled already: the first reason counts. Returns false. */
bool refusal_set(refusal *why, int status, const char *code, const char *param, const char *format,
                 ...) PORTABLE_PRINTF(5, 6);

/* OpenAI's type of errors with a status. */
const char *refusal_type(int status);

#endif
