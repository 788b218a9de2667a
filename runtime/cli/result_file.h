/* result_file.h - a file that appears whole or not at all
 *
 * Written beside the target and renamed over it at the end, so that an error, a full disk or ctrl-C leaves the target as
 * it was and nothing beside it. "-" is standard output; devices and pipes are written directly, since renaming over
 * /dev/null would replace it.
 */
#ifndef CLI_RESULT_FILE_H
#define CLI_RESULT_FILE_H

#include <stdio.h>

#include "runtime/brise.h"

typedef struct result_file {
	FILE *stream;
	char *target; /* NULL: written directly */
	char *part;
	const char *name;
} result_file;

/* Errors: BRISE_EIO, BRISE_ENOMEM; *file needs no closing then. */
brise_status result_open(result_file *file, const char *path, brise_error *err);

/* Flushes, syncs, renames. After an error the part is gone too. Errors: BRISE_EIO. */
brise_status result_commit(result_file *file, brise_error *err);

/* Removes what was written; allowed after commit and after a failed open. */
void result_discard(result_file *file);

/* Errors of earlier writes, as one line. errno is that of the write that failed. */
brise_status result_write_error(const result_file *file, brise_error *err);

#endif
