/* files.c - opening and reading, with every early end and limit in one place */
#include "convert/formats/files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define FIRST_ROOM ((size_t)1 << 16)

brise_status files_read_at(int descriptor, void *out, size_t n, uint64_t offset, const char *name,
                           brise_error *err)
{
	int64_t got;

	if (offset > INT64_MAX || n > (uint64_t)INT64_MAX - offset)
		return error_set(err, BRISE_EIO, "%s: byte %" PRIu64 " is beyond any file", name,
		                 offset);
	got = os_read_at(descriptor, out, n, offset);
	if (got < 0)
		return error_errno(err, "%s: bytes %" PRIu64 "..+%zu cannot be read", name, offset,
		                   n);
	if ((uint64_t)got < n)
		return error_set(err, BRISE_EIO, "%s: ends at byte %" PRIu64 ", %zu more expected",
		                 name, offset + (uint64_t)got, n - (size_t)got);
	return BRISE_OK;
}

static brise_status examine(int descriptor, uint64_t *bytes, const char *path, contents expected,
                            brise_error *err)
{
	uint8_t head[CONTENTS_HEAD];
	os_facts facts;
	brise_status status;
	size_t n;

	if (!os_examine_open(descriptor, &facts))
		return error_errno(err, "%s: cannot be examined", path);
	if (facts.kind == OS_FOLDER)
		return error_set(err, BRISE_EIO, "%s: is a folder, expected a file", path);
	if (facts.kind != OS_FILE)
		return error_set(err, BRISE_EIO, "%s: is not a regular file", path);
	*bytes = facts.bytes;
	n = *bytes < sizeof head ? (size_t)*bytes : sizeof head;
	status = files_read_at(descriptor, head, n, 0, path, err);
	return status == BRISE_OK ? contents_check(head, n, *bytes, expected, path, err) : status;
}

brise_status files_open(int *descriptor, uint64_t *bytes, const char *path, contents expected,
                        brise_error *err)
{
	brise_status status;

	*bytes = 0;
	*descriptor = os_open(path);
	if (*descriptor < 0)
		return files_explain_open(path, err);
	status = examine(*descriptor, bytes, path, expected, err);
	if (status != BRISE_OK) {
		(void)os_close(*descriptor);
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
	(void)os_close(descriptor);
	return status;
}

static brise_status read_all(int descriptor, const char *path, size_t most, char **bytes,
                             size_t *size, brise_error *err)
{
	size_t room = FIRST_ROOM;
	int64_t got;

	do {
		char *grown = *size + 1 < room ? memory_resize(*bytes, room, 1)
		                               : memory_resize(*bytes, room *= 2, 1);

		if (!grown)
			return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu bytes", path,
			                 room);
		*bytes = grown;
		got = os_read_at(descriptor, *bytes + *size, room - 1 - *size, *size);
		if (got < 0)
			return error_errno(err, "%s: cannot be read", path);
		*size += (size_t)got;
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
	(void)os_close(descriptor);
	if (status != BRISE_OK) {
		memory_free(*bytes);
		*bytes = NULL;
		*size = 0;
	}
	return status;
}

brise_status files_explain_open(const char *path, brise_error *err)
{
	int reason = errno;
	os_facts facts;

	if (reason == ENOENT && os_examine_link(path, &facts) && facts.kind == OS_LINK)
		return error_set(
		        err, BRISE_EIO,
		        "%s: a link to a file that is not there; is the download complete?", path);
	errno = reason;
	return error_errno(err, "%s: cannot be opened", path);
}

/* Writes "folder/name" as snprintf would. */
static int join(char *path, size_t bytes, const char *folder, const char *name)
{
	return snprintf(path, bytes, "%s%s%s", folder,
	                *folder && folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}

bool files_examine(const char *folder, const char *name, bool link, os_facts *facts)
{
	char path[4096]; /* what no system takes longer names than (Linux's PATH_MAX) */
	int length = join(path, sizeof path, folder, name);

	if (length < 0 || (size_t)length >= sizeof path)
		return false;
	return link ? os_examine_link(path, facts) : os_examine(path, facts);
}

char *files_join(const char *folder, const char *name)
{
	size_t bytes = strlen(folder) + strlen(name) + 2;
	char *path = memory_new(bytes, 1);

	if (path)
		(void)join(path, bytes, folder, name);
	return path;
}
