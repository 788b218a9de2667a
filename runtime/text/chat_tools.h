/* chat_tools.h - tools, calls and results as the JSON that Mistral's v2 and v3 were trained on */
#ifndef RUNTIME_CHAT_TOOLS_H
#define RUNTIME_CHAT_TOOLS_H

#include "runtime/brise.h"
#include "runtime/text/chat_text.h"

/* Appends the conversation's list of tools, nothing where it is empty.
 * Errors: BRISE_EFORMAT. */
brise_status chat_put_tools(chat_text *out, const brise_conversation *conversation,
                            brise_error *err);

/* Appends the list of a message's calls, with or without their ids. */
void chat_put_calls(chat_text *out, const brise_message *message, bool ids);

/* Appends the result in message i, of results in a row that begin with message `first`, with the
 * call's id, or in a list with the tool's name. */
void chat_put_result(chat_text *out, const brise_conversation *conversation, size_t first, size_t i,
                     bool ids);

#endif
