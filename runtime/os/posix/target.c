/* target.c - write beside, sync, rename */
#include "runtime/os/target.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target_part.h"

/* The first bytes of the file, in whose place the part has its mark. */
struct target_head {
	uint8_t bytes[PART_MARK_BYTES];
	size_t n; /* written so far */
};

/* ---- the place ------------------------------------------------------------------------------ */

/* Where a link that leads to nothing yet would put its file; NULL: `path` is no link, or no memory
 * (errno). */
static char *follow_once(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash ? (size_t)(slash - path) + 1 : 0, length;
	char *link = os_read_link(path), *next;

	if (!link)
		return NULL;
	if (link[0] == '/')
		folder = 0;
	length = strlen(link);
	next = memory_new(folder + length + 1, 1);
	if (next) {
		memcpy(next, path, folder);
		memcpy(next + folder, link, length);
	}
	memory_free(link);
	return next;
}

/* The file a symbolic link leads to is what the user wants replaced, not the link. os_resolve
 * refuses circles. */
char *target_resolve(const char *name)
{
	char *real = os_resolve(name), *at, *next;

	if (real || errno != ENOENT)
		return real;
	at = memory_copy_text(name);
	while (at && (next = follow_once(at)) != NULL) {
		memory_free(at);
		at = next;
	}
	if (at && errno == ENOMEM) {
		memory_free(at);
		at = NULL;
	}
	return at;
}

void target_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) + 1 : 0;
	char *folder = memory_new(length + 2, 1);

	if (!folder)
		return;
	memcpy(folder, path, length);
	memcpy(folder + length, length ? "" : ".", length ? 1 : 2);
	(void)os_sync_folder(folder);
	memory_free(folder);
}

/* ---- opening -------------------------------------------------------------------------------- */

static brise_status mark_part(target_file *t, brise_error *err)
{
	if (!(t->head = memory_new(1, sizeof *t->head)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", t->name);
	return os_write_at(t->descriptor, PART_MARK, PART_MARK_BYTES, 0)
	               ? BRISE_OK
	               : error_errno(err, "%s: cannot be written", t->part);
}

brise_status target_open(target_file *target, const char *name, const target_kind *kind,
                         brise_error *err)
{
	brise_status status;

	*target = (target_file){ .name = name, .kind = kind, .descriptor = -1 };
	if (!(target->path = target_resolve(name)))
		return error_errno(err, "%s: cannot be resolved", name);
	status = place_look(target->path, name, kind, &target->seen, err);
	if (status == BRISE_OK)
		status = part_open_file(target->path, name,
		                        target->seen.exists ? target->seen.facts.mode & 0777u
		                                            : 0666u,
		                        kind && kind->only_ours ? kind->magic : NULL, &target->part,
		                        &target->descriptor, err);
	if (status == BRISE_OK && kind)
		status = mark_part(target, err);
	if (status != BRISE_OK)
		target_discard(target);
	return status;
}

brise_status target_check(const char *name, const target_kind *kind, brise_error *err)
{
	char *path = target_resolve(name);
	target_seen seen;
	brise_status status = path ? place_look(path, name, kind, &seen, err)
	                           : error_errno(err, "%s: cannot be resolved", name);

	memory_free(path);
	return status;
}

brise_status target_check_space(const target_file *target, uint64_t bytes, brise_error *err)
{
	uint64_t available;

	if (!os_free_bytes(target->descriptor, &available) || available >= bytes)
		return BRISE_OK; /* unknown: writing will report a full disk */
	return error_set(err, BRISE_EIO, "%s: %" PRIu64 " MB needed, %" PRIu64 " MB free",
	                 target->name, bytes / 1000000 + 1, available / 1000000);
}

/* ---- writing -------------------------------------------------------------------------------- */

brise_status target_write_at(const target_file *target, const void *bytes, size_t n,
                             uint64_t offset, brise_error *err)
{
	struct target_head *head = target->head;
	const uint8_t *from = bytes;

	if (head && offset < PART_MARK_BYTES && n > 0) {
		size_t room = PART_MARK_BYTES - (size_t)offset, taken = n < room ? n : room;

		memcpy(head->bytes + offset, from, taken);
		if (head->n < (size_t)offset + taken)
			head->n = (size_t)offset + taken;
		from += taken;
		n -= taken;
		offset += taken;
	}
	return n == 0 || os_write_at(target->descriptor, from, n, offset)
	               ? BRISE_OK
	               : error_errno(err, "%s: cannot be written at byte %" PRIu64, target->name,
	                             offset);
}

/* ---- committing ----------------------------------------------------------------------------- */

/* The file's own first bytes take the mark's place. */
static bool write_head(const target_file *t)
{
	os_facts facts;

	return !t->head ||
	       (os_write_at(t->descriptor, t->head->bytes, t->head->n, 0) &&
	        (t->head->n == PART_MARK_BYTES ||
	         (os_examine_open(t->descriptor, &facts) &&
	          (facts.bytes > PART_MARK_BYTES || os_set_size(t->descriptor, t->head->n)))));
}

brise_status target_commit(target_file *target, brise_error *err)
{
	target_seen now;
	brise_status status = BRISE_OK;

	/* All of a large file is brought to disk while it has its mark, so that it is complete
	 * under the part's name for as short as can be. */
	if (target->head && !os_sync(target->descriptor))
		status = error_errno(err, "%s: cannot be brought to disk", target->name);
	else if (!write_head(target))
		status = error_errno(err, "%s: cannot be written", target->name);
	if (status == BRISE_OK)
		status = place_look(target->path, target->name, target->kind, &now, err);
	if (status == BRISE_OK) {
		place_copy_mode(target->descriptor, &now);
		if (!os_sync(target->descriptor))
			status = error_errno(err, "%s: cannot be brought to disk", target->name);
	}
	/* Renamed while it is open and locked: without the lock another run could take it for a
	 * leftover. */
	if (status == BRISE_OK)
		status = place_put(target->part, target->path, target->name, target->kind,
		                   &target->seen, err);
	if (status == BRISE_OK) {
		target_sync_parent(target->path); /* the name is on disk only once its folder is */
		memory_free(target->part);        /* nothing left to remove */
		target->part = NULL;
	}
	target_discard(target);
	return status;
}

void target_discard(target_file *target)
{
	if (target->part)
		(void)os_remove(target->part);
	if (target->path && target->descriptor >= 0)
		(void)os_close(target->descriptor);
	memory_free(target->part);
	memory_free(target->path);
	memory_free(target->head);
	target->descriptor = -1;
	target->part = target->path = NULL;
	target->head = NULL;
}
