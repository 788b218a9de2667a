/* loop_file.c - see loop_file.h */
#include "convert/closed/loop_file.h"

#include <string.h>

#include "convert/file.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/model/crc32.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"

#define MAGIC "BRISELUP"

/* Files of another version were made by another algorithm. */
#define VERSION 2u

static const target_kind model_kind = { FORMAT_MAGIC, sizeof FORMAT_MAGIC - 1, "a .brise file",
	                                false };

static uint32_t header_crc(const loop_header *h)
{
	return crc32_update(0, h, sizeof *h - sizeof h->header_crc);
}

static size_t tensor_bytes(const loop_file *s)
{
	return s->header.n_tensors * sizeof(format_tensor);
}

static size_t table_bytes(const loop_file *s)
{
	return tensor_bytes(s) + s->header.n_tensors * sizeof *s->sources;
}

brise_status loop_plan(loop_file *s, const char *out, file_plan *plan, size_t tokens,
                       uint32_t fingerprint, brise_error *err)
{
	uint64_t states, at = round_up(plan->file_bytes, FORMAT_PAGE), size;
	size_t floats = 0;

	*s = (loop_file){ .file = { .descriptor = -1 }, .plan = plan };
	s->header = (loop_header){ .version = VERSION,
		                   .file_bytes = plan->file_bytes,
		                   .tokens = tokens,
		                   .n_tensors = plan->n_tensors,
		                   .n_layers = plan->source->config.n_layers,
		                   .fingerprint = fingerprint };
	memcpy(s->header.magic, MAGIC, sizeof s->header.magic);
	if (!streams_state_floats(&plan->source->config, tokens, &floats) ||
	    !checked_mul(floats, 2 * STREAMS * sizeof(float), &states) ||
	    !checked_add(at, states, &states) ||
	    !checked_add(states, table_bytes(s) + sizeof s->header, &size) ||
	    !checked_size(size, &s->size))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: with the states of %zu tokens it is too large to be mapped",
		                 out, tokens);
	s->state_floats = floats;
	s->states_at = (size_t)at;
	s->table_at = (size_t)states;
	if (!(s->sources = memory_new(plan->n_tensors, sizeof *s->sources)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", out);
	return working_plan(&s->file, out, &model_kind, "conversion", err);
}

uint8_t *loop_bytes(const loop_file *s)
{
	return s->file.bytes;
}

float *loop_states(const loop_file *s, unsigned stream, uint32_t done)
{
	return (float *)(void *)(s->file.bytes + s->states_at) +
	       (done % 2 * STREAMS + stream) * s->state_floats;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool is_ours(const loop_header *h)
{
	return memcmp(h->magic, MAGIC, sizeof h->magic) == 0 && header_crc(h) == h->header_crc;
}

static bool is_same_run(const loop_file *s, const loop_header *h, uint64_t size)
{
	const loop_header *mine = &s->header;

	return h->version == mine->version && h->fingerprint == mine->fingerprint &&
	       h->tokens == mine->tokens && h->file_bytes == mine->file_bytes &&
	       h->n_tensors == mine->n_tensors && h->done <= mine->n_layers + 2 && size == s->size;
}

/* Opens and locks the file and reads its header, zeros where there is none: empty files are what a
 * run leaves that was killed at once. */
static brise_status look(loop_file *s, loop_header *h, brise_error *err)
{
	uint64_t size = 0;
	size_t got = 0;
	brise_status status = working_open(&s->file, &size, err);

	memset(h, 0, sizeof *h);
	if (status == BRISE_OK && size >= sizeof *h)
		status = working_read(&s->file, h, sizeof *h, size - sizeof *h, &got, err);
	if (status != BRISE_OK)
		return status;
	if (size > 0 && (got != sizeof *h || !is_ours(h)))
		return error_set(
		        err, BRISE_EIO,
		        "%s: exists and is not an unfinished conversion; it would be overwritten",
		        s->file.path);
	if (h->done > 0 && !is_same_run(s, h, size))
		h->tokens = 0; /* of no use, but there is something to tell */
	return BRISE_OK;
}

static uint32_t states_crc(const loop_file *s, uint32_t done)
{
	return crc32_update(0, loop_states(s, 0, done), STREAMS * s->state_floats * sizeof(float));
}

/* *fit: whether the data are those that the header and the table tell of; then the plan has the
 * table's checksums and errors. After a loss of power one may have been written without the
 * other. */
static brise_status take_over(loop_file *s, const loop_header *h, crc32_watch *watch, bool *fit,
                              brise_error *err)
{
	const format_tensor *table =
	        (const format_tensor *)(const void *)(s->file.bytes + s->table_at);
	uint32_t i;

	*fit = crc32_update(0, table, table_bytes(s)) == h->table_crc &&
	       (h->done > h->n_layers + 1 || states_crc(s, h->done) == h->states_crc);
	for (i = 0; i < h->n_tensors && *fit; i++) {
		const format_tensor *t = &s->plan->tensors[i];
		uint32_t crc = 0;

		if (table[i].crc == 0)
			continue;
		if (!crc32_watched(&crc, s->file.bytes + t->offset, t->bytes, watch))
			return error_set(err, BRISE_ECANCELED,
			                 "%s: cancelled while it was checked; it can be resumed",
			                 s->file.path);
		*fit = crc == table[i].crc;
	}
	for (i = 0; i < h->n_tensors && *fit; i++) {
		s->plan->tensors[i].crc = table[i].crc;
		s->plan->tensors[i].relative_error = table[i].relative_error;
	}
	if (*fit)
		memcpy(s->sources, table + h->n_tensors, h->n_tensors * sizeof *s->sources);
	return BRISE_OK;
}

static brise_status begin_anew(loop_file *s, brise_error *err)
{
	uint32_t i;

	for (i = 0; i < s->header.n_tensors; i++) {
		s->plan->tensors[i].crc = 0;
		s->plan->tensors[i].relative_error = 0;
	}
	s->header.done = 0;
	s->header.error = s->header.norm = 0;
	s->header.header_crc = header_crc(&s->header);
	return working_begin(&s->file, &s->header, sizeof s->header, s->size - sizeof s->header,
	                     s->size, err);
}

brise_status loop_check(const loop_file *s, brise_error *err)
{
	target_file target = { .name = s->file.out, .descriptor = -1 };
	brise_status status;
	os_facts facts;

	if (os_examine(s->file.path, &facts))
		return target_check(s->file.out, &model_kind, err);
	status = target_open(&target, s->file.out, &model_kind, err);
	if (status == BRISE_OK)
		status = target_check_space(&target, s->size, err);
	target_discard(&target);
	return status;
}

brise_status loop_open(loop_file *s, working_note_fn *note, brise_cancel_fn *cancel, void *user,
                       brise_error *err)
{
	crc32_watch watch = { NULL, cancel, user, 0, 0 };
	bool fit = false;
	loop_header h;
	brise_status status = look(s, &h, err);

	if (status != BRISE_OK)
		return status;
	if (h.done > 0 && h.tokens > 0) {
		if ((status = working_resume(&s->file, s->size, true, err)) != BRISE_OK)
			return status;
		status = take_over(s, &h, &watch, &fit, err);
		if (status == BRISE_OK && fit) {
			s->header = h;
			return BRISE_OK;
		}
		working_unmap(&s->file); /* so that closing does not remove it */
		if (status != BRISE_OK)
			return status;
		working_tell(&s->file, note, user, "damaged since it was interrupted");
	} else if (h.done > 0) {
		working_tell(&s->file, note, user, "was of another model, text or options");
	}
	return begin_anew(s, err);
}

brise_status loop_restart(loop_file *s, const char *why, working_note_fn *note, void *user,
                          brise_error *err)
{
	working_unmap(&s->file);
	working_tell(&s->file, note, user, why);
	return begin_anew(s, err);
}

/* ---- saving ---------------------------------------------------------------------------------- */

brise_status loop_save(loop_file *s, uint32_t done, const tile_error *sum, brise_error *err)
{
	loop_header *h = &s->header;
	uint8_t *table = s->file.bytes + s->table_at;
	brise_status status = working_sync(&s->file, s->file.mapped, err);

	if (status != BRISE_OK)
		return status;
	h->done = done;
	h->error = sum->error;
	h->norm = sum->norm;
	h->states_crc = done > h->n_layers + 1 ? 0 : states_crc(s, done);
	memcpy(table, s->plan->tensors, tensor_bytes(s));
	memcpy(table + tensor_bytes(s), s->sources, table_bytes(s) - tensor_bytes(s));
	h->table_crc = crc32_update(0, table, table_bytes(s));
	h->header_crc = header_crc(h);
	memcpy(s->file.bytes + s->size - sizeof *h, h, sizeof *h);
	return working_sync(&s->file, s->file.mapped, err);
}

static brise_status write_bytes(void *user, const void *bytes, size_t n, uint64_t offset,
                                brise_error *err)
{
	(void)err;
	memcpy((uint8_t *)user + offset, bytes, n);
	return BRISE_OK;
}

/* What lies between the tensors, which no checksum covers. */
static void clear_gaps(const loop_file *s)
{
	const format_tensor *t = s->plan->tensors, *end = t + s->plan->n_tensors;
	size_t at = 0;

	for (; t < end; t++) {
		memset(s->file.bytes + at, 0, (size_t)t->offset - at);
		at = (size_t)(t->offset + t->bytes);
	}
}

brise_status loop_finish(loop_file *s, brise_error *err)
{
	brise_status status;

	clear_gaps(s);
	status = file_write_tables(s->plan, write_bytes, s->file.bytes, err);
	if (status == BRISE_OK)
		status = working_sync(&s->file, s->file.mapped, err);
	return status == BRISE_OK ? working_finish(&s->file, s->header.file_bytes, err) : status;
}

void loop_close(loop_file *s)
{
	working_close(&s->file, s->header.done == 0);
	memory_free(s->sources);
	s->sources = NULL;
}
