/* target_place.c - checks a target, copies its mode, renames over it */
#include "runtime/os/target_place.h"

#include <errno.h>
#include <string.h>

#include "runtime/error.h"

#define RENAMES_MAX 8u /* files that appear and vanish while one is put in place */

/* What was there has gone since it was looked at; another process may have removed it. */
static brise_status note_gone(target_seen *seen)
{
	memset(seen, 0, sizeof *seen);
	return BRISE_OK;
}

static brise_status check_kind(const char *path, const char *name, const target_kind *kind,
                               target_seen *seen, brise_error *err)
{
	int file = os_open(path);
	char begin[16];
	int64_t n;

	if (file < 0 && errno == ENOENT)
		return note_gone(seen);
	if (file < 0)
		return error_errno(err, "%s: exists and cannot be read", name);
	n = os_read_at(file, begin, kind->bytes, 0);
	(void)os_close(file);
	if (n == (int64_t)kind->bytes && !memcmp(begin, kind->magic, kind->bytes))
		return BRISE_OK;
	return error_set(err, BRISE_EIO,
	                 "%s: exists and is not %s: remove it first, or name another file", name,
	                 kind->name);
}

brise_status place_look(const char *path, const char *name, const target_kind *kind,
                        target_seen *seen, brise_error *err)
{
	memset(seen, 0, sizeof *seen);
	seen->exists = os_examine_link(path, &seen->facts);
	if (!seen->exists)
		return BRISE_OK; /* creating the part reports any other problem */
	if (seen->facts.kind == OS_FOLDER)
		return error_set(err, BRISE_EIO, "%s: expected a file to write, found a folder",
		                 name);
	if (seen->facts.kind != OS_FILE)
		return error_set(err, BRISE_EIO, "%s: exists and is not a regular file", name);
	if (!os_may_write(path))
		return errno == ENOENT
		               ? note_gone(seen)
		               : error_errno(err, "%s: exists and may not be replaced", name);
	return kind && seen->facts.bytes > 0 ? check_kind(path, name, kind, seen, err) : BRISE_OK;
}

void place_copy_mode(int file, const target_seen *seen)
{
	uint32_t mode = seen->facts.mode & 0777u;
	os_facts mine;

	if (!seen->exists || !os_examine_open(file, &mine))
		return;
	if (mine.owner != seen->facts.owner)
		(void)os_set_owner(file, seen->facts.owner);
	/* What a group may do is not for another group: it keeps what everybody may do. */
	if (mine.group != seen->facts.group && !os_set_group(file, seen->facts.group))
		mode &= ~070u | (mode & 07u) << 3;
	(void)os_set_mode(file, mode);
}

static bool is_same(const target_seen *a, const target_seen *b)
{
	return a->exists && b->exists && a->facts.device == b->facts.device &&
	       a->facts.serial == b->facts.serial && a->facts.bytes == b->facts.bytes &&
	       a->facts.changed_ns == b->facts.changed_ns;
}

brise_status place_put(const char *part, const char *path, const char *name,
                       const target_kind *kind, const target_seen *before, brise_error *err)
{
	target_seen now;
	unsigned i;

	for (i = 0; i < RENAMES_MAX; i++) {
		brise_status status = place_look(path, name, kind, &now, err);

		if (status != BRISE_OK)
			return status;
		if (now.exists && !kind && !is_same(before, &now))
			return error_set(err, BRISE_EIO,
			                 "%s: was made or changed by another program meanwhile; "
			                 "it is not replaced",
			                 name);
		if (now.exists ? os_rename(part, path) : os_rename_new(part, path))
			return BRISE_OK;
		if (now.exists || errno != EEXIST)
			return error_errno(err, "%s: cannot be put in place", name);
	}
	return error_set(err, BRISE_EIO, "%s: other programs keep making files of this name", name);
}
