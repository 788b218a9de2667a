/* batch_lines.c - see batch_lines.h */
#include "runtime/serve/batch_lines.h"

#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/sha256.h"
#include "runtime/text/json.h"
#include "runtime/text/json_writer.h"

#define READ_BYTES ((size_t)1 << 16)

/* ---- reading lines --------------------------------------------------------------------------- */

brise_status batch_reader_open(batch_reader *r, const char *path, brise_error *err)
{
	*r = (batch_reader){ .path = path, .file = os_open(path) };
	if (r->file < 0)
		return error_errno(err, "%s", path);
	return BRISE_OK;
}

void batch_reader_close(batch_reader *r)
{
	if (r->file >= 0)
		(void)os_close(r->file);
	memory_free(r->buffer);
	*r = (batch_reader){ .file = -1 };
}

/* Reads more behind what is there. */
static brise_status read_more(batch_reader *r, brise_error *err)
{
	size_t room = r->room;
	int64_t n;
	char *buffer;

	if (r->start > 0)
		memmove(r->buffer, r->buffer + r->start, r->n - r->start);
	r->n -= r->start;
	r->start = 0;
	if (r->n > BATCH_LINE_MOST)
		return error_set(err, BRISE_EFORMAT, "%s: a line of more than %zu MB", r->path,
		                 BATCH_LINE_MOST >> 20);
	while (room - r->n < READ_BYTES)
		room = 2 * room + READ_BYTES;
	if (room > r->room) {
		if (!(buffer = memory_resize(r->buffer, room, 1)))
			return error_set(err, BRISE_ENOMEM, "%s: no memory for a line", r->path);
		r->buffer = buffer;
		r->room = room;
	}
	n = os_read_at(r->file, r->buffer + r->n, READ_BYTES, r->at);
	if (n < 0)
		return error_errno(err, "%s: cannot be read", r->path);
	r->at += (uint64_t)n;
	r->n += (size_t)n;
	r->is_at_end = n == 0;
	return BRISE_OK;
}

brise_status batch_reader_next(batch_reader *r, const char **line, size_t *bytes, bool *is_whole,
                               brise_error *err)
{
	size_t looked = 0;
	const char *end = NULL;
	brise_status status;

	for (;;) {
		if (r->n - r->start > looked)
			end = memchr(r->buffer + r->start + looked, '\n', r->n - r->start - looked);
		if (end || r->is_at_end)
			break;
		looked = r->n - r->start;
		if ((status = read_more(r, err)) != BRISE_OK)
			return status;
	}
	*is_whole = end != NULL;
	*line = r->n > r->start ? r->buffer + r->start : NULL;
	*bytes = end ? (size_t)(end - *line) : r->n - r->start;
	r->start += *bytes + (end ? 1 : 0);
	if (end)
		r->end = r->at - (r->n - r->start);
	return BRISE_OK;
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool read_line(batch_line *l, json_reader *r)
{
	char key[16];
	size_t n;

	if (!json_enter_object(r))
		return false;
	while (json_next_key(r, key, sizeof key)) {
		if (!strcmp(key, "custom_id") && !l->custom_id) {
			if (json_read_string(r, &l->custom_id, &n) && strlen(l->custom_id) != n)
				return json_refuse(r, BRISE_EFORMAT,
				                   "a zero character in custom_id");
		} else if (!strcmp(key, "method")) {
			(void)json_read_name(r, l->method, sizeof l->method);
		} else if (!strcmp(key, "url")) {
			(void)json_read_name(r, l->url, sizeof l->url);
		} else if (!strcmp(key, "body") && json_peek(r) == JSON_OBJECT) {
			n = r->at; /* json_peek has passed white space */
			(void)json_skip(r);
			l->body = r->text + n;
			l->body_bytes = r->at - n;
		} else {
			(void)json_skip(r);
		}
	}
	return true;
}

bool batch_line_read(batch_line *l, const char *line, size_t bytes, char why[256])
{
	const char *missing;
	brise_error err;
	json_reader r;

	*l = (batch_line){ .custom_id = NULL };
	json_begin(&r, line, bytes, "request", &err);
	(void)read_line(l, &r);
	if (json_end(&r) != BRISE_OK) {
		(void)snprintf(why, 256, "%.250s", err.message);
		return false;
	}
	missing = !l->custom_id || !*l->custom_id ? "custom_id"
	          : !*l->url                      ? "url"
	          : !l->body                      ? "body"
	                                          : NULL;
	if (missing)
		(void)snprintf(why, 256, "the line has no %s", missing);
	else if (*l->method && strcmp(l->method, "POST") != 0)
		(void)snprintf(why, 256, "method: expected POST, found %s", l->method);
	else
		return true;
	return false;
}

void batch_line_free(batch_line *l)
{
	memory_free(l->custom_id);
	l->custom_id = NULL;
}

/* ---- replies --------------------------------------------------------------------------------- */

bool batch_line_find_id(const char *line, size_t bytes, char **id)
{
	bool has_response = false, has_null = false, is_null;
	char key[16];
	json_reader r;
	size_t n;

	*id = NULL;
	json_begin(&r, line, bytes, "line", NULL);
	if (json_enter_object(&r))
		while (json_next_key(&r, key, sizeof key)) {
			is_null = json_peek(&r) == JSON_NULL;
			has_response |=
			        !is_null && (!strcmp(key, "response") || !strcmp(key, "error"));
			has_null |= is_null && !strcmp(key, "custom_id");
			if (!strcmp(key, "custom_id") && !is_null && !*id)
				(void)json_read_string(&r, id, &n);
			else
				(void)json_skip(&r);
		}
	if (json_end(&r) == BRISE_OK && has_response && (*id || has_null))
		return true;
	memory_free(*id);
	*id = NULL;
	return false;
}

void batch_line_write(body *out, uint64_t number, const char *custom_id, int status,
                      const char *reply, size_t bytes)
{
	json_writer w = { .sink = body_add, .user = out };
	char id[48];

	(void)snprintf(id, sizeof id, "batch_req_%llu", (unsigned long long)number);
	json_open(&w, NULL, '{');
	json_put_string(&w, "id", id);
	json_put_string(&w, "custom_id", custom_id);
	if (status > 0) {
		json_open(&w, "response", '{');
		json_put_integer(&w, "status_code", status);
		json_put_string(&w, "request_id", id);
		json_put_json(&w, "body", reply, bytes);
		json_close(&w);
		json_put_null(&w, "error");
	} else {
		json_put_null(&w, "response");
		json_open(&w, "error", '{');
		json_put_string(&w, "code", "invalid_line");
		json_put_text(&w, "message", reply, bytes);
		json_close(&w);
	}
	json_close(&w);
	body_add(out, "\n", 1);
}

/* ---- which are done -------------------------------------------------------------------------- */

static size_t find_place(const batch_ids *ids, const uint64_t hash[2])
{
	size_t at = (size_t)hash[0] & (ids->room - 1);

	while ((ids->hashes[at][0] || ids->hashes[at][1]) &&
	       memcmp(ids->hashes[at], hash, 2 * sizeof *hash) != 0)
		at = (at + 1) & (ids->room - 1);
	return at;
}

static bool grow(batch_ids *ids)
{
	batch_ids larger = { .n = ids->n, .room = ids->room ? 2 * ids->room : 1024 };
	size_t i;

	if (!(larger.hashes = memory_new(larger.room, sizeof *larger.hashes)))
		return false;
	for (i = 0; i < ids->room; i++)
		if (ids->hashes[i][0] || ids->hashes[i][1])
			memcpy(larger.hashes[find_place(&larger, ids->hashes[i])], ids->hashes[i],
			       sizeof *ids->hashes);
	memory_free(ids->hashes);
	*ids = larger;
	return true;
}

bool batch_ids_add(batch_ids *ids, const char *id, bool *was_there)
{
	uint8_t digest[32];
	uint64_t hash[2];
	size_t at;

	if (2 * (ids->n + 1) > ids->room && !grow(ids))
		return false;
	sha256(digest, id, strlen(id));
	memcpy(hash, digest, sizeof hash);
	hash[0] |= hash[0] == 0 && hash[1] == 0;
	at = find_place(ids, hash);
	*was_there = ids->hashes[at][0] || ids->hashes[at][1];
	memcpy(ids->hashes[at], hash, sizeof hash);
	ids->n += !*was_there;
	return true;
}

void batch_ids_free(batch_ids *ids)
{
	memory_free(ids->hashes);
	*ids = (batch_ids){ .n = 0 };
}
