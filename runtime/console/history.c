/* history.c - see history.h */
#include "runtime/console/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/text/utf8.h"
#include "runtime/text/utf8_classes.h"

/* Escapes double the bytes at most, and each entry ends with a line feed. */
#define FILE_MAX_BYTES (2 * HISTORY_MAX_BYTES + HISTORY_MAX_ENTRIES)

/* ---- entries -------------------------------------------------------------------------------- */

static void remove_entry(history *h, size_t index)
{
	h->bytes -= h->entries[index].n;
	memory_free(h->entries[index].text);
	h->n--;
	memmove(&h->entries[index], &h->entries[index + 1], (h->n - index) * sizeof *h->entries);
}

static void remove_all(history *h)
{
	while (h->n > 0)
		remove_entry(h, h->n - 1);
}

static bool is_text(const char *text, size_t n)
{
	size_t at = 0;

	while (at < n) {
		int length = utf8_measure((const uint8_t *)text + at, n - at);

		if (length <= 0)
			return false;
		at += (size_t)length;
	}
	return n > 0;
}

static bool append(history *h, const char *text, size_t n)
{
	char *copy;
	size_t i;

	if (n > HISTORY_MAX_BYTES || !is_text(text, n))
		return true;
	copy = memory_copy(text, n);
	if (!copy)
		return false;
	for (i = 0; i < h->n; i++)
		if (h->entries[i].n == n && memcmp(h->entries[i].text, text, n) == 0) {
			remove_entry(h, i);
			break;
		}
	while (h->n == HISTORY_MAX_ENTRIES || h->bytes + n > HISTORY_MAX_BYTES)
		remove_entry(h, 0);
	h->entries[h->n].text = copy;
	h->entries[h->n++].n = n;
	h->bytes += n;
	return true;
}

size_t history_find(const history *h, size_t from, const char *text, size_t n)
{
	size_t i, at;

	for (i = from; i-- > 0;)
		for (at = 0; at + n <= h->entries[i].n; at++)
			if (memcmp(h->entries[i].text + at, text, n) == 0)
				return i;
	return h->n;
}

/* ---- the file ------------------------------------------------------------------------------- */

/* Undoes escapes in a line [n], in place; returns its new length. */
static size_t unescape(char *line, size_t n)
{
	size_t from, to = 0;

	for (from = 0; from < n; from++) {
		bool is_escape = line[from] == '\\' && from + 1 < n;

		if (is_escape)
			from++;
		line[to++] = is_escape && line[from] == 'n' ? '\n' : line[from];
	}
	return to;
}

static size_t escape(const char *text, size_t n, char *line)
{
	size_t i, to = 0;

	for (i = 0; i < n; i++) {
		if (text[i] == '\n' || text[i] == '\\')
			line[to++] = '\\';
		line[to++] = text[i] == '\n' ? 'n' : text[i];
	}
	line[to++] = '\n';
	return to;
}

static bool take_lines(history *h, char *bytes, size_t n)
{
	size_t at = 0;

	while (at < n) {
		char *line = bytes + at, *end = memchr(line, '\n', n - at);

		/* A line without its end was cut off. */
		if (!end)
			break;
		if (!append(h, line, unescape(line, (size_t)(end - line))))
			return false;
		at = (size_t)(end - bytes) + 1;
	}
	return true;
}

/* Replaces the entries by the file's, if there is a file; of one that has grown too large, those at
 * its end. */
static brise_status read_file(history *h, brise_error *err)
{
	brise_status status = BRISE_OK;
	int file = os_open(h->path);
	char *bytes = NULL;
	os_facts facts;
	uint64_t skipped;
	int64_t got, at;

	if (file < 0)
		return errno == ENOENT ? BRISE_OK
		                       : error_errno(err, "%s: cannot be opened", h->path);
	if (!os_examine_open(file, &facts) || facts.kind != OS_FILE) {
		status = error_set(err, BRISE_EIO, "%s: expected a file", h->path);
		goto done;
	}
	skipped = facts.bytes > FILE_MAX_BYTES ? facts.bytes - FILE_MAX_BYTES : 0;
	bytes = memory_new(FILE_MAX_BYTES, 1);
	got = bytes ? os_read_at(file, bytes, FILE_MAX_BYTES, skipped) : -1;
	if (got < 0) {
		status = error_errno(err, "%s: cannot be read", h->path);
		goto done;
	}
	remove_all(h);
	for (at = 0; skipped > 0 && at < got && bytes[at] != '\n'; at++) {
	}
	if (!take_lines(h, bytes + at, (size_t)(got - at)))
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for the entries", h->path);
done:
	memory_free(bytes);
	(void)os_close(file);
	return status;
}

/* The entries as a file's contents, from memory_new. */
static char *compose_file(const history *h, size_t *n)
{
	char *bytes = memory_new(2 * h->bytes + h->n + 1, 1);
	size_t i;

	*n = 0;
	for (i = 0; bytes && i < h->n; i++)
		*n += escape(h->entries[i].text, h->entries[i].n, bytes + *n);
	return bytes;
}

/* Written beside its place and renamed. */
static brise_status write_file(const history *h, brise_error *err)
{
	size_t room = strlen(h->path) + 32, n;
	brise_status status = BRISE_OK;
	char *part = memory_new(room, 1), *bytes = compose_file(h, &n);
	int file = -1;
	bool written;

	if (!part || !bytes) {
		status = error_set(err, BRISE_ENOMEM, "%s: no memory to write it", h->path);
		goto done;
	}
	(void)snprintf(part, room, "%s.%ld", h->path, os_process());
	(void)os_remove(part); /* of a process that was killed */
	file = os_create(part, 0600);
	if (file < 0) {
		status = error_errno(err, "%s: cannot be made", part);
		goto done;
	}
	written = os_write_at(file, bytes, n, 0);
	if (!os_close(file) || !written || !os_rename(part, h->path)) {
		status = error_errno(err, "%s: cannot be written", h->path);
		(void)os_remove(part);
	}
done:
	memory_free(bytes);
	memory_free(part);
	return status;
}

/* ---- all ------------------------------------------------------------------------------------ */

brise_status history_open(history *h, const char *path, brise_error *err)
{
	memset(h, 0, sizeof *h);
	if (!path)
		return BRISE_OK;
	h->path = os_resolve(path); /* a link stays */
	if (!h->path)
		h->path = memory_copy_text(path);
	if (!h->path)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for its name", path);
	return read_file(h, err);
}

static bool is_kept(const char *text, size_t n)
{
	return n > 0 && text[0] != ' ' && utf8_count_spaces((const uint8_t *)text, n) < n;
}

brise_status history_add(history *h, const char *text, size_t n, brise_error *err)
{
	brise_status status = BRISE_OK;

	if (!is_kept(text, n))
		return BRISE_OK;
	if (h->path)
		status = read_file(h, err); /* what others added */
	if (!append(h, text, n))
		return error_set(err, BRISE_ENOMEM, "no memory for the history");
	return status == BRISE_OK && h->path ? write_file(h, err) : status;
}

brise_status history_clear(history *h, brise_error *err)
{
	remove_all(h);
	return h->path ? write_file(h, err) : BRISE_OK;
}

void history_free(history *h)
{
	remove_all(h);
	memory_free(h->path);
	memset(h, 0, sizeof *h);
}
