/* unfinished.c - recognising, taking over, saving and completing an unfinished calibration file */
#include "convert/calibration/unfinished.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/eval/engine.h"
#include "runtime/model/crc32.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"

brise_status unfinished_plan(unfinished *u, const char *out, const format_config *config,
                             uint32_t span, size_t tokens, uint32_t fingerprint, brise_error *err)
{
	size_t room = strlen(out) + 16;
	uint64_t floats, bytes;
	brise_status status;

	*u = (unfinished){ .out = out, .descriptor = -1 };
	status = calibration_plan(&u->header, &u->inputs, config, span, err);
	if (status != BRISE_OK)
		return status;
	u->header.tokens = tokens;
	u->header.fingerprint = fingerprint;
	if (!checked_mul(tokens, engine_stride(config->dim), &floats) ||
	    !checked_mul(floats, 2 * sizeof(float), &bytes) ||
	    !checked_add(bytes, u->header.file_bytes / 64 * 64 + 64, &bytes) ||
	    !checked_size(bytes, &u->size))
		return error_set(err, BRISE_EINVAL,
		                 "a text of %zu tokens is too long to calibrate with", tokens);
	u->state_floats = (size_t)floats;
	u->states_at = (size_t)(u->header.file_bytes / 64 * 64 + 64);
	if (!(u->path = memory_new(room, 1)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", out);
	(void)snprintf(u->path, room, "%s.unfinished", out);
	if (!(u->target = target_resolve(out)))
		return error_errno(err, "%s: cannot be resolved", out);
	return BRISE_OK;
}

float *unfinished_states(const unfinished *u, uint32_t layer)
{
	return (float *)(void *)(u->bytes + u->states_at) + layer % 2 * u->state_floats;
}

/* ---- what exists ----------------------------------------------------------------------------- */

/* Such a file begins with a whole header from the start: what has none, zeros included, is
 * something else. */
static bool is_calibration(const calibration_header *h, size_t bytes)
{
	return bytes == sizeof *h && memcmp(h->magic, CALIBRATION_MAGIC, sizeof h->magic) == 0 &&
	       crc32_update(0, h, sizeof *h - sizeof h->header_crc) == h->header_crc;
}

/* A calibration that is complete, which must not be replaced. */
static bool is_finished(const calibration_header *h, uint64_t size)
{
	return h->done == h->n_layers + 1 && size == h->file_bytes;
}

/* Of the same model, text and options, and of the length that its header states. */
static bool is_same_run(const unfinished *u, const calibration_header *h, uint64_t size)
{
	const calibration_header *mine = &u->header;

	return h->version == CALIBRATION_VERSION && h->fingerprint == mine->fingerprint &&
	       h->tokens == mine->tokens && h->file_bytes == mine->file_bytes &&
	       h->done <= mine->n_layers + 1 &&
	       crc32_update(0, h, sizeof *h - sizeof h->header_crc) == h->header_crc &&
	       (size == u->size || (size == mine->file_bytes && h->done == mine->n_layers + 1));
}

/* Whether the path still leads to the file that was locked: another run may have finished or
 * removed it in between. */
static bool is_in_place(const unfinished *u, const os_facts *mine)
{
	os_facts facts;

	return os_examine_link(u->path, &facts) && facts.device == mine->device &&
	       facts.serial == mine->serial;
}

static int open_or_create(const char *path)
{
	int file = os_create(path, 0666);

	return file < 0 && errno == EEXIST ? os_open_writable(path) : file;
}

/* Opens and locks the file and reads its header, zeros where it is shorter. */
static brise_status look(unfinished *u, calibration_header *h, uint64_t *size, brise_error *err)
{
	brise_status status;
	os_facts facts;
	int64_t got;

	status = place_look(u->target, u->out, &calibration_kind, &u->seen, err);
	if (status != BRISE_OK)
		return status;
	if (os_examine_link(u->path, &facts) && facts.kind != OS_FILE)
		return error_set(err, BRISE_EIO, "%s: exists and is not a regular file", u->path);
	u->descriptor = open_or_create(u->path);
	if (u->descriptor < 0)
		return error_errno(err, "%s: cannot be created", u->path);
	if (!os_examine_open(u->descriptor, &facts))
		return error_errno(err, "%s: cannot be read", u->path);
	if (facts.kind != OS_FILE)
		return error_set(err, BRISE_EIO, "%s: exists and is not a regular file", u->path);
	if (os_lock_file(u->descriptor) == OS_LOCK_HELD || !is_in_place(u, &facts))
		return error_set(err, BRISE_EIO, "%s: another calibration is writing it", u->path);
	memset(h, 0, sizeof *h);
	got = os_read_at(u->descriptor, h, sizeof *h, 0);
	if (got < 0)
		return error_errno(err, "%s: cannot be read", u->path);
	if (got > 0 && !is_calibration(h, (size_t)got))
		return error_set(
		        err, BRISE_EIO,
		        "%s: exists and is not an unfinished calibration; it would be overwritten",
		        u->path);
	*size = facts.bytes;
	if (got > 0 && is_finished(h, *size) && !is_same_run(u, h, *size))
		return error_set(err, BRISE_EIO,
		                 "%s: is a finished calibration of another model, text or options; "
		                 "it would be overwritten",
		                 u->path);
	return BRISE_OK;
}

static brise_status map(unfinished *u, size_t bytes, brise_error *err)
{
	u->bytes = os_map_writable(u->descriptor, bytes);
	if (!u->bytes)
		return error_errno(err, "%s: cannot be mapped", u->path);
	u->mapped = bytes;
	u->guard = os_guard(u->bytes, bytes, true);
	return BRISE_OK;
}

static void unmap(unfinished *u)
{
	if (u->bytes)
		os_unguard(u->guard);
	os_unmap(u->bytes, u->mapped);
	u->bytes = NULL;
}

/* *fits: whether that is the checksum of a part of the file. Cancelling is the only failure. */
static brise_status check_part(const unfinished *u, const void *data, uint64_t bytes, uint32_t crc,
                               crc32_watch *watch, bool *fits, brise_error *err)
{
	uint32_t found = 0;

	if (!crc32_watched(&found, data, bytes, watch))
		return error_set(err, BRISE_ECANCELED,
		                 "%s: cancelled while it was checked; it can be resumed", u->path);
	*fits = found == crc;
	return BRISE_OK;
}

/* Takes over the checksums of inputs [0, n), and nothing else of the table; *fit: whether their
 * data fit them. */
static brise_status take_inputs(unfinished *u, uint32_t n, crc32_watch *watch, bool *fit,
                                brise_error *err)
{
	const calibration_input *inputs =
	        (const calibration_input *)(const void *)(u->bytes + sizeof u->header);
	brise_status status = BRISE_OK;
	uint32_t i;

	*fit = true;
	for (i = 0; i < n && *fit && status == BRISE_OK; i++) {
		u->inputs[i].crc = inputs[i].crc;
		status = check_part(u, u->bytes + u->inputs[i].offset, u->inputs[i].bytes,
		                    u->inputs[i].crc, watch, fit, err);
	}
	return status;
}

/* *fit: whether the data fit the checksums in the header. After a loss of power one may have been
 * written without the other. */
static brise_status take_over(unfinished *u, const calibration_header *h, crc32_watch *watch,
                              bool *fit, brise_error *err)
{
	bool finished = h->done > u->header.n_layers;
	brise_status status =
	        take_inputs(u, finished ? u->header.n_inputs : h->done * CALIBRATION_PER_LAYER,
	                    watch, fit, err);

	return status == BRISE_OK && *fit && !finished
	               ? check_part(u, unfinished_states(u, h->done),
	                            u->state_floats * sizeof(float), h->states_crc, watch, fit, err)
	               : status;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Allocates all of the file's size on disk now: a full disk is an error here, not a signal from the
 * mapping. */
static brise_status take_room(const unfinished *u, brise_error *err)
{
	if (os_take_room(u->descriptor, u->size))
		return BRISE_OK;
	return error_errno(err, "%s: no room for %zu MB", u->path, u->size / 1000000 + 1);
}

/* The header, with nothing done: what a later run recognises the file by, before all else. */
static brise_status write_mark(unfinished *u, brise_error *err)
{
	calibration_header *h = &u->header;

	h->done = 0;
	h->header_crc = crc32_update(0, h, sizeof *h - sizeof h->header_crc);
	return os_write_at(u->descriptor, h, sizeof *h, 0)
	               ? BRISE_OK
	               : error_errno(err, "%s: cannot be written", u->path);
}

static brise_status begin_anew(unfinished *u, brise_error *err)
{
	brise_status status;

	if (!os_set_size(u->descriptor, 0))
		return error_errno(err, "%s: cannot be emptied", u->path);
	status = write_mark(u, err);
	if (status == BRISE_OK)
		status = take_room(u, err);
	if (status == BRISE_OK)
		status = map(u, u->size, err);
	if (status != BRISE_OK)
		(void)os_remove(u->path);
	return status;
}

static void tell(const unfinished *u, unfinished_note_fn *note, void *user, const char *what)
{
	char line[512];

	(void)snprintf(line, sizeof line, "%s: %s; started again", u->path, what);
	if (note)
		note(user, line);
}

brise_status unfinished_open(unfinished *u, unfinished_note_fn *note, brise_cancel_fn *cancel,
                             void *user, brise_error *err)
{
	crc32_watch watch = { NULL, cancel, user, 0, 0 };
	bool fit = false;
	calibration_header h;
	uint64_t size = 0;
	brise_status status = look(u, &h, &size, err);

	if (status != BRISE_OK)
		return status;
	if (h.done > 0 && is_same_run(u, &h, size)) {
		/* The file's size does not guarantee room on the disk: copies of files can have
		 * holes. */
		if ((size == u->size && (status = take_room(u, err)) != BRISE_OK) ||
		    (status = map(u, (size_t)size, err)) != BRISE_OK)
			return status;
		status = take_over(u, &h, &watch, &fit, err);
		if (status == BRISE_OK && fit) {
			u->header.done = h.done;
			return BRISE_OK;
		}
		unmap(u); /* so that closing does not remove it */
		if (status != BRISE_OK)
			return status;
		tell(u, note, user, "damaged since it was interrupted");
	} else if (h.done > 0) {
		tell(u, note, user, "was of another model, text or options");
	}
	return begin_anew(u, err);
}

/* ---- saving ---------------------------------------------------------------------------------- */

static brise_status sync_bytes(const unfinished *u, size_t bytes, brise_error *err)
{
	if (!os_sync_map(u->bytes, bytes))
		return error_errno(err, "%s: cannot be written to disk", u->path);
	if (os_guard_hit(u->guard))
		return error_set(err, BRISE_EIO,
		                 "%s: has become shorter meanwhile, or its disk failed", u->path);
	return BRISE_OK;
}

brise_status unfinished_save(unfinished *u, uint32_t done, uint32_t states_crc, brise_error *err)
{
	size_t table = u->header.n_inputs * sizeof *u->inputs;
	brise_status status = sync_bytes(u, u->mapped, err);

	if (status != BRISE_OK)
		return status;
	u->header.done = done;
	u->header.states_crc = states_crc;
	u->header.inputs_crc = crc32_update(0, u->inputs, table);
	u->header.header_crc =
	        crc32_update(0, &u->header, sizeof u->header - sizeof u->header.header_crc);
	memcpy(u->bytes + sizeof u->header, u->inputs, table);
	memcpy(u->bytes, &u->header, sizeof u->header);
	return sync_bytes(u, sizeof u->header + table, err);
}

brise_status unfinished_finish(unfinished *u, brise_error *err)
{
	brise_status status = unfinished_save(u, u->header.n_layers + 1, 0, err);
	target_seen now;

	if (status != BRISE_OK)
		return status;
	if ((status = place_look(u->target, u->out, &calibration_kind, &now, err)) != BRISE_OK)
		return status;
	place_copy_mode(u->descriptor, &now);
	if (!os_set_size(u->descriptor, u->header.file_bytes) || !os_sync(u->descriptor))
		return error_errno(err, "%s: cannot be completed", u->path);
	return place_put(u->path, u->target, u->out, &calibration_kind, &u->seen, err);
}

void unfinished_close(unfinished *u)
{
	/* Mapped: this run's. */
	if (u->bytes && u->header.done == 0)
		(void)os_remove(u->path);
	unmap(u);
	if (u->descriptor >= 0)
		(void)os_close(u->descriptor);
	memory_free(u->target);
	memory_free(u->path);
	memory_free(u->inputs);
	*u = (unfinished){ .descriptor = -1 };
}
