/* base64.c - see base64.h */
#include "convert/formats/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	const char *found = c ? strchr(alphabet, c) : NULL;

	return found ? (int)(found - alphabet) : -1;
}

bool base64_decode(char *text, size_t *bytes)
{
	size_t n = *bytes, padding = 0, at, out = 0;
	uint32_t bits = 0;

	if (n % 4 != 0)
		return false;
	while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
		padding++;
	for (at = 0; at < n - padding; at++)
		if (value_of(text[at]) < 0)
			return false;
	if (padding > 0 &&
	    (padding == n || value_of(text[n - padding - 1]) & (padding == 1 ? 3 : 15)))
		return false;
	for (at = 0; at < n - padding; at++) {
		bits = bits << 6 | (uint32_t)value_of(text[at]);
		if (at % 4 > 0)
			text[out++] = (char)(uint8_t)(bits >> (6 - 2 * (at % 4)));
	}
	*bytes = out;
	return true;
}

size_t base64_encode(const uint8_t *bytes, size_t n, char *out)
{
	size_t at, k, made = 0;

	for (at = 0; at < n; at += 3) {
		size_t left = n - at < 3 ? n - at : 3;
		uint32_t bits = 0;

		for (k = 0; k < 3; k++)
			bits = bits << 8 | (k < left ? bytes[at + k] : 0u);
		for (k = 0; k < 4; k++)
			out[made++] = k <= left ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
	}
	return made;
}
