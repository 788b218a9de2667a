/* chat_affixes.c - see chat_affixes.h
 *
 * The whole conversation is one text, as a template renders it, in which every byte is known to be
 * the format's or a message's; it is encoded at once, so that the tokenizer's rules for what
 * stands beside its added tokens hold as in training.
 *
 *     chatml  <|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n
 *     zephyr  <|user|>\nHello</s>\n<|assistant|>\n
 *
 * (github.com/openai/openai-python, chatml.md; HuggingFaceH4/zephyr-7b-beta, tokenizer_config.json)
 */
#include "runtime/text/chat_affixes.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/encode.h"

static const char *const role_words[] = { [BRISE_SYSTEM] = "system",
	                                  [BRISE_USER] = "user",
	                                  [BRISE_ASSISTANT] = "assistant",
	                                  [BRISE_TOOL] = NULL };

/* ---- built in ------------------------------------------------------------------------------- */

typedef struct built_in {
	const char *name;
	const char *open, *close; /* around the role's word in front of a message */
	const char *end;          /* token after it; NULL: the model's end token */
	const char *needed;       /* token that `open` is; NULL: it may be text */
} built_in;

static const built_in all_built_in[] = {
	{ "chatml", "<|im_start|>", "\n", "<|im_end|>", "<|im_start|>" },
	{ "zephyr", "<|", "|>\n", NULL, NULL },
};

static const built_in *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof all_built_in / sizeof *all_built_in; i++)
		if (!strcmp(all_built_in[i].name, name))
			return &all_built_in[i];
	return NULL;
}

bool affixes_know(const char *name)
{
	return find(name) != NULL;
}

/* "abc" of up to three parts, the last with a length; from memory_new. */
static char *join(const char *a, const char *b, const char *c, size_t c_bytes)
{
	size_t a_bytes = strlen(a), b_bytes = strlen(b);
	char *text = memory_new(a_bytes + b_bytes + c_bytes + 1, 1);

	if (text) {
		memcpy(text, a, a_bytes);
		memcpy(text + a_bytes, b, b_bytes);
		memcpy(text + a_bytes + b_bytes, c, c_bytes);
	}
	return text;
}

static brise_status find_token(const brise_chat *chat, const char *text, int32_t *id,
                               const char *format, brise_error *err)
{
	const uint8_t *types = chat->tokenizer->types;

	(void)brise_find_token(chat->tokenizer, text, strlen(text), id, NULL);
	if (*id >= 0 && (types[*id] == PIECE_CONTROL || types[*id] == PIECE_USER_DEFINED))
		return BRISE_OK;
	return error_set(err, BRISE_EINVAL,
	                 "the format %s needs the token %s, which the vocabulary lacks", format,
	                 text);
}

/* Which token ends a message, and its text. */
static brise_status find_end(brise_chat *chat, const built_in *form, const char **text,
                             size_t *bytes, brise_error *err)
{
	int32_t id = chat->end;
	brise_status status = BRISE_OK;

	if (form->end)
		status = find_token(chat, form->end, &id, form->name, err);
	else if (id < 0)
		status = error_set(err, BRISE_EINVAL,
		                   "the format %s needs an end token, which the model lacks",
		                   form->name);
	if (status == BRISE_OK && !chat_add_end(chat, id))
		status = error_set(err, BRISE_ENOMEM, "no memory for a chat format");
	if (status == BRISE_OK)
		status = brise_get_piece(chat->tokenizer, id, text, bytes, err);
	return status;
}

brise_status affixes_open(brise_chat *chat, const char *name, brise_error *err)
{
	const built_in *form = find(name);
	chat_affix *roles = chat->affixes.roles;
	const char *end = "";
	size_t end_bytes = 0, role;
	int32_t id;
	brise_status status = BRISE_OK;

	if (form->needed)
		status = find_token(chat, form->needed, &id, name, err);
	if (status == BRISE_OK)
		status = find_end(chat, form, &end, &end_bytes, err);
	for (role = BRISE_SYSTEM; role <= BRISE_ASSISTANT && status == BRISE_OK; role++) {
		roles[role].before =
		        join(form->open, role_words[role], form->close, strlen(form->close));
		roles[role].after = join("", "", end, end_bytes + 1);
		if (!roles[role].before || !roles[role].after)
			return error_set(err, BRISE_ENOMEM, "no memory for a chat format");
		roles[role].after[end_bytes] = '\n';
	}
	chat->facts.system = true;
	return status;
}

/* ---- tokens in affixes ---------------------------------------------------------------------- */

/* Line ends and other space are no marks, though they may be user-defined symbols. */
static bool is_space(const uint8_t *piece, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes && strchr(" \t\r\n", piece[i]) && piece[i]; i++)
		;
	return i == bytes;
}

/* Marks every symbol of a set that a text has anywhere, one within another included. */
static void reserve_in(brise_chat *chat, const added_set *symbols, const char *text)
{
	size_t n = strlen(text), at, most;
	const added_pattern *p;

	for (at = 0; at < n; at++)
		for (most = n - at;
		     (p = added_match(symbols, (const uint8_t *)text + at, most, true)) != NULL;
		     most = p->bytes - 1u)
			if (!is_space(p->text, p->bytes))
				chat->reserved[p->id / 32] |= 1u << p->id % 32;
}

static void add_symbol(added_set *set, const brise_tokenizer *t, uint32_t id)
{
	set->items[set->n++] =
	        (added_pattern){ t->text + t->offsets[id], tokenizer_piece_bytes(t, id), id, 0 };
}

/* The tokenizer's tokens and the symbols that are reserved. False: no memory. */
static bool make_tokens(brise_chat *chat)
{
	const brise_tokenizer *t = chat->tokenizer;
	const added_set *plain = &t->added->plain;
	added_set *set = &chat->tokens;
	uint32_t i;

	if (!(set->items = memory_new(plain->n + t->n_user + 1, sizeof *set->items)))
		return false;
	if (plain->n > 0)
		memcpy(set->items, plain->items, plain->n * sizeof *set->items);
	set->n = plain->n;
	for (i = 0; i < t->n_user; i++)
		if (bpe_has_id(chat->reserved, t->user[i]))
			add_symbol(set, t, t->user[i]);
	added_sort(set);
	return true;
}

brise_status affixes_reserve(brise_chat *chat, brise_error *err)
{
	const brise_tokenizer *t = chat->tokenizer;
	const chat_affix *roles = chat->affixes.roles;
	added_set symbols = { .n = 0 };
	size_t role;
	uint32_t i;
	bool done;

	if (!(symbols.items = memory_new((size_t)t->n_user + 1, sizeof *symbols.items)))
		return error_set(err, BRISE_ENOMEM, "no memory for a chat format");
	for (i = 0; i < t->n_user; i++)
		add_symbol(&symbols, t, t->user[i]);
	added_sort(&symbols);
	for (role = BRISE_SYSTEM; role <= BRISE_TOOL; role++)
		if (roles[role].before) {
			reserve_in(chat, &symbols, roles[role].before);
			reserve_in(chat, &symbols, roles[role].after);
		}
	memory_free(symbols.items);
	done = t->added->symbols || make_tokens(chat);
	return done ? BRISE_OK : error_set(err, BRISE_ENOMEM, "no memory for a chat format");
}

/* ---- writing -------------------------------------------------------------------------------- */

/* The system's texts, where they stand in front of the user's. */
static void add_system(chat_text *text, const chat_affixes *a, const brise_conversation *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const brise_message *m = &c->messages[i];

		if (m->role != BRISE_SYSTEM || m->bytes == 0)
			continue;
		chat_text_place(text, a->roles[BRISE_SYSTEM].before);
		chat_text_add(text, m->content, m->bytes, false);
		chat_text_place(text, a->roles[BRISE_SYSTEM].after);
	}
}

static void render(chat_text *text, const chat_affixes *a, const brise_conversation *c)
{
	bool system = a->system_in_user;
	size_t i;

	for (i = 0; i < c->n; i++) {
		const brise_message *m = &c->messages[i];
		const chat_affix *affix = &a->roles[m->role];

		if (m->role == BRISE_SYSTEM && a->system_in_user)
			continue;
		chat_text_place(text, affix->before);
		if (m->role == BRISE_USER && system) {
			add_system(text, a, c);
			system = false;
		}
		chat_text_add(text, m->content, m->bytes, false);
		if (!m->continued)
			chat_text_place(text, affix->after);
	}
	if (c->messages[c->n - 1].role != BRISE_ASSISTANT)
		chat_text_place(text, a->roles[BRISE_ASSISTANT].before);
}

brise_status affixes_encode(const brise_chat *chat, const brise_conversation *c, bpe_ids *ids,
                            brise_error *err)
{
	chat_text text = { .n = 0 };
	encode_request request = { .reserved = chat->reserved };
	brise_status status = BRISE_OK;

	render(&text, &chat->affixes, c);
	if (text.failed || (chat->begin >= 0 && !bpe_add_id(ids, chat->begin))) {
		status = error_set(err, BRISE_ENOMEM,
		                   "no memory for a conversation of %zu messages", c->n);
	} else {
		request.text = text.bytes;
		request.bytes = text.n;
		request.placed = text.placed;
		request.tokens = chat->tokens.items ? &chat->tokens : NULL;
		status = encode_append(chat->tokenizer, &request, ids, err);
	}
	chat_text_free(&text);
	return status;
}

void affixes_free(chat_affixes *a)
{
	size_t role;

	for (role = 0; role <= BRISE_TOOL; role++) {
		memory_free(a->roles[role].before);
		memory_free(a->roles[role].after);
	}
}
