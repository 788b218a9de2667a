/* torch_zip.c - a zip directory (PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3) and the tensors its
 * pickle names
 *
 * torch.save stores "<prefix>/data.pkl", one member "<prefix>/data/<key>" per storage and, lately,
 * "<prefix>/byteorder"; all uncompressed, so a tensor is a range of the file. The directory is at
 * the end; where sizes do not fit 32 bits, in the form called zip64. Only the last end record of
 * the directory is used: an archive whose comment holds another one is refused rather than read in
 * two ways.
 */
#include "convert/formats/torch_zip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/elements.h"
#include "convert/formats/files.h"
#include "convert/formats/pickle.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define END_BYTES       22u
#define END_MAGIC       0x06054b50u
#define LOCATOR64_BYTES 20u
#define LOCATOR64_MAGIC 0x07064b50u
#define END64_BYTES     56u
#define END64_MAGIC     0x06064b50u
#define ENTRY_BYTES     46u
#define ENTRY_MAGIC     0x02014b50u
#define LOCAL_BYTES     30u
#define LOCAL_MAGIC     0x04034b50u
#define COMMENT_MAX     65535u
#define EXTRA_ZIP64     1u
#define FLAG_ENCRYPTED  1u
#define DIRECTORY_MAX   ((uint64_t)64 << 20) /* a 7B checkpoint's has 30 kB */
#define PICKLE_MAX      ((uint64_t)64 << 20) /* and its pickle 40 kB */

typedef struct member {
	const char *path; /* in the directory's bytes, not terminated */
	size_t length;
	uint64_t header, bytes;
	unsigned method, flags;
} member;

typedef struct archive {
	int descriptor;
	uint64_t file_bytes;
	const char *name;
	brise_error *err;
	uint8_t *directory;
	uint64_t directory_at, directory_bytes, n_expected;
	member *members; /* [n], sorted by path */
	size_t n;
} archive;

static uint64_t number_at(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | p[bytes];
	return value;
}

static brise_status damaged(const archive *a, const char *what, uint64_t at)
{
	return error_set(a->err, BRISE_EFORMAT, "%s: zip archive, byte %" PRIu64 ": %s", a->name,
	                 at, what);
}

/* The zip64 record of the end, if there is one, overrides. */
static brise_status read_end64(archive *a, uint64_t end_at)
{
	uint8_t locator[LOCATOR64_BYTES], end[END64_BYTES];
	brise_status status;
	uint64_t at;

	if (end_at < LOCATOR64_BYTES)
		return BRISE_OK;
	if ((status = files_read_at(a->descriptor, locator, sizeof locator,
	                            end_at - LOCATOR64_BYTES, a->name, a->err)) != BRISE_OK)
		return status;
	if (number_at(locator, 4) != LOCATOR64_MAGIC)
		return BRISE_OK;
	at = number_at(locator + 8, 8);
	if (!checked_inside(at, END64_BYTES, end_at))
		return damaged(a, "the zip64 end lies outside the file", end_at - LOCATOR64_BYTES);
	if ((status = files_read_at(a->descriptor, end, sizeof end, at, a->name, a->err)) !=
	    BRISE_OK)
		return status;
	if (number_at(end, 4) != END64_MAGIC)
		return damaged(a, "no zip64 end of the directory", at);
	a->n_expected = number_at(end + 32, 8);
	a->directory_bytes = number_at(end + 40, 8);
	a->directory_at = number_at(end + 48, 8);
	return BRISE_OK;
}

static brise_status find_directory(archive *a)
{
	uint64_t tail_bytes = a->file_bytes < END_BYTES + COMMENT_MAX ? a->file_bytes
	                                                              : END_BYTES + COMMENT_MAX,
	         tail_at = a->file_bytes - tail_bytes, i;
	uint8_t *tail = memory_new((size_t)tail_bytes + 1, 1), *end = NULL;
	brise_status status;

	if (!tail)
		return error_set(a->err, BRISE_ENOMEM, "%s: no memory for the end of the archive",
		                 a->name);
	status = files_read_at(a->descriptor, tail, (size_t)tail_bytes, tail_at, a->name, a->err);
	for (i = tail_bytes; status == BRISE_OK && !end && i >= END_BYTES; i--)
		if (number_at(tail + i - END_BYTES, 4) == END_MAGIC)
			end = tail + i - END_BYTES;
	if (status == BRISE_OK && !end)
		status = error_set(a->err, BRISE_EFORMAT,
		                   "%s: no zip archive (cut off, or saved by torch before 1.6)",
		                   a->name);
	if (status == BRISE_OK) {
		uint64_t end_at = tail_at + (uint64_t)(end - tail);

		a->n_expected = number_at(end + 10, 2);
		a->directory_bytes = number_at(end + 12, 4);
		a->directory_at = number_at(end + 16, 4);
		if (end_at + END_BYTES + number_at(end + 20, 2) != a->file_bytes)
			status = damaged(a, "bytes after the end of the archive", end_at);
		else
			status = read_end64(a, end_at);
	}
	memory_free(tail);
	return status;
}

/* Sizes of all ones stand for 64-bit ones in an extra field, in the order size, compressed size,
 * offset. */
static bool widen(member *m, uint64_t *stored, const uint8_t *extra, size_t bytes)
{
	bool wants[3] = { m->bytes == UINT32_MAX, *stored == UINT32_MAX, m->header == UINT32_MAX };
	uint64_t *targets[3];
	size_t at = 0, i;

	targets[0] = &m->bytes;
	targets[1] = stored;
	targets[2] = &m->header;
	while (bytes - at >= 4) {
		size_t kind = (size_t)number_at(extra + at, 2),
		       size = (size_t)number_at(extra + at + 2, 2);

		if (size > bytes - at - 4)
			return false;
		if (kind == EXTRA_ZIP64) {
			size_t from = at + 4, end = from + size;

			for (i = 0; i < 3; i++) {
				if (!wants[i])
					continue;
				if (end - from < 8)
					return false;
				*targets[i] = number_at(extra + from, 8);
				wants[i] = false;
				from += 8;
			}
		}
		at += 4 + size;
	}
	return !wants[0] && !wants[1] && !wants[2];
}

static int compare_members(const void *a, const void *b)
{
	const member *x = a, *y = b;
	int order = memcmp(x->path, y->path, x->length < y->length ? x->length : y->length);

	return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* One entry of the directory at *at, which moves past it. */
static brise_status read_entry(archive *a, uint64_t *at, member *m)
{
	const uint8_t *e = a->directory + *at;
	uint64_t left = a->directory_bytes - *at, place = a->directory_at + *at, stored;
	size_t extra, comment;

	if (left < ENTRY_BYTES || number_at(e, 4) != ENTRY_MAGIC)
		return damaged(a, "no entry of the directory", place);
	m->flags = (unsigned)number_at(e + 8, 2);
	m->method = (unsigned)number_at(e + 10, 2);
	stored = number_at(e + 20, 4);
	m->bytes = number_at(e + 24, 4);
	m->length = (size_t)number_at(e + 28, 2);
	extra = (size_t)number_at(e + 30, 2);
	comment = (size_t)number_at(e + 32, 2);
	m->header = number_at(e + 42, 4);
	m->path = (const char *)e + ENTRY_BYTES;
	if (left - ENTRY_BYTES < m->length + extra + comment)
		return damaged(a, "an entry longer than the directory", place);
	if (!widen(m, &stored, e + ENTRY_BYTES + m->length, extra))
		return damaged(a, "an entry whose zip64 sizes are missing", place);
	if (m->method == 0 && stored != m->bytes)
		return damaged(a, "a stored member with two sizes", place);
	*at += ENTRY_BYTES + m->length + extra + comment;
	return BRISE_OK;
}

static brise_status read_directory(archive *a)
{
	brise_status status = find_directory(a);
	uint64_t at = 0;
	size_t i;

	if (status != BRISE_OK)
		return status;
	if (!checked_inside(a->directory_at, a->directory_bytes, a->file_bytes) ||
	    a->directory_bytes > DIRECTORY_MAX || a->n_expected > a->directory_bytes / ENTRY_BYTES)
		return damaged(a, "the directory lies outside the file", a->directory_at);
	a->directory = memory_new((size_t)a->directory_bytes + 1, 1);
	a->members = memory_new((size_t)a->n_expected + 1, sizeof *a->members);
	if (!a->directory || !a->members)
		return error_set(a->err, BRISE_ENOMEM,
		                 "%s: no memory for a directory of %" PRIu64 " bytes", a->name,
		                 a->directory_bytes);
	status = files_read_at(a->descriptor, a->directory, (size_t)a->directory_bytes,
	                       a->directory_at, a->name, a->err);
	for (; status == BRISE_OK && a->n < a->n_expected; a->n++)
		status = read_entry(a, &at, &a->members[a->n]);
	if (status != BRISE_OK)
		return status;
	if (a->n > 1)
		qsort(a->members, a->n, sizeof *a->members, compare_members);
	for (i = 1; i < a->n; i++)
		if (compare_members(&a->members[i - 1], &a->members[i]) == 0)
			return error_set(a->err, BRISE_EFORMAT, "%s: member %.*s appears twice",
			                 a->name, (int)a->members[i].length, a->members[i].path);
	return BRISE_OK;
}

static const member *find_member(const archive *a, const char *path)
{
	member wanted = { .path = path, .length = strlen(path) };

	return a->n ? bsearch(&wanted, a->members, a->n, sizeof *a->members, compare_members)
	            : NULL;
}

/* Where a member's bytes begin: after its local header, whose extra field may be longer than the
 * directory's. */
static brise_status locate(const archive *a, const member *m, uint64_t *offset)
{
	uint8_t local[LOCAL_BYTES];
	brise_status status;

	if (m->method != 0 || m->flags & FLAG_ENCRYPTED)
		return error_set(
		        a->err, BRISE_EUNSUPPORTED,
		        "%s: member %.*s is compressed or encrypted; torch.save stores plainly",
		        a->name, (int)m->length, m->path);
	if (!checked_inside(m->header, LOCAL_BYTES, a->directory_at))
		return damaged(a, "a member that lies outside the file", m->header);
	if ((status = files_read_at(a->descriptor, local, sizeof local, m->header, a->name,
	                            a->err)) != BRISE_OK)
		return status;
	*offset = m->header + LOCAL_BYTES + number_at(local + 26, 2) + number_at(local + 28, 2);
	if (number_at(local, 4) != LOCAL_MAGIC ||
	    !checked_inside(*offset, m->bytes, a->directory_at))
		return damaged(a, "a member that lies outside the file", m->header);
	return BRISE_OK;
}

/* The one member "<prefix>/data.pkl"; the prefix goes to `prefix`. */
static brise_status find_pickle(const archive *a, char prefix[256], const member **pickle)
{
	static const char tail[] = "/data.pkl";
	size_t i, tail_length = sizeof tail - 1;

	*pickle = NULL;
	for (i = 0; i < a->n; i++) {
		const member *m = &a->members[i];

		if (m->length <= tail_length ||
		    memcmp(m->path + m->length - tail_length, tail, tail_length) != 0 ||
		    memchr(m->path, '/', m->length - tail_length) || memchr(m->path, 0, m->length))
			continue;
		if (*pickle || m->length - tail_length >= 256)
			return error_set(a->err, BRISE_EFORMAT,
			                 "%s: more than one data.pkl, or one with an endless name",
			                 a->name);
		*pickle = m;
		memcpy(prefix, m->path, m->length - tail_length);
		prefix[m->length - tail_length] = 0;
	}
	return *pickle ? BRISE_OK
	               : error_set(a->err, BRISE_EFORMAT,
	                           "%s: a zip archive without data.pkl: not saved by torch",
	                           a->name);
}

static brise_status check_byte_order(const archive *a, const char *prefix)
{
	char path[288], order[7] = "";
	const member *m;
	brise_status status;
	uint64_t offset;

	(void)snprintf(path, sizeof path, "%s/byteorder", prefix);
	/* files of older versions are little-endian on all usual machines */
	if (!(m = find_member(a, path)))
		return BRISE_OK;
	if ((status = locate(a, m, &offset)) != BRISE_OK)
		return status;
	if (m->bytes == 6 &&
	    (status = files_read_at(a->descriptor, order, 6, offset, a->name, a->err)) != BRISE_OK)
		return status;
	return strcmp(order, "little") == 0 ? BRISE_OK
	                                    : error_set(a->err, BRISE_EUNSUPPORTED,
	                                                "%s: byteorder is not little", a->name);
}

/* The tensor's range in the file, inside its storage's member. */
static brise_status place_tensor(const archive *a, const char *prefix, const pickle_tensor *from,
                                 named_tensor *t)
{
	uint64_t first, storage;
	brise_status status;
	const member *m;
	char path[360];

	(void)snprintf(path, sizeof path, "%s/data/%s", prefix, from->key);
	if (!(m = find_member(a, path)))
		return error_set(a->err, BRISE_EFORMAT, "%s: tensor %s: no member %s", a->name,
		                 from->name, path);
	if ((status = locate(a, m, &storage)) != BRISE_OK)
		return status;
	t->dtype = from->dtype;
	t->n_dims = from->n_dims;
	memcpy(t->shape, from->shape, sizeof t->shape);
	if (!elements_measure(from->dtype, from->first, &first) || !tensors_size(t, &t->bytes) ||
	    !checked_inside(first, t->bytes, m->bytes))
		return error_set(a->err, BRISE_EFORMAT,
		                 "%s: tensor %s reaches out of its member %s of %" PRIu64 " bytes",
		                 a->name, from->name, path, m->bytes);
	t->offset = storage + first;
	return BRISE_OK;
}

static brise_status add_tensors(archive *a, const char *prefix, const member *pickle, uint32_t file,
                                tensor_list *list)
{
	pickle_tensor *tensors = NULL;
	uint8_t *bytes = NULL;
	brise_status status;
	uint64_t offset;
	size_t n = 0, i;

	if ((status = locate(a, pickle, &offset)) != BRISE_OK)
		return status;
	if (pickle->bytes > PICKLE_MAX)
		return damaged(a, "a pickle of more than 64 MB", pickle->header);
	if (!(bytes = memory_new((size_t)pickle->bytes + 1, 1)))
		return error_set(a->err, BRISE_ENOMEM,
		                 "%s: no memory for a pickle of %" PRIu64 " bytes", a->name,
		                 pickle->bytes);
	status =
	        files_read_at(a->descriptor, bytes, (size_t)pickle->bytes, offset, a->name, a->err);
	if (status == BRISE_OK)
		status = pickle_read(&tensors, &n, bytes, (size_t)pickle->bytes, a->name, a->err);
	for (i = 0; i < n && status == BRISE_OK; i++) {
		named_tensor t = { .file = file };

		if ((status = place_tensor(a, prefix, &tensors[i], &t)) != BRISE_OK)
			break;
		t.name = tensors[i].name;
		tensors[i].name = NULL; /* the list's now */
		status = tensors_add(list, &t, a->name, a->err);
	}
	pickle_free(tensors, n);
	memory_free(bytes);
	return status;
}

brise_status torch_zip_read(int descriptor, uint64_t file_bytes, const char *name, uint32_t file,
                            tensor_list *list, brise_error *err)
{
	archive a = {
		.descriptor = descriptor, .file_bytes = file_bytes, .name = name, .err = err
	};
	const member *pickle = NULL;
	brise_status status;
	char prefix[256];

	status = read_directory(&a);
	if (status == BRISE_OK)
		status = find_pickle(&a, prefix, &pickle);
	if (status == BRISE_OK)
		status = check_byte_order(&a, prefix);
	if (status == BRISE_OK)
		status = add_tensors(&a, prefix, pickle, file, list);
	memory_free(a.directory);
	memory_free(a.members);
	return status;
}
