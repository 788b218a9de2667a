/* chat_mistral.c - see chat_mistral.h
 *
 * The rules are mistral-common's (tokens/tokenizers/instruct.py, protocol/instruct/normalize.py).
 * Every text between control tokens is encoded for itself; SentencePiece puts a space in front.
 *
 *     v1         <s>" [INST] user [/INST]"" assistant"</s>
 *     v2, v3     <s>[INST]" user"[/INST]" assistant"</s>
 *     v3-tekken  <s>[INST]user[/INST]assistant</s>
 *     v7, v11    <s>[SYSTEM_PROMPT]system[/SYSTEM_PROMPT][INST]user[/INST]assistant</s>
 *     v13        the same, with [THINK]reasoning[/THINK] in front of, within and behind texts
 *
 * Messages of one role in a row are one, joined with an empty line, and so are parts of a message;
 * nothing is put between a text and reasoning. Up to v3 all system messages are one, wherever they
 * stand, with the user's message that gets them in front; from v7 on each stands for itself. Tools
 * stand before the last message of the user, in v13 before the first.
 */
#include "runtime/text/chat_mistral.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_tools.h"
#include "runtime/text/encode.h"

#define JOIN       "\n\n"
#define NO_MESSAGE SIZE_MAX

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct writing {
	const brise_chat *chat;
	const brise_conversation *conversation;
	/* where the user's first and last messages in a row begin; NO_MESSAGE: there is none, or an
	 * empty one in front of all (find_users) */
	size_t first_user, last_user;
	chat_text text; /* the one that is being made */
	bpe_ids *ids;
	brise_error *err;
} writing;

static brise_status no_memory(const writing *w)
{
	return error_set(w->err, BRISE_ENOMEM, "no memory for a conversation of %zu messages",
	                 w->conversation->n);
}

static brise_status put_id(writing *w, int32_t id)
{
	return bpe_add_id(w->ids, id) ? BRISE_OK : no_memory(w);
}

static brise_status put_control(writing *w, enum chat_control control)
{
	return put_id(w, w->chat->controls[control]);
}

/* Encodes the text so far and begins a new one. */
static brise_status put_text(writing *w)
{
	encode_request request = { .text = w->text.bytes,
		                   .bytes = w->text.n,
		                   .reserved = w->chat->reserved,
		                   .sentencepiece = true };

	w->text.n = 0;
	if (w->text.failed)
		return no_memory(w);
	return encode_append(w->chat->tokenizer, &request, w->ids, w->err);
}

/* Text between two control tokens. */
static brise_status put_between(writing *w, enum chat_control before, enum chat_control after)
{
	brise_status status = put_control(w, before);

	if (status == BRISE_OK)
		status = put_text(w);
	return status == BRISE_OK ? put_control(w, after) : status;
}

/* Ends the text so far, and writes reasoning behind it. */
static brise_status put_thought(writing *w, const brise_thought *thought)
{
	brise_status status = put_text(w);

	if (status == BRISE_OK)
		status = put_control(w, CHAT_BEGIN_THOUGHT);
	chat_text_add(&w->text, thought->text, thought->bytes, false);
	if (status == BRISE_OK)
		status = put_text(w);
	if (status == BRISE_OK && !thought->is_open)
		status = put_control(w, CHAT_END_THOUGHT);
	return status;
}

/* The texts of a role's messages in [from, to), with empty lines between them. */
static brise_status add_messages(writing *w, size_t from, size_t to, brise_role role)
{
	size_t begin = w->text.n, i, k, at;
	brise_status status = BRISE_OK;

	for (i = from; i < to && status == BRISE_OK; i++) {
		const brise_message *m = &w->conversation->messages[i];

		if (m->role != role)
			continue;
		for (k = 0, at = 0; k <= m->n_thoughts && status == BRISE_OK; k++) {
			const brise_thought *thought = k < m->n_thoughts ? &m->thoughts[k] : NULL;
			size_t next = thought ? thought->at : m->bytes;

			if (next > at && at == 0 && w->text.n > begin)
				chat_text_place(&w->text, JOIN);
			if (next > at)
				chat_text_add(&w->text, m->content + at, next - at, false);
			at = next;
			if (!thought)
				continue;
			status = put_thought(w, thought);
			begin = 0;
		}
	}
	return status;
}

/* ---- messages ------------------------------------------------------------------------------- */

static brise_status put_tools(writing *w)
{
	brise_status status = chat_put_tools(&w->text, w->conversation, w->err);

	if (status == BRISE_OK && w->text.n > 0)
		status = put_between(w, CHAT_BEGIN_TOOLS, CHAT_END_TOOLS);
	return status;
}

/* Messages [from, to) of the system, each for itself. */
static brise_status put_systems(writing *w, size_t from, size_t to)
{
	brise_status status = BRISE_OK;
	size_t i;

	for (i = from; i < to && status == BRISE_OK; i++) {
		status = put_control(w, CHAT_BEGIN_SYSTEM);
		if (status == BRISE_OK)
			status = add_messages(w, i, i + 1, BRISE_SYSTEM);
		if (status == BRISE_OK)
			status = put_text(w);
		if (status == BRISE_OK)
			status = put_control(w, CHAT_END_SYSTEM);
	}
	return status;
}

/* The system's text in front of the user's, with an empty line after it also where the user's is
 * empty. */
static brise_status add_systems(writing *w)
{
	size_t begin = w->text.n;
	brise_status status = add_messages(w, 0, w->conversation->n, BRISE_SYSTEM);

	if (w->text.n > begin)
		chat_text_place(&w->text, JOIN);
	return status;
}

/* Messages [from, to) of the user. */
static brise_status put_user(writing *w, size_t from, size_t to)
{
	const mistral_rules *rules = w->chat->rules;
	brise_status status = BRISE_OK;

	if (from == (rules->tools_first ? w->first_user : w->last_user))
		status = put_tools(w);
	if (!rules->controls)
		chat_text_place(&w->text, "[INST] ");
	if (status == BRISE_OK && !rules->system_apart &&
	    from == (rules->system_first ? w->first_user : w->last_user))
		status = add_systems(w);
	if (status == BRISE_OK)
		status = add_messages(w, from, to, BRISE_USER);
	if (status != BRISE_OK)
		return status;
	if (rules->controls)
		return put_between(w, CHAT_BEGIN_INSTRUCTION, CHAT_END_INSTRUCTION);
	chat_text_place(&w->text, " [/INST]");
	return put_text(w);
}

/* Calls and results that v2 leaves out. */
static bool is_forgotten(const writing *w, size_t i)
{
	return !w->chat->rules->keeps_calls && w->last_user != NO_MESSAGE && i < w->last_user;
}

/* ---- calls and results ---------------------------------------------------------------------- */

static brise_status refuse_no_id(const writing *w, const char *what)
{
	return error_set(w->err, BRISE_EINVAL, "%s without an id: the format %s writes it", what,
	                 w->chat->rules->name);
}

/* A call that has its name, id and arguments between control tokens. */
static brise_status put_call(writing *w, const brise_tool_call *call)
{
	bool has_id = w->chat->rules->calls == MISTRAL_NAMES_IDS;
	const char *name = call->name ? call->name : "";
	brise_status status;

	if (has_id && !call->id)
		return refuse_no_id(w, "a tool call");
	status = put_control(w, CHAT_CALLS);
	chat_text_add(&w->text, name, strlen(name), false);
	if (status == BRISE_OK)
		status = put_text(w);
	if (status == BRISE_OK && has_id) {
		chat_put_id(&w->text, call->id);
		status = put_between(w, CHAT_CALL_ID, CHAT_ARGUMENTS);
	} else if (status == BRISE_OK) {
		status = put_control(w, CHAT_ARGUMENTS);
	}
	chat_put_arguments(&w->text, call);
	return status == BRISE_OK ? put_text(w) : status;
}

static brise_status put_calls(writing *w, const brise_message *m)
{
	const mistral_rules *rules = w->chat->rules;
	brise_status status = BRISE_OK;
	size_t i;

	if (rules->calls == MISTRAL_LIST) {
		chat_put_calls(&w->text, m, rules->results != MISTRAL_OF_NAME);
		status = put_control(w, CHAT_CALLS);
		return status == BRISE_OK ? put_text(w) : status;
	}
	for (i = 0; i < m->n_calls && status == BRISE_OK; i++)
		status = put_call(w, &m->calls[i]);
	return status;
}

/* [TOOL_RESULTS]id[TOOL_CONTENT]text[/TOOL_RESULTS], or without the id. */
static brise_status put_plain_result(writing *w, size_t first, size_t i)
{
	const brise_message *m = &w->conversation->messages[i];
	const char *id = chat_find_id(w->conversation, first, i);
	brise_status status = put_control(w, CHAT_BEGIN_RESULTS);

	if (w->chat->rules->results == MISTRAL_ID_TEXT) {
		if (!id)
			return refuse_no_id(w, "a tool's result");
		chat_put_id(&w->text, id);
		if (status == BRISE_OK)
			status = put_text(w);
		if (status == BRISE_OK)
			status = put_control(w, CHAT_RESULT_TEXT);
	}
	chat_text_add(&w->text, m->content, m->bytes, false);
	if (status == BRISE_OK)
		status = put_text(w);
	return status == BRISE_OK ? put_control(w, CHAT_END_RESULTS) : status;
}

static brise_status put_result(writing *w, size_t first, size_t i)
{
	const mistral_rules *rules = w->chat->rules;

	if (rules->results == MISTRAL_ID_TEXT || rules->results == MISTRAL_TEXT)
		return put_plain_result(w, first, i);
	chat_put_result(&w->text, w->conversation, first, i, rules->results == MISTRAL_OF_ID);
	return put_between(w, CHAT_BEGIN_RESULTS, CHAT_END_RESULTS);
}

static brise_status put_results(writing *w, size_t from, size_t to)
{
	size_t *order = NULL, i;
	brise_status status = BRISE_OK;

	if (w->chat->rules->orders_results &&
	    !chat_order_results(w->conversation, from, to, &order))
		return no_memory(w);
	for (i = from; i < to && status == BRISE_OK; i++)
		if (!is_forgotten(w, i))
			status = put_result(w, from, order ? order[i - from] : i);
	memory_free(order);
	return status;
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool has_thoughts(const writing *w, size_t from, size_t to)
{
	while (from < to && w->conversation->messages[from].n_thoughts == 0)
		from++;
	return from < to;
}

/* Spaces at the end go, except in answers with reasoning, as they were trained. */
static brise_status put_answer_text(writing *w, size_t from, size_t to)
{
	brise_status status = add_messages(w, from, to, BRISE_ASSISTANT);
	bool trims = w->chat->rules->controls && !has_thoughts(w, from, to);

	while (trims && w->text.n > 0 && w->text.bytes[w->text.n - 1] == ' ')
		w->text.n--;
	return status == BRISE_OK ? put_text(w) : status;
}

static brise_status put_assistant(writing *w, size_t from, size_t to)
{
	const brise_message *last = &w->conversation->messages[to - 1];
	bool calls = last->n_calls > 0;
	brise_status status = BRISE_OK;

	if (calls && is_forgotten(w, from))
		return BRISE_OK;
	if (!calls || w->chat->rules->text_and_calls)
		status = put_answer_text(w, from, to);
	if (status == BRISE_OK && calls)
		status = put_calls(w, last);
	return status == BRISE_OK && !last->continued ? put_id(w, w->chat->end) : status;
}

/* ---- conversations -------------------------------------------------------------------------- */

/* Where the user's first and last messages in a row begin. Up to v3 a conversation that begins
 * otherwise gets an empty message of the user in front. */
static void find_users(writing *w)
{
	const brise_message *m = w->conversation->messages;
	bool anywhere = w->chat->rules->system_apart;
	size_t n = w->conversation->n, i = 0;

	w->first_user = w->last_user = NO_MESSAGE;
	while (i < n && (m[i].role == BRISE_SYSTEM || (anywhere && m[i].role != BRISE_USER)))
		i++;
	if (i < n && m[i].role == BRISE_USER)
		w->first_user = i;
	for (; i < n; i++)
		if (m[i].role == BRISE_USER && (i == 0 || m[i - 1].role != BRISE_USER))
			w->last_user = i;
}

brise_status mistral_encode(const brise_chat *chat, const brise_conversation *c, bpe_ids *ids,
                            brise_error *err)
{
	writing w = { .chat = chat, .conversation = c, .ids = ids, .err = err };
	brise_status status;
	size_t i, next;

	find_users(&w);
	status = put_id(&w, chat->begin);
	if (status == BRISE_OK && w.first_user == NO_MESSAGE && !chat->rules->system_apart)
		status = put_user(&w, NO_MESSAGE, NO_MESSAGE);
	for (i = 0; i < c->n && status == BRISE_OK; i = next) {
		brise_role role = c->messages[i].role;

		for (next = i + 1; next < c->n && c->messages[next].role == role;)
			next++;
		if (role == BRISE_USER)
			status = put_user(&w, i, next);
		else if (role == BRISE_ASSISTANT)
			status = put_assistant(&w, i, next);
		else if (role == BRISE_TOOL)
			status = put_results(&w, i, next);
		else if (chat->rules->system_apart)
			status = put_systems(&w, i, next);
	}
	chat_text_free(&w.text);
	return status;
}
