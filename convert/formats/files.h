/* files.h - reading from files: whole small ones, and ranges of large ones */
#ifndef CONVERT_FORMATS_FILES_H
#define CONVERT_FORMATS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"
#include "runtime/model/contents.h"
#include "runtime/os/os.h"

/* Opens a regular file for reading and looks at its first bytes; anything else is refused at once,
 * so that a FIFO or device is never waited for. expected: see contents_check. *descriptor is -1
 * after an error. Errors: BRISE_EIO, BRISE_EFORMAT other contents. */
brise_status files_open(int *descriptor, uint64_t *bytes, const char *path, contents expected,
                        brise_error *err);

/* Reads exactly n bytes at `offset` into `out`, from any thread. name is for messages.
 * Errors: BRISE_EIO; an early end of the file is one. */
brise_status files_read_at(int descriptor, void *out, size_t n, uint64_t offset, const char *name,
                           brise_error *err);

/* What the regular file at `path` holds. Errors: BRISE_EIO. */
brise_status files_look(contents *found, const char *path, brise_error *err);

/* A whole file of at most `most` bytes: *bytes from memory_new, [*size] and a NUL, freed by
 * the caller. Memory follows what was read, not what the file's size claims. Errors: those of
 * files_open, BRISE_EUNSUPPORTED too large, BRISE_ENOMEM. */
brise_status files_read_whole(const char *path, contents expected, size_t most, char **bytes,
                              size_t *size, brise_error *err);

/* Why `path` could not be opened, from errno: BRISE_EIO, with a link to nothing called one. */
brise_status files_explain_open(const char *path, brise_error *err);

/* What folder/name leads to, or with `link` what it is itself. False: there is nothing. Takes no
 * memory, so that "nothing" has no other reason. */
bool files_examine(const char *folder, const char *name, bool link, os_facts *facts);

/* "folder/name", from memory_new; NULL: no memory. */
char *files_join(const char *folder, const char *name);

#endif
