/* chat_format.h - the option --chat-format of several commands */
#ifndef CLI_CHAT_FORMAT_H
#define CLI_CHAT_FORMAT_H

#include "runtime/brise.h"

#define CHAT_FORMAT_VALUE "FORMAT"

/* 80 columns hold no more: a file is one of affixes (runtime/CHAT.md). */
#define CHAT_FORMAT_HELP "v1 v2 v3 v3-tekken v7 v11 v13 chatml zephyr, FILE"

/* Whether a value names a built-in format; else it is a file's name. */
bool chat_format_is_name(const char *value);

/* What a value stands for: a name itself, or the text of a file. *text: from memory_new.
 * Errors: BRISE_EINVAL neither, BRISE_EIO, BRISE_ENOMEM. */
brise_status chat_format_read(char **text, const char *value, brise_error *err);

/* As brise_new_chat. value: of the option, NULL: not given. What is no name of a format is the name
 * of a file of affixes. Errors: as brise_new_chat; BRISE_EIO. */
brise_status chat_format_open(brise_chat **out, const brise_tokenizer *tokenizer,
                              const brise_model_facts *facts, const char *value, brise_error *err);

#endif
