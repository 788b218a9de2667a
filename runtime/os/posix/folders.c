/* folders.c - folders and links with POSIX calls */
#include "runtime/os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/os/memory.h"

bool os_sync_folder(const char *path)
{
	int folder = open(path, O_RDONLY | O_CLOEXEC);
	bool synced;

	if (folder < 0)
		return false;
	synced = fsync(folder) == 0;
	(void)close(folder);
	return synced;
}

bool os_make_folder(const char *path)
{
	return mkdir(path, 0777) == 0;
}

bool os_make_private_folder(const char *path)
{
	return mkdir(path, 0700) == 0;
}

bool os_make_private_folders(const char *path)
{
	char *copy = memory_copy_text(path), *slash;
	int error = copy ? 0 : ENOMEM;

	for (slash = copy && copy[0] ? strchr(copy + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0700) != 0 && errno != EEXIST && error == 0)
			error = errno;
		*slash = '/';
	}
	/* What lies above may exist and refuse to say so. */
	if (copy && (mkdir(copy, 0700) == 0 || errno == EEXIST))
		error = 0;
	else if (error == 0)
		error = errno;
	memory_free(copy);
	errno = error;
	return error == 0;
}

bool os_remove_folder(const char *path)
{
	return rmdir(path) == 0;
}

bool os_list_folder(const char *path, os_entry_fn *each, void *user)
{
	DIR *list = opendir(path);
	struct dirent *entry;

	if (!list)
		return false;
	while ((entry = readdir(list)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    !each(user, entry->d_name))
			break;
	(void)closedir(list);
	return true;
}

char *os_resolve(const char *path)
{
	char *real = realpath(path, NULL), *copy;

	if (!real)
		return NULL;
	copy = memory_copy_text(real);
	free(real);
	return copy;
}

char *os_read_link(const char *path)
{
	char link[4096];
	ssize_t length = readlink(path, link, sizeof link);

	if ((size_t)length == sizeof link)
		errno = ENAMETOOLONG;
	if (length <= 0 || (size_t)length == sizeof link)
		return NULL;
	link[length] = '\0';
	return memory_copy_text(link);
}
