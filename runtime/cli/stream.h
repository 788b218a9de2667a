/* stream.h - opening and reading what need not be a regular file: pipes, terminals, FIFOs
 *
 * Programs at both ends of a FIFO start in any order, so opening one waits for the other end, but
 * not for ever. A pipe that has its other end is waited for as long as that stays open.
 */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/brise.h"

typedef struct stream {
	const char *name; /* for messages; not a copy */
	int file;
	bool has_first; /* a byte that was read to see whether the other end is open */
	char first;
} stream;

/* "-": standard input. Refuses folders, and devices but terminals and /dev/null: they have no end.
 * stream_close is allowed whatever is returned.
 * Errors: BRISE_EIO, BRISE_ECANCELED a signal asked to stop while waiting. */
brise_status stream_open(stream *s, const char *path, const char *name, brise_error *err);

/* Up to n > 0 bytes; *got is 0 at the end alone. Errors: as above. */
brise_status stream_read(stream *s, void *bytes, size_t n, size_t *got, brise_error *err);

/* The same as libc's stream, which owns the file from then on: nothing may have been read. NULL:
 * errno. Standard input gives stdin. */
FILE *stream_to_libc(stream *s);

void stream_close(stream *s);

/* Opens for writing what exists and is no regular file. Returns a descriptor of the caller's, -1:
 * errno, which is ENXIO if it is a FIFO that no program reads. */
int stream_open_output(const char *path);

#endif
