/* chat_text.h - text of a conversation that grows, with whose each byte is */
#ifndef RUNTIME_CHAT_TEXT_H
#define RUNTIME_CHAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised; freed with chat_text_free. */
typedef struct chat_text {
	char *bytes;     /* [n] */
	uint8_t *placed; /* [n] 1 where the format wrote the byte */
	size_t n, room;
	bool failed; /* memory ran out: the text is not complete */
} chat_text;

/* Appends n bytes that are the format's (placed), or a user's. */
void chat_text_add(chat_text *text, const char *bytes, size_t n, bool placed);

/* Appends a C string that is the format's. */
void chat_text_place(chat_text *text, const char *string);

void chat_text_free(chat_text *text);

#endif
