/* test_chat_hostile.c - no text of a message becomes a control token
 *
 * 10,000 texts with spellings of all control tokens, whole and in part, among spaces, line ends and
 * bytes that are no UTF-8, stand in every place of a conversation where text of users may; the
 * control tokens must be those of the same conversation with harmless text. Vocabularies have the
 * tokens as control tokens and as symbols, with every rule of added tokens.
 */
#include "test/chat_maker.h"
#include "test/check.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TEXTS         10000u

static check_counts counts;

/* ---- texts ---------------------------------------------------------------------------------- */

static const char *const fragments[] = { "<s>",
	                                 "</s>",
	                                 "<unk>",
	                                 "[INST]",
	                                 "[/INST]",
	                                 "[TOOL_CALLS]",
	                                 "[AVAILABLE_TOOLS]",
	                                 "[/AVAILABLE_TOOLS]",
	                                 "[TOOL_RESULTS]",
	                                 "[/TOOL_RESULTS]",
	                                 "[ARGS]",
	                                 "[CALL_ID]",
	                                 "<|im_start|>",
	                                 "<|im_end|>",
	                                 "<|user|>",
	                                 "<|assistant|>",
	                                 "<|im_start|>system\n",
	                                 "<|im_end|>\n<|im_start|>assistant\n",
	                                 "<0x0A>",
	                                 "<0xFF>",
	                                 "U:",
	                                 "A:",
	                                 "<",
	                                 ">",
	                                 "|",
	                                 "[",
	                                 "]",
	                                 "<|",
	                                 "|>",
	                                 "<|im_",
	                                 "start|>",
	                                 "end|>",
	                                 "</",
	                                 "s>",
	                                 "[IN",
	                                 "ST]",
	                                 "[/",
	                                 " ",
	                                 "  ",
	                                 "\n",
	                                 "\r\n",
	                                 "\t",
	                                 "\xe2\x96\x81",
	                                 "\xc2\xa0",
	                                 "\xe3\x80\x80",
	                                 "a",
	                                 "word",
	                                 "\xc3\xa9",
	                                 "\xff",
	                                 "\xe2\x96",
	                                 "\"",
	                                 "\\",
	                                 "{",
	                                 "}",
	                                 "," };

/* Of up to 12 fragments, some of them cut. */
static size_t draw_text(uint64_t *state, char *out)
{
	size_t n = 1 + random_next(state) % 12, bytes = 0;

	while (n-- > 0) {
		const char *f = fragments[random_next(state) % LENGTH(fragments)];
		size_t length = strlen(f), from = 0;

		if (random_next(state) % 4 == 0) {
			from = random_next(state) % length;
			length = 1 + random_next(state) % (length - from);
		}
		memcpy(out + bytes, f + from, length);
		bytes += length;
	}
	out[bytes] = 0;
	return bytes;
}

/* ---- conversations -------------------------------------------------------------------------- */

/* One text in all places that a format has. */
static brise_status encode(const brise_chat *chat, const char *text, size_t bytes, int32_t **ids,
                           size_t *n)
{
	const brise_tool_call call = { .id = text, .name = text, .arguments = text };
	brise_message m[] = {
		{ .role = BRISE_SYSTEM, .content = text, .bytes = bytes },
		{ .role = BRISE_USER, .content = text, .bytes = bytes },
		{ .role = BRISE_ASSISTANT, .content = text, .bytes = bytes },
		{ .role = BRISE_USER, .content = text, .bytes = bytes },
		{ .role = BRISE_ASSISTANT, .calls = &call, .n_calls = 1 },
		{ .role = BRISE_TOOL,
		  .content = text,
		  .bytes = bytes,
		  .call_id = text,
		  .name = text },
	};
	brise_conversation c = { .size = sizeof c,
		                 .messages = m,
		                 .n = brise_get_chat_facts(chat)->tools ? LENGTH(m) : 4 };

	return brise_encode_chat(chat, &c, ids, n, NULL);
}

static bool is_control(const brise_tokenizer *t, int32_t id)
{
	return t->types[id] == PIECE_UNKNOWN || chat_maker_is_mark(t, id);
}

/* Whether both have the same control tokens in the same order. */
static bool same_control(const brise_tokenizer *t, const int32_t *a, size_t n_a, const int32_t *b,
                         size_t n_b)
{
	size_t i = 0, k = 0;

	for (;; i++, k++) {
		while (i < n_a && !is_control(t, a[i]))
			i++;
		while (k < n_b && !is_control(t, b[k]))
			k++;
		if (i == n_a || k == n_b)
			return i == n_a && k == n_b;
		if (a[i] != b[k])
			return false;
	}
}

static void check_format(chat_vocabulary vocabulary, const char *format, added_rule rule,
                         uint32_t flags)
{
	static const char affixes[] =
	        "{\"system\": {\"before\": \"S:\", \"after\": \"<s>\"}, \"user\": {\"before\": "
	        "\"U:<|im_start|>\", \"after\": \"\"}, \"assistant\": {\"before\": \"A:\", "
	        "\"after\": "
	        "\"</s>\"}}";
	brise_chat_options o = { .size = sizeof o, .format = format };
	uint64_t state = 1;
	brise_chat *chat = NULL;
	brise_error err = { .message = "" };
	int32_t *harmless = NULL, *ids;
	size_t n_harmless = 0, n, i;
	char text[1024];
	unsigned wrong = 0;
	chat_maker v;

	if (!format) {
		o.affixes = affixes;
		o.affixes_bytes = strlen(affixes);
	}
	if (!chat_maker_open(&v, vocabulary, rule, flags))
		return;
	CHECK(&counts, brise_new_chat(&chat, v.t, NULL, &o, &err) == BRISE_OK, "%s: %s", format,
	      err.message);
	CHECK(&counts,
	      chat && encode(chat, "x", 1, &harmless, &n_harmless) == BRISE_OK && n_harmless > 4,
	      "%s", format);
	for (i = 0; harmless && i < TEXTS; i++) {
		size_t bytes = draw_text(&state, text);

		if (encode(chat, text, bytes, &ids, &n) != BRISE_OK ||
		    !same_control(v.t, harmless, n_harmless, ids, n)) {
			if (wrong++ == 0)
				fprintf(stderr, "the first wrong text: %s\n", text);
		}
		brise_free(ids);
	}
	CHECK(&counts, harmless && wrong == 0,
	      "%s, vocabulary %d, rule %d, flags %u: %u wrong texts of %u",
	      format ? format : "affixes", (int)vocabulary, (int)rule, (unsigned)flags, wrong,
	      TEXTS);
	brise_free(harmless);
	brise_free_chat(chat);
	chat_maker_close(&v);
}

static void test_text_of_users_never_becomes_a_control_token(void)
{
	static const uint32_t flags[] = { 0, ADDED_LSTRIP | ADDED_RSTRIP, ADDED_NORMALIZED };
	size_t rule, i;

	check_format(VOCABULARY_V1, "v1", 0, 0);
	check_format(VOCABULARY_V3, "v2", 0, 0);
	for (rule = 0; rule < ADDED_RULES; rule++) {
		check_format(VOCABULARY_V3, "v3", (added_rule)rule, 0);
		check_format(VOCABULARY_V1, "zephyr", (added_rule)rule, 0);
		check_format(VOCABULARY_CONTROL, "chatml", (added_rule)rule, 0);
		for (i = 0; i < (rule > 0 ? LENGTH(flags) : 1); i++) {
			check_format(VOCABULARY_CHATML, "chatml", (added_rule)rule, flags[i]);
			check_format(VOCABULARY_CHATML, NULL, (added_rule)rule, flags[i]);
		}
	}
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_text_of_users_never_becomes_a_control_token());
	return check_report("chat_hostile", &counts);
}
