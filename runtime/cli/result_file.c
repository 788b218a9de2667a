/* result_file.c - write beside, sync, rename */
#include "runtime/cli/result_file.h"
#include "runtime/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a link that leads to nothing yet would put its file; NULL: `path` is no link, or no memory. */
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

/* The file a symbolic link leads to is what the user wants replaced, not the link. realpath refuses circles. */
static char *resolve_target(const char *path)
{
	char *real = realpath(path, NULL), *at, *next;

	if (real || errno != ENOENT)
		return real;
	at = strdup(path);
	while (at && (next = follow_once(at)) != NULL) {
		free(at);
		at = next;
	}
	return at;
}

static brise_status open_directly(result_file *file, const char *path, brise_error *err)
{
	file->stream = fopen(path, "wb");
	return file->stream ? BRISE_OK : error_errno(err, "%s: cannot be opened for writing", path);
}

static brise_status open_beside(result_file *file, const char *path, brise_error *err)
{
	size_t size;
	int descriptor;

	if (!(file->target = resolve_target(path)))
		return error_errno(err, "%s: cannot be resolved", path);
	size = strlen(file->target) + 32;
	if (!(file->part = malloc(size)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", path);
	(void)snprintf(file->part, size, "%s.part.%ld", file->target, (long)getpid());
	descriptor = open(file->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (descriptor < 0) {
		brise_status status = error_errno(err, "%s: cannot be created", path);

		free(file->part); /* not ours to remove */
		file->part = NULL;
		return status;
	}
	if (!(file->stream = fdopen(descriptor, "wb"))) {
		(void)close(descriptor);
		return error_errno(err, "%s: cannot be opened", file->part);
	}
	return BRISE_OK;
}

brise_status result_open(result_file *file, const char *path, brise_error *err)
{
	struct stat facts;
	brise_status status;

	memset(file, 0, sizeof *file);
	file->name = strcmp(path, "-") == 0 ? "standard output" : path;
	if (file->name != path) {
		file->stream = stdout;
		return BRISE_OK;
	}
	if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
		return error_set(err, BRISE_EIO, "%s: expected a file to write, found a folder", path);
	if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
		status = open_directly(file, path, err);
	else
		status = open_beside(file, path, err);
	if (status != BRISE_OK)
		result_discard(file);
	return status;
}

brise_status result_write_error(const result_file *file, brise_error *err)
{
	return error_errno(err, "%s: cannot be written", file->name);
}

brise_status result_commit(result_file *file, brise_error *err)
{
	brise_status status = BRISE_OK;

	errno = 0;
	if (fflush(file->stream) != 0 || ferror(file->stream) || (file->part && fsync(fileno(file->stream)) != 0))
		status = result_write_error(file, err);
	if (file->stream != stdout && fclose(file->stream) != 0 && status == BRISE_OK)
		status = result_write_error(file, err);
	file->stream = NULL;
	if (status == BRISE_OK && file->part && rename(file->part, file->target) != 0)
		status = error_errno(err, "%s: cannot be renamed from %s", file->target, file->part);
	if (status == BRISE_OK) {
		free(file->part);
		file->part = NULL;
	}
	result_discard(file);
	return status;
}

void result_discard(result_file *file)
{
	if (file->stream && file->stream != stdout)
		(void)fclose(file->stream);
	if (file->part)
		(void)unlink(file->part);
	free(file->part);
	free(file->target);
	file->stream = NULL;
	file->part = file->target = NULL;
}
