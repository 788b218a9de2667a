/* handmade_model.h - SentencePiece models written by hand, field by field, for tests */
#ifndef TEST_HANDMADE_MODEL_H
#define TEST_HANDMADE_MODEL_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct handmade {
	uint8_t bytes[16384];
	size_t n;
} handmade;

static inline void handmade_varint(handmade *m, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		m->bytes[m->n++] = (uint8_t)(value | 0x80);
	m->bytes[m->n++] = (uint8_t)value;
}

static inline void handmade_number(handmade *m, unsigned field, uint64_t value)
{
	handmade_varint(m, field << 3);
	handmade_varint(m, value);
}

static inline void handmade_bytes(handmade *m, unsigned field, const void *bytes, size_t n)
{
	handmade_varint(m, field << 3 | 2);
	handmade_varint(m, n);
	if (n)
		memcpy(m->bytes + m->n, bytes, n);
	m->n += n;
}

static inline void handmade_float(handmade *m, unsigned field, float value)
{
	handmade_varint(m, field << 3 | 5);
	memcpy(m->bytes + m->n, &value, 4);
	m->n += 4;
}

/* Types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
static inline void handmade_piece(handmade *m, const char *text, float score, unsigned type)
{
	handmade piece = { .n = 0 };

	handmade_bytes(&piece, 1, text, strlen(text));
	handmade_float(&piece, 2, score);
	handmade_number(&piece, 3, type);
	handmade_bytes(m, 1, piece.bytes, piece.n);
}

static inline void handmade_byte_pieces(handmade *m)
{
	char text[8];
	unsigned byte;

	for (byte = 0; byte < 256; byte++) {
		(void)snprintf(text, sizeof text, "<0x%02X>", byte);
		handmade_piece(m, text, 0, 6);
	}
}

/* BPE, spaces kept, as Mistral's models are. */
static inline void handmade_rules(handmade *m, unsigned byte_fallback, unsigned dummy_prefix)
{
	handmade trainer = { .n = 0 }, normalizer = { .n = 0 };

	handmade_number(&trainer, 3, 2);
	handmade_number(&trainer, 35, byte_fallback);
	handmade_bytes(m, 2, trainer.bytes, trainer.n);
	handmade_number(&normalizer, 3, dummy_prefix);
	handmade_number(&normalizer, 4, 0);
	handmade_bytes(m, 3, normalizer.bytes, normalizer.n);
}

#endif
