/* buffer.c - appending; after the first failure further calls do nothing, so that callers check
 * once, at the end */
#include "convert/formats/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"

#define FIRST_ROOM ((size_t)4096)

void buffer_put(buffer *b, const void *data, size_t n)
{
	if (b->failed || n == 0)
		return;
	if (n > b->room - b->n) {
		size_t room = b->room ? b->room : FIRST_ROOM;
		uint8_t *grown = NULL;

		while (room - b->n < n && room <= SIZE_MAX / 2)
			room *= 2;
		if (room - b->n >= n)
			grown = memory_resize(b->data, room, 1);
		if (!grown) {
			b->failed = true;
			return;
		}
		b->data = grown;
		b->room = room;
	}
	memcpy(b->data + b->n, data, n);
	b->n += n;
}

void buffer_put_number(buffer *b, uint64_t value, unsigned width)
{
	uint8_t little[8];
	unsigned i;

	for (i = 0; i < width; i++)
		little[i] = (uint8_t)(value >> 8 * i);
	buffer_put(b, little, width);
}

void buffer_put_float(buffer *b, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	buffer_put_number(b, bits, 4);
}

void buffer_print(buffer *b, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buffer_put(b, text, strlen(text));
}

void buffer_take_json(void *user, const char *bytes, size_t n)
{
	buffer_put(user, bytes, n);
}

void buffer_align(buffer *b, size_t unit, char pad)
{
	while (!b->failed && b->n % unit != 0)
		buffer_put(b, &pad, 1);
}

void buffer_free(buffer *b)
{
	memory_free(b->data);
	*b = (buffer){ NULL, 0, 0, false };
}
