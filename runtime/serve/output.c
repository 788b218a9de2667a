/* output.c - bytes that are collected at one end and taken from the other */
#include "runtime/serve/output.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"

#define FIRST_ROOM 1024u

/* Memory that is kept when nothing is left to be taken. */
#define KEPT_ROOM 65536u

static bool make_room(output *o, size_t n)
{
	size_t size = o->end - o->start, room = o->room ? o->room : FIRST_ROOM;
	char *bytes;

	if (n <= o->room - o->end)
		return true;
	if (n > SIZE_MAX / 4 - size)
		return false;
	if (o->start > 0) {
		memmove(o->bytes, o->bytes + o->start, size);
		o->start = 0;
		o->end = size;
	}
	while (room < size + n)
		room *= 2;
	if (room == o->room)
		return true;
	if (!(bytes = memory_resize(o->bytes, room, 1)))
		return false;
	o->bytes = bytes;
	o->room = room;
	return true;
}

void output_add(output *o, const char *bytes, size_t n)
{
	if (n == 0 || o->failed)
		return;
	if (!make_room(o, n)) {
		o->failed = true;
		return;
	}
	memcpy(o->bytes + o->end, bytes, n);
	o->end += n;
}

void output_add_text(output *o, const char *text)
{
	output_add(o, text, strlen(text));
}

void output_format(output *o, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n > 0)
		output_add(o, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void output_sink(void *user, const char *bytes, size_t n)
{
	output_add(user, bytes, n);
}

void output_take(output *o, size_t n)
{
	o->start += n;
	if (o->start < o->end)
		return;
	o->start = o->end = 0;
	if (o->room > KEPT_ROOM) {
		memory_free(o->bytes);
		o->bytes = NULL;
		o->room = 0;
	}
}

size_t output_size(const output *o)
{
	return o->end - o->start;
}

void output_free(output *o)
{
	memory_free(o->bytes);
	memset(o, 0, sizeof *o);
}
