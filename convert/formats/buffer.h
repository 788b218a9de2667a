/* buffer.h - a block of bytes that grows: headers and small files are made in memory and written at
 * once */
#ifndef CONVERT_FORMATS_BUFFER_H
#define CONVERT_FORMATS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/portable.h"

/* Zero-initialised; its owner calls buffer_free. */
typedef struct buffer {
	uint8_t *data;
	size_t n, room;
	bool failed; /* memory ran out: nothing was appended since */
} buffer;

void buffer_put(buffer *b, const void *data, size_t n);

/* Little-endian, `width` bytes of 1..8. */
void buffer_put_number(buffer *b, uint64_t value, unsigned width);

/* IEEE binary32, little-endian. */
void buffer_put_float(buffer *b, float value);

/* Formatted text of at most 511 bytes, without a NUL. */
void buffer_print(buffer *b, const char *format, ...) PORTABLE_PRINTF(2, 3);

/* A sink of json_writer.h: user is a buffer. */
void buffer_take_json(void *user, const char *bytes, size_t n);

/* The character `pad` until n is a multiple of `unit`. */
void buffer_align(buffer *b, size_t unit, char pad);

void buffer_free(buffer *b);

#endif
