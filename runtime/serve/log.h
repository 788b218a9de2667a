/* log.h - a line for each request, on standard error; never what was asked or answered */
#ifndef SERVE_LOG_H
#define SERVE_LOG_H

#include <stddef.h>
#include <stdint.h>

typedef enum log_format { LOG_TEXT, LOG_JSON, LOG_NONE } log_format;

typedef struct log_entry {
	uint64_t number; /* of the request; 0: none could be read */
	const char *peer;
	const char *method, *path; /* without the query; NULL: not known */
	int status;                /* 499: the client went away before the reply ended */
	uint64_t bytes;            /* of the reply's body */
	double seconds;            /* from the request's head to the reply's end */
	size_t key;
	uint64_t prompt_tokens, cached_tokens, answer_tokens;
	const char *reason; /* of a refusal; NULL: none */
} log_entry;

#define LOG_CLIENT_LEFT 499 /* as nginx calls it */

void log_write(log_format format, const log_entry *entry);

#endif
