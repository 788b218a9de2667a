/* join_messages.c - see join_messages.h */
#include "runtime/serve/join_messages.h"

#include <stdint.h>
#include <string.h>

#include "runtime/serve/joined_text.h"

/* The message that others are joined to, and the room of what it has of its own. */
typedef struct joint {
	brise_message *message; /* NULL: none yet */
	joined_text text;
	size_t calls; /* room for calls */
} joint;

static void begin(joint *j, brise_message *message)
{
	*j = (joint){ .message = message,
		      .text = { .text = message->content, .bytes = message->bytes } };
}

static bool join_text(joint *j, const brise_message *from, pool *p)
{
	if (!joined_text_add(&j->text, from->content, from->bytes, p))
		return false;
	j->message->content = j->text.text;
	j->message->bytes = j->text.bytes;
	return true;
}

static bool join_calls(joint *j, const brise_message *from, pool *p)
{
	brise_message *to = j->message;
	size_t n = to->n_calls + from->n_calls;
	brise_tool_call *calls = (brise_tool_call *)(uintptr_t)to->calls; /* the joint's own */

	if (from->n_calls == 0)
		return true;
	if (j->calls < n) {
		if (n > SIZE_MAX / 2 || !(calls = pool_take(p, 2 * n, sizeof *calls)))
			return false;
		if (to->n_calls > 0)
			memcpy(calls, to->calls, to->n_calls * sizeof *calls);
		j->calls = 2 * n;
	}
	memcpy(calls + to->n_calls, from->calls, from->n_calls * sizeof *calls);
	to->calls = calls;
	to->n_calls = n;
	return true;
}

static bool is_joined(const brise_message *before, const brise_message *m, bool has_tools)
{
	if (!before)
		return false;
	if (m->role == BRISE_USER)
		return before->role == BRISE_USER || (before->role == BRISE_TOOL && has_tools);
	return m->role == BRISE_ASSISTANT && before->role == BRISE_ASSISTANT;
}

/* The system's messages stand aside: formats gather them. */
bool join_messages(brise_message *messages, size_t *n, bool has_tools, pool *p)
{
	joint before = { .message = NULL };
	size_t i, kept = 0;

	for (i = 0; i < *n; i++) {
		const brise_message m = messages[i];

		if (!is_joined(before.message, &m, has_tools)) {
			messages[kept++] = m;
			if (m.role != BRISE_SYSTEM)
				begin(&before, &messages[kept - 1]);
			continue;
		}
		if (!join_text(&before, &m, p) || !join_calls(&before, &m, p))
			return false;
		before.message->continued = m.continued;
	}
	*n = kept;
	return true;
}
