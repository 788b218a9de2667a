/* gguf_values.c - see gguf_values.h */
#include "convert/formats/gguf_values.h"

#include <string.h>

#include "quant/half.h"

const uint8_t gguf_value_bytes[GGUF_VALUE_TYPES] = {
	[GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_U16] = 2, [GGUF_I16] = 2,
	[GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
	[GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8
};

uint64_t gguf_load(const uint8_t *bytes, unsigned width)
{
	uint64_t value = 0;

	while (width-- > 0)
		value = value << 8 | bytes[width];
	return value;
}

const gguf_value *gguf_find(const gguf_header *h, const char *key)
{
	size_t low = 0, high = h->n_values;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(key, h->values[middle].key);

		if (order == 0)
			return &h->values[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool gguf_get_integer(const gguf_header *h, const gguf_value *v, uint64_t index, int64_t *out)
{
	unsigned width = gguf_value_bytes[v->type];
	uint64_t bits;

	if (index >= v->n || v->type == GGUF_F32 || v->type == GGUF_F64 || v->type == GGUF_BOOL ||
	    v->type == GGUF_STRING)
		return false;
	bits = gguf_load(h->bytes + v->at + (size_t)index * width, width);
	switch (v->type) {
	case GGUF_I8:
		*out = (int8_t)(uint8_t)bits;
		return true;
	case GGUF_I16:
		*out = (int16_t)(uint16_t)bits;
		return true;
	case GGUF_I32:
		*out = (int32_t)(uint32_t)bits;
		return true;
	default:
		if (v->type != GGUF_I64 && bits > INT64_MAX)
			return false;
		*out = (int64_t)bits;
		return true;
	}
}

bool gguf_get_number(const gguf_header *h, const gguf_value *v, uint64_t index, double *out)
{
	unsigned width = gguf_value_bytes[v->type];
	int64_t integer;
	uint64_t bits;

	if (gguf_get_integer(h, v, index, &integer)) {
		*out = (double)integer;
		return true;
	}
	if (index >= v->n || (v->type != GGUF_F32 && v->type != GGUF_F64))
		return false;
	bits = gguf_load(h->bytes + v->at + (size_t)index * width, width);
	if (v->type == GGUF_F32)
		*out = (double)half_from_bits((uint32_t)bits);
	else
		memcpy(out, &bits, sizeof *out);
	return true;
}

bool gguf_get_bool(const gguf_header *h, const gguf_value *v, uint64_t index, bool *out)
{
	if (index >= v->n || v->type != GGUF_BOOL)
		return false;
	*out = h->bytes[v->at + (size_t)index] != 0;
	return true;
}

gguf_text gguf_next_text(const gguf_header *h, size_t *at)
{
	gguf_text text = { (const char *)h->bytes + *at + 8, (size_t)gguf_load(h->bytes + *at, 8) };

	*at += 8 + text.n;
	return text;
}
