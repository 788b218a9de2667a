/* result_file.h - the file a command's --out names, as a stream
 *
 * A regular file appears whole or not at all (runtime/os/target.h). "-" is standard output; devices
 * and pipes are written directly, since renaming over /dev/null would replace it. A file that is
 * replaced must be of the same kind, as everywhere: here kinds are recognised by a function, since
 * logits have no magic number.
 */
#ifndef CLI_RESULT_FILE_H
#define CLI_RESULT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "runtime/brise.h"
#include "runtime/os/target.h"

/* How a command recognises files that it has written itself. */
typedef struct result_kind {
	const char *name; /* for messages: "logits of this model" */
	/* head [n]: the first bytes of a file of file_bytes in all, CONTENTS_HEAD of them or the
	 * whole file. */
	bool (*matches)(const void *head, size_t n, uint64_t file_bytes, uint64_t unit);
	uint64_t unit; /* for `matches` */
} result_kind;

typedef struct result_file {
	FILE *stream;
	target_file target;
	bool is_beside; /* written beside the target, not directly */
	const char *name;
} result_file;

/* Refuses to replace a file of another kind that is not empty (NULL: replaces any).
 * Errors: BRISE_EIO, BRISE_ENOMEM; *file needs no closing then. */
brise_status result_open(result_file *file, const char *path, const result_kind *kind,
                         brise_error *err);

/* Whether a file could be written there, for commands that work for long before they open it: makes
 * one and removes it. Devices and pipes pass. Errors: as above. */
brise_status result_check(const char *path, const result_kind *kind, brise_error *err);

/* Flushes, syncs, renames. After an error the unfinished file is removed. Errors: BRISE_EIO. */
brise_status result_commit(result_file *file, brise_error *err);

/* Removes what was written; allowed after commit and after a failed open. */
void result_discard(result_file *file);

/* Errors of earlier writes, as one line. errno is that of the write that failed. */
brise_status result_write_error(const result_file *file, brise_error *err);

#endif
