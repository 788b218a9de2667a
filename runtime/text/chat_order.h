/* chat_order.h - in which order messages may come */
#ifndef RUNTIME_CHAT_ORDER_H
#define RUNTIME_CHAT_ORDER_H

#include "runtime/text/chat.h"

/* Refuses what no model was trained on: results without calls, calls without results, an answer to
 * be continued that is not the last; and what this format has no form for. Messages of one role in
 * a row are refused where the format does not join them.
 * Errors: BRISE_EINVAL with the number of the message. */
brise_status chat_check_order(const brise_chat *chat, const brise_conversation *conversation,
                              brise_error *err);

#endif
