/* fuzz_chat.c - any text as a conversation, a file of affixes, a template and tools; no control
 * token comes of text
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_chat.c SECONDS
 *
 * Input: a byte that chooses vocabulary, rule of added tokens and format; then a file of affixes or
 * template, a zero byte, and a line with a conversation.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text/chat_template.h"
#include "test/chat_maker.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Marks that a format places stand only where it does; a message cannot have more of them. */
static size_t count_marks(const brise_tokenizer *t, const int32_t *ids, size_t n)
{
	size_t i, marks = 0;

	for (i = 0; i < n; i++)
		marks += chat_maker_is_mark(t, ids[i]);
	return marks;
}

static void encode(const brise_chat *chat, const brise_tokenizer *t, const char *text, size_t bytes)
{
	chat_line line = { .takes_reasoning = brise_get_chat_facts(chat)->thoughts };
	int32_t *ids;
	size_t n, more = 0, i;
	json_reader r;

	json_begin(&r, text, bytes, "fuzz", &fuzz_error);
	(void)chat_line_read(&line, &r);
	if (fuzz_succeeds(json_end(&r)) &&
	    fuzz_succeeds(brise_encode_chat(chat, &line.conversation, &ids, &n, &fuzz_error))) {
		for (i = 0; i < line.conversation.n; i++) {
			const brise_message *m = &line.conversation.messages[i];

			more += 3 * m->n_calls + 2 * m->n_thoughts;
		}
		/* At most three around a message of Mistral's formats and in a call, two around
		 * reasoning, and four for tools and an empty message. */
		if (brise_get_chat_facts(chat)->format[0] == 'v' &&
		    strcmp(brise_get_chat_facts(chat)->format, "v1") != 0 &&
		    count_marks(t, ids, n) > 5 + 3 * line.conversation.n + more)
			abort();
		free(ids);
	}
	chat_line_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = { "v1", "v2", "v3",        "chatml", "zephyr", NULL,
		                               NULL, "v7", "v3-tekken", "v11",    "v13" };
	static chat_maker later; /* of the byte-level formats, from the eighth on */
	brise_chat_options o = { .size = sizeof o };
	brise_chat *chat;
	chat_guess guess;
	chat_maker v;
	unsigned form;
	size_t first;
	char *text;

	if (!later.t && !chat_maker_open_tekken(&later, NULL, NULL))
		abort();
	if (size == 0 || !(text = malloc(size)))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	first = strlen(text);
	if (!chat_maker_open(&v, (chat_vocabulary)(data[0] % VOCABULARIES),
	                     (added_rule)(data[0] / 4 % ADDED_RULES), 0))
		abort();
	form = data[0] / 20 % 11;
	chat_guess_format(&guess, text, form < 7 ? v.t : later.t);
	o.format = formats[form];
	if (!o.format) {
		o.affixes = text;
		o.affixes_bytes = first;
	}
	if (fuzz_succeeds(brise_new_chat(&chat, form < 7 ? v.t : later.t, NULL, &o, &fuzz_error))) {
		if (first + 1 < size)
			encode(chat, form < 7 ? v.t : later.t, text + first + 1, size - 2 - first);
		brise_free_chat(chat);
	}
	chat_maker_close(&v);
	free(text);
	return 0;
}
