/* chat.h - an open format of conversations */
#ifndef RUNTIME_CHAT_H
#define RUNTIME_CHAT_H

#include "runtime/brise.h"
#include "runtime/text/added.h"
#include "runtime/text/bpe.h"
#include "runtime/text/chat_text.h"

/* Control tokens of Mistral's formats, by what they are for. */
enum chat_control {
	CHAT_BEGIN_INSTRUCTION,
	CHAT_END_INSTRUCTION,
	CHAT_BEGIN_TOOLS,
	CHAT_END_TOOLS,
	CHAT_CALLS,
	CHAT_BEGIN_RESULTS,
	CHAT_END_RESULTS,
	CHAT_CALL_ID,
	CHAT_ARGUMENTS,
	CHAT_BEGIN_SYSTEM,
	CHAT_END_SYSTEM,
	CHAT_RESULT_TEXT,
	CHAT_BEGIN_THOUGHT,
	CHAT_END_THOUGHT,
	CHAT_CONTROLS
};

/* Text before and after the messages of a role, from memory_new; before NULL: the format has none
 * of that role. */
typedef struct chat_affix {
	char *before, *after;
} chat_affix;

/* A format that is text around messages (chat_affixes.c). */
typedef struct chat_affixes {
	chat_affix roles[BRISE_TOOL + 1];
	bool system_in_user; /* system messages stand in front of the first user's text */
} chat_affixes;

struct mistral_rules;

struct brise_chat {
	const brise_tokenizer *tokenizer;
	const struct mistral_rules *rules; /* one of Mistral's; NULL: affixes */
	chat_affixes affixes;
	int32_t begin, end;              /* of a text and of an answer; -1: none */
	int32_t controls[CHAT_CONTROLS]; /* -1: not in the vocabulary */
	uint32_t *reserved; /* a bit for each id that no text of a message becomes (encode.h) */
	/* where the tokenizer leaves user-defined symbols to merging: its tokens with those that
	 * the affixes have; no items: the tokenizer's own */
	added_set tokens;
	int32_t *ends;
	brise_chat_facts facts;
};

/* "the user" and so on, for messages. */
const char *chat_role_name(brise_role role);

/* Whether an answer to a prompt begins within reasoning, which the prompt has left open. */
bool chat_begins_in_thought(const brise_chat *chat, const int32_t *prompt, size_t n);

/* Adds an id to the tokens that end an answer; -1 and what is there already are left out. False:
 * no memory. */
bool chat_add_end(brise_chat *chat, int32_t id);

#endif
