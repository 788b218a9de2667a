/* chat_line.h - a conversation from JSON, in the form of OpenAI's chat interface:
 * {"messages": [...], "tools": [...]}
 */
#ifndef RUNTIME_CHAT_LINE_H
#define RUNTIME_CHAT_LINE_H

#include "runtime/brise.h"
#include "runtime/text/json.h"

/* Zero-initialised but for takes_reasoning; freed with chat_line_free. */
typedef struct chat_line {
	brise_conversation conversation; /* points into what follows */
	brise_message *messages;
	size_t room;
	void **owned; /* [n_owned] texts and lists of calls */
	size_t n_owned, owned_room;
	/* set by the caller: whether "reasoning_content" is read; where a format has no form for
	 * it, it is passed over, as answers can do without */
	bool takes_reasoning;
} chat_line;

/* Reads the object ahead. Unknown keys are passed over, and so are those of a message that a model
 * is not shown. Tools, and arguments that are no string, stay as they are written. Errors: as the
 * reader says; the caller ends with json_end. */
bool chat_line_read(chat_line *line, json_reader *r);

void chat_line_free(chat_line *line);

#endif
