/* join_messages.c - see join_messages.h */
#include "runtime/serve/join_messages.h"

#include <stdint.h>
#include <string.h>

#include "runtime/serve/joined_text.h"

/* The message that others are joined to, and the room of what it has of its own. */
typedef struct joint {
	brise_message *message; /* NULL: none yet */
	joined_text text;
	size_t calls, thoughts; /* room for them */
} joint;

static bool ends_with_thought(const brise_message *m)
{
	return m->n_thoughts > 0 && m->thoughts[m->n_thoughts - 1].at == m->bytes;
}

static void begin(joint *j, brise_message *message)
{
	*j = (joint){ .message = message,
		      .text = { .text = message->content,
		                .bytes = message->bytes,
		                .parted = ends_with_thought(message) } };
}

/* at: where the text of `from` begins in the joint's. */
static bool join_thoughts(joint *j, const brise_message *from, size_t at, pool *p)
{
	brise_message *to = j->message;
	size_t n = to->n_thoughts + from->n_thoughts, i;
	brise_thought *own = (brise_thought *)(uintptr_t)to->thoughts; /* the joint's own */

	if (from->n_thoughts == 0)
		return true;
	if (j->thoughts < n) {
		if (n > SIZE_MAX / 2 || !(own = pool_take(p, 2 * n, sizeof *own)))
			return false;
		if (to->n_thoughts > 0)
			memcpy(own, to->thoughts, to->n_thoughts * sizeof *own);
		j->thoughts = 2 * n;
	}
	for (i = to->n_thoughts; i < n; i++) {
		own[i] = from->thoughts[i - to->n_thoughts];
		own[i].at += at;
	}
	to->thoughts = own;
	to->n_thoughts = n;
	return true;
}

/* No line is put between a text and reasoning, as formats do not (chat_mistral.c). */
static bool join_text(joint *j, const brise_message *from, pool *p)
{
	j->text.parted |= from->n_thoughts > 0 && from->thoughts[0].at == 0;
	if (!joined_text_add(&j->text, from->content, from->bytes, p) ||
	    !join_thoughts(j, from, j->text.bytes - from->bytes, p))
		return false;
	j->message->content = j->text.text;
	j->message->bytes = j->text.bytes;
	j->text.parted |= ends_with_thought(from);
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
