/* gguf_pairs.c - see gguf_pairs.h */
#include "convert/formats/gguf_pairs.h"

#include <string.h>

void pairs_put_string(buffer *b, const void *text, size_t n)
{
	buffer_put_number(b, n, 8);
	buffer_put(b, text, n);
}

static void put_key(gguf_pairs *p, const char *key, enum gguf_value_type type)
{
	const char *before = *key == '.' ? p->architecture : "";

	buffer_put_number(&p->data, strlen(before) + strlen(key), 8);
	buffer_put(&p->data, before, strlen(before));
	buffer_put(&p->data, key, strlen(key));
	buffer_put_number(&p->data, type, 4);
	p->n++;
}

void pairs_put_text(gguf_pairs *p, const char *key, const char *text)
{
	put_key(p, key, GGUF_STRING);
	pairs_put_string(&p->data, text, strlen(text));
}

void pairs_put_u32(gguf_pairs *p, const char *key, uint32_t value)
{
	put_key(p, key, GGUF_U32);
	buffer_put_number(&p->data, value, 4);
}

void pairs_put_f32(gguf_pairs *p, const char *key, float value)
{
	put_key(p, key, GGUF_F32);
	buffer_put_float(&p->data, value);
}

void pairs_put_bool(gguf_pairs *p, const char *key, bool value)
{
	put_key(p, key, GGUF_BOOL);
	buffer_put_number(&p->data, value, 1);
}

void pairs_put_array(gguf_pairs *p, const char *key, enum gguf_value_type type, uint64_t n)
{
	put_key(p, key, GGUF_ARRAY);
	buffer_put_number(&p->data, type, 4);
	buffer_put_number(&p->data, n, 8);
}
