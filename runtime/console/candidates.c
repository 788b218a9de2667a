/* candidates.c - see candidates.h */
#include "runtime/console/candidates.h"

#include <stdint.h>
#include <string.h>

void candidates_begin(candidates *list, const char *text, size_t n)
{
	list->text = text;
	list->n_text = n;
	list->from = n;
	list->n = list->n_bytes = 0;
	list->is_cut = false;
}

void candidates_offer(candidates *list, size_t from, const char *word)
{
	size_t n = strlen(word);

	if (from > list->n_text || n < list->n_text - from ||
	    memcmp(word, list->text + from, list->n_text - from) != 0 ||
	    (list->n > 0 && from != list->from))
		return;
	if (list->n == CANDIDATES_MAX || n > CANDIDATES_MAX_BYTES - list->n_bytes) {
		list->is_cut = true;
		return;
	}
	list->from = from;
	list->items[list->n].at = list->n_bytes;
	list->items[list->n++].n = n;
	memcpy(list->bytes + list->n_bytes, word, n);
	list->n_bytes += n;
}

size_t candidates_common(const candidates *list)
{
	size_t n = list->n > 0 ? list->items[0].n : 0, i, same;

	for (i = 1; i < list->n; i++) {
		const char *word = list->bytes + list->items[i].at;

		for (same = 0;
		     same < n && same < list->items[i].n && word[same] == list->bytes[same];
		     same++) {
		}
		n = same;
	}
	while (n > 0 && n < list->items[0].n && ((uint8_t)list->bytes[n] & 0xc0) == 0x80)
		n--;
	return n;
}
