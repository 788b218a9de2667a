/* target_folder.c - make beside, fill, rename */
#include "runtime/os/target_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/os/target.h"

/* True if the folder cannot be read, too: then it is not known to be empty. */
static bool has_entries(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;
	bool has = !list;

	while (!has && list && (entry = readdir(list)) != NULL)
		has = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (list)
		(void)closedir(list);
	return has;
}

/* A folder that exists by its real path, so that a link to an empty one stays a link; another
 * without the slashes at its end. */
static char *resolve(const char *name)
{
	char *path = realpath(name, NULL);
	size_t length;

	if (path || (errno != ENOENT && errno != ENOTDIR) || !(path = strdup(name)))
		return path;
	for (length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
		path[length - 1] = '\0';
	return path;
}

static brise_status make_part(target_folder *f, brise_error *err)
{
	if (!(f->part = target_name_part(f->path)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", f->name);
	if (mkdir(f->part, 0777) != 0) {
		brise_status status = error_errno(err, "%s: cannot be created", f->name);

		free(f->part); /* not ours to remove */
		f->part = NULL;
		return status;
	}
	return BRISE_OK;
}

brise_status target_folder_open(target_folder *folder, const char *name, brise_error *err)
{
	struct stat facts;
	brise_status status;

	*folder = (target_folder){ .name = name };
	if (stat(name, &facts) == 0) {
		if (!S_ISDIR(facts.st_mode))
			return error_set(err, BRISE_EIO,
			                 "%s: expected a folder to make, found a file", name);
		if (has_entries(name))
			return error_set(
			        err, BRISE_EIO,
			        "%s: expected a folder to make, found one that is not empty", name);
	}
	if (!(folder->path = resolve(name)))
		return error_errno(err, "%s: cannot be resolved", name);
	status = make_part(folder, err);
	if (status != BRISE_OK)
		target_folder_discard(folder);
	return status;
}

brise_status target_folder_commit(target_folder *folder, brise_error *err)
{
	brise_status status = BRISE_OK;

	target_sync_folder(folder->part);
	if (rename(folder->part, folder->path) != 0) {
		status = error_errno(err, "%s: cannot be put in place", folder->name);
	} else {
		target_sync_parent(folder->path);
		free(folder->part); /* nothing left to remove */
		folder->part = NULL;
	}
	target_folder_discard(folder);
	return status;
}

static void remove_folder(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;

	while (list && (entry = readdir(list)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(dirfd(list), entry->d_name, 0);
	if (list)
		(void)closedir(list);
	(void)rmdir(path);
}

void target_folder_discard(target_folder *folder)
{
	if (folder->part)
		remove_folder(folder->part);
	free(folder->part);
	free(folder->path);
	folder->part = folder->path = NULL;
}
