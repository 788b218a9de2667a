/* test_chat_tekken.c - conversations in the formats of Mistral's byte-level tokenizers
 *
 * Expected ids are written as text: {[INST]} is a control token. Vectors of mistral-common are
 * compared by test/gold.py.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/text/chat_template.h"
#include "test/chat_maker.h"
#include "test/check.h"
#include "test/failing_heap.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static check_counts counts;

/* ---- helpers -------------------------------------------------------------------------------- */

static bool open_changed(chat_maker *c, const char *from, const char *to)
{
	bool done = chat_maker_open_tekken(c, from, to);

	CHECK(&counts, done, "%s", CHAT_MAKER_TEKKEN);
	return done;
}

static bool open_small(chat_maker *c)
{
	return open_changed(c, NULL, NULL);
}

/* The ids of a conversation as text, or the message that refuses it. */
static const char *encode(const brise_tokenizer *t, const char *format, const char *json)
{
	static char out[8192];
	brise_chat_options o = { .size = sizeof o, .format = format };
	brise_chat *chat = NULL;
	chat_line line;
	int32_t *ids = NULL;
	size_t n = 0;
	brise_error err = { .message = "" };
	brise_status status = chat_maker_read(&line, json, &err);

	if (status == BRISE_OK)
		status = brise_new_chat(&chat, t, NULL, &o, &err);
	if (status == BRISE_OK)
		status = brise_encode_chat(chat, &line.conversation, &ids, &n, &err);
	if (status == BRISE_OK)
		chat_maker_spell(t, ids, n, out, sizeof out);
	else
		(void)snprintf(out, sizeof out, "%s", err.message);
	brise_free(ids);
	brise_free_chat(chat);
	chat_line_free(&line);
	return out;
}

static void expect(const brise_tokenizer *t, const char *format, const char *json,
                   const char *expected)
{
	const char *found = encode(t, format, json);

	CHECK(&counts, !strcmp(found, expected), "%s: %s\n  gives    %s\n  expected %s", format,
	      json, found, expected);
}

#define SYSTEM(text)       "{'role': 'system', 'content': '" text "'}"
#define USER(text)         "{'role': 'user', 'content': '" text "'}"
#define ASSISTANT(text)    "{'role': 'assistant', 'content': '" text "'}"
#define TALK(messages)     "{'messages': [" messages "]}"
#define PARTS(role, parts) "{'role': '" role "', 'content': [" parts "]}"
#define TEXT(text)         "{'type': 'text', 'text': '" text "'}"
#define THINK(text)        "{'type': 'thinking', 'thinking': '" text "'}"
#define ONE(id, arguments)                                                                         \
	"{'id': '" id "', 'function': {'name': 'add', 'arguments': " arguments "}}"
#define CALLS(text, calls) "{'role': 'assistant', 'content': '" text "', 'tool_calls': [" calls "]}"
#define RESULT(id, text)   "{'role': 'tool', 'tool_call_id': '" id "', 'content': '" text "'}"
#define TOOLS(messages)    "{'tools': [{'function': {'name': 'add'}}], 'messages': [" messages "]}"
#define SHOWN_TOOLS                                                                                \
	"{[AVAILABLE_TOOLS]}[{\"type\": \"function\", \"function\": {\"name\": \"add\", "          \
	"\"description\": \"\", \"parameters\": {}}}]{[/AVAILABLE_TOOLS]}"

/* ---- texts ---------------------------------------------------------------------------------- */

static void test_system_messages_stand_where_they_are_from_v7_on(void)
{
	static const char *const later[] = { "v7", "v11", "v13" };
	static const char talk[] = TALK(SYSTEM("s") "," SYSTEM("") "," USER("a") "," USER(
	        " b ") "," ASSISTANT("c  ") "," SYSTEM("t") "," USER("d"));
	chat_maker v;
	size_t i;

	if (!open_small(&v))
		return;
	for (i = 0; i < LENGTH(later); i++) {
		expect(v.t, later[i], talk,
		       "{<s>}{[SYSTEM_PROMPT]}s{[/SYSTEM_PROMPT]}{[SYSTEM_PROMPT]}{[/"
		       "SYSTEM_PROMPT]}{[INST]}a\n\n b {[/INST]}c{</s>}{[SYSTEM_PROMPT]}t{[/"
		       "SYSTEM_PROMPT]}{[INST]}d{[/INST]}");
		expect(v.t, later[i], TALK(SYSTEM("s") "," ASSISTANT("a") "," ASSISTANT("b")),
		       "{<s>}{[SYSTEM_PROMPT]}s{[/SYSTEM_PROMPT]}a\n\nb{</s>}");
		expect(v.t, later[i],
		       TALK(USER("a") ",{'role':'assistant','content':'b ','prefix':true}"),
		       "{<s>}{[INST]}a{[/INST]}b");
	}
	expect(v.t, "v3-tekken", talk,
	       "{<s>}{[INST]}a\n\n b {[/INST]}c{</s>}{[INST]}s\n\nt\n\nd{[/INST]}");
	expect(v.t, "v3-tekken", TALK(SYSTEM("s")), "{<s>}{[INST]}s\n\n{[/INST]}");
	chat_maker_close(&v);
}

static void test_texts_are_joined_but_not_with_reasoning(void)
{
	chat_maker v;

	if (!open_small(&v))
		return;
	expect(v.t, "v13",
	       TALK(PARTS("system",
	                  TEXT("a ") "," TEXT("b") "," THINK("c ") "," TEXT(
	                          "d")) "," USER("e") "," PARTS("assistant",
	                                                        THINK("f") "," TEXT("g "))),
	       "{<s>}{[SYSTEM_PROMPT]}a \n\nb{[THINK]}c {[/THINK]}d{[/SYSTEM_PROMPT]}{[INST]}e{[/"
	       "INST]}{[THINK]}f{[/THINK]}g {</s>}");
	expect(v.t, "v13",
	       TALK(USER("a") "," PARTS("assistant", TEXT("b") "," THINK("c")) "," ASSISTANT(
	               "d") "," PARTS("assistant", THINK("e") "," THINK("f"))),
	       "{<s>}{[INST]}a{[/INST]}b{[THINK]}c{[/THINK]}d{[THINK]}e{[/THINK]}{[THINK]}f{[/"
	       "THINK]}{</s>}");
	expect(v.t, "v13",
	       TALK(USER("a") ",{'role': 'assistant', 'prefix': true, 'content': [{'type': "
	                      "'thinking', 'closed': false, 'thinking': [" TEXT("b") "," TEXT(
	                              "c") "]}]}"),
	       "{<s>}{[INST]}a{[/INST]}{[THINK]}b\n\nc");
	expect(v.t, "v13",
	       TALK(USER("a") ",{'role': 'assistant', 'reasoning_content': '[/THINK]b', 'content': "
	                      "'c'}," USER("d")),
	       "{<s>}{[INST]}a{[/INST]}{[THINK]}[/THINK]b{[/THINK]}c{</s>}{[INST]}d{[/INST]}");
	expect(v.t, "v13",
	       TALK(USER("a") ",{'role': 'assistant', 'content': [" THINK(
	               "b") "], 'reasoning_content': 'c'}"),
	       "{<s>}{[INST]}a{[/INST]}{[THINK]}b{[/THINK]}{</s>}");
	expect(v.t, "v13",
	       TALK(USER("a") ",{'role': 'assistant', 'content': null, 'reasoning_content': 5}"),
	       "line: line 1, byte 107: reasoning_content: a string expected");
	expect(v.t, "v13", TALK(PARTS("user", THINK("a"))),
	       "message 1, from the user, has reasoning in it: only the assistant's and the "
	       "system's may");
	expect(v.t, "v11", TALK(USER("a") "," PARTS("assistant", THINK("b"))),
	       "message 2 has reasoning in it: the format v11 has no form for it");
	chat_maker_close(&v);
	if (!open_changed(&v, "\"[/THINK]\"", "\"[/THOUGHT]\""))
		return;
	expect(v.t, "v13", TALK(USER("a")), "{<s>}{[INST]}a{[/INST]}");
	expect(v.t, "v13", TALK(USER("a") "," PARTS("assistant", THINK("b"))),
	       "message 2 has reasoning in it: the format v13 has no form for it, as the "
	       "vocabulary lacks [THINK] or [/THINK]");
	chat_maker_close(&v);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void test_calls_have_the_form_of_their_version(void)
{
	static const char talk[] = TOOLS(USER("q") "," CALLS(
	        "t ",
	        ONE("call00001",
	            "'{\\'a\\':1.50,\\'b\\':\\'"
	            "\\\\u00e9\\'}'")) "," RESULT("call00001",
	                                          "{\\'r\\':3}") "," ASSISTANT("b") "," USER("r"));
	chat_maker v;

	if (!open_small(&v))
		return;
	expect(v.t, "v3-tekken", talk,
	       "message 2, from the assistant, has both text and tool calls: v3-tekken has one of "
	       "them in a message");
	expect(v.t, "v7", talk,
	       "{<s>}{[INST]}q{[/INST]}t{[TOOL_CALLS]}[{\"name\": \"add\", \"arguments\": {\"a\": "
	       "1.5, \"b\": \"\xc3\xa9\"}, \"id\": "
	       "\"call00001\"}]{</s>}{[TOOL_RESULTS]}call00001{[TOOL_CONTENT]}{\"r\":3}{[/"
	       "TOOL_RESULTS]}b{</s>}" SHOWN_TOOLS "{[INST]}r{[/INST]}");
	expect(v.t, "v11", talk,
	       "{<s>}{[INST]}q{[/INST]}t{[TOOL_CALLS]}add{[CALL_ID]}call00001{[ARGS]}{\"a\": 1.5, "
	       "\"b\": \"\xc3\xa9\"}{</s>}{[TOOL_RESULTS]}call00001{[TOOL_CONTENT]}{\"r\":3}{[/"
	       "TOOL_RESULTS]}b{</s>}" SHOWN_TOOLS "{[INST]}r{[/INST]}");
	expect(v.t, "v13", talk,
	       "{<s>}" SHOWN_TOOLS "{[INST]}q{[/INST]}t{[TOOL_CALLS]}add{[ARGS]}{\"a\": 1.5, "
	       "\"b\": \"\xc3\xa9\"}{</s>}{[TOOL_RESULTS]}{\"r\":3}{[/TOOL_RESULTS]}b{</s>}{["
	       "INST]}r{[/INST]}");
	expect(v.t, "v3-tekken",
	       TOOLS(USER("q") "," CALLS("", ONE("call00001", "'no JSON'")) "," RESULT("call00001",
	                                                                               "")),
	       "{<s>}" SHOWN_TOOLS "{[INST]}q{[/INST]}{[TOOL_CALLS]}[{\"name\": \"add\", "
	       "\"arguments\": \"no JSON\", \"id\": "
	       "\"call00001\"}]{</s>}{[TOOL_RESULTS]}{\"content\": {}, \"call_id\": "
	       "\"call00001\"}{[/TOOL_RESULTS]}");
	expect(v.t, "v11",
	       TALK(USER("q") ",{'role':'assistant','tool_calls':[{'function':{'name':'f'}}]},"
	                      "{'role':'tool','content':'x'}"),
	       "a tool call without an id: the format v11 writes it");
	chat_maker_close(&v);
}

static void test_results_come_in_the_order_of_their_calls_from_v11_on(void)
{
	static const char talk[] = TALK(USER("q") "," CALLS(
	        "", ONE("a", "'{}'") "," ONE("b", "'{}'") "," ONE(
	                    "c", "'{}'")) "," RESULT("c", "3") "," RESULT("a",
	                                                                  "1") "," RESULT("other",
	                                                                                  "?"));
	static const struct {
		const char *format, *order;
	} cases[] = { { "v7", "31?" }, { "v11", "13?" }, { "v13", "13?" } };
	chat_maker v;
	size_t i;

	if (!open_small(&v))
		return;
	for (i = 0; i < LENGTH(cases); i++) {
		const char *found = encode(v.t, cases[i].format, talk), *at = found;
		char order[8] = "";
		size_t n = 0;

		while (n < 3 && (at = strstr(at, "{[/TOOL_RESULTS]}")) != NULL) {
			order[n++] = at[-1];
			at++;
		}
		CHECK(&counts, !strcmp(order, cases[i].order), "%s: %s (%s)", cases[i].format,
		      order, found);
	}
	chat_maker_close(&v);
}

/* 100,000 calls with results in reverse take no time that grows with their square. */
static void test_many_results_are_put_in_order(void)
{
	enum { N = 100000 };
	brise_chat_options o = { .size = sizeof o, .format = "v13" };
	brise_message *m = calloc(N + 2, sizeof *m);
	brise_tool_call *calls = calloc(N, sizeof *calls);
	char(*texts)[16] = calloc(N, sizeof *texts);
	brise_conversation c = { .size = sizeof c, .messages = m, .n = N + 2 };
	brise_chat *chat = NULL;
	int32_t *ids = NULL, *straight = NULL;
	size_t n = 0, n_straight = 0, i;
	chat_maker v;

	if (m && calls && texts && open_small(&v)) {
		m[0] = (brise_message){ .role = BRISE_USER, .content = "q", .bytes = 1 };
		m[1] = (brise_message){ .role = BRISE_ASSISTANT, .calls = calls, .n_calls = N };
		for (i = 0; i < N; i++) {
			(void)snprintf(texts[i], sizeof *texts, "%zu", i * 7919 % N);
			calls[i] = (brise_tool_call){ .id = texts[i], .name = "f" };
			m[2 + i] = (brise_message){ .role = BRISE_TOOL,
				                    .content = texts[i],
				                    .bytes = strlen(texts[i]),
				                    .call_id = texts[i] };
		}
		CHECK(&counts,
		      brise_new_chat(&chat, v.t, NULL, &o, NULL) == BRISE_OK &&
		              brise_encode_chat(chat, &c, &straight, &n_straight, NULL) == BRISE_OK,
		      "in order");
		for (i = 0; i < N / 2; i++) {
			brise_message other = m[2 + i];

			m[2 + i] = m[N + 1 - i];
			m[N + 1 - i] = other;
		}
		CHECK(&counts,
		      brise_encode_chat(chat, &c, &ids, &n, NULL) == BRISE_OK && n == n_straight &&
		              !memcmp(ids, straight, n * sizeof *ids),
		      "in reverse: %zu ids, %zu", n, n_straight);
		brise_free(ids);
		brise_free(straight);
		brise_free_chat(chat);
		chat_maker_close(&v);
	}
	free(m);
	free(calls);
	free(texts);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Text as it is, {reasoning}, <name(arguments)id>. */
static void take_piece(void *user, const brise_answer_piece *piece)
{
	static const char *const before[] = { "", "", "<", "", "", "{" }, *const after[] = {
		"", "", "(", "", ">", "}"
	};
	char *out = user;
	size_t n = strlen(out);

	(void)snprintf(out + n, 1024 - n, "%s%s%.*s%s", before[piece->kind],
	               piece->kind == BRISE_ANSWER_CALL_END ? ")" : "", (int)piece->bytes,
	               piece->text, after[piece->kind]);
}

/* What an answer says behind a prompt, each a text with its control tokens. */
static brise_status read_answer(const brise_tokenizer *t, const char *format, const char *prompt,
                                const char *text, char out[1024], size_t *n_thought)
{
	brise_chat_options o = { .size = sizeof o, .format = format };
	brise_chat *chat = NULL;
	brise_answer *answer = NULL;
	int32_t *ids = NULL, *before = NULL;
	size_t n = 0, n_before = 0, i;
	brise_error err;
	brise_status status = brise_new_chat(&chat, t, NULL, &o, &err);

	*out = 0;
	*n_thought = 0;
	if (status == BRISE_OK)
		status = brise_new_answer(&answer, chat, &err);
	if (status == BRISE_OK)
		status = brise_encode_text(t, prompt, strlen(prompt), true, &before, &n_before,
		                           &err);
	if (status == BRISE_OK)
		status = brise_encode_text(t, text, strlen(text), true, &ids, &n, &err);
	brise_begin_answer(answer, before, n_before);
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = brise_read_answer(answer, ids[i], take_piece, out, &err);
	if (status == BRISE_OK)
		status = brise_finish_answer(answer, take_piece, out, &err);
	*n_thought = brise_count_thought(answer);
	brise_free(ids);
	brise_free(before);
	brise_free_answer(answer);
	brise_free_chat(chat);
	return status;
}

static void test_answers_are_read_with_reasoning_and_calls(void)
{
	static const struct {
		const char *format, *prompt, *text, *expected;
		size_t n_thought;
		bool whole;
	} cases[] = {
		{ "v13", "[INST]q[/INST]", "[THINK]a[/THINK]b</s>", "{a}b", 3, true },
		{ "v13", "[INST]q[/INST]", "a[THINK]b[/THINK]c[THINK]d[/THINK]", "a{b}c{d}", 6,
		  true },
		{ "v13", "[INST]q[/INST]", "[THINK]a", "{a}", 2, true },
		{ "v13", "[INST]q[/INST]", "[THINK]a[TOOL_CALLS]f[ARGS]{}", "{a}<f({})>", 2, true },
		{ "v13", "[INST]q[/INST]", "[THINK]a[ARGS]b[/THINK]", "{a}{b}", 4, true },
		{ "v13", "[INST]q[/INST]", "a[/THINK]b", "ab", 0, true },
		{ "v13", "[INST]q[/INST]", "[TOOL_CALLS]f[ARGS]{\"[THINK]\"}", "", 0, false },
		{ "v13", "[INST]q[/INST][THINK]a", "b[/THINK]c", "{b}c", 2, true },
		{ "v13", "[INST]q[/INST][THINK]a[/THINK]", "b", "b", 0, true },
		{ "v13", "[INST]q[/INST]", "[TOOL_CALLS]f[ARGS]{}[TOOL_CALLS]g[ARGS]{\"a\": 1}",
		  "<f({})><g({\"a\": 1})>", 0, true },
		{ "v11", "[INST]q[/INST]", "t[TOOL_CALLS]f[CALL_ID]abcdefghi[ARGS]{}</s>",
		  "t<f({})abcdefghi>", 0, true },
		{ "v11", "[INST]q[/INST]", "[THINK]a[/THINK]b", "ab", 0, true },
		{ "v7", "[INST]q[/INST]",
		  "t[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}, \"id\": \"abcdefghi\"}]",
		  "t<f({})abcdefghi>", 0, true },
	};
	char out[1024];
	size_t i, n;
	chat_maker v;

	if (!open_small(&v))
		return;
	for (i = 0; i < LENGTH(cases); i++) {
		brise_status status =
		        read_answer(v.t, cases[i].format, cases[i].prompt, cases[i].text, out, &n);

		if (!cases[i].whole) {
			CHECK(&counts, status == BRISE_EFORMAT, "%s: %s", cases[i].text, out);
			continue;
		}
		CHECK(&counts, status == BRISE_OK && !strcmp(out, cases[i].expected), "%s: %s: %s",
		      cases[i].format, cases[i].text, out);
		CHECK(&counts, n == cases[i].n_thought, "%s: %zu", cases[i].text, n);
	}
	chat_maker_close(&v);
}

/* ---- which format --------------------------------------------------------------------------- */

static void test_the_version_of_the_tokenizer_says_the_format(void)
{
	static const struct {
		const char *version, *text, *format, *seen;
	} cases[] = {
		{ "\"v3\"", NULL, "v3-tekken", "tekken's version 3" },
		{ "\"v7\"", NULL, "v7", "tekken's version 7" },
		{ "\"v11\"", NULL, "v11", "tekken's version 11" },
		{ "\"v13\"", NULL, "v13", "tekken's version 13" },
		{ "\"v15\"", NULL, NULL, "tekken's version 15 is not known" },
		{ "\"v7\"", "[INST]", "v7", "tekken's version 7" },
		{ "\"v15\"", "[SYSTEM_PROMPT] [MODEL_SETTINGS]", NULL, "later than Mistral's v13" },
		{ "\"v15\"", "[THINK][ARGS]", "v13", "writes [THINK]" },
		{ "\"v15\"", "[SYSTEM_PROMPT][ARGS]", "v13", "writes [ARGS]" },
		{ "\"v15\"", "[SYSTEM_PROMPT][CALL_ID][ARGS]", "v11", "writes [ARGS]" },
		{ "\"v15\"", "[SYSTEM_PROMPT][TOOL_CONTENT]", "v7", "writes [SYSTEM_PROMPT]" },
		{ "\"v15\"", "[INST]", "v3-tekken", "writes [INST]" },
		{ "\"v15\"", "mistral-v3-tekken", "v3-tekken", "llama.cpp's name" },
		{ "\"v15\"", "mistral-v7-tekken", "v7", "llama.cpp's name mistral-v7-tekken" },
		{ "\"v13\"", "mistral-v7-tekken", "v13", "tekken's version 13" },
		{ "\"v15\"", "mistral-v7-tekkens", NULL, "of no known form" },
		{ "\"v7\"", "<|im_start|>", NULL, "the vocabulary lacks it" },
		{ "\"v7\"", "<<SYS>>[INST]", NULL, "Llama 2's form" },
	};
	chat_guess guess;
	chat_maker v;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		if (!open_changed(&v, "\"v13\"", cases[i].version))
			return;
		chat_guess_format(&guess, cases[i].text, v.t);
		CHECK(&counts,
		      guess.format && cases[i].format ? !strcmp(guess.format, cases[i].format)
		                                      : guess.format == cases[i].format,
		      "%s, %s: %s (%s)", cases[i].version, cases[i].text, guess.format, guess.seen);
		CHECK(&counts, strstr(guess.seen, cases[i].seen), "%s, %s: %s", cases[i].version,
		      cases[i].text, guess.seen);
		chat_maker_close(&v);
	}
}

/* Files without a version: the newest token of the vocabulary decides, or of the template. */
static void test_tokens_decide_where_nothing_else_does(void)
{
	static const struct {
		const char *without, *format, *seen, *text;
	} cases[] = {
		{ "", "v13",
		  "the vocabulary has [THINK], as that of v13, though the chat template "
		  "writes [ARGS] as the newest",
		  "[SYSTEM_PROMPT][CALL_ID][ARGS]" },
		{ "", "v13", "the chat template writes [THINK]", "[THINK][ARGS]" },
		{ "[THINK]", "v11", "has [ARGS], as that of v11", "[INST]" },
		{ "[THINK]", "v11", "the chat template writes [ARGS]", "[CALL_ID][ARGS]" },
		{ "[THINK]", "v13", "the chat template writes [ARGS]", "[INST][ARGS]" },
		{ "[THINK] [CALL_ID]", "v13", "has [ARGS], as that of v13", "[SYSTEM_PROMPT]" },
		{ "[THINK] [ARGS]", "v7", "the chat template writes [SYSTEM_PROMPT]",
		  "[SYSTEM_PROMPT][INST]" },
		{ "[THINK] [ARGS]", "v3-tekken", "the chat template writes [INST]", "[INST]" },
		{ "", "v3-tekken", "llama.cpp's name", "mistral-v3-tekken" },
		{ "", "v13", "the vocabulary has [THINK], as that of v13", NULL },
		{ "[THINK]", "v11", "the vocabulary has [ARGS], as that of v11", NULL },
		{ "[THINK] [CALL_ID]", "v13", "the vocabulary has [ARGS], as that of v13", NULL },
		{ "[THINK] [ARGS]", "v7",
		  "the vocabulary has [SYSTEM_PROMPT], as that of v7 and sometimes v3-tekken",
		  NULL },
		{ "[THINK] [ARGS] [SYSTEM_PROMPT]", "v3-tekken",
		  "the vocabulary has [INST], as that of v3-tekken", NULL },
		{ "[THINK] [ARGS] [SYSTEM_PROMPT] [INST]", NULL, "no known control tokens", NULL },
	};
	chat_guess guess;
	chat_maker v;
	size_t i;
	uint32_t id;

	for (i = 0; i < LENGTH(cases); i++) {
		if (!open_small(&v))
			return;
		v.t->dialect = 0;
		for (id = 0; id < v.t->vocab && v.t->types[id] == PIECE_CONTROL; id++) {
			uint8_t *text = v.section + (v.t->text - v.section) + v.t->offsets[id];
			uint32_t bytes = tokenizer_piece_bytes(v.t, id);
			char name[64];

			(void)snprintf(name, sizeof name, "%.*s", (int)bytes, (char *)text);
			if (*name == '[' && strstr(cases[i].without, name))
				text[1] = '-';
		}
		chat_guess_format(&guess, cases[i].text, v.t);
		CHECK(&counts,
		      guess.format && cases[i].format ? !strcmp(guess.format, cases[i].format)
		                                      : guess.format == cases[i].format,
		      "without %s: %s", cases[i].without, guess.format);
		CHECK(&counts, strstr(guess.seen, cases[i].seen), "without %s: %s",
		      cases[i].without, guess.seen);
		chat_maker_close(&v);
	}
}

static void test_a_format_without_its_tokens_is_refused_by_name(void)
{
	static const struct {
		const char *token, *format;
	} cases[] = { { "[INST]", "v3-tekken" },   { "[TOOL_CALLS]", "v3-tekken" },
		      { "[SYSTEM_PROMPT]", "v7" }, { "[/SYSTEM_PROMPT]", "v13" },
		      { "[TOOL_CONTENT]", "v7" },  { "[TOOL_CONTENT]", "v11" },
		      { "[CALL_ID]", "v11" },      { "[ARGS]", "v11" },
		      { "[ARGS]", "v13" } };
	char from[64], expected[200];
	chat_maker v;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)snprintf(from, sizeof from, "\"%s\"", cases[i].token);
		(void)snprintf(expected, sizeof expected,
		               "the format %s needs the control token %s, which the vocabulary "
		               "lacks",
		               cases[i].format, cases[i].token);
		if (!open_changed(&v, from, "\"[OTHER]\""))
			return;
		expect(v.t, cases[i].format, TALK(USER("a")), expected);
		chat_maker_close(&v);
	}
	if (open_changed(&v, "\"[CALL_ID]\"", "\"[OTHER]\""))
		expect(v.t, "v13", TALK(USER("a")), "{<s>}{[INST]}a{[/INST]}");
	chat_maker_close(&v);
	if (chat_maker_open(&v, VOCABULARY_V3, 0, 0))
		expect(v.t, "v3-tekken", TALK(USER("a")),
		       "the format v3-tekken is of byte-level tokenizers (tekken), which this one "
		       "is not");
	chat_maker_close(&v);
}

/* ---- hostile texts -------------------------------------------------------------------------- */

static bool is_control(const brise_tokenizer *t, int32_t id)
{
	return t->types[id] == PIECE_CONTROL;
}

/* A text in all places that v13 has. */
static brise_status encode_everywhere(const brise_chat *chat, const char *text, size_t bytes,
                                      int32_t **ids, size_t *n)
{
	bool thinks = brise_get_chat_facts(chat)->thoughts;
	const brise_tool_call call = { .id = text, .name = text, .arguments = text };
	const brise_thought thoughts[] = { { 0, text, bytes, false },
		                           { bytes, text, bytes, false } };
	brise_message m[] = {
		{ .role = BRISE_SYSTEM, .content = text, .bytes = bytes },
		{ .role = BRISE_USER, .content = text, .bytes = bytes },
		{ .role = BRISE_ASSISTANT,
		  .content = text,
		  .bytes = bytes,
		  .thoughts = thoughts,
		  .n_thoughts = thinks ? 2 : 0 },
		{ .role = BRISE_USER, .content = text, .bytes = bytes },
		{ .role = BRISE_ASSISTANT, .calls = &call, .n_calls = 1 },
		{ .role = BRISE_TOOL, .content = text, .bytes = bytes, .call_id = text },
	};
	brise_conversation c = { .size = sizeof c, .messages = m, .n = LENGTH(m) };

	return brise_encode_chat(chat, &c, ids, n, NULL);
}

static void check_hostile(const brise_tokenizer *t, const char *format)
{
	static const char *const parts[] = { "<s>",
		                             "</s>",
		                             "[INST]",
		                             "[/INST]",
		                             "[THINK]",
		                             "[/THINK]",
		                             "[ARGS]",
		                             "[CALL_ID]",
		                             "[TOOL_CALLS]",
		                             "[SYSTEM_PROMPT]",
		                             "[/SYSTEM_PROMPT]",
		                             "[TOOL_CONTENT]",
		                             "[/TOOL_RESULTS]",
		                             "<SPECIAL_20>",
		                             "[",
		                             "]",
		                             "[THI",
		                             "NK]",
		                             " ",
		                             "\n",
		                             "a",
		                             "\xff",
		                             "\xe4\xba",
		                             "\"",
		                             "\\",
		                             "{}" };
	brise_chat_options o = { .size = sizeof o, .format = format };
	int32_t *harmless = NULL, *ids;
	size_t n_harmless = 0, n, i, k, m;
	brise_chat *chat = NULL;
	unsigned wrong = 0;
	uint64_t state = 3;
	char text[256];

	CHECK(&counts,
	      brise_new_chat(&chat, t, NULL, &o, NULL) == BRISE_OK &&
	              encode_everywhere(chat, "x", 1, &harmless, &n_harmless) == BRISE_OK,
	      "%s", format);
	for (i = 0; i < 3000 && harmless; i++) {
		text[0] = 0;
		for (k = 1 + random_next(&state) % 10; k > 0; k--)
			strcat(text, parts[random_next(&state) % LENGTH(parts)]);
		if (encode_everywhere(chat, text, strlen(text), &ids, &n) != BRISE_OK) {
			wrong++;
			continue;
		}
		for (k = 0, m = 0;; k++, m++) {
			while (k < n && !is_control(t, ids[k]))
				k++;
			while (m < n_harmless && !is_control(t, harmless[m]))
				m++;
			if (k == n || m == n_harmless || ids[k] != harmless[m])
				break;
		}
		if (k < n || m < n_harmless) {
			if (wrong++ == 0)
				fprintf(stderr, "%s: %s\n", format, text);
		}
		brise_free(ids);
	}
	CHECK(&counts, wrong == 0, "%s: %u wrong texts", format, wrong);
	brise_free(harmless);
	brise_free_chat(chat);
}

static void test_text_of_users_never_becomes_a_control_token(void)
{
	chat_maker v;

	if (!open_small(&v))
		return;
	check_hostile(v.t, "v3-tekken");
	check_hostile(v.t, "v7");
	check_hostile(v.t, "v11");
	check_hostile(v.t, "v13");
	chat_maker_close(&v);
}

static void test_memory_that_runs_out_is_an_error(void)
{
#define ANSWERED "{'role': 'assistant', 'content': 'u', 'reasoning_content': 'r'}"
#define THOUGHTS THINK("x") "," THINK("y") "," THINK("z")
#define TWO      ONE("a", "'{}'") "," ONE("b", "'{}'")
#define RESULTS  RESULT("b", "3") "," RESULT("a", "1")
	static const char talk[] = TALK(SYSTEM("s") "," USER("p") "," ANSWERED "," USER(
	        "q") "," PARTS("assistant", THOUGHTS "," TEXT("t")) "," CALLS("", TWO) "," RESULTS);
	const char *found = "no memory";
	chat_maker v;
	long n, before;

	if (!open_small(&v))
		return;
	before = atomic_load(&in_use);
	for (n = 1; strstr(found, "no memory") && n < 1000; n++) {
		fail_request(n);
		found = encode(v.t, "v13", talk);
		fail_request(0);
		CHECK(&counts, atomic_load(&in_use) == before, "request %ld: %s", n, found);
	}
	CHECK(&counts, n > 20 && strstr(found, "{[TOOL_RESULTS]}1{[/TOOL_RESULTS]}"), "%ld: %s", n,
	      found);
	chat_maker_close(&v);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_system_messages_stand_where_they_are_from_v7_on());
	RUN(test_texts_are_joined_but_not_with_reasoning());
	RUN(test_calls_have_the_form_of_their_version());
	RUN(test_results_come_in_the_order_of_their_calls_from_v11_on());
	RUN(test_many_results_are_put_in_order());
	RUN(test_answers_are_read_with_reasoning_and_calls());
	RUN(test_the_version_of_the_tokenizer_says_the_format());
	RUN(test_tokens_decide_where_nothing_else_does());
	RUN(test_a_format_without_its_tokens_is_refused_by_name());
	RUN(test_text_of_users_never_becomes_a_control_token());
	RUN(test_memory_that_runs_out_is_an_error());
	return check_report("chat_tekken", &counts);
}
