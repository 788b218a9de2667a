/* chat_mistral.h - the conversations of Mistral's own instruct models */
#ifndef RUNTIME_CHAT_MISTRAL_H
#define RUNTIME_CHAT_MISTRAL_H

#include "runtime/text/chat.h"

/* How the formats differ. */
typedef struct mistral_rules {
	const char *name;
	bool controls;     /* [INST] and the others are tokens, not text */
	bool tools;        /* tools, calls and results have a form */
	bool system_first; /* the system's text is in the first user's message, not the last */
	bool keeps_calls;  /* also those before the last user's message */
	bool call_ids;     /* calls and results have ids; else results have names, in a list */
} mistral_rules;

/* NULL: no format of that name. */
const mistral_rules *mistral_find(const char *name);

/* Finds the tokens that the rules of an otherwise open chat need.
 * Errors: BRISE_EINVAL the vocabulary lacks one. */
brise_status mistral_open(brise_chat *chat, brise_error *err);

/* Appends the ids of a conversation whose order has been checked.
 * Errors: BRISE_EFORMAT tools that are no JSON, BRISE_EINVAL, BRISE_ENOMEM. */
brise_status mistral_encode(const brise_chat *chat, const brise_conversation *conversation,
                            bpe_ids *ids, brise_error *err);

#endif
