/* body.c - see body.h */
#include "runtime/serve/body.h"

#include <stdint.h>
#include <string.h>

#include "runtime/os/memory.h"

void body_add(void *user, const char *bytes, size_t n)
{
	body *b = user;

	if (b->failed || n == 0)
		return;
	if (n > b->room - b->n) {
		size_t room = b->room > SIZE_MAX / 4 ? SIZE_MAX / 2 : 2 * b->room + 256;
		char *grown;

		if (n > SIZE_MAX / 2 - b->n) {
			b->failed = true;
			return;
		}
		if (room < b->n + n)
			room = b->n + n;
		if (!(grown = memory_resize(b->bytes, room, 1))) {
			b->failed = true;
			return;
		}
		b->bytes = grown;
		b->room = room;
	}
	memcpy(b->bytes + b->n, bytes, n);
	b->n += n;
}

void body_clear(body *b)
{
	b->n = 0;
	b->failed = false;
}

void body_free(body *b)
{
	memory_free(b->bytes);
	*b = (body){ .n = 0 };
}

static void add_string(body *b, const char *text)
{
	body_add(b, text, strlen(text));
}

void body_begin_event(body *b, const char *name)
{
	if (name) {
		add_string(b, "event: ");
		add_string(b, name);
		add_string(b, "\n");
	}
	add_string(b, "data: ");
}

void body_end_event(body *b)
{
	add_string(b, "\n\n");
}
