/* chat_decision.h - which format of conversations a converted file records */
#ifndef CONVERT_TOKENIZER_CHAT_DECISION_H
#define CONVERT_TOKENIZER_CHAT_DECISION_H

#include "convert/tokenizer/text_settings.h"

/* Fills settings->chat_format for an open tokenizer, after text_settings_apply; what was decided,
 * and by what, becomes a line of *decisions. chosen: a format's name, or the text of a file of
 * affixes (runtime/CHAT.md); NULL: the template or the vocabulary decides.
 * Errors: those of brise_new_chat for what was chosen; BRISE_ENOMEM. */
brise_status chat_decide(text_settings *settings, const brise_tokenizer *tokenizer,
                         const format_config *config, const char *chosen, notes *decisions,
                         brise_error *err);

#endif
