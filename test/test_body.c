/* test_body.c - bytes that grow keep all that is added, and events are lines as browsers read
 * them */
#include <string.h>

#include "runtime/serve/body.h"
#include "runtime/text/json_writer.h"
#include "test/check.h"

static check_counts counts;

static void test_body_keeps_bytes_in_order(void)
{
	body b = { .n = 0 };
	size_t i, wrong = 0;

	for (i = 0; i < 5000; i++) {
		char byte = (char)(i % 251);

		body_add(&b, &byte, 1);
	}
	for (i = 0; i < b.n; i++)
		wrong += b.bytes[i] != (char)(i % 251);
	CHECK(&counts, b.n == 5000 && wrong == 0 && !b.failed, "%zu bytes, %zu wrong", b.n, wrong);
	body_clear(&b);
	body_add(&b, "end", 3);
	CHECK(&counts, b.n == 3 && !memcmp(b.bytes, "end", 3), "%zu bytes", b.n);
	body_free(&b);
}

static void test_event_is_one_line_of_data(void)
{
	static const char expected[] = "event: a.b\ndata: {\"text\":\"1\\n2\"}\n\ndata: [DONE]\n\n";
	body b = { .n = 0 };
	json_writer w = { .sink = body_add, .user = &b };

	body_begin_event(&b, "a.b");
	json_open(&w, NULL, '{');
	json_put_string(&w, "text", "1\n2");
	json_close(&w);
	body_end_event(&b);
	body_begin_event(&b, NULL);
	body_add(&b, "[DONE]", 6);
	body_end_event(&b);
	CHECK(&counts, b.n == strlen(expected) && !memcmp(b.bytes, expected, b.n), "%.*s", (int)b.n,
	      b.bytes);
	body_free(&b);
}

static void test_too_many_bytes_fail(void)
{
	body b = { .n = 0 };

	body_add(&b, "a", 1);
	body_add(&b, "a", (size_t)-1);
	body_add(&b, "b", 1);
	CHECK(&counts, b.failed && b.n == 1, "%zu bytes", b.n);
	body_free(&b);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_body_keeps_bytes_in_order());
	RUN(test_event_is_one_line_of_data());
	RUN(test_too_many_bytes_fail());
	return check_report("body", &counts);
}
