/* unfinished.c - recognising, taking over, saving and completing an unfinished calibration file */
#include "convert/calibration/unfinished.h"

#include <inttypes.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/eval/engine.h"
#include "runtime/model/crc32.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

brise_status unfinished_plan(unfinished *u, const char *out, const format_config *config,
                             uint32_t span, size_t tokens, uint32_t fingerprint, brise_error *err)
{
	uint64_t floats, bytes;
	brise_status status;

	*u = (unfinished){ .file = { .descriptor = -1 } };
	if (!checked_mul(tokens, 1, &floats) || floats > CALIBRATION_TOKENS_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "a text of %zu tokens is too long to calibrate with", tokens);
	status = calibration_plan(&u->header, &u->inputs, config, span, tokens, err);
	if (status != BRISE_OK)
		return status;
	u->header.fingerprint = fingerprint;
	if (!checked_mul(tokens, engine_stride(config->dim), &floats) ||
	    !checked_mul(floats, 2 * sizeof(float), &bytes) ||
	    !checked_add(bytes, u->header.file_bytes / 64 * 64 + 64, &bytes) ||
	    !checked_size(bytes, &u->size))
		return error_set(err, BRISE_EINVAL,
		                 "a text of %zu tokens is too long to calibrate with", tokens);
	u->state_floats = (size_t)floats;
	u->states_at = (size_t)(u->header.file_bytes / 64 * 64 + 64);
	return working_plan(&u->file, out, &calibration_kind, "calibration", err);
}

float *unfinished_states(const unfinished *u, uint32_t layer)
{
	return (float *)(void *)(u->file.bytes + u->states_at) + layer % 2 * u->state_floats;
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

/* Opens and locks the file and reads its header, zeros where it is shorter. */
static brise_status look(unfinished *u, calibration_header *h, uint64_t *size, brise_error *err)
{
	const char *path = u->file.path;
	size_t got = 0;
	brise_status status = working_open(&u->file, size, err);

	memset(h, 0, sizeof *h);
	if (status == BRISE_OK)
		status = working_read(&u->file, h, sizeof *h, 0, &got, err);
	if (status != BRISE_OK)
		return status;
	if (got > 0 && !is_calibration(h, got))
		return error_set(
		        err, BRISE_EIO,
		        "%s: exists and is not an unfinished calibration; it would be overwritten",
		        path);
	if (got > 0 && is_finished(h, *size) && !is_same_run(u, h, *size))
		return error_set(err, BRISE_EIO,
		                 "%s: is a finished calibration of another model, text or options; "
		                 "it would be overwritten",
		                 path);
	return BRISE_OK;
}

/* *fits: whether that is the checksum of a part of the file. Cancelling is the only failure. */
static brise_status check_part(const unfinished *u, const void *data, uint64_t bytes, uint32_t crc,
                               crc32_watch *watch, bool *fits, brise_error *err)
{
	uint32_t found = 0;

	if (!crc32_watched(&found, data, bytes, watch))
		return error_set(err, BRISE_ECANCELED,
		                 "%s: cancelled while it was checked; it can be resumed",
		                 u->file.path);
	*fits = found == crc;
	return BRISE_OK;
}

/* Takes over the checksums of inputs [0, n), and nothing else of the table; *fit: whether their
 * data fit them. */
static brise_status take_inputs(unfinished *u, uint32_t n, crc32_watch *watch, bool *fit,
                                brise_error *err)
{
	const calibration_input *inputs =
	        (const calibration_input *)(const void *)(u->file.bytes + sizeof u->header);
	brise_status status = BRISE_OK;
	uint32_t i;

	*fit = true;
	for (i = 0; i < n && *fit && status == BRISE_OK; i++) {
		u->inputs[i].crc = inputs[i].crc;
		status = check_part(u, u->file.bytes + u->inputs[i].offset, u->inputs[i].bytes,
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

/* The header, with nothing done: what a later run recognises the file by, before all else. */
static brise_status begin_anew(unfinished *u, brise_error *err)
{
	calibration_header *h = &u->header;

	h->done = 0;
	h->header_crc = crc32_update(0, h, sizeof *h - sizeof h->header_crc);
	return working_begin(&u->file, h, sizeof *h, 0, u->size, err);
}

brise_status unfinished_open(unfinished *u, working_note_fn *note, brise_cancel_fn *cancel,
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
		status = working_resume(&u->file, (size_t)size, size == u->size, err);
		if (status != BRISE_OK)
			return status;
		status = take_over(u, &h, &watch, &fit, err);
		if (status == BRISE_OK && fit) {
			u->header.done = h.done;
			return BRISE_OK;
		}
		working_unmap(&u->file); /* so that closing does not remove it */
		if (status != BRISE_OK)
			return status;
		working_tell(&u->file, note, user, "damaged since it was interrupted");
	} else if (h.done > 0) {
		working_tell(&u->file, note, user, "was of another model, text or options");
	}
	return begin_anew(u, err);
}

/* ---- saving ---------------------------------------------------------------------------------- */

brise_status unfinished_save(unfinished *u, uint32_t done, uint32_t states_crc, brise_error *err)
{
	size_t table = u->header.n_inputs * sizeof *u->inputs;
	brise_status status = working_sync(&u->file, u->file.mapped, err);

	if (status != BRISE_OK)
		return status;
	u->header.done = done;
	u->header.states_crc = states_crc;
	u->header.inputs_crc = crc32_update(0, u->inputs, table);
	u->header.header_crc =
	        crc32_update(0, &u->header, sizeof u->header - sizeof u->header.header_crc);
	memcpy(u->file.bytes + sizeof u->header, u->inputs, table);
	memcpy(u->file.bytes, &u->header, sizeof u->header);
	return working_sync(&u->file, sizeof u->header + table, err);
}

brise_status unfinished_finish(unfinished *u, brise_error *err)
{
	brise_status status = unfinished_save(u, u->header.n_layers + 1, 0, err);

	return status == BRISE_OK ? working_finish(&u->file, u->header.file_bytes, err) : status;
}

void unfinished_close(unfinished *u)
{
	working_close(&u->file, u->header.done == 0);
	memory_free(u->inputs);
	*u = (unfinished){ .file = { .descriptor = -1 } };
}
