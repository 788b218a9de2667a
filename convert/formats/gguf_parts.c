/* gguf_parts.c - finds the files of a model that was cut (llama.cpp's llama-gguf-split)
 *
 * Parts are named -%05d-of-%05d.gguf, counted from 1. Each holds whole tensors and says split.no
 * (from 0) and split.count; the first has the metadata of the model. The name finds the other
 * parts, and their metadata must agree: a renamed part is refused rather than used in the wrong
 * place.
 */
#include "convert/formats/gguf_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/formats/gguf.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define TAIL       "-00001-of-00001.gguf"
#define TAIL_BYTES (sizeof TAIL - 1)

bool gguf_is_file(const char *path)
{
	size_t n = strlen(path);
	contents found;

	return files_look(&found, path, NULL) == BRISE_OK &&
	       (found == CONTENTS_GGUF || (n > 5 && !strcmp(path + n - 5, ".gguf")));
}

static bool read_five_digits(const char *text, size_t *number)
{
	size_t i;

	for (*number = 0, i = 0; i < 5; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*number = *number * 10 + (size_t)(text[i] - '0');
	}
	return true;
}

/* Part (from 1) and number of parts, if the name says so. */
static bool parse_name(const char *path, size_t *part, size_t *n)
{
	size_t length = strlen(path);
	const char *tail = path + length - TAIL_BYTES;

	return length > TAIL_BYTES && tail[0] == '-' && read_five_digits(tail + 1, part) &&
	       !memcmp(tail + 6, "-of-", 4) && read_five_digits(tail + 10, n) &&
	       !strcmp(tail + 15, ".gguf");
}

/* The five digits of `part`, from 0, in a name that parse_name knows. */
static void write_part(char *path, size_t part)
{
	char *tail = path + strlen(path) - TAIL_BYTES;
	size_t k = part + 1, i;

	for (i = 5; i > 0; i--, k /= 10)
		tail[i] = (char)('0' + k % 10);
}

void gguf_name_first_part(char *name)
{
	size_t part, n;

	if (parse_name(name, &part, &n))
		write_part(name, 0);
}

static brise_status add_part(char **paths, const char *path, size_t part, size_t n,
                             brise_error *err)
{
	size_t bytes = strlen(path) + 1;
	os_facts facts;
	char *copy = paths[part] = memory_new(bytes, 1);

	if (!copy)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for its parts' names", path);
	memcpy(copy, path, bytes);
	if (n > 1)
		write_part(copy, part);
	if (n > 1 && !os_examine(copy, &facts))
		return error_set(err, BRISE_EIO, "%s: part %zu of %zu is missing", copy, part + 1,
		                 n);
	return BRISE_OK;
}

brise_status gguf_list_parts(const char *path, char ***paths, size_t *n, brise_error *err)
{
	size_t part, total, i;
	brise_status status = BRISE_OK;

	*paths = NULL;
	*n = 0;
	if (!parse_name(path, &part, &total))
		part = total = 1;
	if (part == 0 || part > total)
		return error_set(err, BRISE_EFORMAT, "%s: named part %zu of %zu", path, part,
		                 total);
	*paths = memory_new(total, sizeof **paths);
	if (!*paths)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the names of %zu parts",
		                 path, total);
	*n = total;
	for (i = 0; i < total && status == BRISE_OK; i++)
		status = add_part(*paths, path, i, total, err);
	return status;
}

void gguf_free_parts(char **paths, size_t n)
{
	size_t i;

	for (i = 0; paths && i < n; i++)
		memory_free(paths[i]);
	memory_free(paths);
}

static brise_status read_count(const gguf_header *h, const char *key, int64_t *value,
                               const char *name, brise_error *err)
{
	const gguf_value *v = gguf_find(h, key);

	if (v && (v->is_array || !gguf_get_integer(h, v, 0, value) || *value < 0))
		return error_set(err, BRISE_EFORMAT, "%s: %s is not a number of parts or tensors",
		                 name, key);
	return BRISE_OK;
}

brise_status gguf_check_part(const gguf_header *h, size_t part, size_t n, const char *name,
                             brise_error *err)
{
	int64_t number = 0, count = 0;
	brise_status status;

	if ((status = read_count(h, "split.no", &number, name, err)) != BRISE_OK ||
	    (status = read_count(h, "split.count", &count, name, err)) != BRISE_OK)
		return status;
	if (n == 1 && count <= 1)
		return BRISE_OK;
	if (n == 1)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: part %" PRId64 " of %" PRId64
		                 ", but its name does not end with -%05" PRId64 "-of-%05" PRId64
		                 ".gguf, so that the others cannot be found",
		                 name, number + 1, count, number + 1, count);
	if (count != (int64_t)n || number != (int64_t)part)
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: named part %zu of %zu, but split.no and split.count say part %" PRId64
		        " of %" PRId64,
		        name, part + 1, n, number + 1, count);
	return BRISE_OK;
}

brise_status gguf_check_total(const gguf_header *h, size_t n_tensors, const char *name,
                              brise_error *err)
{
	int64_t total = (int64_t)n_tensors;
	brise_status status = read_count(h, "split.tensors.count", &total, name, err);

	if (status == BRISE_OK && total != (int64_t)n_tensors)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: split.tensors.count is %" PRId64
		                 ", all parts hold %zu tensors",
		                 name, total, n_tensors);
	return status;
}
