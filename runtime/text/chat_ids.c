/* chat_ids.c - see chat_ids.h
 *
 * An id of another form becomes nine characters of a hash of it: the same id always the same nine,
 * so that nothing has to be remembered between requests. Of 62^9 = 1.4e16 two of a conversation
 * being alike is not to be expected.
 */
#include "runtime/text/chat_ids.h"

#include <stdint.h>
#include <string.h>

#include "runtime/brise.h"

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool chat_id_fits(const char *id)
{
	int i;

	for (i = 0; i < CHAT_ID_BYTES; i++)
		if (!is_letter_or_digit(id[i]))
			return false;
	return id[CHAT_ID_BYTES] == 0;
}

/* FNV-1a, 64 bits (RFC 9923), and a last mixing of all bits (splitmix64), as the digits below are
 * taken from the low end. */
static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(1099511628211);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

void brise_map_call_id(const char *id, char nine[10])
{
	static const char digits[] =
	        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint64_t h;
	int i;

	if (chat_id_fits(id)) {
		memcpy(nine, id, CHAT_ID_BYTES + 1);
		return;
	}
	h = hash(id);
	for (i = 0; i < CHAT_ID_BYTES; i++, h /= 62)
		nine[i] = digits[h % 62];
	nine[CHAT_ID_BYTES] = 0;
}

const char *brise_find_call_id(const brise_conversation *c, const char *nine)
{
	char mapped[CHAT_ID_BYTES + 1];
	size_t i, k;

	for (i = 0; i < c->n; i++)
		for (k = 0; k < c->messages[i].n_calls; k++) {
			const char *id = c->messages[i].calls[k].id;

			if (!id)
				continue;
			brise_map_call_id(id, mapped);
			if (!strcmp(mapped, nine))
				return id;
		}
	return NULL;
}
