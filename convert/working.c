/* working.c - see working.h */
#include "convert/working.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"

brise_status working_plan(working_file *w, const char *out, const target_kind *kind,
                          const char *what, brise_error *err)
{
	size_t room = strlen(out) + 16;

	*w = (working_file){ .out = out, .kind = kind, .what = what, .descriptor = -1 };
	if (!(w->path = memory_new(room, 1)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", out);
	(void)snprintf(w->path, room, "%s.unfinished", out);
	if (!(w->target = target_resolve(out)))
		return error_errno(err, "%s: cannot be resolved", out);
	return BRISE_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_or_create(const char *path)
{
	int file = os_create(path, 0666);

	return file < 0 && errno == EEXIST ? os_open_writable(path) : file;
}

/* Whether the path still leads to the file that was locked: another run may have finished or
 * removed it in between. */
static bool is_in_place(const working_file *w, const os_facts *mine)
{
	os_facts facts;

	return os_examine_link(w->path, &facts) && facts.device == mine->device &&
	       facts.serial == mine->serial;
}

brise_status working_open(working_file *w, uint64_t *size, brise_error *err)
{
	brise_status status = place_look(w->target, w->out, w->kind, &w->seen, err);
	os_facts facts;

	if (status != BRISE_OK)
		return status;
	if (os_examine_link(w->path, &facts) && facts.kind != OS_FILE)
		return error_set(err, BRISE_EIO, "%s: exists and is not a regular file", w->path);
	w->descriptor = open_or_create(w->path);
	if (w->descriptor < 0)
		return error_errno(err, "%s: cannot be created", w->path);
	if (!os_examine_open(w->descriptor, &facts))
		return error_errno(err, "%s: cannot be read", w->path);
	if (facts.kind != OS_FILE)
		return error_set(err, BRISE_EIO, "%s: exists and is not a regular file", w->path);
	if (os_lock_file(w->descriptor) == OS_LOCK_HELD || !is_in_place(w, &facts))
		return error_set(err, BRISE_EIO, "%s: another %s is writing it", w->path, w->what);
	*size = facts.bytes;
	return BRISE_OK;
}

brise_status working_read(const working_file *w, void *bytes, size_t n, uint64_t offset,
                          size_t *got, brise_error *err)
{
	int64_t read = os_read_at(w->descriptor, bytes, n, offset);

	*got = read < 0 ? 0 : (size_t)read;
	return read < 0 ? error_errno(err, "%s: cannot be read", w->path) : BRISE_OK;
}

static brise_status map(working_file *w, size_t size, brise_error *err)
{
	w->bytes = os_map_writable(w->descriptor, size);
	if (!w->bytes)
		return error_errno(err, "%s: cannot be mapped", w->path);
	w->mapped = size;
	w->guard = os_guard(w->bytes, size, true);
	return BRISE_OK;
}

void working_unmap(working_file *w)
{
	if (w->bytes)
		os_unguard(w->guard);
	os_unmap(w->bytes, w->mapped);
	w->bytes = NULL;
}

static brise_status take_space(const working_file *w, size_t size, brise_error *err)
{
	if (os_take_room(w->descriptor, size))
		return BRISE_OK;
	return error_errno(err, "%s: no room for %zu MB", w->path, size / 1000000 + 1);
}

brise_status working_begin(working_file *w, const void *mark, size_t n, uint64_t offset,
                           size_t size, brise_error *err)
{
	brise_status status = BRISE_OK;

	if (!os_set_size(w->descriptor, 0))
		return error_errno(err, "%s: cannot be emptied", w->path);
	if (!os_write_at(w->descriptor, mark, n, offset))
		status = error_errno(err, "%s: cannot be written", w->path);
	if (status == BRISE_OK)
		status = take_space(w, size, err);
	if (status == BRISE_OK)
		status = map(w, size, err);
	if (status != BRISE_OK)
		(void)os_remove(w->path);
	return status;
}

brise_status working_resume(working_file *w, size_t size, bool take_room, brise_error *err)
{
	brise_status status = take_room ? take_space(w, size, err) : BRISE_OK;

	return status == BRISE_OK ? map(w, size, err) : status;
}

/* ---- writing --------------------------------------------------------------------------------- */

brise_status working_sync(const working_file *w, size_t n, brise_error *err)
{
	if (!os_sync_map(w->bytes, n))
		return error_errno(err, "%s: cannot be written to disk", w->path);
	if (os_guard_hit(w->guard))
		return error_set(err, BRISE_EIO,
		                 "%s: has become shorter meanwhile, or its disk failed", w->path);
	return BRISE_OK;
}

brise_status working_finish(working_file *w, uint64_t size, brise_error *err)
{
	target_seen now;
	brise_status status = place_look(w->target, w->out, w->kind, &now, err);

	if (status != BRISE_OK)
		return status;
	place_copy_mode(w->descriptor, &now);
	if (!os_set_size(w->descriptor, size) || !os_sync(w->descriptor))
		return error_errno(err, "%s: cannot be completed", w->path);
	return place_put(w->path, w->target, w->out, w->kind, &w->seen, err);
}

void working_tell(const working_file *w, working_note_fn *note, void *user, const char *what)
{
	char line[512];

	(void)snprintf(line, sizeof line, "%s: %s; started again", w->path, what);
	if (note)
		note(user, line);
}

void working_close(working_file *w, bool remove)
{
	if (w->bytes && remove)
		(void)os_remove(w->path);
	working_unmap(w);
	if (w->descriptor >= 0)
		(void)os_close(w->descriptor);
	memory_free(w->target);
	memory_free(w->path);
	*w = (working_file){ .descriptor = -1 };
}
