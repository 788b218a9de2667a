/* files.c - pread and fread with every short read, interruption and limit in one place */
#include "convert/formats/files.h"

#include <errno.h>
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

static brise_status read_stream(FILE *file, const char *path, size_t most, char **bytes,
                                size_t *size, brise_error *err)
{
	size_t room = FIRST_ROOM, n;

	do {
		char *grown = realloc(*bytes, room + 1);

		if (!grown)
			return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu bytes", path,
			                 room);
		*bytes = grown;
		n = fread(*bytes + *size, 1, room - *size, file);
		*size += n;
		if (*size > most)
			return error_set(
			        err, BRISE_EUNSUPPORTED,
			        "%s: more than %zu bytes, too large to be what its name says", path,
			        most);
		room *= 2;
	} while (n > 0);
	(*bytes)[*size] = 0;
	return ferror(file) ? error_errno(err, "%s: cannot be read", path) : BRISE_OK;
}

brise_status files_read_whole(const char *path, size_t most, char **bytes, size_t *size,
                              brise_error *err)
{
	FILE *file = fopen(path, "rb");
	brise_status status;

	*bytes = NULL;
	*size = 0;
	if (!file)
		return files_explain_open(path, err);
	status = read_stream(file, path, most, bytes, size, err);
	(void)fclose(file);
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
