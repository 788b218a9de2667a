/* chat_text.c - see chat_text.h */
#include "runtime/text/chat_text.h"

#include <string.h>

#include "runtime/os/memory.h"

static bool reserve(chat_text *text, size_t room)
{
	char *bytes = memory_resize(text->bytes, room, 1);
	uint8_t *placed = NULL;

	if (bytes) {
		text->bytes = bytes;
		placed = memory_resize(text->placed, room, 1);
	}
	if (placed) {
		text->placed = placed;
		text->room = room;
	}
	return placed != NULL;
}

void chat_text_add(chat_text *text, const char *bytes, size_t n, bool placed)
{
	if (n == 0 || text->failed)
		return;
	if (n > SIZE_MAX / 4 || text->n > SIZE_MAX / 4 ||
	    (n > text->room - text->n && !reserve(text, 2 * (text->n + n)))) {
		text->failed = true;
		return;
	}
	memcpy(text->bytes + text->n, bytes, n);
	memset(text->placed + text->n, placed, n);
	text->n += n;
}

void chat_text_place(chat_text *text, const char *string)
{
	chat_text_add(text, string, strlen(string), true);
}

void chat_text_free(chat_text *text)
{
	memory_free(text->bytes);
	memory_free(text->placed);
	*text = (chat_text){ .n = 0 };
}
