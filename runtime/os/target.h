/* target.h - a file that appears whole or not at all
 *
 * Written beside its place and renamed over it at the end, so that an error, a full disk or ctrl-C
 * leaves what was there as it was and nothing beside it.
 */
#ifndef RUNTIME_TARGET_H
#define RUNTIME_TARGET_H

#include "runtime/brise.h"

typedef struct target_file {
	const char *name; /* as the user said it, for messages; not a copy */
	char *path;       /* where the file goes: symbolic links are followed, so that they stay */
	char *part;       /* what is written; NULL: nothing to remove */
	int descriptor;   /* of part; -1: closed */
} target_file;

/* Opens an empty file beside `name`, which must outlive it. Refuses folders, devices and files that
 * may not be written. Errors: BRISE_EIO, BRISE_ENOMEM; *target needs no closing then. */
brise_status target_open(target_file *target, const char *name, brise_error *err);

/* Refuses to replace a file that does not begin with magic [n], what all files of the kind about to
 * be written begin with: most likely it is the one that is read, or the second of two names that a
 * shell made of *. An empty file, and what is no file, pass. `kind` is for the message: "a GGUF
 * file". Errors: BRISE_EIO. */
brise_status target_check_kind(const char *name, const char *magic, size_t n, const char *kind,
                               brise_error *err);

/* Refuses, before time is spent, if the file system has no room for `bytes`; one that does not
 * report it passes. Errors: BRISE_EIO. */
brise_status target_check_space(const target_file *target, uint64_t bytes, brise_error *err);

/* Writes n bytes at `offset`, from any thread. Errors: BRISE_EIO. */
brise_status target_write_at(const target_file *target, const void *bytes, size_t n,
                             uint64_t offset, brise_error *err);

/* Brings the file to disk and renames it into place. After an error the part is gone. Errors:
 * BRISE_EIO. */
brise_status target_commit(target_file *target, brise_error *err);

/* Removes what was written; allowed after commit and after a failed open. */
void target_discard(target_file *target);

/* What is written beside `path` is called this: from memory_new; NULL: no memory. */
char *target_name_part(const char *path);

/* Bring a folder's names to disk, and those of the folder that holds `path`. Not every file system
 * can; the files are safe without. */
void target_sync_folder(const char *folder);
void target_sync_parent(const char *path);

#endif
