/* protobuf.c - see protobuf.h */
#include "convert/formats/protobuf.h"

#include <stdbool.h>
#include <string.h>

#define FIELD_NUMBER_MAX ((1u << 29) - 1)

/* Seven bits a byte, the lowest first, at most ten bytes; of the tenth only one bit fits. */
static bool read_varint(protobuf_reader *r, uint64_t *value)
{
	unsigned shift;

	*value = 0;
	for (shift = 0; shift < 70 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		if (shift == 63 && byte > 1)
			return false;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

static bool read_fixed(protobuf_reader *r, unsigned bytes, uint64_t *value)
{
	unsigned i;

	if ((size_t)(r->end - r->at) < bytes)
		return false;
	*value = 0;
	for (i = 0; i < bytes; i++)
		*value |= (uint64_t)*r->at++ << 8 * i;
	return true;
}

static bool read_bytes(protobuf_reader *r, protobuf_field *field)
{
	uint64_t size;

	if (!read_varint(r, &size) || size > (size_t)(r->end - r->at))
		return false;
	field->bytes = r->at;
	field->size = (size_t)size;
	r->at += size;
	return true;
}

static bool read_field(protobuf_reader *r, protobuf_field *field)
{
	uint64_t key;

	memset(field, 0, sizeof *field);
	if (!read_varint(r, &key) || key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MAX)
		return false;
	field->number = (uint32_t)(key >> 3);
	field->wire = (protobuf_wire)(key & 7);
	switch (field->wire) {
	case PROTOBUF_VARINT:
		return read_varint(r, &field->value);
	case PROTOBUF_FIXED64:
		return read_fixed(r, 8, &field->value);
	case PROTOBUF_BYTES:
		return read_bytes(r, field);
	case PROTOBUF_FIXED32:
		return read_fixed(r, 4, &field->value);
	}
	return false;
}

protobuf_outcome protobuf_next(protobuf_reader *reader, protobuf_field *field)
{
	protobuf_reader start = *reader;

	if (reader->at == reader->end)
		return PROTOBUF_END;
	if (read_field(reader, field))
		return PROTOBUF_FIELD;
	*reader = start;
	return PROTOBUF_DAMAGED;
}

float protobuf_float(const protobuf_field *field)
{
	uint32_t bits = (uint32_t)field->value;
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}
