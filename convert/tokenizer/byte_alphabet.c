/* byte_alphabet.c - see byte_alphabet.h */
#include "convert/tokenizer/byte_alphabet.h"

#include "runtime/text/utf8.h"

static bool is_visible(uint32_t byte)
{
	return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

/* The byte that character U+0100 + n stands for, 256: none. */
static uint32_t find_hidden(uint32_t n)
{
	uint32_t byte;

	for (byte = 0; byte < 256; byte++)
		if (!is_visible(byte) && n-- == 0)
			break;
	return byte;
}

bool byte_alphabet_decode(const char *text, size_t bytes, uint8_t *out, size_t *n)
{
	const uint8_t *in = (const uint8_t *)text;
	uint32_t c;
	size_t at;
	int step;

	*n = 0;
	for (at = 0; at < bytes; at += (size_t)step) {
		step = utf8_measure(in + at, bytes - at);
		if (step <= 0)
			return false;
		c = utf8_read(in + at, step);
		c = c < 0x100 ? (is_visible(c) ? c : 256) : find_hidden(c - 0x100);
		if (c > 255)
			return false;
		out[(*n)++] = (uint8_t)c;
	}
	return true;
}

/* How many bytes before this one are not visible. */
static uint32_t count_hidden(uint32_t byte)
{
	uint32_t n = 0, before;

	for (before = 0; before < byte; before++)
		n += !is_visible(before);
	return n;
}

size_t byte_alphabet_encode(const uint8_t *bytes, size_t n, char *out)
{
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		uint32_t c = is_visible(bytes[i]) ? bytes[i] : 0x100 + count_hidden(bytes[i]);

		if (c < 0x80) {
			out[at++] = (char)c;
		} else {
			out[at++] = (char)(0xc0 | c >> 6);
			out[at++] = (char)(0x80 | (c & 0x3f));
		}
	}
	return at;
}
