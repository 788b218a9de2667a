/* chat_affixes.h - conversations as text around messages: ChatML, Zephyr's form, and files that
 * users write
 */
#ifndef RUNTIME_CHAT_AFFIXES_H
#define RUNTIME_CHAT_AFFIXES_H

#include "runtime/text/chat.h"

/* Whether a name is one of those that are built in. */
bool affixes_know(const char *name);

/* Fills the affixes of an otherwise open chat.
 * Errors: BRISE_EINVAL the vocabulary lacks a token, BRISE_ENOMEM. */
brise_status affixes_open(brise_chat *chat, const char *name, brise_error *err);

/* The same from a file's text (runtime/CHAT.md).
 * Errors: BRISE_EFORMAT with the place, BRISE_EINVAL a token that the vocabulary lacks,
 * BRISE_ENOMEM. */
brise_status affixes_read(brise_chat *chat, const char *text, size_t bytes, const char *name,
                          brise_error *err);

/* Marks the tokens that the affixes have: no text of a message becomes one of them.
 * Errors: BRISE_ENOMEM. */
brise_status affixes_reserve(brise_chat *chat, brise_error *err);

/* Appends the ids of a conversation whose order has been checked. Errors: BRISE_ENOMEM. */
brise_status affixes_encode(const brise_chat *chat, const brise_conversation *conversation,
                            bpe_ids *ids, brise_error *err);
void affixes_free(chat_affixes *affixes);

#endif
