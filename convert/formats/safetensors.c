/* safetensors.c - the header of a safetensors file
 *
 * Format: 8 bytes little-endian length N, N bytes of JSON {"name": {"dtype", "shape",
 * "data_offsets": [begin, end]}, "__metadata__": {...}}, then data; offsets count from the data's
 * start, and the reference reader allows headers of up to 100 MB.
 */
#include "convert/formats/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/files.h"
#include "runtime/text/json.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define HEADER_MAX      100000000u
#define TENSOR_NAME_MAX 512u

static bool read_shape(json_reader *r, named_tensor *t)
{
	if (!json_enter_array(r))
		return false;
	while (json_next_element(r)) {
		int64_t size;

		if (!json_read_integer(r, &size))
			return false;
		if (size < 0)
			return json_refuse(r, BRISE_EFORMAT, "a negative dimension");
		if (t->n_dims < 4)
			t->shape[t->n_dims] = (uint64_t)size;
		else if (size == 1)
			continue; /* changes neither size nor order */
		t->n_dims += t->n_dims < 5;
	}
	return r->status == BRISE_OK;
}

/* [begin, end) from the start of the data, which is at `base`. */
static bool read_offsets(json_reader *r, named_tensor *t, uint64_t base, uint64_t file_bytes)
{
	int64_t range[2] = { -1, -1 };
	int n = 0;

	if (!json_enter_array(r))
		return false;
	while (json_next_element(r))
		if (n == 2 || !json_read_integer(r, &range[n++]))
			return json_refuse(r, BRISE_EFORMAT, "two offsets expected");
	if (r->status != BRISE_OK)
		return false;
	if (n != 2 || range[0] < 0 || range[1] < range[0] ||
	    !checked_inside((uint64_t)range[0], (uint64_t)(range[1] - range[0]), file_bytes - base))
		return json_refuse(r, BRISE_EFORMAT,
		                   "data_offsets lie outside the file (cut off?)");
	t->offset = base + (uint64_t)range[0];
	t->bytes = (uint64_t)(range[1] - range[0]);
	return true;
}

static uint32_t dtype_of(const char *name)
{
	return !strcmp(name, "F16")       ? ELEMENTS_F16
	       : !strcmp(name, "BF16")    ? ELEMENTS_BF16
	       : !strcmp(name, "F32")     ? ELEMENTS_F32
	       : !strcmp(name, "F8_E4M3") ? ELEMENTS_F8_E4M3
	                                  : 0;
}

static bool read_tensor(json_reader *r, named_tensor *t, uint64_t base, uint64_t file_bytes)
{
	unsigned seen = 0;
	char key[32], dtype[32];
	uint64_t bytes;

	if (!json_enter_object(r))
		return false;
	while (json_next_key(r, key, sizeof key)) {
		unsigned bit = !strcmp(key, "dtype")          ? 1
		               : !strcmp(key, "shape")        ? 2
		               : !strcmp(key, "data_offsets") ? 4
		                                              : 8;

		if (bit == 8 || seen & bit)
			return json_refuse(r, BRISE_EFORMAT,
			                   "dtype, shape and data_offsets expected, once each");
		seen |= bit;
		if (bit == 1 && json_read_name(r, dtype, sizeof dtype))
			t->dtype = dtype_of(dtype);
		else if (bit == 2)
			(void)read_shape(r, t);
		else if (bit == 4)
			(void)read_offsets(r, t, base, file_bytes);
	}
	if (r->status == BRISE_OK && seen != 7)
		return json_refuse(r, BRISE_EFORMAT,
		                   "dtype, shape and data_offsets expected, once each");
	if (r->status == BRISE_OK && t->dtype && t->n_dims <= 4 &&
	    (!tensors_size(t, &bytes) || bytes != t->bytes))
		return json_refuse(r, BRISE_EFORMAT, "data_offsets do not fit dtype and shape");
	return r->status == BRISE_OK;
}

brise_status safetensors_parse(const char *json, size_t size, uint64_t file_bytes, const char *name,
                               uint32_t file, tensor_list *list, brise_error *err)
{
	uint64_t base = 8 + (uint64_t)size;
	size_t before = list->n;
	char key[TENSOR_NAME_MAX];
	brise_status status;
	json_reader r;

	if (base > file_bytes)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: header of %zu bytes in a file of %" PRIu64, name, size,
		                 file_bytes);
	json_begin(&r, json, size, name, err);
	json_enter_object(&r);
	while (r.status == BRISE_OK && json_next_key(&r, key, sizeof key)) {
		named_tensor t = { .file = file };

		if (!strcmp(key, "__metadata__")) {
			json_skip(&r);
			continue;
		}
		if (!read_tensor(&r, &t, base, file_bytes))
			break;
		t.name = memory_new(strlen(key) + 1, 1);
		if (!t.name)
			return error_set(err, BRISE_ENOMEM, "%s: no memory for a name", name);
		strcpy(t.name, key);
		if ((status = tensors_add(list, &t, name, err)) != BRISE_OK)
			return status;
	}
	status = json_end(&r);
	if (status != BRISE_OK || list->n == before) /* an empty list has no items to point to */
		return status;
	return tensors_check_overlaps(list->items + before, list->n - before, name, err);
}

brise_status safetensors_read(int descriptor, uint64_t file_bytes, const char *name, uint32_t file,
                              tensor_list *list, brise_error *err)
{
	brise_status status;
	uint64_t length = 0;
	uint8_t prefix[8];
	char *json;
	int i;

	if (file_bytes < 10)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: %" PRIu64 " bytes are too few for a safetensors file", name,
		                 file_bytes);
	if ((status = files_read_at(descriptor, prefix, sizeof prefix, 0, name, err)) != BRISE_OK)
		return status;
	for (i = 7; i >= 0; i--)
		length = length << 8 | prefix[i];
	if (length > HEADER_MAX || length > file_bytes - 8)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: bytes 0..7: a header of %" PRIu64
		                 " bytes in a file of %" PRIu64 " (cut off, or not safetensors)",
		                 name, length, file_bytes);
	json = memory_new((size_t)length + 1, 1);
	if (!json)
		return error_set(err, BRISE_ENOMEM,
		                 "%s: no memory for a header of %" PRIu64 " bytes", name, length);
	status = files_read_at(descriptor, json, (size_t)length, 8, name, err);
	if (status == BRISE_OK)
		status = safetensors_parse(json, (size_t)length, file_bytes, name, file, list, err);
	memory_free(json);
	return status;
}
