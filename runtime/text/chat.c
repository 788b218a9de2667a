/* chat.c - a format of conversations: which it is, and the way from messages to ids */
#include "runtime/text/chat.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/sized.h"
#include "runtime/text/chat_affixes.h"
#include "runtime/text/chat_mistral.h"
#include "runtime/text/chat_order.h"
#include "runtime/text/chat_template.h"

#define KNOWN    "v1, v2, v3, v3-tekken, v7, v11, v13, chatml, zephyr"
#define CHOOSE   "; choose one of " KNOWN ", or a file of affixes (--chat-format)"
#define RECORDED "the model's chat format" /* a file of affixes in the model's file */

/* ---- which format --------------------------------------------------------------------------- */

/* What was chosen: a name, or text of affixes. */
typedef struct choice {
	const char *format;
	const char *affixes, *affixes_name;
	size_t affixes_bytes;
	const char *reason;
	bool begins;
} choice;

static brise_status choose_recorded(choice *c, const char *recorded, const chat_guess *guess,
                                    brise_error *err)
{
	c->reason = "the model's file";
	c->format = recorded;
	/* A later version than the converter's may recognise more. */
	if (!strcmp(recorded, CHAT_UNKNOWN) && guess->format) {
		c->reason = "the model's chat template";
		c->format = guess->format;
		return BRISE_OK;
	}
	if (*recorded == '{') {
		c->affixes = recorded;
		c->affixes_bytes = strlen(recorded);
		c->affixes_name = RECORDED;
	}
	if (c->affixes || mistral_find(recorded) || affixes_know(recorded))
		return BRISE_OK;
	if (!strcmp(recorded, CHAT_UNKNOWN))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "the model's form of conversations is not known: %s" CHOOSE,
		                 guess->seen);
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "the model's file names the chat format %.40s, which this version does "
	                 "not know" CHOOSE,
	                 recorded);
}

static brise_status choose(choice *c, const brise_tokenizer *t, const brise_model_facts *facts,
                           const brise_chat_options *o, brise_error *err)
{
	const char *text = facts ? facts->chat_template : NULL;
	chat_guess guess;

	*c = (choice){ .format = o->format, .reason = "as asked for" };
	chat_guess_format(&guess, text, t);
	c->begins = guess.begins;
	if (o->affixes) {
		c->affixes = o->affixes;
		c->affixes_bytes = o->affixes_bytes;
		c->affixes_name = o->affixes_name ? o->affixes_name : "chat format";
		return BRISE_OK;
	}
	if (o->format) {
		if (mistral_find(o->format) || affixes_know(o->format))
			return BRISE_OK;
		return error_set(err, BRISE_EINVAL,
		                 "chat format \"%.40s\" is not known, expected one of " KNOWN,
		                 o->format);
	}
	if (facts && facts->chat_format)
		return choose_recorded(c, facts->chat_format, &guess, err);
	c->format = guess.format;
	c->reason = text ? "the model's chat template" : "the vocabulary's control tokens";
	if (!c->format)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "the model's form of conversations is not known: %s" CHOOSE,
		                 guess.seen);
	return BRISE_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Control tokens and end tokens are never made of text, however they are spelled. */
static void reserve_control(brise_chat *chat)
{
	const brise_tokenizer *t = chat->tokenizer;
	uint32_t id;
	size_t i;

	for (id = 0; id < t->vocab; id++)
		if (t->types[id] == PIECE_CONTROL)
			chat->reserved[id / 32] |= 1u << id % 32;
	for (i = 0; i < chat->facts.n_ends; i++)
		if ((uint32_t)chat->ends[i] < t->vocab)
			chat->reserved[(uint32_t)chat->ends[i] / 32] |=
			        1u << (uint32_t)chat->ends[i] % 32;
	for (i = 0; i < CHAT_CONTROLS; i++)
		if (chat->controls[i] >= 0)
			chat->reserved[(uint32_t)chat->controls[i] / 32] |=
			        1u << (uint32_t)chat->controls[i] % 32;
}

static brise_status open_form(brise_chat *chat, const choice *c, brise_error *err)
{
	const brise_tokenizer *t = chat->tokenizer;
	brise_status status;

	chat->facts.reason = c->reason;
	if (!c->affixes && (chat->rules = mistral_find(c->format)) != NULL) {
		chat->facts.format = chat->rules->name;
		chat->begin = t->bos;
		if (!chat_add_end(chat, chat->end))
			return error_set(err, BRISE_ENOMEM, "no memory for a chat format");
		return mistral_open(chat, err);
	}
	if (chat->begin < 0 && c->begins)
		chat->begin = t->bos;
	chat->facts.format = c->affixes                     ? "custom"
	                     : !strcmp(c->format, "chatml") ? "chatml"
	                                                    : "zephyr";
	status = c->affixes ? affixes_read(chat, c->affixes, c->affixes_bytes, c->affixes_name, err)
	                    : affixes_open(chat, c->format, err);
	return status == BRISE_OK ? affixes_reserve(chat, err) : status;
}

static brise_status open_chat(brise_chat *chat, const brise_model_facts *facts,
                              const brise_chat_options *options, brise_error *err)
{
	const brise_tokenizer *t = chat->tokenizer;
	brise_status status;
	choice c;
	size_t i;

	if ((status = choose(&c, t, facts, options, err)) != BRISE_OK)
		return status;
	chat->begin = facts ? facts->bos : t->bos;
	/* A template's eos_token is the tokenizer's; config.json may name another. */
	chat->end = t->eos < 0 && facts ? facts->eos : t->eos;
	for (i = 0; i < CHAT_CONTROLS; i++)
		chat->controls[i] = -1;
	if (!(chat->reserved = memory_new(t->vocab / 32 + 1, sizeof *chat->reserved)))
		return error_set(err, BRISE_ENOMEM, "no memory for a chat format");
	for (i = 0; facts && i < facts->n_ends; i++)
		if (!chat_add_end(chat, facts->ends[i]))
			return error_set(err, BRISE_ENOMEM, "no memory for a chat format");
	status = open_form(chat, &c, err);
	if (status == BRISE_OK)
		reserve_control(chat);
	return status;
}

brise_status brise_new_chat(brise_chat **out, const brise_tokenizer *tokenizer,
                            const brise_model_facts *facts, const brise_chat_options *options,
                            brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(tokenizer) };
	brise_chat_options o = { .size = sizeof o };
	brise_status status = error_check_pointers(err, "brise_new_chat", needed, 2);
	brise_chat *chat;

	if (out)
		*out = NULL;
	if (status != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "chat options", err)) != BRISE_OK)
		return status;
	if (!(chat = memory_new(1, sizeof *chat)))
		return error_set(err, BRISE_ENOMEM, "no memory for a chat format");
	chat->tokenizer = tokenizer;
	status = open_chat(chat, facts, &o, err);
	if (status != BRISE_OK)
		brise_free_chat(chat);
	else
		*out = chat;
	return status;
}

void brise_free_chat(brise_chat *chat)
{
	if (!chat)
		return;
	affixes_free(&chat->affixes);
	memory_free(chat->tokens.items);
	memory_free(chat->reserved);
	memory_free(chat->ends);
	memory_free(chat);
}

const brise_chat_facts *brise_get_chat_facts(const brise_chat *chat)
{
	return chat ? &chat->facts : NULL;
}

/* ---- encoding ------------------------------------------------------------------------------- */

brise_status brise_encode_chat(const brise_chat *chat, const brise_conversation *conversation,
                               int32_t **ids, size_t *n, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(chat), ERROR_ARGUMENT(conversation),
		                          ERROR_ARGUMENT(ids), ERROR_ARGUMENT(n) };
	brise_conversation c = { .size = sizeof c };
	bpe_ids found = { NULL, 0, 0 };
	brise_status status = error_check_pointers(err, "brise_encode_chat", needed, 4);

	if (status != BRISE_OK ||
	    (status = sized_read(&c, sizeof c, conversation, "conversation", err)) != BRISE_OK)
		return status;
	*ids = NULL;
	*n = 0;
	if ((c.n > 0 && !c.messages) || (c.tools_bytes > 0 && !c.tools))
		return error_set(err, BRISE_EINVAL, "brise_encode_chat: messages or tools is NULL");
	if ((status = chat_check_order(chat, &c, err)) == BRISE_OK)
		status = chat->rules ? mistral_encode(chat, &c, &found, err)
		                     : affixes_encode(chat, &c, &found, err);
	if (status != BRISE_OK) {
		memory_free(found.items);
		return status;
	}
	*ids = found.items;
	*n = found.n;
	return BRISE_OK;
}
