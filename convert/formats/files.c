/* files.c - opening, pread and read with every short read, interruption and limit in one place */
#include "convert/formats/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/error.h"

#define FIRST_ROOM ((size_t)1 << 16)

brise_status files_read_at(int descriptor, void *out, size_t n, uint64_t offset, const char *name,
                           brise_error *err)
{
	uint8_t *bytes = out;
	size_t done = 0;

	if (offset > INT64_MAX || n > (uint64_t)INT64_MAX - offset)
		return error_set(err, BRISE_EIO, "%s: byte %" PRIu64 " is beyond any file", name,
		                 offset);
	while (done < n) {
		ssize_t got = pread(descriptor, bytes + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "%s: byte %" PRIu64 " cannot be read", name,
			                   offset + done);
		if (got == 0)
			return error_set(err, BRISE_EIO,
			                 "%s: ends at byte %" PRIu64 ", %zu more expected", name,
			                 offset + done, n - done);
		done += (size_t)got;
	}
	return BRISE_OK;
}

static brise_status examine(int descriptor, uint64_t *bytes, const char *path, contents expected,
                            brise_error *err)
{
	uint8_t head[CONTENTS_HEAD];
	struct stat facts;
	brise_status status;
	size_t n;

	if (fstat(descriptor, &facts) != 0)
		return error_errno(err, "%s: cannot be examined", path);
	if (S_ISDIR(facts.st_mode))
		return error_set(err, BRISE_EIO, "%s: is a folder, expected a file", path);
	if (!S_ISREG(facts.st_mode))
		return error_set(err, BRISE_EIO, "%s: is not a regular file", path);
	*bytes = (uint64_t)facts.st_size;
	n = *bytes < sizeof head ? (size_t)*bytes : sizeof head;
	status = files_read_at(descriptor, head, n, 0, path, err);
	return status == BRISE_OK ? contents_check(head, n, *bytes, expected, path, err) : status;
}

brise_status files_open(int *descriptor, uint64_t *bytes, const char *path, contents expected,
                        brise_error *err)
{
	brise_status status;

	*bytes = 0;
	*descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*descriptor < 0)
		return files_explain_open(path, err);
	status = examine(*descriptor, bytes, path, expected, err);
	if (status != BRISE_OK) {
		(void)close(*descriptor);
		*descriptor = -1;
	}
	return status;
}

brise_status files_look(contents *found, const char *path, brise_error *err)
{
	uint8_t head[CONTENTS_HEAD];
	uint64_t bytes;
	int descriptor;
	brise_status status = files_open(&descriptor, &bytes, path, CONTENTS_ANY, err);
	size_t n;

	*found = CONTENTS_BINARY;
	if (status != BRISE_OK)
		return status;
	n = bytes < sizeof head ? (size_t)bytes : sizeof head;
	status = files_read_at(descriptor, head, n, 0, path, err);
	if (status == BRISE_OK)
		*found = contents_recognize(head, n, bytes);
	(void)close(descriptor);
	return status;
}

static brise_status read_all(int descriptor, const char *path, size_t most, char **bytes,
                             size_t *size, brise_error *err)
{
	size_t room = FIRST_ROOM;
	ssize_t got;

	do {
		char *grown = *size + 1 < room ? realloc(*bytes, room) : realloc(*bytes, room *= 2);

		if (!grown)
			return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu bytes", path,
			                 room);
		*bytes = grown;
		got = read(descriptor, *bytes + *size, room - 1 - *size);
		if (got < 0 && errno != EINTR)
			return error_errno(err, "%s: cannot be read", path);
		*size += got > 0 ? (size_t)got : 0;
		if (*size > most)
			return error_set(
			        err, BRISE_EUNSUPPORTED,
			        "%s: more than %zu bytes, too large to be what its name says", path,
			        most);
	} while (got != 0);
	(*bytes)[*size] = 0;
	return BRISE_OK;
}

brise_status files_read_whole(const char *path, contents expected, size_t most, char **bytes,
                              size_t *size, brise_error *err)
{
	uint64_t claimed;
	int descriptor;
	brise_status status = files_open(&descriptor, &claimed, path, expected, err);

	*bytes = NULL;
	*size = 0;
	if (status != BRISE_OK)
		return status;
	status = read_all(descriptor, path, most, bytes, size, err);
	(void)close(descriptor);
	if (status != BRISE_OK) {
		free(*bytes);
		*bytes = NULL;
		*size = 0;
	}
	return status;
}

brise_status files_explain_open(const char *path, brise_error *err)
{
	int reason = errno;
	struct stat facts;

	if (reason == ENOENT && lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode))
		return error_set(
		        err, BRISE_EIO,
		        "%s: a link to a file that is not there; is the download complete?", path);
	errno = reason;
	return error_errno(err, "%s: cannot be opened", path);
}

char *files_join(const char *folder, const char *name)
{
	size_t bytes = strlen(folder) + strlen(name) + 2;
	char *path = malloc(bytes);

	if (path)
		(void)snprintf(path, bytes, "%s%s%s", folder,
		               *folder && folder[strlen(folder) - 1] == '/' ? "" : "/", name);
	return path;
}
