/* chat_mistral.c - see chat_mistral.h
 *
 * The rules are mistral-common's (tokens/tokenizers/instruct.py, protocol/instruct/normalize.py).
 * Every text is encoded for itself, as SentencePiece does, so each gets a space in front.
 *
 *     v1      <s>" [INST] user [/INST]"" assistant"</s>
 *     v2, v3  <s>[INST]" user"[/INST]" assistant"</s>
 *
 * Messages of one role in a row are one, joined with an empty line; so are all system messages,
 * wherever they stand, with the user's message that gets them in front. Tools stand before the last
 * message of the user.
 */
#include "runtime/text/chat_mistral.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_tools.h"
#include "runtime/text/encode.h"

#define JOIN       "\n\n"
#define NO_MESSAGE SIZE_MAX

static const mistral_rules all_rules[] = {
	{ .name = "v1", .system_first = true },
	{ .name = "v2", .controls = true, .tools = true },
	{ .name = "v3", .controls = true, .tools = true, .keeps_calls = true, .call_ids = true },
};

const mistral_rules *mistral_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof all_rules / sizeof *all_rules; i++)
		if (!strcmp(all_rules[i].name, name))
			return &all_rules[i];
	return NULL;
}

brise_status mistral_open(brise_chat *chat, brise_error *err)
{
	static const char *const texts[CHAT_CONTROLS] = {
		[CHAT_BEGIN_INSTRUCTION] = "[INST]",
		[CHAT_END_INSTRUCTION] = "[/INST]",
		[CHAT_BEGIN_TOOLS] = "[AVAILABLE_TOOLS]",
		[CHAT_END_TOOLS] = "[/AVAILABLE_TOOLS]",
		[CHAT_CALLS] = "[TOOL_CALLS]",
		[CHAT_BEGIN_RESULTS] = "[TOOL_RESULTS]",
		[CHAT_END_RESULTS] = "[/TOOL_RESULTS]",
		[CHAT_CALL_ID] = "[CALL_ID]",
		[CHAT_ARGUMENTS] = "[ARGS]",
	};
	const brise_tokenizer *t = chat->tokenizer;
	int i, needed = !chat->rules->controls ? 0
	                : chat->rules->tools   ? CHAT_END_RESULTS + 1
	                                       : CHAT_END_INSTRUCTION + 1;

	for (i = 0; i < CHAT_CONTROLS; i++) {
		int32_t *id = &chat->controls[i];

		(void)brise_find_token(t, texts[i], strlen(texts[i]), id, NULL);
		/* A piece of ordinary text would be one for users as well. */
		if (*id >= 0 && t->types[*id] != PIECE_CONTROL &&
		    t->types[*id] != PIECE_USER_DEFINED)
			*id = -1;
		if (*id < 0 && i < needed)
			return error_set(err, BRISE_EINVAL,
			                 "the format %s needs the control token %s, which the "
			                 "vocabulary lacks",
			                 chat->rules->name, texts[i]);
	}
	if (chat->begin < 0 || chat->end < 0)
		return error_set(err, BRISE_EINVAL,
		                 "the format %s needs begin and end tokens, which the vocabulary "
		                 "lacks",
		                 chat->rules->name);
	chat->facts.system = true;
	chat->facts.tools = chat->rules->tools;
	return BRISE_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct writing {
	const brise_chat *chat;
	const brise_conversation *conversation;
	/* where the user's first and last messages in a row begin; NO_MESSAGE: an empty one in
	 * front of all */
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

/* The texts of a role's messages in [from, to), with empty lines between them. */
static void add_messages(writing *w, size_t from, size_t to, brise_role role)
{
	size_t begin = w->text.n, i;

	for (i = from; i < to; i++) {
		const brise_message *m = &w->conversation->messages[i];

		if (m->role != role || m->bytes == 0)
			continue;
		if (w->text.n > begin)
			chat_text_place(&w->text, JOIN);
		chat_text_add(&w->text, m->content, m->bytes, false);
	}
}

/* ---- messages ------------------------------------------------------------------------------- */

static brise_status put_tools(writing *w)
{
	brise_status status = chat_put_tools(&w->text, w->conversation, w->err);

	if (status == BRISE_OK && w->text.n > 0)
		status = put_between(w, CHAT_BEGIN_TOOLS, CHAT_END_TOOLS);
	return status;
}

/* Messages [from, to) of the user. The system's text has an empty line after it also where the
 * user's is empty. */
static brise_status put_user(writing *w, size_t from, size_t to)
{
	const mistral_rules *rules = w->chat->rules;
	size_t begin;

	if (from == w->last_user) {
		brise_status status = put_tools(w);

		if (status != BRISE_OK)
			return status;
	}
	if (!rules->controls)
		chat_text_place(&w->text, "[INST] ");
	if (from == (rules->system_first ? w->first_user : w->last_user)) {
		begin = w->text.n;
		add_messages(w, 0, w->conversation->n, BRISE_SYSTEM);
		if (w->text.n > begin)
			chat_text_place(&w->text, JOIN);
	}
	add_messages(w, from, to, BRISE_USER);
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

static brise_status put_assistant(writing *w, size_t from, size_t to)
{
	const brise_message *last = &w->conversation->messages[to - 1];
	brise_status status = BRISE_OK;

	if (last->n_calls > 0) {
		if (is_forgotten(w, from))
			return BRISE_OK;
		chat_put_calls(&w->text, last, w->chat->rules->call_ids);
		status = put_control(w, CHAT_CALLS);
	} else {
		add_messages(w, from, to, BRISE_ASSISTANT);
		while (w->chat->rules->controls && w->text.n > 0 &&
		       w->text.bytes[w->text.n - 1] == ' ')
			w->text.n--;
	}
	if (status == BRISE_OK)
		status = put_text(w);
	return status == BRISE_OK && !last->continued ? put_id(w, w->chat->end) : status;
}

static brise_status put_results(writing *w, size_t from, size_t to)
{
	brise_status status = BRISE_OK;
	size_t i;

	for (i = from; i < to && status == BRISE_OK; i++) {
		if (is_forgotten(w, i))
			continue;
		chat_put_result(&w->text, w->conversation, from, i, w->chat->rules->call_ids);
		status = put_between(w, CHAT_BEGIN_RESULTS, CHAT_END_RESULTS);
	}
	return status;
}

/* Where the user's first and last messages in a row begin. A conversation that begins otherwise
 * gets an empty message of the user in front. */
static void find_users(writing *w)
{
	const brise_message *m = w->conversation->messages;
	size_t n = w->conversation->n, i = 0;

	w->first_user = w->last_user = NO_MESSAGE;
	while (i < n && m[i].role == BRISE_SYSTEM)
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
	if (status == BRISE_OK && w.first_user == NO_MESSAGE)
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
	}
	chat_text_free(&w.text);
	return status;
}
