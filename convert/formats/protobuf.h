/* protobuf.h - reads the fields of one protobuf message (the wire format:
 * protobuf.dev/programming-guides/encoding)
 *
 * A message is a row of fields, each a number, a wire type and a value; a submessage is a value of
 * bytes and read by a reader of its own. Nothing is copied and nothing beyond the given bytes is
 * read. Groups, deprecated since 2008, are refused.
 */
#ifndef CONVERT_FORMATS_PROTOBUF_H
#define CONVERT_FORMATS_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

typedef enum protobuf_wire {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2,
	PROTOBUF_FIXED32 = 5
} protobuf_wire;

typedef struct protobuf_reader {
	const uint8_t *at, *end;
} protobuf_reader;

typedef struct protobuf_field {
	uint32_t number;
	protobuf_wire wire;
	uint64_t value;       /* varint, fixed64, fixed32 */
	const uint8_t *bytes; /* PROTOBUF_BYTES: [size] inside the message */
	size_t size;
} protobuf_field;

typedef enum protobuf_outcome { PROTOBUF_FIELD, PROTOBUF_END, PROTOBUF_DAMAGED } protobuf_outcome;

static inline protobuf_reader protobuf_open(const uint8_t *bytes, size_t size)
{
	return (protobuf_reader){ bytes, bytes + size };
}

/* The next field. After PROTOBUF_DAMAGED the reader is at the field that is cut off or of an
 * unknown wire type. */
protobuf_outcome protobuf_next(protobuf_reader *reader, protobuf_field *field);

/* The value of a PROTOBUF_FIXED32 field that holds a float. */
float protobuf_float(const protobuf_field *field);

#endif
