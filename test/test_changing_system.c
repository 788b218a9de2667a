/* test_changing_system.c - lines that change in front of a long system prompt are found by
 * comparing requests, and moved; prompts that merely differ are left alone */
#include <stdio.h>
#include <string.h>

#include "runtime/serve/changing_system.h"
#include "test/check.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static check_counts counts;

/* A long text that is the same in every request, of lines. */
static const char *stable(void)
{
	static char text[3000];
	size_t i;

	for (i = 0; i < sizeof text - 1; i++)
		text[i] = (char)(i % 60 == 59 ? '\n' : 'a' + i * i % 23);
	return text;
}

static const char *join(char *out, size_t room, const char *first, const char *second)
{
	(void)snprintf(out, room, "%s%s", first, second);
	return out;
}

/* What the two texts of a case have in front of the stable one, and the lines expected in the
 * second. */
static void test_changed_lines_are_found(void)
{
	static const struct {
		const char *before, *now;
		size_t from, to;
	} cases[] = {
		{ "id: 1\n", "id: 2\n", 0, 6 },
		{ "id: 1\n\n", "id: 27\n\n", 0, 7 },
		{ "You are brise.\nid: 1\n", "You are brise.\nid: 2\n", 15, 21 },
		{ "id: 1\ndate: 3\n", "id: 2\ndate: 4\n", 0, 14 },
		{ "id: 1\ndate: 3\n", "id: 1\ndate: 4\n", 6, 14 },
		{ "id: 1\n", "id: 2\nnew: line\n", 0, 16 },
		{ "id: 2\nnew: line\n", "id: 1\n", 0, 6 },
		{ "id: 1\n", "id: 1\n", 0, 0 },
		{ "", "", 0, 0 },
	};
	char before[4096], now[4096];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		changing_lines lines;

		join(before, sizeof before, cases[i].before, stable());
		join(now, sizeof now, cases[i].now, stable());
		lines = changing_lines_find(before, strlen(before), now, strlen(now));
		CHECK(&counts, lines.from == cases[i].from && lines.to == cases[i].to,
		      "case %zu: %zu to %zu", i, lines.from, lines.to);
	}
}

/* All lines are compared with all: two kilobytes of empty ones would take seconds. */
static void test_few_lines_are_looked_at(void)
{
	char before[4096], now[4096];
	size_t n, i;

	for (n = CHANGING_LINES - 1; n <= CHANGING_LINES + 1; n++) {
		changing_lines lines;

		for (i = 0; i < n; i++) {
			memcpy(before + 2 * i, "a\n", 2);
			memcpy(now + 2 * i, "b\n", 2);
		}
		join(before + 2 * n, sizeof before - 2 * n, "", stable());
		join(now + 2 * n, sizeof now - 2 * n, "", stable());
		lines = changing_lines_find(before, strlen(before), now, strlen(now));
		CHECK(&counts, lines.to == (n <= CHANGING_LINES ? 2 * n : 0), "%zu lines: to %zu",
		      n, lines.to);
	}
}

static void test_texts_with_little_in_common_are_left_alone(void)
{
	char before[4096], now[4096], late[4096];
	changing_lines lines;

	/* different prompts that begin alike */
	join(before, sizeof before, "You are brise.\n", stable());
	join(now, sizeof now, "You are a bash agent.\nAnswer briefly.\n", "Thanks.");
	lines = changing_lines_find(before, strlen(before), now, strlen(now));
	CHECK(&counts, lines.from == lines.to, "%zu to %zu", lines.from, lines.to);

	/* a short prompt is not worth it */
	lines = changing_lines_find("id: 1\nBe brief.", 15, "id: 2\nBe brief.", 15);
	CHECK(&counts, lines.from == lines.to, "%zu to %zu", lines.from, lines.to);

	/* a change far behind: what stands in front of it is reused anyway */
	join(before, sizeof before, stable(), "id: 1\n");
	join(late, sizeof late, before, stable());
	memcpy(before, late, sizeof before);
	late[strlen(stable()) + 4] = '2';
	lines = changing_lines_find(before, strlen(before), late, strlen(late));
	CHECK(&counts, lines.from == lines.to, "%zu to %zu", lines.from, lines.to);
}

static changing_lines see(changing_system *seen, size_t owner, const char *first)
{
	char text[4096];

	join(text, sizeof text, first, stable());
	return changing_system_see(seen, owner, text, strlen(text));
}

static void test_prompts_are_remembered_by_owner(void)
{
	static changing_system seen;
	changing_lines lines;
	char other[64];
	size_t i;

	lines = see(&seen, 1, "id: 1\n");
	CHECK(&counts, lines.to == 0, "the first prompt has lines to %zu", lines.to);
	lines = see(&seen, 2, "id: 2\n");
	CHECK(&counts, lines.to == 0, "compared with another owner's: to %zu", lines.to);
	lines = see(&seen, 1, "id: 3\n");
	CHECK(&counts, lines.to == 6, "to %zu", lines.to);
	lines = see(&seen, 1, "id: 3\n");
	CHECK(&counts, lines.to == 6, "the same again: to %zu", lines.to);

	/* other prompts between, as many as are remembered beside it */
	for (i = 0; i < CHANGING_PROMPTS - 2; i++) {
		(void)snprintf(other, sizeof other, "%zu is another prompt altogether", i);
		changing_system_see(&seen, 1, other, strlen(other));
	}
	lines = see(&seen, 1, "id: 4\n");
	CHECK(&counts, lines.to == 6, "after others: to %zu", lines.to);
	for (i = 0; i < CHANGING_PROMPTS; i++) {
		(void)snprintf(other, sizeof other, "%zu is yet another prompt", i);
		changing_system_see(&seen, 1, other, strlen(other));
	}
	lines = see(&seen, 1, "id: 5\n");
	CHECK(&counts, lines.to == 0, "forgotten: to %zu", lines.to);
}

static bool is_message(const brise_message *m, brise_role role, const char *text)
{
	return m->role == role && m->bytes == strlen(text) && !memcmp(m->content, text, m->bytes);
}

static brise_message message(brise_role role, const char *text)
{
	return (brise_message){ .role = role, .content = text, .bytes = strlen(text) };
}

static void test_lines_move_in_front_of_the_last_question(void)
{
	brise_message list[] = { message(BRISE_SYSTEM, "id: 1\n\nYou are brise."),
		                 message(BRISE_USER, "Hello"), message(BRISE_ASSISTANT, "Hi"),
		                 message(BRISE_USER, "Again"), message(BRISE_TOOL, "7") };
	brise_message *messages = list;
	changing_lines lines = { 0, 6 };
	size_t n = LENGTH(list);
	pool texts = { .failed = false };
	bool done = changing_system_move(&messages, &n, 0, lines, &texts);

	CHECK(&counts, done && n == 6, "%zu messages", n);
	CHECK(&counts, is_message(&messages[0], BRISE_SYSTEM, "You are brise."), "%.*s",
	      (int)messages[0].bytes, messages[0].content);
	CHECK(&counts, is_message(&messages[2], BRISE_ASSISTANT, "Hi"), "the answer moved");
	CHECK(&counts, is_message(&messages[3], BRISE_SYSTEM, "id: 1"), "%.*s",
	      (int)messages[3].bytes, messages[3].content);
	CHECK(&counts, is_message(&messages[4], BRISE_USER, "Again"), "the question moved");
	CHECK(&counts, is_message(&messages[5], BRISE_TOOL, "7"), "the result moved");
	pool_clear(&texts);
}

static void test_lines_move_behind_a_later_message_of_the_system(void)
{
	brise_message list[] = { message(BRISE_SYSTEM, "id: 1\nYou are brise."),
		                 message(BRISE_USER, "Hello"), message(BRISE_SYSTEM, "Skills"),
		                 message(BRISE_ASSISTANT, "Hi") };
	brise_message *messages = list;
	changing_lines lines = { 0, 6 };
	size_t n = LENGTH(list);
	pool texts = { .failed = false };
	bool done = changing_system_move(&messages, &n, 0, lines, &texts);

	CHECK(&counts,
	      done && n == 5 && is_message(&messages[2], BRISE_SYSTEM, "Skills") &&
	              is_message(&messages[3], BRISE_SYSTEM, "id: 1") &&
	              is_message(&messages[4], BRISE_ASSISTANT, "Hi"),
	      "%zu messages", n);
	pool_clear(&texts);
}

static void test_lines_move_from_the_middle(void)
{
	brise_message list[] = { message(BRISE_SYSTEM, "You are brise.\nid: 1\nBe brief.") };
	brise_message *messages = list;
	changing_lines lines = { 15, 21 };
	size_t n = 1;
	pool texts = { .failed = false };
	bool done = changing_system_move(&messages, &n, 0, lines, &texts);

	CHECK(&counts,
	      done && n == 2 &&
	              is_message(&messages[0], BRISE_SYSTEM, "You are brise.\nBe brief.") &&
	              is_message(&messages[1], BRISE_SYSTEM, "id: 1"),
	      "%zu messages", n);
	pool_clear(&texts);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_changed_lines_are_found());
	RUN(test_few_lines_are_looked_at());
	RUN(test_texts_with_little_in_common_are_left_alone());
	RUN(test_prompts_are_remembered_by_owner());
	RUN(test_lines_move_in_front_of_the_last_question());
	RUN(test_lines_move_behind_a_later_message_of_the_system());
	RUN(test_lines_move_from_the_middle());
	return check_report("changing_system", &counts);
}
