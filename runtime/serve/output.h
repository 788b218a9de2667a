/* output.h - bytes that are collected at one end and taken from the other */
#ifndef SERVE_OUTPUT_H
#define SERVE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/portable.h"

/* All zero: empty. */
typedef struct output {
	char *bytes; /* [room], of which [start, end) are to be taken */
	size_t start, end, room;
	bool failed; /* memory could not be had: bytes are missing */
} output;

void output_add(output *o, const char *bytes, size_t n);
void output_add_text(output *o, const char *text);

/* At most 1,023 bytes. */
void output_format(output *o, const char *format, ...) PORTABLE_PRINTF(2, 3);

/* A sink of json_writer.h: user is an output. */
void output_sink(void *user, const char *bytes, size_t n);

/* Takes the first n of those that are there. */
void output_take(output *o, size_t n);

size_t output_size(const output *o);
void output_free(output *o); /* it is empty then */

#endif
