/* chat_thought.c - see chat_thought.h */
#include "runtime/text/chat_thought.h"

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat.h"

static void set_token(uint32_t *mask, int32_t id)
{
	mask[id / 32] |= UINT32_C(1) << id % 32;
}

brise_status chat_thought_open(chat_thought *t, const brise_chat *chat, const int32_t *prompt,
                               size_t n, uint32_t vocab, const int32_t *ends, size_t n_ends,
                               int32_t call, brise_error *err)
{
	size_t words = (vocab + 31) / 32, i;
	uint32_t id;

	*t = (chat_thought){ .call = call, .vocab = vocab };
	if (!chat || !chat->facts.thoughts)
		return BRISE_OK;
	t->begin = chat->controls[CHAT_BEGIN_THOUGHT];
	t->end = chat->controls[CHAT_END_THOUGHT];
	t->mask = memory_new(words, sizeof *t->mask);
	t->first = memory_new(words, sizeof *t->first);
	if (!t->mask || !t->first)
		return error_set(err, BRISE_ENOMEM, "no memory for a mask of tokens");
	for (id = 0; id < vocab && id < chat->tokenizer->vocab; id++)
		if (chat->tokenizer->types[id] != PIECE_CONTROL)
			set_token(t->mask, (int32_t)id);
	for (i = 0; i < n_ends; i++)
		t->mask[ends[i] / 32] &= ~(UINT32_C(1) << ends[i] % 32);
	set_token(t->mask, t->end);
	if (call >= 0)
		set_token(t->mask, call);
	t->is_open = chat_begins_in_thought(chat, prompt, n);
	t->may_begin = !t->is_open;
	return BRISE_OK;
}

void chat_thought_close(chat_thought *t)
{
	memory_free(t->mask);
	memory_free(t->first);
	*t = (chat_thought){ .mask = NULL };
}
