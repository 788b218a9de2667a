/* output.h - bytes for a terminal, collected so that few writes carry them */
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include <stddef.h>

/* Receives bytes for the terminal. */
typedef void output_write_fn(void *user, const char *bytes, size_t n);

typedef struct output {
	char bytes[1024]; /* [n] not written yet */
	size_t n;
	output_write_fn *write;
	void *user;
} output;

/* Adds bytes [n], of any number; what does not fit is written. */
void output_put(output *o, const char *bytes, size_t n);
void output_put_text(output *o, const char *text);

/* Writes what has been collected. */
void output_flush(output *o);

#endif
