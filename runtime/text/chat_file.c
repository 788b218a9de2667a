/* chat_file.c - files of affixes (runtime/CHAT.md)
 *
 *     {
 *       "control": ["<|im_start|>", "<|im_end|>"],
 *       "system": {"before": "<|im_start|>system\n", "after": "<|im_end|>\n"},
 *       "user": {"before": "<|im_start|>user\n", "after": "<|im_end|>\n"},
 *       "assistant": {"before": "<|im_start|>assistant\n", "after": "<|im_end|>\n"},
 *       "ends": ["<|im_end|>"]
 *     }
 */
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_affixes.h"
#include "runtime/text/json.h"

#define AFFIX_MAX 4096u /* bytes of an affix; published ones have tens */

typedef struct reading {
	json_reader r;
	brise_chat *chat;
} reading;

static bool fail(reading *in, brise_status status, const char *what)
{
	json_refuse(&in->r, status, what);
	return false;
}

/* A text of an affix, from memory_new; NULL after an error. */
static char *read_affix(reading *in)
{
	size_t bytes;
	char *text;

	if (!json_read_string(&in->r, &text, &bytes))
		return NULL;
	if (bytes <= AFFIX_MAX && strlen(text) == bytes)
		return text;
	memory_free(text);
	fail(in, BRISE_EFORMAT, "an affix of at most 4096 bytes without zero characters expected");
	return NULL;
}

static bool read_place(reading *in)
{
	char text[32];

	if (!json_read_name(&in->r, text, sizeof text))
		return false;
	in->chat->affixes.system_in_user = !strcmp(text, "first user");
	return in->chat->affixes.system_in_user ||
	       fail(in, BRISE_EFORMAT, "\"in\" is \"first user\" or absent");
}

static bool read_role(reading *in, brise_role role)
{
	chat_affix *affix = &in->chat->affixes.roles[role];
	char key[32], **to;

	if (affix->before)
		return fail(in, BRISE_EFORMAT, "a role that is there already");
	if (!json_enter_object(&in->r))
		return false;
	while (json_next_key(&in->r, key, sizeof key)) {
		to = !strcmp(key, "before")  ? &affix->before
		     : !strcmp(key, "after") ? &affix->after
		                             : NULL;
		if (to && !*to)
			*to = read_affix(in);
		else if (role == BRISE_SYSTEM && !strcmp(key, "in"))
			read_place(in);
		else
			return fail(in, BRISE_EFORMAT,
			            role == BRISE_SYSTEM
			                    ? "\"before\", \"after\" or \"in\" expected, each once"
			                    : "\"before\" or \"after\" expected, each once");
	}
	if (in->r.status == BRISE_OK && (!affix->before || !affix->after))
		fail(in, BRISE_EFORMAT, "a role has \"before\" and \"after\", which may be empty");
	return in->r.status == BRISE_OK;
}

/* A list of tokens that must be in the vocabulary; `ends`: which end an answer. */
static bool read_tokens(reading *in, bool ends)
{
	char text[128], message[200];
	int32_t id;

	json_enter_array(&in->r);
	while (json_next_element(&in->r) && json_read_name(&in->r, text, sizeof text)) {
		(void)brise_find_token(in->chat->tokenizer, text, strlen(text), &id, NULL);
		(void)snprintf(message, sizeof message,
		               "the vocabulary has no control token or symbol %s", text);
		if (id < 0 || (in->chat->tokenizer->types[id] != PIECE_CONTROL &&
		               in->chat->tokenizer->types[id] != PIECE_USER_DEFINED))
			return fail(in, BRISE_EINVAL, message);
		if (ends && !chat_add_end(in->chat, id))
			return fail(in, BRISE_ENOMEM, "no memory");
		in->chat->reserved[(uint32_t)id / 32] |= 1u << (uint32_t)id % 32;
	}
	return in->r.status == BRISE_OK;
}

static bool read_begin(reading *in)
{
	bool begins;

	if (!json_read_bool(&in->r, &begins))
		return false;
	if (begins && in->chat->begin < 0)
		in->chat->begin = in->chat->tokenizer->bos;
	if (begins && in->chat->begin < 0)
		return fail(in, BRISE_EINVAL, "the vocabulary has no begin token");
	if (!begins)
		in->chat->begin = -1;
	return true;
}

static void read_key(reading *in, const char *key)
{
	if (!strcmp(key, "system"))
		read_role(in, BRISE_SYSTEM);
	else if (!strcmp(key, "user"))
		read_role(in, BRISE_USER);
	else if (!strcmp(key, "assistant"))
		read_role(in, BRISE_ASSISTANT);
	else if (!strcmp(key, "tool"))
		read_role(in, BRISE_TOOL);
	else if (!strcmp(key, "control"))
		read_tokens(in, false);
	else if (!strcmp(key, "ends"))
		read_tokens(in, true);
	else if (!strcmp(key, "begin"))
		read_begin(in);
	else
		fail(in, BRISE_EFORMAT,
		     "system, user, assistant, tool, control, ends or begin expected");
}

brise_status affixes_read(brise_chat *chat, const char *text, size_t bytes, const char *name,
                          brise_error *err)
{
	reading in = { .chat = chat };
	const chat_affix *roles = chat->affixes.roles;
	char key[32];
	brise_status status;

	json_begin(&in.r, text, bytes, name, err);
	json_enter_object(&in.r);
	while (json_next_key(&in.r, key, sizeof key))
		read_key(&in, key);
	if ((status = json_end(&in.r)) != BRISE_OK)
		return status;
	if (!roles[BRISE_USER].before || !roles[BRISE_ASSISTANT].before)
		return error_set(err, BRISE_EFORMAT, "%s: no affixes of the role \"%s\"", name,
		                 roles[BRISE_USER].before ? "assistant" : "user");
	chat->facts.system = roles[BRISE_SYSTEM].before != NULL;
	return BRISE_OK;
}
