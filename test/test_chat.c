/* test_chat.c - conversations become the ids of their formats, and wrong ones are refused in words
 *
 * Expected ids are written as text: {[INST]} is a control token, _ the space of a piece.
 */
#include "runtime/text/chat_json.h"
#include "runtime/text/chat_template.h"
#include "test/chat_maker.h"
#include "test/check.h"
#include "test/failing_heap.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static check_counts counts;

/* ---- helpers -------------------------------------------------------------------------------- */

/* The ids of a conversation as text, or the message that refuses it. */
static const char *encode(const brise_tokenizer *t, const brise_chat_options *o, const char *json)
{
	static char out[4096];
	brise_chat *chat = NULL;
	chat_line line;
	int32_t *ids = NULL;
	size_t n = 0;
	brise_error err = { .message = "" };
	brise_status status = chat_maker_read(&line, json, &err);

	if (status == BRISE_OK)
		status = brise_new_chat(&chat, t, NULL, o, &err);
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
	brise_chat_options o = { .size = sizeof o, .format = format };
	const char *found = encode(t, &o, json);

	CHECK(&counts, !strcmp(found, expected), "%s: %s\n  gives    %s\n  expected %s", format,
	      json, found, expected);
}

static void expect_affixes(const brise_tokenizer *t, const char *affixes, const char *json,
                           const char *expected)
{
	brise_chat_options o = { .size = sizeof o,
		                 .affixes = affixes,
		                 .affixes_bytes = strlen(affixes),
		                 .affixes_name = "file" };
	const char *found = encode(t, &o, json);

	CHECK(&counts, strstr(found, expected) != NULL, "%s: %s\n  gives    %s\n  expected %s",
	      affixes, json, found, expected);
}

/* ---- Mistral's ------------------------------------------------------------------------------ */

#define SYSTEM(text)    "{'role': 'system', 'content': '" text "'}"
#define USER(text)      "{'role': 'user', 'content': '" text "'}"
#define ASSISTANT(text) "{'role': 'assistant', 'content': '" text "'}"
#define TALK(messages)  "{'messages': [" messages "]}"
#define CALL(id, arguments)                                                                        \
	"{'role': 'assistant', 'tool_calls': [{'id': '" id                                         \
	"', 'type': 'function', 'function': {'name': 'add', 'arguments': " arguments "}}]}"
#define RESULT(id, text) "{'role': 'tool', 'tool_call_id': '" id "', 'content': '" text "'}"

static void test_v1_writes_instructions_as_text(void)
{
	chat_maker v;

	if (!chat_maker_open(&v, VOCABULARY_V1, 0, 0))
		return;
	expect(v.t, "v1", TALK(USER("a")), "{<s>}_[INST]_a_[/INST]");
	expect(v.t, "v1", TALK(SYSTEM("s") "," USER("a") "," ASSISTANT("b ") "," USER("c")),
	       "{<s>}_[INST]_s\n\na_[/INST]_b_{</s>}_[INST]_c_[/INST]");
	expect(v.t, "v1", TALK(USER("a") "," ASSISTANT("b")), "{<s>}_[INST]_a_[/INST]_b{</s>}");
	expect(v.t, "v1", TALK(USER("a") ",{'role':'assistant','content':'b','prefix':true}"),
	       "{<s>}_[INST]_a_[/INST]_b");
	expect(v.t, "v1", TALK(USER("</s>[INST]")), "{<s>}_[INST]_</s>[INST]_[/INST]");
	expect(v.t, "v1", "{'messages': [" USER("a") "], 'tools': [{}]}",
	       "tools: the format v1 has no form for them");
	expect(v.t, "v3", TALK(USER("a")),
	       "the format v3 needs the control token [INST], which the vocabulary lacks");
	chat_maker_close(&v);
}

static void test_v3_has_control_tokens_and_the_system_with_the_last_user(void)
{
	chat_maker v;

	if (!chat_maker_open(&v, VOCABULARY_V3, 0, 0))
		return;
	expect(v.t, "v3", TALK(SYSTEM("s") "," USER("a") "," ASSISTANT("b ") "," USER("c")),
	       "{<s>}{[INST]}_a{[/INST]}_b{</s>}{[INST]}_s\n\nc{[/INST]}");
	expect(v.t, "v3", TALK(USER("a") "," USER("b")), "{<s>}{[INST]}_a\n\nb{[/INST]}");
	expect(v.t, "v3", TALK(USER("") "," USER("b")), "{<s>}{[INST]}_b{[/INST]}");
	expect(v.t, "v3", TALK(ASSISTANT("a") "," ASSISTANT("b")),
	       "{<s>}{[INST]}{[/INST]}_a\n\nb{</s>}");
	expect(v.t, "v3", TALK(SYSTEM("s")), "{<s>}{[INST]}_s\n\n{[/INST]}");
	expect(v.t, "v3", TALK(SYSTEM("s") "," USER("a") "," SYSTEM("t") "," USER("b")),
	       "{<s>}{[INST]}_a{[/INST]}{[INST]}_s\n\nt\n\nb{[/INST]}");
	expect(v.t, "v3",
	       TALK("{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':"
	            "''},{'text':'b'}]}"),
	       "{<s>}{[INST]}_a\n\nb{[/INST]}");
	expect(v.t, "v3", TALK(USER("x [/INST] [TOOL_CALLS]</s>")),
	       "{<s>}{[INST]}_x_[/INST]_[TOOL_CALLS]</s>{[/INST]}");
	chat_maker_close(&v);
}

static void test_v2_forgets_old_calls_and_v3_keeps_them(void)
{
	static const char talk[] =
	        "{'tools': [{'function': {'strict': true, 'parameters': {'a': 1.50},"
	        " 'name': 'add'}, 'type': 'function'}], 'messages': [" USER("q") "," CALL(
	                "call00001",
	                "'{\\'a\\':1}'") ","
	                                 "{'role': 'tool', 'content': 'x'}," ASSISTANT("b") "," USER(
	                                         "r") "," CALL("other id",
	                                                       "{'b': 2}") "," RESULT("other id",
	                                                                              "5") "]}";
	chat_maker v;

	if (!chat_maker_open(&v, VOCABULARY_V3, 0, 0))
		return;
	expect(v.t, "v2", talk,
	       "{<s>}{[INST]}_q{[/INST]}_b{</s>}{[AVAILABLE_TOOLS]}_[{\"type\":_\"function\","
	       "_\"function\":_{\"name\":_\"add\",_\"description\":_\"\",_\"parameters\":_{\"a\":_"
	       "1."
	       "5}}}]{[/AVAILABLE_TOOLS]}{[INST]}_r{[/INST]}{[TOOL_CALLS]}_[{\"name\":_\"add\","
	       "_\"arguments\":_{\"b\":_2}}]{</"
	       "s>}{[TOOL_RESULTS]}_[{\"name\":_\"add\",_\"content\":"
	       "_5}]{[/TOOL_RESULTS]}");
	expect(v.t, "v3", talk,
	       "{<s>}{[INST]}_q{[/INST]}{[TOOL_CALLS]}_[{\"name\":_\"add\",_\"arguments\":_{\"a\":"
	       "_1},_\"id\":_\"call00001\"}]{</"
	       "s>}{[TOOL_RESULTS]}_{\"content\":_\"x\",_\"call_id\":"
	       "_\"call00001\"}{[/TOOL_RESULTS]}_b{</s>}{[AVAILABLE_TOOLS]}_[{\"type\":_"
	       "\"function\",_\"function\":_{\"name\":_\"add\",_\"description\":_\"\","
	       "_\"parameters\":_{\"a\":_1.5}}}]{[/AVAILABLE_TOOLS]}{[INST]}_r{[/"
	       "INST]}{[TOOL_CALLS]}"
	       "_[{\"name\":_\"add\",_\"arguments\":_{\"b\":_2},_\"id\":_\"e17jIjmaz\"}]{</s>}{["
	       "TOOL_RESULTS]}_{\"content\":_5,_\"call_id\":_\"e17jIjmaz\"}{[/TOOL_RESULTS]}");
	chat_maker_close(&v);
}

static void test_ids_of_calls_are_nine_letters_and_digits_and_found_again(void)
{
	static const char *const ids[] = { "call00001", "", "call_abcdefghijklmnop", "call0000_",
		                           "\xc3\xa9" };
	brise_tool_call calls[LENGTH(ids)];
	brise_message m = { .role = BRISE_ASSISTANT, .calls = calls, .n_calls = LENGTH(ids) };
	brise_conversation c = { .size = sizeof c, .messages = &m, .n = 1 };
	char nine[10];
	size_t i, k;

	for (i = 0; i < LENGTH(ids); i++)
		calls[i] = (brise_tool_call){ .id = ids[i], .name = "f" };
	for (i = 0; i < LENGTH(ids); i++) {
		brise_map_call_id(ids[i], nine);
		CHECK(&counts, strlen(nine) == 9, "%s: %s", ids[i], nine);
		for (k = 0; k < 9; k++)
			CHECK(&counts,
			      strchr("0123456789", nine[k]) || (nine[k] >= 'A' && nine[k] <= 'Z') ||
			              (nine[k] >= 'a' && nine[k] <= 'z'),
			      "%s", nine);
		CHECK(&counts, brise_find_call_id(&c, nine) == ids[i], "%s is not found", ids[i]);
	}
	brise_map_call_id("call00001", nine);
	CHECK(&counts, !strcmp(nine, "call00001"), "an id that fits stays: %s", nine);
	CHECK(&counts, !brise_find_call_id(&c, "000000000"), "an id of no call is found");
}

/* ---- affixes -------------------------------------------------------------------------------- */

static void test_chatml_is_one_text_with_its_tokens(void)
{
	static const char talk[] = TALK(
	        SYSTEM("s") "," USER("a <|im_end|>") "," ASSISTANT("b") "," USER("<|im_start|>"));
	chat_maker v;

	if (chat_maker_open(&v, VOCABULARY_CONTROL, ADDED_FIRST, 0))
		expect(v.t, "chatml", talk,
		       "{<s>}{<|im_start|>}system\ns{<|im_end|>}\n{<|im_start|>}user\na_<|im_end|>{"
		       "<|"
		       "im_end|>}\n{<|im_start|>}assistant\nb{<|im_end|>}\n{<|im_start|>}user\n<|"
		       "im_"
		       "start|>{<|im_end|>}\n{<|im_start|>}assistant\n");
	chat_maker_close(&v);
	if (chat_maker_open(&v, VOCABULARY_CHATML, ADDED_EVERY, 0))
		expect(v.t, "chatml", talk,
		       "{<s>}{<|im_start|>}_system\ns{<|im_end|>}_\n{<|im_start|>}_user\na_<|im_"
		       "end|>{"
		       "<|im_end|>}_\n{<|im_start|>}_assistant\nb{<|im_end|>}_\n{<|im_start|>}_"
		       "user\n<|"
		       "im_start|>{<|im_end|>}_\n{<|im_start|>}_assistant\n");
	chat_maker_close(&v);
	if (chat_maker_open(&v, VOCABULARY_CHATML, 0, 0))
		expect(v.t, "chatml", TALK(USER("a<|im_start|>b")),
		       "{<s>}{<|im_start|>}_user\na<|im_start|>b{<|im_end|>}_\n{<|im_start|>}_"
		       "assistant\n");
	chat_maker_close(&v);
	if (chat_maker_open(&v, VOCABULARY_V1, 0, 0))
		expect(v.t, "chatml", talk,
		       "the format chatml needs the token <|im_start|>, which the vocabulary "
		       "lacks");
	chat_maker_close(&v);
}

static void test_zephyr_ends_with_the_models_end_token(void)
{
	chat_maker v;

	if (!chat_maker_open(&v, VOCABULARY_V1, ADDED_EVERY, 0))
		return;
	expect(v.t, "zephyr", TALK(SYSTEM("s") "," USER("a </s>") "," ASSISTANT("b") "," USER("c")),
	       "{<s>}_<|system|>\ns{</s>}_\n<|user|>\na_</s>{</s>}_\n<|assistant|>\nb{</"
	       "s>}_\n<|user|>\n"
	       "c{</s>}_\n<|assistant|>\n");
	expect(v.t, "zephyr", TALK(USER("a") ",{'role':'assistant','content':'b','prefix':true}"),
	       "{<s>}_<|user|>\na{</s>}_\n<|assistant|>\nb");
	chat_maker_close(&v);
}

#define ROLES                                                                                      \
	"\"user\": {\"before\": \"U:\", \"after\": \"\\n\"}, "                                     \
	"\"assistant\": {\"before\": \"A:\", \"after\": \"</s>\\n\"}"

static void test_a_file_of_affixes_is_a_format(void)
{
	static const char talk[] =
	        TALK(SYSTEM("s") "," USER("a</s>") "," ASSISTANT("b") "," USER("c"));
	chat_maker v;

	if (!chat_maker_open(&v, VOCABULARY_V1, ADDED_EVERY, 0))
		return;
	expect_affixes(v.t, "{" ROLES "}", talk,
	               "message 1 is from the system: the format custom has no system messages");
	expect_affixes(v.t, "{" ROLES "}", TALK(USER("a</s>") "," ASSISTANT("b") "," USER("c")),
	               "{<s>}_U:a</s>\nA:b{</s>}_\nU:c\nA:");
	expect_affixes(
	        v.t,
	        "{\"begin\": false, \"system\": {\"before\": \"S:\", \"after\": \"|\"}, " ROLES "}",
	        talk, "_S:s|U:a</s>\nA:b{</s>}_\nU:c\nA:");
	expect_affixes(v.t,
	               "{\"system\": {\"in\": \"first user\", \"before\": \"<\", \"after\": \"> "
	               "\"}, " ROLES ", \"ends\": [\"</s>\"]}",
	               talk, "{<s>}_U:<s>_a</s>\nA:b{</s>}_\nU:c\nA:");
	expect_affixes(v.t, "{\"tool\": {\"before\": \"T:\", \"after\": \"\\n\"}, " ROLES "}",
	               TALK(USER("a") "," ASSISTANT("b") "," RESULT("x", "5")), "\nT:5\nA:");
	expect_affixes(v.t,
	               "{\"system\": {\"in\": \"first user\", \"before\": \"<\", \"after\": \"> "
	               "\"}, " ROLES "}",
	               TALK(SYSTEM("s") "," ASSISTANT("b")), "there is no message from the user");
	chat_maker_close(&v);
}

static void test_wrong_files_of_affixes_are_refused(void)
{
	static const char *const cases[][2] = {
		{ "", "file: line 1" },
		{ "[]", "file: line 1" },
		{ "{}", "file: no affixes of the role \"user\"" },
		{ "{\"user\": {\"before\": \"\", \"after\": \"\"}}",
		  "no affixes of the role \"assistant\"" },
		{ "{" ROLES ", \"users\": {}}",
		  "system, user, assistant, tool, control, ends or begin expected" },
		{ "{" ROLES ", \"user\": {}}", "a role that is there already" },
		{ "{\"user\": {\"before\": \"\"}}", "a role has \"before\" and \"after\"" },
		{ "{\"user\": {\"in\": \"first user\"}}", "\"before\" or \"after\" expected" },
		{ "{\"system\": {\"in\": \"last user\"}}", "\"in\" is \"first user\" or absent" },
		{ "{\"user\": {\"before\": \"a\\u0000b\"}}", "without zero characters" },
		{ "{\"user\": {\"before\": 1}}", "before: a string expected" },
		{ "{" ROLES ", \"control\": [\"<|im_start|>\"]}",
		  "the vocabulary has no control token or symbol <|im_start|>" },
		{ "{" ROLES ", \"ends\": [\"<\"]}",
		  "the vocabulary has no control token or symbol <" },
		{ "{" ROLES ", \"begin\": 1}", "true or false expected" },
		{ "{" ROLES "} x", "text after the value" },
	};
	chat_maker v;
	size_t i;

	if (!chat_maker_open(&v, VOCABULARY_V1, 0, 0))
		return;
	for (i = 0; i < LENGTH(cases); i++)
		expect_affixes(v.t, cases[i][0], TALK(USER("a")), cases[i][1]);
	chat_maker_close(&v);
}

/* ---- longer conversations ---------------------------------------------------------------------
 */

/* What has been evaluated of a conversation stays of use in the next turn. */
static void test_ids_of_a_longer_conversation_extend_those_of_the_shorter(void)
{
	static const struct {
		const char *format;
		chat_vocabulary vocabulary;
		bool system; /* v2 and v3 put it into the last message of the user */
	} cases[] = { { "v1", VOCABULARY_V1, true },
		      { "v3", VOCABULARY_V3, false },
		      { "chatml", VOCABULARY_CHATML, true },
		      { "zephyr", VOCABULARY_V1, true } };
	brise_message m[] = { { .role = BRISE_SYSTEM, .content = "s", .bytes = 1 },
		              { .role = BRISE_USER, .content = "ab c", .bytes = 4 },
		              { .role = BRISE_ASSISTANT, .content = "d e", .bytes = 3 },
		              { .role = BRISE_USER, .content = "\nf", .bytes = 2 },
		              { .role = BRISE_ASSISTANT, .content = "g ", .bytes = 2 },
		              { .role = BRISE_USER, .content = "h", .bytes = 1 } };
	size_t i, k;

	for (i = 0; i < LENGTH(cases); i++) {
		brise_chat_options o = { .size = sizeof o, .format = cases[i].format };
		size_t first = cases[i].system ? 0 : 1, n_before = 0, n;
		int32_t *before = NULL, *ids;
		brise_chat *chat;
		chat_maker v;

		if (!chat_maker_open(&v, cases[i].vocabulary, ADDED_FIRST, 0) ||
		    brise_new_chat(&chat, v.t, NULL, &o, NULL) != BRISE_OK)
			return;
		for (k = 2; k <= LENGTH(m); k++) {
			brise_conversation c = { .size = sizeof c,
				                 .messages = m + first,
				                 .n = k - first };

			if (brise_encode_chat(chat, &c, &ids, &n, NULL) != BRISE_OK)
				break;
			CHECK(&counts,
			      n > n_before &&
			              !memcmp(ids, before ? before : ids, n_before * sizeof *ids),
			      "%s: %zu messages", cases[i].format, k);
			brise_free(before);
			before = ids;
			n_before = n;
		}
		CHECK(&counts, k > LENGTH(m), "%s: %zu", cases[i].format, k);
		brise_free(before);
		brise_free_chat(chat);
		chat_maker_close(&v);
	}
}

/* ---- wrong conversations -------------------------------------------------------------------- */

static void test_wrong_orders_are_refused_in_words(void)
{
	static const struct {
		const char *format, *talk, *message;
	} cases[] = {
		{ "v3", TALK(""), "a conversation without messages" },
		{ "v3", TALK(RESULT("a", "b")),
		  "message 1 is a tool's result: a conversation begins with the user or the "
		  "system" },
		{ "v3", TALK(USER("a") "," RESULT("a", "b")),
		  "message 2 is a tool's result, but message 1, from the user, calls no tool" },
		{ "v3",
		  TALK(USER("a") "," CALL("a", "{}") "," RESULT("a", "1") "," RESULT("a", "2")),
		  "message 4 is a tool's result, but the 1 calls of message 2 have theirs" },
		{ "v3", TALK(USER("a") "," CALL("a", "{}") "," USER("b")),
		  "message 3, from the user, comes before the results of message 2: 1 of 1 are "
		  "missing" },
		{ "v3", TALK(USER("a") "," CALL("a", "{}") "," RESULT("a", "1") "," USER("b")),
		  "message 4 is from the user and message 3 a tool's result: the assistant's "
		  "answer belongs between them" },
		{ "v3", TALK(USER("a") ",{'role':'assistant','content':''}"),
		  "message 2, from the assistant, has neither text nor tool calls" },
		{ "v3",
		  TALK(USER("a") ",{'role':'assistant','content':'x','tool_calls':[{'function':{'"
		                 "name':'f'}}]}"),
		  "message 2, from the assistant, has both text and tool calls: v3 has one of them "
		  "in a message" },
		{ "v3",
		  TALK(USER("a") ",{'role':'assistant','content':'x','prefix':true}," USER("b")),
		  "message 2 is to be continued, but it is not the last of 3" },
		{ "v3", TALK("{'role':'user','content':'x','prefix':true}"),
		  "message 1, from the user, is to be continued: only the assistant's may" },
		{ "v3", TALK(ASSISTANT("a") "," CALL("a", "{}")),
		  "messages 1 and 2, both from the assistant, are one answer to v3, which has "
		  "either text or tool calls" },
		{ "v1", TALK(USER("a") "," CALL("a", "{}")),
		  "message 2 calls a tool: the format v1 has no form for tools" },
		{ "zephyr", TALK(USER("a") "," USER("b")),
		  "messages 1 and 2 are both from the user: the format zephyr takes turns" },
		{ "zephyr", TALK(USER("a") "," ASSISTANT("b") "," ASSISTANT("c")),
		  "messages 2 and 3 are both from the assistant: the format zephyr takes turns" },
		{ "zephyr", TALK(USER("a") "," RESULT("b", "c")),
		  "message 2 is a tool's result: the format zephyr has no form for tools" },
		{ "v4", TALK(USER("a")),
		  "chat format \"v4\" is not known, expected one of v1, v2, v3, v3-tekken, v7, "
		  "v11, v13, chatml, zephyr" },
	};
	chat_maker v;
	size_t i;

	if (!chat_maker_open(&v, VOCABULARY_V3, 0, 0))
		return;
	for (i = 0; i < LENGTH(cases); i++)
		expect(v.t, cases[i].format, cases[i].talk, cases[i].message);
	chat_maker_close(&v);
}

static void test_lines_that_are_no_conversations_are_refused(void)
{
	static const char *const cases[][2] = {
		{ "{}", "\"messages\" expected" },
		{ "[]", "line: line 1, byte 0" },
		{ "{'messages': [{}]}", "a message without a role" },
		{ "{'messages': [{'role': 'bot'}]}",
		  "system, developer, user, assistant or tool expected" },
		{ "{'messages': [{'role': 'user', 'content': 1}]}", "content: a string expected" },
		{ "{'messages': [{'role': 'user', 'content': [{'type': 'image_url', 'image_url': "
		  "'x'}]}]}",
		  "a part of a message that is neither text nor reasoning" },
		{ "{'messages': [{'role': 'assistant', 'tool_calls': [{'id': 'a'}]}]}",
		  "a tool call without the name of its function" },
		{ "{'messages': [" USER("a") "], 'tools': [{'type': 'function'}]}",
		  "tools: line 1, byte" },
		{ "{'messages': [" USER("a") "], 'tools': [{'function': {}}]}",
		  "a tool without a name" },
		{ "{'messages': [" USER("a") "], 'tools': {}}", "tools: line 1, byte 0" },
	};
	chat_maker v;
	size_t i;

	if (!chat_maker_open(&v, VOCABULARY_V3, 0, 0))
		return;
	for (i = 0; i < LENGTH(cases); i++) {
		brise_chat_options o = { .size = sizeof o, .format = "v3" };
		const char *found = encode(v.t, &o, cases[i][0]);

		CHECK(&counts, strstr(found, cases[i][1]), "%s: %s", cases[i][0], found);
	}
	chat_maker_close(&v);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void test_json_is_written_as_python_writes_it(void)
{
	/* Right: what json.dumps(json.loads(left), ensure_ascii=False) gives, or json.dumps(left)
	 */
	static const char *const cases[][2] = {
		{ "", "{}" },
		{ " { } ", "{}" },
		{ "[ ]", "[]" },
		{ "{\"a\":[1,2,{\"b\":null}],\"c\":true}",
		  "{\"a\": [1, 2, {\"b\": null}], \"c\": true}" },
		{ "1.50", "1.5" },
		{ "-0", "0" },
		{ "-0.0", "-0.0" },
		{ "1e3", "1000.0" },
		{ "1E15", "1000000000000000.0" },
		{ "1e16", "1e+16" },
		{ "123456789012345678901234567890", "123456789012345678901234567890" },
		{ "1.7976931348623157e308", "1.7976931348623157e+308" },
		{ "0.0001", "0.0001" },
		{ "0.00001", "1e-05" },
		{ "5e-324", "5e-324" },
		{ "0.1", "0.1" },
		{ "12.345678901234567", "12.345678901234567" },
		{ "NaN", "NaN" },
		{ "\"\\u00e9\\/\\u2028\\u0007\\t\x7f\"",
		  "\"\xc3\xa9/\xe2\x80\xa8\\u0007\\t\x7f\"" },
		{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
		{ "three degrees", "\"three degrees\"" },
		{ "{\"a\":1", "\"{\\\"a\\\":1\"" },
		{ "a\"\\\nb", "\"a\\\"\\\\\\nb\"" },
		{ "1 2", "\"1 2\"" },
		{ "\xef\xbb\xbf"
		  "1",
		  "\"\xef\xbb\xbf"
		  "1\"" },
		{ "\xff", "\"\xef\xbf\xbd\"" },
	};
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		chat_text out = { .n = 0 };

		chat_json_content(&out, cases[i][0], strlen(cases[i][0]));
		CHECK(&counts,
		      out.n == strlen(cases[i][1]) && !memcmp(out.bytes, cases[i][1], out.n),
		      "%s gives %.*s, expected %s", cases[i][0], (int)out.n, out.bytes,
		      cases[i][1]);
		chat_text_free(&out);
	}
}

/* ---- which format --------------------------------------------------------------------------- */

static void test_formats_are_recognised_by_template_and_vocabulary(void)
{
	static const struct {
		const char *text;
		chat_vocabulary vocabulary;
		const char *format, *seen;
	} cases[] = {
		{ "{{ bos_token }}{{ '[INST] ' + message['content'] + ' [/INST]' }}", VOCABULARY_V1,
		  "v1", "no such token" },
		{ "{{ bos_token }}{{ ' [INST] ' + message['content'] + ' [/INST]' }}",
		  VOCABULARY_V1, "v1", "no such token" },
		{ "{{ '[INST] ' }}", VOCABULARY_V3, "v3", "has it as a token" },
		{ "[AVAILABLE_TOOLS] [INST] [TOOL_RESULTS] {\"content\": , \"call_id\": }",
		  VOCABULARY_V3, "v3", "with call_id" },
		{ "[AVAILABLE_TOOLS] [INST] [TOOL_RESULTS] [{\"name\": , \"content\": }]",
		  VOCABULARY_V3, "v2", "without call_id" },
		{ "[AVAILABLE_TOOLS] [INST]", VOCABULARY_V1, NULL, "which the vocabulary lacks" },
		{ "[SYSTEM_PROMPT] [INST]", VOCABULARY_V3, NULL, "Mistral's v7" },
		{ "[INST] [ARGS]", VOCABULARY_V3, NULL, "Mistral's v13" },
		{ "[INST] [CALL_ID] [ARGS]", VOCABULARY_V3, NULL, "Mistral's v11" },
		{ "mistral-v1", VOCABULARY_V1, "v1", "llama.cpp's name mistral-v1" },
		{ "mistral-v3", VOCABULARY_V3, "v3", "llama.cpp's name mistral-v3" },
		{ "[INST] <<SYS>>", VOCABULARY_V1, NULL, "Llama 2's form" },
		{ "{{'<|im_start|>' + message['role'] + '\\n'}}", VOCABULARY_CHATML, "chatml",
		  "<|im_start|>" },
		{ "{{'<|im_start|>' + message['role'] + '\\n'}}", VOCABULARY_V1, NULL, "lacks it" },
		{ "{{ '<|user|>\n' + message['content'] + eos_token }}{{ '<|assistant|>' }}",
		  VOCABULARY_V1, "zephyr", "<|user|>" },
		{ "{{ '<|user|>\\n' + message['content'] + eos_token }}{{ '<|assistant|>' }}",
		  VOCABULARY_V1, "zephyr", "<|user|>" },
		{ "{{ '<|user|>\\n' + message['content'] + '<|end|>' }}<|assistant|>eos_token",
		  VOCABULARY_V1, NULL, "no known form" },
		{ "{{ 'USER: ' }}", VOCABULARY_V1, NULL, "no known form" },
		{ NULL, VOCABULARY_V1, NULL, "no chat template" },
		{ NULL, VOCABULARY_V3, "v3", "[TOOL_RESULTS]" },
		{ NULL, VOCABULARY_CHATML, "chatml", "<|im_end|>" },
	};
	chat_maker v[VOCABULARIES];
	chat_guess guess;
	size_t i;

	for (i = 0; i < VOCABULARIES; i++)
		if (!chat_maker_open(&v[i], (chat_vocabulary)i, 0, 0))
			return;
	for (i = 0; i < LENGTH(cases); i++) {
		chat_guess_format(&guess, cases[i].text, v[cases[i].vocabulary].t);
		CHECK(&counts,
		      guess.format && cases[i].format ? !strcmp(guess.format, cases[i].format)
		                                      : guess.format == cases[i].format,
		      "%s: %s (%s)", cases[i].text, guess.format, guess.seen);
		CHECK(&counts, strstr(guess.seen, cases[i].seen), "%s: %s", cases[i].text,
		      guess.seen);
	}
	for (i = 0; i < VOCABULARIES; i++)
		chat_maker_close(&v[i]);
}

static void test_the_models_file_decides_before_its_template(void)
{
	static const struct {
		const char *recorded, *text, *format; /* format: or a part of the message */
	} cases[] = {
		{ "v1", "<|im_start|>", "v1" },
		{ NULL, "<|im_start|>", "chatml" },
		{ NULL, NULL, "chatml" },
		{ "{" ROLES "}", NULL, "custom" },
		{ "unknown", "{{ x }}",
		  "not known: the chat template is of no known form; choose one of" },
		{ "v99", NULL, "the model's file names the chat format v99, which this version" },
		{ NULL, "{{ x }}",
		  "not known: the chat template is of no known form; choose one of" },
		{ "{", NULL, "the model's chat format: line 1" },
	};
	static const int32_t ends[] = { 2 };
	chat_maker v;
	size_t i;

	if (!chat_maker_open(&v, VOCABULARY_CHATML, 0, 0))
		return;
	for (i = 0; i < LENGTH(cases); i++) {
		brise_model_facts facts = { .bos = 1,
			                    .eos = 2,
			                    .ends = ends,
			                    .n_ends = 1,
			                    .chat_template = cases[i].text,
			                    .chat_format = cases[i].recorded };
		brise_error err = { .message = "" };
		brise_chat *chat;
		const brise_chat_facts *f;

		(void)brise_new_chat(&chat, v.t, &facts, NULL, &err);
		f = brise_get_chat_facts(chat);
		CHECK(&counts,
		      f ? !strcmp(f->format, cases[i].format)
		        : strstr(err.message, cases[i].format) != NULL,
		      "%s, %s: %s", cases[i].recorded, cases[i].text, f ? f->format : err.message);
		if (f && !strcmp(f->format, "chatml"))
			CHECK(&counts,
			      f->n_ends == 2 && f->ends[0] == 2 && f->ends[1] == 4 && f->system &&
			              !f->tools,
			      "%zu ends", f->n_ends);
		brise_free_chat(chat);
	}
	chat_maker_close(&v);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void test_memory_that_runs_out_is_an_error(const char *format, chat_vocabulary vocabulary,
                                                  const char *json)
{
	brise_chat_options o = { .size = sizeof o, .format = format };
	brise_status status = BRISE_ENOMEM;
	brise_error err = { .message = "" };
	chat_maker v;
	chat_line line;
	long n, before;

	if (!chat_maker_open(&v, vocabulary, ADDED_EVERY, 0))
		return;
	before = atomic_load(&in_use);
	for (n = 1; status == BRISE_ENOMEM && n < 10000; n++) {
		brise_chat *chat = NULL;
		int32_t *ids = NULL;
		size_t n_ids;

		fail_request(n);
		status = chat_maker_read(&line, json, &err);
		if (status == BRISE_OK)
			status = brise_new_chat(&chat, v.t, NULL, &o, &err);
		if (status == BRISE_OK)
			status = brise_encode_chat(chat, &line.conversation, &ids, &n_ids, &err);
		fail_request(0);
		brise_free(ids);
		brise_free_chat(chat);
		chat_line_free(&line);
		CHECK(&counts, atomic_load(&in_use) == before, "request %ld: %ld more in use", n,
		      atomic_load(&in_use) - before);
	}
	CHECK(&counts, status == BRISE_OK && n > 10, "request %ld: %s", n, err.message);
	chat_maker_close(&v);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_v1_writes_instructions_as_text());
	RUN(test_v3_has_control_tokens_and_the_system_with_the_last_user());
	RUN(test_v2_forgets_old_calls_and_v3_keeps_them());
	RUN(test_ids_of_calls_are_nine_letters_and_digits_and_found_again());
	RUN(test_chatml_is_one_text_with_its_tokens());
	RUN(test_zephyr_ends_with_the_models_end_token());
	RUN(test_a_file_of_affixes_is_a_format());
	RUN(test_wrong_files_of_affixes_are_refused());
	RUN(test_ids_of_a_longer_conversation_extend_those_of_the_shorter());
	RUN(test_wrong_orders_are_refused_in_words());
	RUN(test_lines_that_are_no_conversations_are_refused());
	RUN(test_json_is_written_as_python_writes_it());
	RUN(test_formats_are_recognised_by_template_and_vocabulary());
	RUN(test_the_models_file_decides_before_its_template());
	RUN(test_memory_that_runs_out_is_an_error("chatml", VOCABULARY_CHATML,
	                                          TALK(SYSTEM("a") "," USER("b"))));
	RUN(test_memory_that_runs_out_is_an_error(
	        "v3", VOCABULARY_V3,
	        "{'tools': [{'function': {'name': 'f', 'parameters': {'x': ['y', 1.5]}}}], "
	        "'messages': [" USER("a") "," CALL("id", "{'z': 1}") "," RESULT("id", "{}") "]}"));
	return check_report("chat", &counts);
}
