/* target.c - write beside, sync, rename */
#include "runtime/os/target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "quant/checked.h"
#include "runtime/error.h"

/* Where a link that leads to nothing yet would put its file; NULL: `path` is no link, or no memory.
 */
static char *follow_once(const char *path)
{
	char link[4096], *next;
	ssize_t length = readlink(path, link, sizeof link);
	const char *slash = strrchr(path, '/');
	size_t folder = slash ? (size_t)(slash - path) + 1 : 0;

	if (length <= 0 || (size_t)length == sizeof link)
		return NULL;
	if (link[0] == '/')
		folder = 0;
	if (!(next = malloc(folder + (size_t)length + 1)))
		return NULL;
	memcpy(next, path, folder);
	memcpy(next + folder, link, (size_t)length);
	next[folder + (size_t)length] = '\0';
	return next;
}

/* Replaces the file that a symbolic link leads to, not the link. realpath refuses circles. */
static char *resolve(const char *name)
{
	char *real = realpath(name, NULL), *at, *next;

	if (real || errno != ENOENT)
		return real;
	at = strdup(name);
	while (at && (next = follow_once(at)) != NULL) {
		free(at);
		at = next;
	}
	return at;
}

char *target_name_part(const char *path)
{
	size_t size = strlen(path) + 32;
	char *part = malloc(size);

	if (part)
		(void)snprintf(part, size, "%s.part-%ld", path, (long)getpid());
	return part;
}

static brise_status open_part(target_file *t, brise_error *err)
{
	if (!(t->part = target_name_part(t->path)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", t->name);
	t->descriptor = open(t->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (t->descriptor < 0) {
		brise_status status = error_errno(err, "%s: cannot be created", t->name);

		free(t->part); /* not ours to remove */
		t->part = NULL;
		return status;
	}
	return BRISE_OK;
}

brise_status target_open(target_file *target, const char *name, brise_error *err)
{
	struct stat facts;
	brise_status status = BRISE_OK;

	*target = (target_file){ .name = name, .descriptor = -1 };
	if (stat(name, &facts) == 0) {
		if (S_ISDIR(facts.st_mode))
			return error_set(err, BRISE_EIO,
			                 "%s: expected a file to write, found a folder", name);
		if (!S_ISREG(facts.st_mode))
			return error_set(err, BRISE_EIO, "%s: exists and is not a regular file",
			                 name);
		if (access(name, W_OK) != 0)
			return error_errno(err, "%s: exists and may not be replaced", name);
	}
	if (!(target->path = resolve(name)))
		return error_errno(err, "%s: cannot be resolved", name);
	status = open_part(target, err);
	if (status != BRISE_OK)
		target_discard(target);
	return status;
}

brise_status target_check_kind(const char *name, const char *magic, size_t n, const char *kind,
                               brise_error *err)
{
	struct stat facts;
	char begin[16];
	FILE *file;
	bool same;

	if (stat(name, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size == 0 ||
	    n > sizeof begin || !(file = fopen(name, "rb")))
		return BRISE_OK; /* if it cannot be read, opening the target fails */
	same = fread(begin, 1, n, file) == n && !memcmp(begin, magic, n);
	(void)fclose(file);
	return same ? BRISE_OK
	            : error_set(err, BRISE_EIO,
	                        "%s: exists and is not %s: remove it first, or name another file",
	                        name, kind);
}

brise_status target_check_space(const target_file *target, uint64_t bytes, brise_error *err)
{
	struct statvfs facts;
	uint64_t available;

	if (fstatvfs(target->descriptor, &facts) != 0)
		return BRISE_OK; /* writing will fail */
	if (!checked_mul(facts.f_bavail, facts.f_frsize, &available) || available >= bytes)
		return BRISE_OK;
	return error_set(err, BRISE_EIO, "%s: %" PRIu64 " MB needed, %" PRIu64 " MB free",
	                 target->name, bytes / 1000000 + 1, available / 1000000);
}

brise_status target_write_at(const target_file *target, const void *bytes, size_t n,
                             uint64_t offset, brise_error *err)
{
	const uint8_t *p = bytes;

	while (n > 0) {
		ssize_t written = pwrite(target->descriptor, p, n, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return error_errno(err, "%s: cannot be written at byte %" PRIu64,
			                   target->name, offset);
		p += written;
		n -= (size_t)written;
		offset += (uint64_t)written;
	}
	return BRISE_OK;
}

void target_sync_folder(const char *folder)
{
	int descriptor = open(folder, O_RDONLY | O_CLOEXEC);

	if (descriptor < 0)
		return;
	(void)fsync(descriptor);
	(void)close(descriptor);
}

void target_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) + 1 : 0;
	char *folder = malloc(length + 2);

	if (!folder)
		return;
	memcpy(folder, path, length);
	memcpy(folder + length, length ? "" : ".", length ? 1 : 2);
	target_sync_folder(folder);
	free(folder);
}

brise_status target_commit(target_file *target, brise_error *err)
{
	brise_status status = BRISE_OK;
	int descriptor = target->descriptor;

	target->descriptor = -1;
	if (fsync(descriptor) != 0)
		status = error_errno(err, "%s: cannot be brought to disk", target->name);
	if (close(descriptor) != 0 && status == BRISE_OK)
		status = error_errno(err, "%s: cannot be closed", target->name);
	if (status == BRISE_OK && rename(target->part, target->path) != 0)
		status = error_errno(err, "%s: cannot be replaced", target->name);
	if (status == BRISE_OK) {
		target_sync_parent(target->path); /* the name is on disk only once its folder is */
		free(target->part);               /* nothing left to remove */
		target->part = NULL;
	}
	target_discard(target);
	return status;
}

void target_discard(target_file *target)
{
	if (target->part) {
		if (target->descriptor >= 0)
			(void)close(target->descriptor);
		(void)unlink(target->part);
	}
	free(target->part);
	free(target->path);
	target->descriptor = -1;
	target->part = target->path = NULL;
}
