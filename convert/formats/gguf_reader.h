/* gguf_reader.h - the header of a GGUF file: metadata to ask for, tensors for a list */
#ifndef CONVERT_FORMATS_GGUF_READER_H
#define CONVERT_FORMATS_GGUF_READER_H

#include "convert/formats/tensors.h"

/* One metadata pair. The value lies in the header's bytes as in the file: little-endian,
 * unaligned. */
typedef struct gguf_value {
	char *key;
	/* enum gguf_value_type, never GGUF_ARRAY: of an array, that of its elements */
	uint32_t type;
	bool is_array;
	uint64_t n; /* elements; 1 unless an array */
	size_t at;  /* of the first element, in gguf_header.bytes */
} gguf_value;

typedef struct gguf_header {
	uint8_t *bytes; /* [n_bytes] the file's begin, the tensor table included */
	size_t n_bytes;
	gguf_value *values; /* [n_values] in ascending order of keys, none twice */
	size_t n_values;
	uint64_t n_tensors;
} gguf_header;

typedef struct gguf_text {
	const char *bytes; /* [n], not terminated */
	size_t n;
} gguf_text;

/* Reads the header of an open file of file_bytes, appending its tensors to *list with file index
 * `file`. name is for messages. Memory follows what was read. *h is to be freed with gguf_free,
 * after an error too.
 *
 * Refused: other versions than 2 and 3, big-endian files; whatever runs past the file's end;
 * element types that are not decoded, by name; rows that are no whole blocks; tensors that overlap;
 * keys and (by tensors_sort) names that appear twice.
 * Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status gguf_read(gguf_header *h, int descriptor, uint64_t file_bytes, const char *name,
                       uint32_t file, tensor_list *list, brise_error *err);

/* The same from a whole file in memory, of which h keeps a copy. */
brise_status gguf_read_memory(gguf_header *h, const void *bytes, size_t n, const char *name,
                              uint32_t file, tensor_list *list, brise_error *err);

void gguf_free(gguf_header *h);

/* NULL if there is none of that key. */
const gguf_value *gguf_find(const gguf_header *h, const char *key);

/* Element `index` of a value as ...; false if it has another type: any integer type that fits into
 * int64_t, any number, a boolean. */
bool gguf_get_integer(const gguf_header *h, const gguf_value *v, uint64_t index, int64_t *out);
bool gguf_get_number(const gguf_header *h, const gguf_value *v, uint64_t index, double *out);
bool gguf_get_bool(const gguf_header *h, const gguf_value *v, uint64_t index, bool *out);

/* The string at *at (begin with v->at), which moves on to the next. */
gguf_text gguf_next_text(const gguf_header *h, size_t *at);

#endif
