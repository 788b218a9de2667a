/* chat_ends.c - the tokens that end an answer */
#include "runtime/os/memory.h"
#include "runtime/text/chat.h"

bool chat_add_end(brise_chat *chat, int32_t id)
{
	size_t n = chat->facts.n_ends, i;
	int32_t *grown;

	for (i = 0; i < n; i++)
		if (chat->ends[i] == id)
			return true;
	if (id < 0)
		return true;
	if (!(grown = memory_resize(chat->ends, n + 1, sizeof *grown)))
		return false;
	grown[n] = id;
	chat->ends = grown;
	chat->facts.ends = grown;
	chat->facts.n_ends = n + 1;
	return true;
}
