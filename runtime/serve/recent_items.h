/* recent_items.h - texts and reasoning of the last answers, by their ids
 *
 * A client of the Responses API that has not been told otherwise takes it that answers are stored,
 * and sends the id of one instead of its text (an item_reference). The last ones are kept in memory
 * for that, and for nothing else.
 */
#ifndef SERVE_RECENT_ITEMS_H
#define SERVE_RECENT_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#define RECENT_ITEMS 256u
#define RECENT_BYTES (1u << 20) /* of all texts */

typedef struct recent_item {
	size_t owner;
	char id[64]; /* "": an empty place */
	char *text;  /* [bytes] */
	size_t bytes;
} recent_item;

/* All zero: none. */
typedef struct recent_items {
	recent_item items[RECENT_ITEMS]; /* a ring */
	size_t next;                     /* place of the next one, which is the oldest */
	size_t bytes;
} recent_items;

/* Keeps a copy, and gives up the oldest ones for it; without memory nothing is kept. */
void recent_items_keep(recent_items *r, size_t owner, const char *id, const char *text, size_t n);

/* Finds the item of an owner; false: it is not there, or another's. */
bool recent_items_find(const recent_items *r, size_t owner, const char *id, const char **text,
                       size_t *n);

void recent_items_free(recent_items *r);

#endif
