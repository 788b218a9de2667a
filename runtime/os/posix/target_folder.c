/* target_folder.c - make beside, fill, rename */
#include "runtime/os/target_folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"
#include "runtime/os/target_part.h"

static bool note_entry(void *user, const char *name)
{
	(void)name;
	*(bool *)user = true;
	return false;
}

/* A folder that exists by its real path, so that a link to an empty one stays a link; another
 * without the slashes at its end. */
static char *resolve(const char *name)
{
	char *path = os_resolve(name);
	size_t length;

	if (path || (errno != ENOENT && errno != ENOTDIR) || !(path = memory_copy_text(name)))
		return path;
	for (length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
		path[length - 1] = '\0';
	return path;
}

/* Refuses what a folder cannot be renamed over. */
static brise_status look(const target_folder *f, target_seen *seen, brise_error *err)
{
	bool has_entries = false;

	memset(seen, 0, sizeof *seen);
	seen->exists = os_examine_link(f->path, &seen->facts);
	if (!seen->exists)
		return BRISE_OK;
	if (seen->facts.kind != OS_FOLDER)
		return error_set(err, BRISE_EIO, "%s: expected a folder to make, found %s", f->name,
		                 seen->facts.kind == OS_LINK ? "a link to nothing" : "a file");
	if (!os_list_folder(f->path, note_entry, &has_entries))
		return error_errno(err, "%s: exists and cannot be read", f->name);
	if (has_entries)
		return error_set(err, BRISE_EIO,
		                 "%s: expected a folder to make, found one that is not empty",
		                 f->name);
	return BRISE_OK;
}

brise_status target_folder_open(target_folder *folder, const char *name, brise_error *err)
{
	target_seen seen;
	brise_status status;

	*folder = (target_folder){ .name = name, .lock = -1 };
	if (!(folder->path = resolve(name)))
		return error_errno(err, "%s: cannot be resolved", name);
	status = look(folder, &seen, err);
	if (status == BRISE_OK)
		status = part_open_folder(folder->path, name, &folder->part, &folder->lock, err);
	if (status != BRISE_OK)
		target_folder_discard(folder);
	return status;
}

/* The mode of the empty folder that is replaced. */
static void copy_mode(const target_folder *f, const target_seen *seen)
{
	int part = os_open(f->part);

	if (part < 0)
		return;
	place_copy_mode(part, seen);
	(void)os_close(part);
}

static void remove_mark(const target_folder *f)
{
	char mark[sizeof PART_FOLDER_MARK + 4096];

	if (snprintf(mark, sizeof mark, "%s/%s", f->part, PART_FOLDER_MARK) < (int)sizeof mark)
		(void)os_remove(mark);
}

brise_status target_folder_commit(target_folder *folder, brise_error *err)
{
	target_seen now;
	brise_status status = look(folder, &now, err);

	if (status == BRISE_OK) {
		copy_mode(folder, &now);
		remove_mark(folder);
		(void)os_sync_folder(folder->part);
		if (!os_rename(folder->part, folder->path))
			status = error_errno(err, "%s: cannot be put in place", folder->name);
	}
	if (status == BRISE_OK) {
		target_sync_parent(folder->path);
		memory_free(folder->part); /* nothing left to remove */
		folder->part = NULL;
	}
	target_folder_discard(folder);
	return status;
}

void target_folder_discard(target_folder *folder)
{
	if (folder->part)
		part_remove_folder(folder->part);
	if (folder->path && folder->lock >= 0)
		(void)os_close(folder->lock);
	memory_free(folder->part);
	memory_free(folder->path);
	folder->lock = -1;
	folder->part = folder->path = NULL;
}
