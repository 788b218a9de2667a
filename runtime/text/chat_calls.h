/* chat_calls.h - tool calls in the text that a model writes, as it comes */
#ifndef RUNTIME_CHAT_CALLS_H
#define RUNTIME_CHAT_CALLS_H

#include "runtime/brise.h"
#include "runtime/text/chat_text.h"

typedef enum chat_mark {
	CHAT_MARK_CALLS,    /* [TOOL_CALLS] */
	CHAT_MARK_CALL_ID,  /* [CALL_ID] */
	CHAT_MARK_ARGUMENTS /* [ARGS] */
} chat_mark;

typedef struct chat_calls {
	brise_answer_fn *each;
	void *user;
	unsigned state;
	size_t n; /* calls that have begun */
	/* what has been read of a call that is not announced yet: text, if it proves to be none */
	chat_text raw;
	chat_text key,
	        value; /* of the object's field at hand; value: what has not been passed on */
	chat_text name, id, arguments;
	unsigned field, depth; /* which field it is; brackets open in its value */
	bool begun, in_string, escaped, is_string, streams; /* of the value */
	bool listed;    /* calls are objects of a list, not [TOOL_CALLS]name[ARGS]{} */
	bool announced; /* the call at hand, by its name */
	bool broken;    /* something was no call, and became text */
} chat_calls;

/* each, user: who receives the pieces; may be set anew before every call. */
void chat_calls_open(chat_calls *calls);
void chat_calls_mark(chat_calls *calls, chat_mark mark);
/* Something else comes between: a call that is not whole ends. */
void chat_calls_break(chat_calls *calls);
void chat_calls_text(chat_calls *calls, const char *text, size_t n);

/* Ends the answer. False: it ended within a call, or something was no call; memory that ran out
 * shows in chat_calls_failed. */
bool chat_calls_finish(chat_calls *calls);
bool chat_calls_failed(const chat_calls *calls);
void chat_calls_free(chat_calls *calls);

#endif
