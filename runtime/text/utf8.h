/* utf8.h - where characters begin and end (RFC 3629: no overlong forms, no surrogates, nothing
 * above U+10FFFF) */
#ifndef RUNTIME_UTF8_H
#define RUNTIME_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT       "\xef\xbf\xbd" /* U+FFFD */
#define UTF8_REPLACEMENT_BYTES 3
#define UTF8_BYTE_ORDER_MARK   "\xef\xbb\xbf" /* U+FEFF, where it begins a text */

/* Bytes of the character at the start of text[n], n > 0; 0: only its beginning is there; -1: the
 * first byte begins no character. */
static inline int utf8_measure(const uint8_t *text, size_t n)
{
	uint8_t lead = text[0], low = 0x80, high = 0xbf;
	int bytes, i;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return -1;
	bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	/* The second byte alone decides about overlong forms, surrogates and the upper end. */
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	for (i = 1; i < bytes; i++) {
		if ((size_t)i == n)
			return 0;
		if (text[i] < low || text[i] > high)
			return -1;
		low = 0x80;
		high = 0xbf;
	}
	return bytes;
}

/* The character of `bytes` bytes at the start of text, as utf8_measure measured them. */
static inline uint32_t utf8_read(const uint8_t *text, int bytes)
{
	uint32_t c = bytes == 1 ? text[0] : text[0] & (0x7fu >> bytes);
	int i;

	for (i = 1; i < bytes; i++)
		c = c << 6 | (text[i] & 0x3fu);
	return c;
}

/* Where utf8_measure finds no character: bytes of the text that U+FFFD replaces as a whole, the
 * longest beginning of a character (Unicode 16.0, 3.9.6, "U+FFFD Substitution of Maximal
 * Subparts"). */
static inline size_t utf8_measure_broken(const uint8_t *text, size_t n)
{
	size_t bytes = 1;

	while (bytes < n && utf8_measure(text, bytes) == 0 && utf8_measure(text, bytes + 1) == 0)
		bytes++;
	return bytes;
}

#endif
