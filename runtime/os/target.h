/* target.h - a file that appears whole or not at all
 *
 * Written beside its place and renamed over it at the end, so that an error, a full disk or ctrl-C
 * leaves what was there as it was and nothing beside it.
 */
#ifndef RUNTIME_TARGET_H
#define RUNTIME_TARGET_H

#include "runtime/brise.h"
#include "runtime/os/target_place.h"

typedef struct target_file {
	const char *name; /* as the user said it, for messages; not a copy */
	char *path;       /* where the file goes: symbolic links are followed, so that they stay */
	char *part;       /* what is written; NULL: nothing to remove */
	int descriptor;   /* of part, locked; -1: closed */
	const target_kind *kind;
	target_seen seen; /* what was at `path` when it was opened */
	struct target_head *head;
} target_file;

/* Opens an empty file beside `name`, which must outlive it. Refuses folders, devices, files that
 * may not be written, and files of another kind than `kind` (NULL: none is of another kind; kinds
 * are static). A file of a kind is marked as a part until it is committed: its first 16 bytes are
 * kept in memory.
 * Errors: BRISE_EIO, BRISE_ENOMEM; *target needs no closing then. */
brise_status target_open(target_file *target, const char *name, const target_kind *kind,
                         brise_error *err);

/* Refuses at once what target_open would refuse to replace. Errors: BRISE_EIO, BRISE_ENOMEM. */
brise_status target_check(const char *name, const target_kind *kind, brise_error *err);

/* Refuses, before time is spent, if the file system has no room for `bytes`; one that does not
 * report it passes. Errors: BRISE_EIO. */
brise_status target_check_space(const target_file *target, uint64_t bytes, brise_error *err);

/* Writes n bytes at `offset`, from any thread, the first 16 of the file from one.
 * Errors: BRISE_EIO. */
brise_status target_write_at(const target_file *target, const void *bytes, size_t n,
                             uint64_t offset, brise_error *err);

/* Brings the file to disk and renames it into place, with the mode of the file it replaces. What
 * has appeared there meanwhile is treated as target_open treats what is there. After an error the
 * part is removed. Errors: BRISE_EIO. */
brise_status target_commit(target_file *target, brise_error *err);

/* Removes what was written; allowed after commit and after a failed open. */
void target_discard(target_file *target);

/* Brings the names of the folder that holds `path` to disk. Not every file system can; the files
 * are safe without. */
void target_sync_parent(const char *path);

/* Where a file of this name would lie: links are followed, also those that lead to nothing yet.
 * memory_free'd by the caller; NULL: errno. */
char *target_resolve(const char *name);

#endif
