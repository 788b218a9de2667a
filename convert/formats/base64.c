/* base64.c - see base64.h */
#include "convert/formats/base64.h"

#include <stdint.h>
#include <string.h>

static int value_of(char c)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(alphabet, c) : NULL;

	return found ? (int)(found - alphabet) : -1;
}

bool base64_decode(char *text, size_t *bytes)
{
	size_t n = *bytes, padding = 0, at, out = 0;
	uint32_t bits = 0;
	int value;

	if (n % 4 != 0)
		return false;
	while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
		padding++;
	for (at = 0; at < n - padding; at++) {
		if ((value = value_of(text[at])) < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (at % 4 > 0)
			text[out++] = (char)(uint8_t)(bits >> (6 - 2 * (at % 4)));
	}
	*bytes = out;
	return padding == 0 || (bits & (padding == 1 ? 3 : 15)) == 0;
}
