/* run_chat.h - run --chat: one question, in the form of the model's conversations */
#ifndef CLI_RUN_CHAT_H
#define CLI_RUN_CHAT_H

#include "runtime/cli/engine.h"

/* Zero-initialised: the prompt is no question. */
typedef struct run_chat {
	brise_chat *chat;
	const brise_chat_facts *facts;
	brise_answer *reader; /* of the answer */
} run_chat;

/* format, system: of the options, or NULL. *ids: from memory_new, [*n]. Returns COMMANDS_READY or
 * the exit status, with the error printed. */
int run_chat_open(run_chat *c, const engine *e, const char *format, const char *system,
                  const char *question, size_t bytes, int32_t **ids, size_t *n);
void run_chat_free(run_chat *c);

/* Says on a terminal that there is a command for conversations, where the model's file says that it
 * was trained on them and the prompt is not written so. */
void run_chat_suggest(const engine *e, const char *prompt);

#endif
