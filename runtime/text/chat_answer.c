/* chat_answer.c - what a model answers, token by token: text, reasoning and tool calls
 *
 * Reasoning stands between [THINK] and [/THINK], which are tokens. A tool call ends it, too; marks
 * of a call's parts within it are none.
 */
#include <inttypes.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat.h"
#include "runtime/text/chat_calls.h"

struct brise_answer {
	const brise_chat *chat;
	brise_decoder *decoder;
	chat_calls calls;
	bool thinks; /* within reasoning */
	size_t n_thought;
};

brise_status brise_new_answer(brise_answer **out, const brise_chat *chat, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(chat) };
	brise_status status = error_check_pointers(err, "brise_new_answer", needed, 2);
	brise_answer *answer;

	if (out)
		*out = NULL;
	if (status != BRISE_OK)
		return status;
	if (!(answer = memory_new(1, sizeof *answer)))
		return error_set(err, BRISE_ENOMEM, "no memory to read an answer");
	answer->chat = chat;
	chat_calls_open(&answer->calls);
	status = brise_new_decoder(&answer->decoder, chat->tokenizer, err);
	if (status != BRISE_OK)
		brise_free_answer(answer);
	else
		*out = answer;
	return status;
}

void brise_free_answer(brise_answer *answer)
{
	if (!answer)
		return;
	brise_free_decoder(answer->decoder);
	chat_calls_free(&answer->calls);
	memory_free(answer);
}

/* Whether an id is a mark of tool calls. */
static bool find_mark(const brise_chat *chat, int32_t id, chat_mark *mark)
{
	static const struct {
		enum chat_control control;
		chat_mark mark;
	} marks[] = { { CHAT_CALLS, CHAT_MARK_CALLS },
		      { CHAT_CALL_ID, CHAT_MARK_CALL_ID },
		      { CHAT_ARGUMENTS, CHAT_MARK_ARGUMENTS } };
	size_t i;

	for (i = 0; chat->facts.tools && i < sizeof marks / sizeof *marks; i++)
		if (id >= 0 && chat->controls[marks[i].control] == id) {
			*mark = marks[i].mark;
			return true;
		}
	return false;
}

static bool is_control(const brise_chat *chat, enum chat_control control, int32_t id)
{
	return chat->facts.thoughts && id >= 0 && chat->controls[control] == id;
}

bool chat_begins_in_thought(const brise_chat *chat, const int32_t *prompt, size_t n)
{
	/* Texts have no control tokens: the last one says where the prompt ends. */
	while (prompt && n > 0 && chat->tokenizer->vocab > (uint32_t)prompt[n - 1] &&
	       chat->tokenizer->types[prompt[n - 1]] != PIECE_CONTROL)
		n--;
	return prompt && n > 0 && is_control(chat, CHAT_BEGIN_THOUGHT, prompt[n - 1]);
}

void brise_begin_answer(brise_answer *answer, const int32_t *prompt, size_t n)
{
	if (!answer)
		return;
	answer->n_thought = 0;
	answer->thinks = chat_begins_in_thought(answer->chat, prompt, n);
}

size_t brise_count_thought(const brise_answer *answer)
{
	return answer ? answer->n_thought : 0;
}

static brise_status check_memory(brise_answer *answer, brise_error *err)
{
	return chat_calls_failed(&answer->calls)
	               ? error_set(err, BRISE_ENOMEM, "no memory for a tool call")
	               : BRISE_OK;
}

/* Text of the answer, or of its reasoning. */
static void pass_text(brise_answer *answer, const char *text, size_t bytes)
{
	const brise_answer_piece piece = {
		.kind = BRISE_ANSWER_THOUGHT, .call = answer->calls.n, .text = text, .bytes = bytes
	};

	if (!answer->thinks)
		chat_calls_text(&answer->calls, text, bytes);
	else if (answer->calls.each && bytes > 0)
		answer->calls.each(answer->calls.user, &piece);
}

/* The bytes that the decoder holds back. */
static brise_status flush(brise_answer *answer, brise_error *err)
{
	const char *text;
	size_t bytes;
	brise_status status = brise_finish_decoder(answer->decoder, &text, &bytes, err);

	if (status == BRISE_OK)
		pass_text(answer, text, bytes);
	return status;
}

/* Takes a mark of reasoning, or a mark of calls; *taken: whether it was one. */
static brise_status take_mark(brise_answer *answer, int32_t id, bool *taken, brise_error *err)
{
	bool begins = is_control(answer->chat, CHAT_BEGIN_THOUGHT, id),
	     ends = is_control(answer->chat, CHAT_END_THOUGHT, id);
	brise_status status;
	chat_mark mark = CHAT_MARK_CALLS;

	*taken = begins || ends || find_mark(answer->chat, id, &mark);
	if (!*taken)
		return BRISE_OK;
	if ((status = flush(answer, err)) != BRISE_OK)
		return status;
	if (begins)
		chat_calls_break(&answer->calls);
	if (begins || ends) {
		answer->n_thought += begins || answer->thinks;
		answer->thinks = begins;
	} else if (!answer->thinks || mark == CHAT_MARK_CALLS) {
		answer->thinks = false;
		chat_calls_mark(&answer->calls, mark);
	}
	return BRISE_OK;
}

brise_status brise_read_answer(brise_answer *answer, int32_t id, brise_answer_fn *each, void *user,
                               brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(answer) };
	brise_status status = error_check_pointers(err, "brise_read_answer", needed, 1);
	const char *text;
	size_t bytes;
	bool taken;

	if (status != BRISE_OK)
		return status;
	answer->calls.each = each;
	answer->calls.user = user;
	status = take_mark(answer, id, &taken, err);
	if (status == BRISE_OK && !taken) {
		status = brise_decode_token(answer->decoder, id, &text, &bytes, err);
		answer->n_thought += answer->thinks && status == BRISE_OK;
		if (status == BRISE_OK)
			pass_text(answer, text, bytes);
	}
	return status == BRISE_OK ? check_memory(answer, err) : status;
}

brise_status brise_finish_answer(brise_answer *answer, brise_answer_fn *each, void *user,
                                 brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(answer) };
	brise_status status = error_check_pointers(err, "brise_finish_answer", needed, 1);
	size_t n;
	bool whole;

	if (status != BRISE_OK)
		return status;
	answer->calls.each = each;
	answer->calls.user = user;
	status = flush(answer, err);
	answer->thinks = false;
	n = answer->calls.n;
	whole = chat_calls_finish(&answer->calls);
	if (status == BRISE_OK)
		status = check_memory(answer, err);
	if (status == BRISE_OK && !whole)
		status = error_set(err, BRISE_EFORMAT,
		                   "the answer has a tool call that is cut off or none, after %zu "
		                   "whole or begun ones",
		                   n);
	return status;
}
