/* chat_mistral.h - the conversations of Mistral's own instruct models */
#ifndef RUNTIME_CHAT_MISTRAL_H
#define RUNTIME_CHAT_MISTRAL_H

#include "runtime/text/chat.h"

/* What a call looks like. */
typedef enum mistral_calls {
	MISTRAL_LIST, /* [TOOL_CALLS][{"name": "add", "arguments": {}, "id": "call00001"}, ...] */
	MISTRAL_NAMES_IDS, /* [TOOL_CALLS]add[CALL_ID]call00001[ARGS]{}, each */
	MISTRAL_NAMES      /* [TOOL_CALLS]add[ARGS]{}, each */
} mistral_calls;

/* What stands between [TOOL_RESULTS] and [/TOOL_RESULTS]. */
typedef enum mistral_results {
	MISTRAL_OF_NAME, /* [{"name": "add", "content": 3}] */
	MISTRAL_OF_ID,   /* {"content": 3, "call_id": "call00001"} */
	MISTRAL_ID_TEXT, /* call00001[TOOL_CONTENT]3 */
	MISTRAL_TEXT     /* 3 */
} mistral_results;

/* How the formats differ. */
typedef struct mistral_rules {
	const char *name;
	/* the version of the byte-level tokenizer that the format belongs to (tokenizer_section.h);
	 * 0: of SentencePiece's */
	uint32_t dialect;
	bool controls;       /* [INST] and the others are tokens, not text */
	bool tools;          /* tools, calls and results have a form */
	bool system_first;   /* the system's text is in the first user's message, not the last */
	bool system_apart;   /* it is in none: each message of it stands where it is */
	bool tools_first;    /* tools stand before the first message of the user, not the last */
	bool keeps_calls;    /* also those before the last user's message */
	bool text_and_calls; /* one answer may have both */
	bool orders_results; /* as their calls */
	bool thoughts;       /* reasoning has a form, where the vocabulary has its tokens */
	mistral_calls calls;
	mistral_results results;
} mistral_rules;

/* NULL: no format of that name. */
const mistral_rules *mistral_find(const char *name);

/* The format of a byte-level tokenizer's version; NULL: none is known. */
const mistral_rules *mistral_find_dialect(uint32_t dialect);

/* Finds the tokens that the rules of an otherwise open chat need.
 * Errors: BRISE_EINVAL the vocabulary lacks one. */
brise_status mistral_open(brise_chat *chat, brise_error *err);

/* Appends the ids of a conversation whose order has been checked.
 * Errors: BRISE_EFORMAT tools that are no JSON, BRISE_EINVAL, BRISE_ENOMEM. */
brise_status mistral_encode(const brise_chat *chat, const brise_conversation *conversation,
                            bpe_ids *ids, brise_error *err);

#endif
