/* chat_order.c - see chat_order.h
 *
 * The rules are mistral-common's (protocol/instruct/validator.py) but for two: a conversation may
 * end with an answer, and system messages may stand anywhere, since its formats gather them.
 */
#include "runtime/text/chat_order.h"

#include "runtime/error.h"
#include "runtime/text/chat_mistral.h"

const char *chat_role_name(brise_role role)
{
	switch (role) {
	case BRISE_SYSTEM:
		return "the system";
	case BRISE_USER:
		return "the user";
	case BRISE_ASSISTANT:
		return "the assistant";
	case BRISE_TOOL:
		return "a tool";
	}
	return "nobody";
}

/* Where the next message stands among calls and their results. */
typedef struct order {
	const brise_chat *chat;
	const brise_message *messages;
	size_t n;
	size_t waiting; /* results that are still to come */
	size_t caller;  /* number of the message that called, 0: none */
} order;

static brise_status check_result(order *o, size_t i, brise_error *err)
{
	if (o->waiting > 0) {
		o->waiting--;
		return BRISE_OK;
	}
	if (o->caller > 0)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu is a tool's result, but the %zu calls of message %zu "
		                 "have theirs",
		                 i + 1, o->messages[o->caller - 1].n_calls, o->caller);
	if (i == 0)
		return error_set(err, BRISE_EINVAL,
		                 "message 1 is a tool's result: a conversation begins with the "
		                 "user or the system");
	return error_set(err, BRISE_EINVAL,
	                 "message %zu is a tool's result, but message %zu, from %s, calls no tool",
	                 i + 1, i, chat_role_name(o->messages[i - 1].role));
}

/* Whether one answer may have text and calls. */
static bool joins_calls(const order *o)
{
	return o->chat->rules && o->chat->rules->text_and_calls;
}

static brise_status check_answer(order *o, size_t i, brise_error *err)
{
	const brise_message *m = &o->messages[i];

	if (m->n_calls > 0 && !m->calls)
		return error_set(err, BRISE_EINVAL, "message %zu: %zu calls, but calls is NULL",
		                 i + 1, m->n_calls);
	if (m->bytes > 0 && m->n_calls > 0 && !joins_calls(o))
		return error_set(err, BRISE_EINVAL,
		                 "message %zu, from the assistant, has both text and tool calls: "
		                 "%s has one of them in a message",
		                 i + 1, o->chat->facts.format);
	if (m->bytes == 0 && m->n_calls == 0 && m->n_thoughts == 0)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu, from the assistant, has neither text nor tool calls",
		                 i + 1);
	if (m->continued && i + 1 < o->n)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu is to be continued, but it is not the last of %zu",
		                 i + 1, o->n);
	if (m->continued && m->n_calls > 0)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu is to be continued, but it calls a tool", i + 1);
	o->waiting = m->n_calls;
	o->caller = m->n_calls > 0 ? i + 1 : 0;
	return BRISE_OK;
}

/* Reasoning of a message. */
static brise_status check_thoughts(const order *o, size_t i, brise_error *err)
{
	const brise_message *m = &o->messages[i];
	size_t at = 0, k;

	if (m->n_thoughts == 0)
		return BRISE_OK;
	if (!o->chat->facts.thoughts)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu has reasoning in it: the format %s has no form for "
		                 "it%s",
		                 i + 1, o->chat->facts.format,
		                 o->chat->rules && o->chat->rules->thoughts
		                         ? ", as the vocabulary lacks [THINK] or [/THINK]"
		                         : "");
	if (m->role != BRISE_ASSISTANT && m->role != BRISE_SYSTEM)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu, from %s, has reasoning in it: only the assistant's "
		                 "and the system's may",
		                 i + 1, chat_role_name(m->role));
	for (k = 0; k < m->n_thoughts && m->thoughts; at = m->thoughts[k++].at)
		if (m->thoughts[k].at < at || m->thoughts[k].at > m->bytes ||
		    (m->thoughts[k].bytes > 0 && !m->thoughts[k].text))
			break;
	if (k < m->n_thoughts)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu: thoughts is NULL, or without text or place", i + 1);
	return BRISE_OK;
}

/* What the format has no form for. */
static brise_status check_forms(const order *o, size_t i, brise_error *err)
{
	const brise_message *m = &o->messages[i];
	const brise_chat_facts *f = &o->chat->facts;
	bool results = f->tools || o->chat->affixes.roles[BRISE_TOOL].before;

	if (m->role < BRISE_SYSTEM || m->role > BRISE_TOOL)
		return error_set(err, BRISE_EINVAL, "message %zu has an unknown role (%d)", i + 1,
		                 (int)m->role);
	if (m->bytes > 0 && !m->content)
		return error_set(err, BRISE_EINVAL, "message %zu: content is NULL", i + 1);
	if (m->role == BRISE_SYSTEM && !f->system)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu is from the system: the format %s has no system "
		                 "messages",
		                 i + 1, f->format);
	if ((m->role == BRISE_TOOL && !results) || (m->n_calls > 0 && !f->tools))
		return error_set(err, BRISE_EINVAL,
		                 "message %zu %s: the format %s has no form for tools", i + 1,
		                 m->role == BRISE_TOOL ? "is a tool's result" : "calls a tool",
		                 f->format);
	if (m->role != BRISE_ASSISTANT && (m->continued || m->n_calls > 0))
		return error_set(err, BRISE_EINVAL,
		                 "message %zu, from %s, %s: only the assistant's may", i + 1,
		                 chat_role_name(m->role),
		                 m->continued ? "is to be continued" : "calls tools");
	return check_thoughts(o, i, err);
}

/* What may follow the message before. */
static brise_status check_pair(const order *o, size_t i, brise_error *err)
{
	brise_role role = o->messages[i].role, before = i > 0 ? o->messages[i - 1].role : 0;
	bool joins = o->chat->rules != NULL;

	if (o->waiting > 0 && role != BRISE_TOOL)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu, from %s, comes before the results of message %zu: "
		                 "%zu of %zu are missing",
		                 i + 1, chat_role_name(role), o->caller, o->waiting,
		                 o->messages[o->caller - 1].n_calls);
	if (before == BRISE_TOOL && o->chat->facts.tools && role == BRISE_USER)
		return error_set(err, BRISE_EINVAL,
		                 "message %zu is from the user and message %zu a tool's result: "
		                 "the assistant's answer belongs between them",
		                 i + 1, i);
	if (joins && !joins_calls(o) && role == BRISE_ASSISTANT && role == before &&
	    o->messages[i].n_calls > 0)
		return error_set(err, BRISE_EINVAL,
		                 "messages %zu and %zu, both from the assistant, are one answer to "
		                 "%s, which has either text or tool calls",
		                 i, i + 1, o->chat->facts.format);
	if (!joins && role == before && (role == BRISE_USER || role == BRISE_ASSISTANT))
		return error_set(err, BRISE_EINVAL,
		                 "messages %zu and %zu are both from %s: the format %s takes turns",
		                 i, i + 1, chat_role_name(role), o->chat->facts.format);
	return BRISE_OK;
}

/* Where the system's text stands in the first message of the user, there must be one. */
static brise_status check_system_has_user(const brise_conversation *c, brise_error *err)
{
	size_t i, system = 0;

	for (i = 0; i < c->n; i++) {
		if (c->messages[i].role == BRISE_USER)
			return BRISE_OK;
		if (c->messages[i].role == BRISE_SYSTEM)
			system = i + 1;
	}
	if (system == 0)
		return BRISE_OK;
	return error_set(err, BRISE_EINVAL,
	                 "message %zu is from the system, whose text this format puts in front of "
	                 "the user's first, and there is no message from the user",
	                 system);
}

brise_status chat_check_order(const brise_chat *chat, const brise_conversation *c, brise_error *err)
{
	order o = { chat, c->messages, c->n, 0, 0 };
	brise_status status = BRISE_OK;
	size_t i;

	if (c->n == 0)
		return error_set(err, BRISE_EINVAL, "a conversation without messages");
	if (c->tools_bytes > 0 && !chat->facts.tools)
		return error_set(err, BRISE_EINVAL, "tools: the format %s has no form for them",
		                 chat->facts.format);
	for (i = 0; i < c->n && status == BRISE_OK; i++) {
		if ((status = check_forms(&o, i, err)) != BRISE_OK ||
		    (status = check_pair(&o, i, err)) != BRISE_OK)
			break;
		if (c->messages[i].role == BRISE_TOOL && chat->facts.tools)
			status = check_result(&o, i, err);
		else if (c->messages[i].role == BRISE_ASSISTANT)
			status = check_answer(&o, i, err);
	}
	if (status == BRISE_OK && chat->affixes.system_in_user)
		status = check_system_has_user(c, err);
	if (status == BRISE_OK && o.waiting > 0 && o.caller < c->n)
		status = error_set(err, BRISE_EINVAL,
		                   "the conversation ends before the results of message %zu: %zu "
		                   "of %zu are missing",
		                   o.caller, o.waiting, c->messages[o.caller - 1].n_calls);
	return status;
}
