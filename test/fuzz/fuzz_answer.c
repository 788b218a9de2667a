/* fuzz_answer.c - any text as a model's answer with tool calls, in pieces of any size
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_answer.c SECONDS
 *
 * Input: the answer; bytes 1, 2 and 3 are the marks [TOOL_CALLS], [CALL_ID] and [ARGS], byte 4 is
 * where a piece ends. Every call that begins must end, before the next begins.
 */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/text/chat_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *user, const brise_answer_piece *piece)
{
	bool *open = user;

	if ((piece->kind == BRISE_ANSWER_CALL || piece->kind == BRISE_ANSWER_TEXT) == *open)
		abort();
	if (piece->kind != BRISE_ANSWER_TEXT && piece->kind != BRISE_ANSWER_ARGUMENTS)
		*open = piece->kind == BRISE_ANSWER_CALL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t from = 0, i;
	bool open = false;
	chat_calls c;

	chat_calls_open(&c);
	c.each = take;
	c.user = &open;
	for (i = 0; i <= size; i++) {
		if (i < size && (data[i] == 0 || data[i] > 4))
			continue;
		chat_calls_text(&c, (const char *)data + from, i - from);
		if (i < size && data[i] < 4)
			chat_calls_mark(&c, (chat_mark)(data[i] - 1));
		from = i + 1;
	}
	(void)chat_calls_finish(&c);
	if (open)
		abort();
	chat_calls_free(&c);
	return 0;
}
