/* recent_items.c - see recent_items.h */
#include "runtime/serve/recent_items.h"

#include <string.h>

#include "runtime/os/memory.h"

static void drop(recent_items *r, size_t place)
{
	recent_item *item = &r->items[place % RECENT_ITEMS];

	r->bytes -= item->bytes;
	memory_free(item->text);
	memset(item, 0, sizeof *item);
}

void recent_items_keep(recent_items *r, size_t owner, const char *id, const char *text, size_t n)
{
	recent_item *item = &r->items[r->next];
	size_t i;

	if (n > RECENT_BYTES || strlen(id) >= sizeof item->id)
		return;
	for (i = 0; i < RECENT_ITEMS && (i == 0 || r->bytes > RECENT_BYTES - n); i++)
		drop(r, r->next + i);
	if (!(item->text = memory_new(n + 1, 1)))
		return;
	if (n > 0)
		memcpy(item->text, text, n);
	strcpy(item->id, id);
	item->owner = owner;
	item->bytes = n;
	r->bytes += n;
	r->next = (r->next + 1) % RECENT_ITEMS;
}

bool recent_items_find(const recent_items *r, size_t owner, const char *id, const char **text,
                       size_t *n)
{
	size_t i;

	for (i = 0; i < RECENT_ITEMS; i++)
		if (r->items[i].text && r->items[i].owner == owner && !strcmp(r->items[i].id, id)) {
			*text = r->items[i].text;
			*n = r->items[i].bytes;
			return true;
		}
	return false;
}

void recent_items_free(recent_items *r)
{
	size_t i;

	for (i = 0; i < RECENT_ITEMS; i++)
		drop(r, i);
	r->next = 0;
}
