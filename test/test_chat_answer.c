/* test_chat_answer.c - tool calls are parsed as they come, in any pieces; what is none stays text
 *
 * Pieces are written as text: "text" as it is, <name( arguments )id> for a call, | between the
 * parts of one.
 */
#include "runtime/text/chat_calls.h"
#include "test/chat_maker.h"
#include "test/check.h"
#include "test/failing_heap.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static check_counts counts;

typedef struct written {
	char text[4096];
	size_t n;
	unsigned pieces;
} written;

static void put(written *w, const char *text, size_t n)
{
	if (n > sizeof w->text - 1 - w->n)
		return;
	memcpy(w->text + w->n, text, n);
	w->n += n;
	w->text[w->n] = 0;
}

static void take(void *user, const brise_answer_piece *piece)
{
	written *w = user;

	w->pieces++;
	if (piece->kind == BRISE_ANSWER_CALL)
		put(w, "<", 1);
	if (piece->kind == BRISE_ANSWER_CALL_END)
		put(w, ")", 1);
	put(w, piece->text, piece->bytes);
	if (piece->kind == BRISE_ANSWER_CALL)
		put(w, "(", 1);
	if (piece->kind == BRISE_ANSWER_CALL_END)
		put(w, ">", 1);
}

/* ---- text ----------------------------------------------------------------------------------- */

/* {calls}, {args} and {id} stand for marks; the rest comes in pieces of up to `step` bytes. */
static bool parse(const char *text, size_t step, written *w)
{
	static const struct {
		const char *text;
		chat_mark mark;
	} marks[] = { { "{calls}", CHAT_MARK_CALLS },
		      { "{args}", CHAT_MARK_ARGUMENTS },
		      { "{id}", CHAT_MARK_CALL_ID } };
	size_t i, n;
	chat_calls c;
	bool whole;

	*w = (written){ .n = 0 };
	chat_calls_open(&c);
	c.each = take;
	c.user = w;
	while (*text) {
		for (i = 0; i < LENGTH(marks); i++)
			if (!strncmp(text, marks[i].text, strlen(marks[i].text)))
				break;
		if (i < LENGTH(marks)) {
			chat_calls_mark(&c, marks[i].mark);
			text += strlen(marks[i].text);
			continue;
		}
		for (n = 1; n < step && text[n] && text[n] != '{'; n++)
			;
		chat_calls_text(&c, text, n);
		text += n;
	}
	whole = chat_calls_finish(&c);
	chat_calls_free(&c);
	return whole;
}

static const struct {
	const char *text, *expected;
	bool whole;
} cases[] = {
	{ "", "", true },
	{ "plain {\"name\": \"f\"} text", "plain {\"name\": \"f\"} text", true },
	{ "{calls} [{\"name\": \"add\", \"arguments\": {\"a\": [1, \"}]\\\"\"]}, \"id\": "
	  "\"call00001\"}]",
	  "<add({\"a\": [1, \"}]\\\"\"]})call00001>", true },
	{ "{calls}[{\"arguments\":{\"a\":1},\"name\":\"f\"},{\"id\":\"x\",\"name\":\"g\","
	  "\"arguments\":{}}]",
	  "<f({\"a\":1})><g({})x>", true },
	{ "{calls} [{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}]", "<f({\"a\": 1})>",
	  true },
	{ "{calls} [{\"name\": \"f\", \"arguments\": null, \"n\": 5, \"o\": true}]", "<f(null)>",
	  true },
	{ "{calls} [{\"name\": \"f\\u00e9\", \"arguments\": {}}", "<f\xc3\xa9({})>", true },
	{ "{calls}{\"name\": \"f\", \"arguments\": {}}]", "<f({})>", true },
	{ "{calls} []", "", true },
	{ "{calls}f{args}{\"a\": {\"b\": []}}", "<f({\"a\": {\"b\": []}})>", true },
	{ "{calls}f{id}call00001{args}{}{calls}g{args} {\"x\": 1} ",
	  "<f({})call00001><g({\"x\": 1})>", true },
	{ "{calls}f[ARGS]{}", "<f({})>", true },
	{ "{calls} f [CALL_ID]abc[ARGS]{}", "<f({})abc>", true },
	{ "{calls}f{\"a\": 1}", "<f({\"a\": 1})>", true },
	{ "{calls}f{args}5", "<f(5)>", true },
	{ "text{calls}f{args}{}after", "text<f({})>after", true },
	{ "{calls} [{\"name\": \"f\", \"arguments\": {}}] after", "<f({})>after", true },
	/* cut off */
	{ "{calls} [{\"name\": \"f\", \"arguments\": {\"a\": ", "<f({\"a\": )>", false },
	{ "{calls} [{\"name\": \"f", " [{\"name\": \"f", false },
	{ "{calls}f", "f", false },
	{ "{calls}f{args}{\"a\"{calls}g{args}{}", "<f({\"a\")><g({})>", false },
	{ "{calls}", "", false },
	/* no calls */
	{ "{calls} [1, 2] x", " [1, 2] x", false },
	{ "{calls} [{\"arguments\": {}}] x", " [{\"arguments\": {}}] x", false },
	{ "{calls} [{\"name\": 5, \"x\": 1}]", " [{\"name\": 5, \"x\": 1}]", false },
	{ "{calls} [{\"name\" \"f\"}]", " [{\"name\" \"f\"}]", false },
	{ "{calls} [{\"name\": \"f\", \"id\": 5}] x", "<f()>}] x", false },
	{ "{calls}what is\nthis", "what is\nthis", false },
	{ "{calls}f{args}}x", "<f()>}x", false },
	{ "a{args}b", "ab", false },
};

static void test_calls_are_found_in_pieces_of_any_size(void)
{
	static const size_t steps[] = { 1, 2, 3, 7, 1000 };
	size_t i, k;
	written w;

	for (i = 0; i < LENGTH(cases); i++)
		for (k = 0; k < LENGTH(steps); k++) {
			bool whole = parse(cases[i].text, steps[k], &w);

			CHECK(&counts,
			      !strcmp(w.text, cases[i].expected) && whole == cases[i].whole,
			      "%s by %zu: %s (%d)", cases[i].text, steps[k], w.text, whole);
		}
}

static void test_arguments_come_before_they_are_complete(void)
{
	written w;

	CHECK(&counts,
	      parse("{calls} [{\"name\": \"f\", \"arguments\": {\"abcdefgh\": 1}}]", 1, &w),
	      "not whole");
	CHECK(&counts, w.pieces > 10, "%u pieces", w.pieces);
}

/* Characters that calls are made of, in any order: nothing is read beyond its end, every call that
 * begins ends. */
static void test_any_text_ends_what_it_begins(void)
{
	static const char *const parts[] = { "{calls}",
		                             "{args}",
		                             "{id}",
		                             "{",
		                             "}",
		                             "[",
		                             "]",
		                             ",",
		                             ":",
		                             "\"",
		                             "\\",
		                             "\"name\": \"f\"",
		                             "\"arguments\": ",
		                             "\"id\": \"x\"",
		                             " ",
		                             "\n",
		                             "f",
		                             "1",
		                             "[ARGS]",
		                             "[CALL_ID]",
		                             "null" };
	uint64_t state = 7;
	unsigned i, k, wrong = 0;
	char text[512];
	written w;

	for (i = 0; i < 50000; i++) {
		size_t n = random_next(&state) % 20, open = 0, depth = 0;
		const char *at;

		strcpy(text, random_next(&state) % 2 ? "{calls}" : "{calls} [{\"name\": \"f\", ");
		for (k = 0; k < n; k++)
			strcat(text, parts[random_next(&state) % LENGTH(parts)]);
		(void)parse(text, 1 + random_next(&state) % 5, &w);
		for (at = w.text; *at; at++) {
			open += *at == '<';
			depth += *at == '>';
		}
		if (open != depth && wrong++ == 0)
			fprintf(stderr, "%s: %s\n", text, w.text);
	}
	CHECK(&counts, wrong == 0, "%u texts", wrong);
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* The ids of an answer: its text, with control tokens recognised. */
static void read_ids(const brise_chat *chat, const brise_tokenizer *t, const char *text, written *w,
                     brise_status *status)
{
	brise_answer *answer = NULL;
	int32_t *ids = NULL;
	size_t n = 0, i;
	brise_error err;

	*w = (written){ .n = 0 };
	*status = brise_encode_text(t, text, strlen(text), true, &ids, &n, &err);
	if (*status == BRISE_OK)
		*status = brise_new_answer(&answer, chat, &err);
	for (i = 0; i < n && *status == BRISE_OK; i++)
		*status = brise_read_answer(answer, ids[i], take, w, &err);
	if (*status == BRISE_OK)
		*status = brise_finish_answer(answer, take, w, &err);
	brise_free_answer(answer);
	brise_free(ids);
}

static void test_marks_are_tokens_and_never_their_spelling(void)
{
	brise_chat_options o = { .size = sizeof o, .format = "v3" };
	brise_status status;
	brise_chat *chat = NULL;
	chat_maker v;
	written w;

	if (!chat_maker_open(&v, VOCABULARY_V3, 0, 0) ||
	    brise_new_chat(&chat, v.t, NULL, &o, NULL) != BRISE_OK)
		return;
	read_ids(chat, v.t,
	         "[TOOL_CALLS] [{\"name\": \"add\", \"arguments\": {\"a\": \"\xc3\xa9\"}, \"id\": "
	         "\"call00001\"}]</s>",
	         &w, &status);
	CHECK(&counts,
	      status == BRISE_OK && !strcmp(w.text, "<add({\"a\": \"\xc3\xa9\"})call00001>"), "%s",
	      w.text);
	read_ids(chat, v.t, "Say: [TOOL_CALLS]f[ARGS]{}</s>", &w, &status);
	CHECK(&counts, status == BRISE_OK && !strcmp(w.text, "Say: <f({})>"), "%s", w.text);
	read_ids(chat, v.t, "[TOOL_CALLS][{", &w, &status);
	CHECK(&counts, status == BRISE_EFORMAT && !strcmp(w.text, "[{"), "%s", w.text);
	brise_free_chat(chat);
	chat_maker_close(&v);
	chat = NULL;
	o.format = "v1";
	if (!chat_maker_open(&v, VOCABULARY_V1, 0, 0) ||
	    brise_new_chat(&chat, v.t, NULL, &o, NULL) != BRISE_OK)
		return;
	read_ids(chat, v.t, "[TOOL_CALLS] [{\"name\": \"f\"}]", &w, &status);
	CHECK(&counts, status == BRISE_OK && !strcmp(w.text, "[TOOL_CALLS] [{\"name\": \"f\"}]"),
	      "%s", w.text);
	brise_free_chat(chat);
	chat_maker_close(&v);
}

static void test_memory_that_runs_out_is_an_error(void)
{
	static const char text[] = "a[TOOL_CALLS] [{\"arguments\": {\"a\": 1}, \"name\": \"add\", "
	                           "\"id\": \"call00001\"}]";
	brise_chat_options o = { .size = sizeof o, .format = "v3" };
	brise_status status = BRISE_ENOMEM;
	brise_chat *chat = NULL;
	chat_maker v;
	written w;
	long n, before;

	if (!chat_maker_open(&v, VOCABULARY_V3, 0, 0) ||
	    brise_new_chat(&chat, v.t, NULL, &o, NULL) != BRISE_OK)
		return;
	before = atomic_load(&in_use);
	for (n = 1; status == BRISE_ENOMEM && n < 1000; n++) {
		fail_request(n);
		read_ids(chat, v.t, text, &w, &status);
		fail_request(0);
		CHECK(&counts, atomic_load(&in_use) == before, "request %ld", n);
	}
	CHECK(&counts, status == BRISE_OK && n > 5, "request %ld: %d", n, (int)status);
	brise_free_chat(chat);
	chat_maker_close(&v);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_calls_are_found_in_pieces_of_any_size());
	RUN(test_arguments_come_before_they_are_complete());
	RUN(test_any_text_ends_what_it_begins());
	RUN(test_marks_are_tokens_and_never_their_spelling());
	RUN(test_memory_that_runs_out_is_an_error());
	return check_report("chat_answer", &counts);
}
