/* joined_text.c - see joined_text.h */
#include "runtime/serve/joined_text.h"

#include <stdint.h>
#include <string.h>

#define JOIN "\n\n"

bool joined_text_add(joined_text *to, const char *part, size_t bytes, pool *p)
{
	size_t joint = to->parted ? 0 : strlen(JOIN), before = to->bytes + joint,
	       n = before + bytes;
	char *own;

	if (bytes == 0 && to->text)
		return true;
	if (!to->text || to->bytes == 0) {
		*to = (joined_text){ .text = part, .bytes = bytes };
		return true;
	}
	if (to->room < n) {
		own = n <= SIZE_MAX / 2 ? pool_take(p, 2 * n, 1) : NULL;
		if (!own)
			return false;
		memcpy(own, to->text, to->bytes);
		to->text = own;
		to->room = 2 * n;
	}
	own = (char *)(uintptr_t)to->text; /* memory of the pool, which was taken here */
	memcpy(own + to->bytes, JOIN, joint);
	if (bytes > 0)
		memcpy(own + before, part, bytes);
	to->bytes = n;
	to->parted = false;
	return true;
}
