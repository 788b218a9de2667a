/* target_folder.h - a folder of files that appears whole or not at all
 *
 * Filled beside its place and renamed at the end (runtime/os/target.h does the same for one file).
 * rename(2) replaces an empty folder but no other, so what a user keeps in a folder is never lost.
 */
#ifndef RUNTIME_TARGET_FOLDER_H
#define RUNTIME_TARGET_FOLDER_H

#include "runtime/brise.h"

typedef struct target_folder {
	const char *name; /* as the user said it, for messages; not a copy */
	char *path;       /* where the folder goes */
	char *part;       /* the folder to fill; NULL: nothing to remove */
	int lock;         /* of the mark in it; -1: closed */
} target_folder;

/* Makes an empty folder beside `name`, which must outlive it. Refuses a file, and a folder that is
 * not empty. Errors: BRISE_EIO, BRISE_ENOMEM; *folder needs no closing then. */
brise_status target_folder_open(target_folder *folder, const char *name, brise_error *err);

/* Renames the folder into place; its files must be closed. After an error it is removed.
 * Errors: BRISE_EIO. */
brise_status target_folder_commit(target_folder *folder, brise_error *err);

/* Removes what was written; allowed after commit and after a failed open. */
void target_folder_discard(target_folder *folder);

#endif
