/* chat_tools.h - tools, calls and results as the JSON that Mistral's models were trained on */
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

/* Appends an id of a call, as brise_map_call_id makes it. */
void chat_put_id(chat_text *out, const char *id);

/* Appends a call's arguments. */
void chat_put_arguments(chat_text *out, const brise_tool_call *call);

/* The id of the call that message i answers (as of chat_put_result); NULL: it has none. */
const char *chat_find_id(const brise_conversation *conversation, size_t first, size_t i);

/* Puts results [from, to), which are in a row behind their calls, into the order of these; results
 * of no call come last. *order: [to - from] numbers of messages, from memory_new; NULL: the order
 * is as it is. False: no memory. */
bool chat_order_results(const brise_conversation *conversation, size_t from, size_t to,
                        size_t **order);

#endif
