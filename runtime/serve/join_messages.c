/* join_messages.c - see join_messages.h */
#include "runtime/serve/join_messages.h"

#include <string.h>

#define JOIN "\n\n"

static bool join_text(brise_message *to, const brise_message *from, pool *p)
{
	size_t n = to->bytes + strlen(JOIN) + from->bytes;
	char *text;

	if (from->bytes == 0)
		return true;
	if (to->bytes == 0) {
		to->content = from->content;
		to->bytes = from->bytes;
		return true;
	}
	if (!(text = pool_take(p, n + 1, 1)))
		return false;
	memcpy(text, to->content, to->bytes);
	memcpy(text + to->bytes, JOIN, strlen(JOIN));
	memcpy(text + n - from->bytes, from->content, from->bytes);
	to->content = text;
	to->bytes = n;
	return true;
}

static bool join_calls(brise_message *to, const brise_message *from, pool *p)
{
	size_t n = to->n_calls + from->n_calls;
	brise_tool_call *calls;

	if (from->n_calls == 0)
		return true;
	if (!(calls = pool_take(p, n, sizeof *calls)))
		return false;
	if (to->n_calls > 0)
		memcpy(calls, to->calls, to->n_calls * sizeof *calls);
	memcpy(calls + to->n_calls, from->calls, from->n_calls * sizeof *calls);
	to->calls = calls;
	to->n_calls = n;
	return true;
}

/* The system's messages stand aside: formats gather them. */
static brise_message *find_before(brise_message *messages, size_t n)
{
	while (n > 0)
		if (messages[--n].role != BRISE_SYSTEM)
			return &messages[n];
	return NULL;
}

static bool is_joined(const brise_message *before, const brise_message *m, bool has_tools)
{
	if (!before)
		return false;
	if (m->role == BRISE_USER)
		return before->role == BRISE_USER || (before->role == BRISE_TOOL && has_tools);
	return m->role == BRISE_ASSISTANT && before->role == BRISE_ASSISTANT;
}

bool join_messages(brise_message *messages, size_t *n, bool has_tools, pool *p)
{
	size_t i, kept = 0;

	for (i = 0; i < *n; i++) {
		brise_message m = messages[i], *before = find_before(messages, kept);

		if (!is_joined(before, &m, has_tools)) {
			messages[kept++] = m;
			continue;
		}
		if (!join_text(before, &m, p) || !join_calls(before, &m, p))
			return false;
		before->continued = m.continued;
	}
	*n = kept;
	return true;
}
