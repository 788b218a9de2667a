/* result_file.c - a stream into a target file, or directly into a device or pipe */
#include "runtime/cli/result_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/cli/stream.h"
#include "runtime/error.h"
#include "runtime/model/contents.h"
#include "runtime/os/os.h"

static brise_status open_directly(result_file *file, brise_error *err)
{
	int descriptor = stream_open_output(file->name);

	if (descriptor >= 0 && (file->stream = fdopen(descriptor, "wb")) != NULL)
		return BRISE_OK;
	if (descriptor >= 0)
		(void)close(descriptor);
	return errno == ENXIO
	               ? error_set(err, BRISE_EIO, "%s: no program reads from it", file->name)
	               : error_errno(err, "%s: cannot be opened for writing", file->name);
}

/* Refuses to replace what was not written by the same command. A file that changes after this is
 * not replaced either: target_commit compares. */
static brise_status check_kind(const char *path, const result_kind *kind, brise_error *err)
{
	int file = os_open(path);
	uint8_t head[CONTENTS_HEAD];
	contents found;
	os_facts facts;
	int64_t n;

	if (file < 0)
		return errno == ENOENT ? BRISE_OK
		                       : error_errno(err, "%s: exists and cannot be read", path);
	n = os_examine_open(file, &facts) ? os_read_at(file, head, sizeof head, 0) : -1;
	(void)os_close(file);
	if (n < 0)
		return error_errno(err, "%s: exists and cannot be read", path);
	if (n == 0 || kind->matches(head, (size_t)n, facts.bytes, kind->unit))
		return BRISE_OK;
	found = contents_recognize(head, (size_t)n, facts.bytes);
	return error_set(err, BRISE_EIO,
	                 "%s: exists and is %s%snot %s: remove it first, or name another file",
	                 path, found == CONTENTS_BINARY ? "" : contents_name(found),
	                 found == CONTENTS_BINARY ? "" : ", ", kind->name);
}

/* The stream has a descriptor of its own, so that each has one owner. */
static brise_status open_beside(result_file *file, const result_kind *kind, brise_error *err)
{
	brise_status status = target_open(&file->target, file->name, NULL, err);
	int descriptor;

	if (status != BRISE_OK)
		return status;
	file->is_beside = true;
	if (kind && (status = check_kind(file->name, kind, err)) != BRISE_OK)
		return status;
	descriptor = dup(file->target.descriptor);
	if (descriptor >= 0 && (file->stream = fdopen(descriptor, "wb")) != NULL)
		return BRISE_OK;
	status = error_errno(err, "%s: cannot be opened for writing", file->name);
	if (descriptor >= 0)
		(void)close(descriptor);
	return status;
}

static bool is_device(const char *path)
{
	os_facts facts;

	return os_examine(path, &facts) && facts.kind != OS_FILE && facts.kind != OS_FOLDER;
}

brise_status result_check(const char *path, const result_kind *kind, brise_error *err)
{
	result_file file;
	brise_status status;

	if (strcmp(path, "-") == 0 || is_device(path))
		return BRISE_OK;
	status = result_open(&file, path, kind, err);
	if (status == BRISE_OK)
		result_discard(&file);
	return status;
}

brise_status result_open(result_file *file, const char *path, const result_kind *kind,
                         brise_error *err)
{
	brise_status status;

	memset(file, 0, sizeof *file);
	file->name = strcmp(path, "-") == 0 ? "standard output" : path;
	if (file->name != path) {
		file->stream = stdout;
		return BRISE_OK;
	}
	if (is_device(path))
		status = open_directly(file, err);
	else
		status = open_beside(file, kind, err);
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
	if (fflush(file->stream) != 0 || ferror(file->stream))
		status = result_write_error(file, err);
	if (file->stream != stdout && fclose(file->stream) != 0 && status == BRISE_OK)
		status = result_write_error(file, err);
	file->stream = NULL;
	if (status == BRISE_OK && file->is_beside)
		status = target_commit(&file->target, err);
	result_discard(file);
	return status;
}

void result_discard(result_file *file)
{
	if (file->stream && file->stream != stdout)
		(void)fclose(file->stream);
	file->stream = NULL;
	if (file->is_beside)
		target_discard(&file->target);
	file->is_beside = false;
}
