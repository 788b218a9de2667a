/* gguf_pairs.h - writes metadata of a GGUF file: keys with their values */
#ifndef CONVERT_FORMATS_GGUF_PAIRS_H
#define CONVERT_FORMATS_GGUF_PAIRS_H

#include "convert/formats/buffer.h"
#include "convert/formats/gguf.h"

/* Pairs are counted as they are appended: their number comes before them in the file.
 * Zero-initialised but for the architecture; the owner calls buffer_free on data. */
typedef struct gguf_pairs {
	buffer data;
	uint64_t n;
	const char *architecture; /* keys that begin with a dot follow it */
} gguf_pairs;

void pairs_put_text(gguf_pairs *p, const char *key, const char *text);
void pairs_put_u32(gguf_pairs *p, const char *key, uint32_t value);
void pairs_put_f32(gguf_pairs *p, const char *key, float value);
void pairs_put_bool(gguf_pairs *p, const char *key, bool value);

/* An array whose n elements the caller appends to p->data. */
void pairs_put_array(gguf_pairs *p, const char *key, enum gguf_value_type type, uint64_t n);

/* Length and bytes of a string, as an element or anywhere else in the header. */
void pairs_put_string(buffer *b, const void *text, size_t n);

#endif
