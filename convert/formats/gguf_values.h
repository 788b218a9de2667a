/* gguf_values.h - the metadata of a GGUF file: values by key, converted to C's types */
#ifndef CONVERT_FORMATS_GGUF_VALUES_H
#define CONVERT_FORMATS_GGUF_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/formats/gguf.h"

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

/* NULL if there is none of that key. */
const gguf_value *gguf_find(const gguf_header *h, const char *key);

/* Element `index` of a value as ...; false if it has another type: any integer type that fits into
 * int64_t, any number, a boolean. */
bool gguf_get_integer(const gguf_header *h, const gguf_value *v, uint64_t index, int64_t *out);
bool gguf_get_number(const gguf_header *h, const gguf_value *v, uint64_t index, double *out);
bool gguf_get_bool(const gguf_header *h, const gguf_value *v, uint64_t index, bool *out);

/* The string at *at (begin with v->at), which moves on to the next. */
gguf_text gguf_next_text(const gguf_header *h, size_t *at);

/* Bytes of a value of each type; 0: strings, which have none of their own, and arrays. */
extern const uint8_t gguf_value_bytes[GGUF_VALUE_TYPES];

/* A little-endian number of `width` bytes. */
uint64_t gguf_load(const uint8_t *bytes, unsigned width);

#endif
