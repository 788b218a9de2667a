/* test_recent_items.c - the last answers are found by id and owner, and take no more memory than
 * they may */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/recent_items.h"
#include "test/check.h"

static check_counts counts;
static recent_items items;

static bool finds(size_t owner, const char *id, const char *expected)
{
	const char *text;
	size_t n;

	return recent_items_find(&items, owner, id, &text, &n) && n == strlen(expected) &&
	       !memcmp(text, expected, n);
}

static void test_items_are_found_by_their_owner(void)
{
	const char *text;
	size_t n;

	recent_items_keep(&items, 1, "msg_1", "Hello", 5);
	recent_items_keep(&items, 2, "msg_2", "", 0);
	CHECK(&counts, finds(1, "msg_1", "Hello"), "not found");
	CHECK(&counts, finds(2, "msg_2", ""), "an empty text is not found");
	CHECK(&counts, !recent_items_find(&items, 2, "msg_1", &text, &n), "another's was found");
	CHECK(&counts, !recent_items_find(&items, 1, "", &text, &n), "an empty place was found");
	recent_items_free(&items);
}

static void test_the_oldest_are_given_up(void)
{
	char id[16];
	size_t i;

	for (i = 0; i < RECENT_ITEMS + 3; i++) {
		(void)snprintf(id, sizeof id, "msg_%zu", i);
		recent_items_keep(&items, 0, id, id, strlen(id));
	}
	CHECK(&counts, !finds(0, "msg_2", "msg_2") && finds(0, "msg_3", "msg_3"), "the wrong ones");
	CHECK(&counts, finds(0, id, id), "the last one is not there");
	recent_items_free(&items);
}

static void test_bytes_are_bounded(void)
{
	char *large = calloc(RECENT_BYTES + 1, 1);
	size_t n;
	const char *text;

	if (!large)
		return;
	recent_items_keep(&items, 0, "msg_1", "a", 1);
	recent_items_keep(&items, 0, "msg_2", "b", 1);
	recent_items_keep(&items, 0, "msg_3", large, RECENT_BYTES - 1);
	CHECK(&counts, !finds(0, "msg_1", "a") && finds(0, "msg_2", "b"), "the wrong one");
	CHECK(&counts, items.bytes == RECENT_BYTES, "%zu bytes", items.bytes);
	recent_items_keep(&items, 0, "msg_4", large, RECENT_BYTES);
	CHECK(&counts, items.bytes == RECENT_BYTES, "%zu bytes", items.bytes);
	recent_items_keep(&items, 0, "msg_5", large, RECENT_BYTES + 1);
	CHECK(&counts, !recent_items_find(&items, 0, "msg_5", &text, &n), "too large");
	recent_items_free(&items);
	CHECK(&counts, items.bytes == 0, "%zu bytes", items.bytes);
	free(large);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_items_are_found_by_their_owner());
	RUN(test_the_oldest_are_given_up());
	RUN(test_bytes_are_bounded());
	return check_report("recent_items", &counts);
}
