/* gguf_reader.c - see gguf.h for the format and gguf_reader.h for what is refused
 *
 * A header states the numbers of everything that follows, which are not trusted before the bytes
 * are read: the cursor reads the file in growing pieces as it needs them, and every count is first
 * compared with the bytes left in the file.
 */
#include "convert/formats/gguf_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/elements.h"
#include "convert/formats/files.h"
#include "convert/formats/gguf.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define FIRST_READ ((size_t)1 << 20) /* holds the header of most files */
/* Mistral's take 1 to 12 MB, nearly all of it vocabulary and merges */
#define HEADER_MAX    ((uint64_t)1 << 28)
#define ALIGNMENT_MAX ((int64_t)1 << 30)
#define KEY_MAX       65535u
#define PAIRS_MAX     (1u << 16) /* real files have some dozens */
#define PAIR_MIN      14u        /* bytes: length, one character, type, one byte of value */
#define TENSOR_MIN    33u        /* length, one character, dimensions, one size, type, offset */

/* ggml's types by number. dtype 0: known by name, not decoded here. Where there is no name the
 * number was never used or is retired. */
static const struct {
	const char *name;
	elements_type dtype;
} ggml_types[] = {
	[GGML_F32] = { "F32", ELEMENTS_F32 },
	[GGML_F16] = { "F16", ELEMENTS_F16 },
	[GGML_Q4_0] = { "Q4_0", ELEMENTS_Q4_0 },
	[GGML_Q4_1] = { "Q4_1", ELEMENTS_Q4_1 },
	[4] = { "Q4_2 (retired)", 0 },
	[5] = { "Q4_3 (retired)", 0 },
	[GGML_Q5_0] = { "Q5_0", ELEMENTS_Q5_0 },
	[GGML_Q5_1] = { "Q5_1", ELEMENTS_Q5_1 },
	[GGML_Q8_0] = { "Q8_0", ELEMENTS_Q8_0 },
	[9] = { "Q8_1", 0 },
	[GGML_Q2_K] = { "Q2_K", ELEMENTS_Q2_K },
	[GGML_Q3_K] = { "Q3_K", ELEMENTS_Q3_K },
	[GGML_Q4_K] = { "Q4_K", ELEMENTS_Q4_K },
	[GGML_Q5_K] = { "Q5_K", ELEMENTS_Q5_K },
	[GGML_Q6_K] = { "Q6_K", ELEMENTS_Q6_K },
	[15] = { "Q8_K", 0 },
	[16] = { "IQ2_XXS", 0 },
	[17] = { "IQ2_XS", 0 },
	[18] = { "IQ3_XXS", 0 },
	[19] = { "IQ1_S", 0 },
	[GGML_IQ4_NL] = { "IQ4_NL", ELEMENTS_IQ4_NL },
	[21] = { "IQ3_S", 0 },
	[22] = { "IQ2_S", 0 },
	[GGML_IQ4_XS] = { "IQ4_XS", ELEMENTS_IQ4_XS },
	[24] = { "I8", 0 },
	[25] = { "I16", 0 },
	[26] = { "I32", 0 },
	[27] = { "I64", 0 },
	[28] = { "F64", 0 },
	[29] = { "IQ1_M", 0 },
	[GGML_BF16] = { "BF16", ELEMENTS_BF16 },
	[31] = { "Q4_0_4_4 (retired)", 0 },
	[32] = { "Q4_0_4_8 (retired)", 0 },
	[33] = { "Q4_0_8_8 (retired)", 0 },
	[34] = { "TQ1_0", 0 },
	[35] = { "TQ2_0", 0 },
	[36] = { "IQ4_NL_4_4 (retired)", 0 },
	[37] = { "IQ4_NL_4_8 (retired)", 0 },
	[38] = { "IQ4_NL_8_8 (retired)", 0 },
	[39] = { "MXFP4", 0 },
	[40] = { "NVFP4", 0 },
	[41] = { "Q1_0", 0 },
	[42] = { "Q2_0", 0 },
};

typedef struct cursor {
	gguf_header *h;
	size_t at;           /* of the next byte to read */
	int descriptor;      /* -1: everything is there already */
	uint64_t file_bytes; /* of the whole file; h->n_bytes of it have been read */
	const char *name;
	uint32_t file;
	size_t room; /* of h->values */
	brise_error *err;
} cursor;

/* ---- bytes ---------------------------------------------------------------------------------- */

static brise_status read_more(cursor *c, size_t wanted)
{
	gguf_header *h = c->h;
	size_t n = h->n_bytes ? 2 * h->n_bytes : FIRST_READ;
	uint8_t *grown;
	brise_status status;

	n = n < wanted ? wanted : n;
	n = n > c->file_bytes ? (size_t)c->file_bytes : n;
	grown = memory_resize(h->bytes, n, 1);
	if (!grown)
		return error_set(c->err, BRISE_ENOMEM, "%s: no memory for a header of %zu bytes",
		                 c->name, n);
	h->bytes = grown;
	status = files_read_at(c->descriptor, grown + h->n_bytes, n - h->n_bytes, h->n_bytes,
	                       c->name, c->err);
	if (status == BRISE_OK)
		h->n_bytes = n;
	return status;
}

/* Makes sure that n bytes from the cursor on have been read. */
static brise_status need(cursor *c, uint64_t n, const char *what)
{
	if (!checked_inside(c->at, n, c->file_bytes))
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: byte %zu: %s runs past the end of the file of %" PRIu64
		                 " bytes (cut off, or not GGUF)",
		                 c->name, c->at, what, c->file_bytes);
	if (!checked_inside(c->at, n, HEADER_MAX))
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: byte %zu: a header of more than %" PRIu64
		                 " MB is not supported",
		                 c->name, c->at, HEADER_MAX >> 20);
	return c->at + n <= c->h->n_bytes ? BRISE_OK : read_more(c, c->at + (size_t)n);
}

static brise_status take(cursor *c, unsigned width, const char *what, uint64_t *value)
{
	brise_status status = need(c, width, what);

	if (status != BRISE_OK)
		return status;
	*value = gguf_load(c->h->bytes + c->at, width);
	c->at += width;
	return BRISE_OK;
}

/* Skips a string; the cursor is then after it. */
static brise_status take_string(cursor *c, const char *what, size_t *begin, uint64_t *n)
{
	brise_status status = take(c, 8, what, n);

	if (status != BRISE_OK || (status = need(c, *n, what)) != BRISE_OK)
		return status;
	*begin = c->at;
	c->at += (size_t)*n;
	return BRISE_OK;
}

/* A key or a tensor's name, from memory_new, with a NUL. The format wants ASCII; so names can
 * be printed as they are. */
static brise_status take_name(cursor *c, const char *what, uint64_t most, char **name)
{
	size_t begin, i;
	uint64_t n;
	brise_status status = take_string(c, what, &begin, &n);
	const uint8_t *text;

	if (status != BRISE_OK)
		return status;
	text = c->h->bytes + begin;
	if (n == 0 || n > most)
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: byte %zu: %s of %" PRIu64
		                 " characters, expected 1 to %" PRIu64,
		                 c->name, begin, what, n, most);
	for (i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return error_set(c->err, BRISE_EFORMAT,
			                 "%s: byte %zu: %s is not printable ASCII", c->name,
			                 begin + i, what);
	*name = memory_new((size_t)n + 1, 1);
	if (!*name)
		return error_set(c->err, BRISE_ENOMEM, "%s: no memory for a name", c->name);
	memcpy(*name, text, (size_t)n);
	(*name)[n] = 0;
	return BRISE_OK;
}

/* ---- metadata ------------------------------------------------------------------------------- */

static brise_status check_bools(const cursor *c, const gguf_value *v)
{
	uint64_t i;

	for (i = 0; i < v->n; i++)
		if (c->h->bytes[v->at + i] > 1)
			return error_set(c->err, BRISE_EFORMAT, "%s: %s: a boolean of value %u",
			                 c->name, v->key, c->h->bytes[v->at + i]);
	return BRISE_OK;
}

/* Skips v->n elements of v->type. */
static brise_status take_elements(cursor *c, gguf_value *v)
{
	uint64_t bytes, n, i;
	size_t begin;
	brise_status status = BRISE_OK;

	v->at = c->at;
	if (v->type == GGUF_STRING) {
		if (v->n > (c->file_bytes - c->at) / 8)
			return error_set(c->err, BRISE_EFORMAT,
			                 "%s: %s: %" PRIu64 " strings do not fit into the file",
			                 c->name, v->key, v->n);
		for (i = 0; i < v->n && status == BRISE_OK; i++)
			status = take_string(c, v->key, &begin, &n);
		return status;
	}
	if (!checked_mul(v->n, gguf_value_bytes[v->type], &bytes))
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: %s: %" PRIu64 " elements do not fit into the file", c->name,
		                 v->key, v->n);
	if ((status = need(c, bytes, v->key)) != BRISE_OK)
		return status;
	c->at += (size_t)bytes;
	return v->type == GGUF_BOOL ? check_bools(c, v) : BRISE_OK;
}

static brise_status take_type(cursor *c, const char *key, uint32_t *type)
{
	uint64_t number;
	brise_status status = take(c, 4, key, &number);

	if (status == BRISE_OK && number >= GGUF_VALUE_TYPES)
		return error_set(c->err, BRISE_EFORMAT, "%s: %s: values have no type %" PRIu64,
		                 c->name, key, number);
	*type = status == BRISE_OK ? (uint32_t)number : 0;
	return status;
}

static brise_status take_value(cursor *c, gguf_value *v)
{
	brise_status status = take_type(c, v->key, &v->type);

	v->n = 1;
	if (status != BRISE_OK)
		return status;
	if (v->type == GGUF_ARRAY) {
		v->is_array = true;
		if ((status = take_type(c, v->key, &v->type)) != BRISE_OK ||
		    (status = take(c, 8, v->key, &v->n)) != BRISE_OK)
			return status;
		if (v->type == GGUF_ARRAY)
			return error_set(c->err, BRISE_EUNSUPPORTED,
			                 "%s: %s: arrays of arrays are not supported", c->name,
			                 v->key);
	}
	return take_elements(c, v);
}

static brise_status take_pair(cursor *c)
{
	gguf_header *h = c->h;
	gguf_value v = { .key = NULL };
	brise_status status;

	if (h->n_values == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		gguf_value *grown = memory_resize(h->values, room, sizeof *grown);

		if (!grown)
			return error_set(c->err, BRISE_ENOMEM,
			                 "%s: no memory for %zu metadata values", c->name, room);
		h->values = grown;
		c->room = room;
	}
	if ((status = take_name(c, "a metadata key", KEY_MAX, &v.key)) == BRISE_OK)
		status = take_value(c, &v);
	h->values[h->n_values++] = v; /* freed with the rest, complete or not */
	return status;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const gguf_value *)a)->key, ((const gguf_value *)b)->key);
}

static brise_status take_pairs(cursor *c, uint64_t n)
{
	gguf_header *h = c->h;
	brise_status status = BRISE_OK;
	size_t i;

	for (; n > 0 && status == BRISE_OK; n--)
		status = take_pair(c);
	if (status != BRISE_OK)
		return status;
	if (h->n_values > 1)
		qsort(h->values, h->n_values, sizeof *h->values, compare_keys);
	for (i = 1; i < h->n_values; i++)
		if (!strcmp(h->values[i - 1].key, h->values[i].key))
			return error_set(c->err, BRISE_EFORMAT, "%s: metadata key %s appears twice",
			                 c->name, h->values[i].key);
	return BRISE_OK;
}

static brise_status find_alignment(const cursor *c, uint64_t *alignment)
{
	const gguf_value *v = gguf_find(c->h, "general.alignment");
	int64_t value = GGUF_ALIGNMENT;

	if (v && (v->is_array || !gguf_get_integer(c->h, v, 0, &value) || value <= 0 ||
	          value > ALIGNMENT_MAX || (value & (value - 1)) != 0))
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: general.alignment is not a power of two up to %" PRId64,
		                 c->name, ALIGNMENT_MAX);
	*alignment = (uint64_t)value;
	return BRISE_OK;
}

/* ---- tensors -------------------------------------------------------------------------------- */

static brise_status take_dimensions(cursor *c, named_tensor *t)
{
	uint64_t n, i;
	brise_status status = take(c, 4, t->name, &n);

	if (status != BRISE_OK)
		return status;
	if (n == 0 || n > GGUF_DIMS_MAX)
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: tensor %s: %" PRIu64 " dimensions, expected 1 to %u", c->name,
		                 t->name, n, GGUF_DIMS_MAX);
	t->n_dims = (uint32_t)n;
	for (i = n; i-- > 0;) { /* ne[0] is the contiguous dimension, which comes last in a shape */
		if ((status = take(c, 8, t->name, &t->shape[i])) != BRISE_OK)
			return status;
		if (t->shape[i] == 0)
			return error_set(c->err, BRISE_EFORMAT,
			                 "%s: tensor %s: dimension %" PRIu64 " is 0", c->name,
			                 t->name, n - 1 - i);
	}
	return BRISE_OK;
}

static brise_status take_element_type(cursor *c, named_tensor *t)
{
	uint64_t number, columns = t->shape[t->n_dims - 1];
	brise_status status = take(c, 4, t->name, &number);
	const char *type;

	if (status != BRISE_OK)
		return status;
	type = number < sizeof ggml_types / sizeof *ggml_types ? ggml_types[number].name : NULL;
	if (!type)
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: element type %" PRIu64 " is not known", c->name,
		                 t->name, number);
	t->dtype = ggml_types[number].dtype;
	if (t->dtype == 0)
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: element type %s is not supported", c->name,
		                 t->name, type);
	if (columns % elements_block(t->dtype) != 0)
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: tensor %s: rows of %" PRIu64
		                 " elements are no whole number of %s blocks of %" PRIu32,
		                 c->name, t->name, columns, type, elements_block(t->dtype));
	if (!tensors_size(t, &t->bytes))
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: tensor %s: more elements than any file holds", c->name,
		                 t->name);
	return BRISE_OK;
}

static brise_status take_tensor(cursor *c, tensor_list *list, uint64_t alignment)
{
	named_tensor t = { .file = c->file };
	brise_status status = take_name(c, "a tensor's name", GGUF_NAME_MAX, &t.name);

	if (status == BRISE_OK)
		status = take_dimensions(c, &t);
	if (status == BRISE_OK)
		status = take_element_type(c, &t);
	if (status == BRISE_OK)
		status = take(c, 8, t.name, &t.offset);
	if (status == BRISE_OK && t.offset % alignment != 0)
		status =
		        error_set(c->err, BRISE_EFORMAT,
		                  "%s: tensor %s: offset %" PRIu64 " is not a multiple of %" PRIu64,
		                  c->name, t.name, t.offset, alignment);
	if (status == BRISE_OK)
		return tensors_add(list, &t, c->name, c->err);
	memory_free(t.name);
	return status;
}

/* Offsets count from where the data starts, which is known after the last tensor. */
static brise_status place_data(const cursor *c, tensor_list *list, size_t first, uint64_t alignment)
{
	uint64_t data, room;
	size_t i;

	if (list->n == first)
		return BRISE_OK;
	if (!checked_round_up(c->at, alignment, &data) || data > c->file_bytes)
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: ends at byte %" PRIu64 ", before its tensors' data", c->name,
		                 c->file_bytes);
	room = c->file_bytes - data;
	for (i = first; i < list->n; i++) {
		named_tensor *t = &list->items[i];

		if (!checked_inside(t->offset, t->bytes, room))
			return error_set(c->err, BRISE_EFORMAT,
			                 "%s: tensor %s: bytes %" PRIu64 "..+%" PRIu64
			                 " of the data lie outside the file, which has %" PRIu64
			                 " of it (cut off?)",
			                 c->name, t->name, t->offset, t->bytes, room);
		t->offset += data;
	}
	return tensors_check_overlaps(list->items + first, list->n - first, c->name, c->err);
}

static brise_status take_tensors(cursor *c, tensor_list *list)
{
	size_t first = list->n;
	uint64_t alignment = GGUF_ALIGNMENT, i;
	brise_status status = find_alignment(c, &alignment);

	for (i = 0; i < c->h->n_tensors && status == BRISE_OK; i++)
		status = take_tensor(c, list, alignment);
	return status == BRISE_OK ? place_data(c, list, first, alignment) : status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static brise_status check_magic(const cursor *c, const uint8_t *magic, uint64_t version)
{
	uint64_t swapped = (version & 0xff) << 24 | (version & 0xff00) << 8 |
	                   (version >> 8 & 0xff00) | version >> 24;

	if (!memcmp(magic, "lmgg", 4) || !memcmp(magic, "fmgg", 4) || !memcmp(magic, "tjgg", 4))
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: a ggml file from before GGUF (2023): not supported", c->name);
	if (memcmp(magic, GGUF_MAGIC, 4) != 0)
		return error_set(c->err, BRISE_EFORMAT, "%s: bytes 0..3: not a GGUF file", c->name);
	if (version == 1)
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: GGUF version 1 (August 2023) is not supported; 2 and 3 are",
		                 c->name);
	if (version != 2 && version != GGUF_VERSION && swapped >= 1 && swapped <= GGUF_VERSION)
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: a big-endian GGUF file: not supported", c->name);
	if (version != 2 && version != GGUF_VERSION)
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: GGUF version %" PRIu64 " is not supported; 2 and 3 are",
		                 c->name, version);
	return BRISE_OK;
}

static brise_status read_header(cursor *c, tensor_list *list)
{
	uint64_t magic, version, pairs;
	brise_status status;

	if ((status = take(c, 4, "the magic", &magic)) != BRISE_OK ||
	    (status = take(c, 4, "the version", &version)) != BRISE_OK ||
	    (status = check_magic(c, c->h->bytes, version)) != BRISE_OK)
		return status;
	if ((status = take(c, 8, "the number of tensors", &c->h->n_tensors)) != BRISE_OK ||
	    (status = take(c, 8, "the number of metadata pairs", &pairs)) != BRISE_OK)
		return status;
	if (c->h->n_tensors > (c->file_bytes - c->at) / TENSOR_MIN ||
	    pairs > (c->file_bytes - c->at) / PAIR_MIN)
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: %" PRIu64 " tensors and %" PRIu64
		                 " metadata pairs do not fit into a file of %" PRIu64 " bytes",
		                 c->name, c->h->n_tensors, pairs, c->file_bytes);
	if (pairs > PAIRS_MAX)
		return error_set(c->err, BRISE_EUNSUPPORTED,
		                 "%s: %" PRIu64 " metadata pairs, at most %u are supported",
		                 c->name, pairs, PAIRS_MAX);
	status = take_pairs(c, pairs);
	return status == BRISE_OK ? take_tensors(c, list) : status;
}

brise_status gguf_read(gguf_header *h, int descriptor, uint64_t file_bytes, const char *name,
                       uint32_t file, tensor_list *list, brise_error *err)
{
	cursor c = { .h = h,
		     .descriptor = descriptor,
		     .file_bytes = file_bytes,
		     .name = name,
		     .file = file,
		     .err = err };

	*h = (gguf_header){ .bytes = NULL };
	return read_header(&c, list);
}

brise_status gguf_read_memory(gguf_header *h, const void *bytes, size_t n, const char *name,
                              uint32_t file, tensor_list *list, brise_error *err)
{
	cursor c = {
		.h = h, .descriptor = -1, .file_bytes = n, .name = name, .file = file, .err = err
	};

	*h = (gguf_header){ .bytes = memory_new(n, 1), .n_bytes = n };
	if (!h->bytes)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu bytes", name, n);
	if (n)
		memcpy(h->bytes, bytes, n);
	return read_header(&c, list);
}

void gguf_free(gguf_header *h)
{
	size_t i;

	for (i = 0; i < h->n_values; i++)
		memory_free(h->values[i].key);
	memory_free(h->values);
	memory_free(h->bytes);
	*h = (gguf_header){ .bytes = NULL };
}
