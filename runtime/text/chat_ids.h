/* chat_ids.h - names of tool calls in the form that Mistral's v3 wants: nine letters and digits */
#ifndef RUNTIME_CHAT_IDS_H
#define RUNTIME_CHAT_IDS_H

#include <stdbool.h>

#define CHAT_ID_BYTES 9

/* Whether a text is of that form. */
bool chat_id_fits(const char *id);

#endif
