/* chat.h - brise chat: what its parts share
 *
 * chat.c reads messages and says what happens to each; chat_turn.c answers one; chat_commands.c has
 * what begins with "/"; chat_keep.c has conversations, by name; chat_filter.c has --jsonl.
 */
#ifndef CLI_CHAT_H
#define CLI_CHAT_H

#include "runtime/cli/answerer.h"
#include "runtime/cli/console.h"
#include "runtime/cli/dialog.h"
#include "runtime/cli/grammar_file.h"
#include "runtime/cli/store.h"
#include "runtime/portable.h"

typedef struct chat_settings {
	sampling_settings sampling; /* first: see sampling.h */
	engine_settings engine;
	grammar_files grammars;
	const char *file, *system, *format, *conversation, *cache, *cache_size;
	uint32_t tokens; /* UINT32_MAX: no limit */
	bool resume, is_private, no_cache, jsonl, commands, no_status, stats, reasoning, no_drafts,
	        ignore_eos;
} chat_settings;

/* Between a document and the message that it goes with. */
#define TALK_JOIN "\n\n"

/* A conversation that is being held. */
typedef struct talk {
	chat_settings *settings;
	const char *model; /* its file's name */
	answerer answerer;
	brise_grammar *grammar; /* of all answers; NULL: none */
	console *console;
	dialog dialog;
	store store;
	bool has_store;                /* conversations are kept */
	char name[STORE_NAME_MAX + 1]; /* "": none yet */
	os_facts file;  /* of that name, as this process has read or written it; zeros: neither */
	char *document; /* to go with the next message, from memory_new; NULL: none */
	size_t document_bytes;
	size_t typed_from;    /* of the last message, after its document */
	bool replaces;        /* the next message takes the place of the last */
	dialog_part replaced; /* by what is being answered, until it is */
	char *given; /* what the next message begins with, from memory_new; NULL: nothing */
	answer_figures figures; /* of the last answer; n_prompt 0: there was none */
	size_t n_ids;           /* of the conversation, where it has changed */
	bool has_changed;       /* since the last answer */
	uint64_t turns;         /* answered by this process */
	bool shows_status, shows_thoughts;
	int result; /* exit status */
} talk;

/* Says a line or more at a terminal, on standard error elsewhere. */
void talk_say(talk *t, const char *format, ...) PORTABLE_PRINTF(2, 3);

/* Answers the last message, which is the user's, and keeps the conversation. What is not answered,
 * because it is too long or the evaluation was stopped, is taken back, and what it was to replace
 * stays. */
void talk_answer(talk *t);

/* The conversation is another than the sequence has: it was opened, or messages were taken back. */
void talk_change(talk *t);

/* The line below what is typed. */
void talk_show_status(talk *t);

/* How full the window or the context is, into text. */
void talk_describe_room(const talk *t, char *text, size_t size);

/* Figures of the last answer on standard error, for --stats. */
void talk_report_figures(const talk *t);

/* Adds a message with the document that is to go with it, in place of the last message and its
 * answer if it replaces them. False: no memory, said. */
bool talk_add_message(talk *t, const char *text, size_t bytes, bool replaces);

/* ---- chat_keep.c ---------------------------------------------------------------------------- */

/* Finds where conversations are kept. */
void talk_open_store(talk *t);

/* What --resume and --conversation say. Returns COMMANDS_READY or the exit status. */
int talk_open_conversation(talk *t);

/* A new conversation without a name; what the old one has evaluated goes to the cache. */
void talk_begin(talk *t);

/* Writes the conversation, under a name that is made where it has none, or where another process
 * has written the file meanwhile: then both are kept. False: an error, which is
 * printed. */
bool talk_keep(talk *t);

/* False: said why. */
bool talk_load(talk *t, const char *name);

/* Says which conversation it is, and what was said last. */
void talk_recall(talk *t);

/* Reads what is to go with the next message. Returns 0 or the exit status, with the error
 * printed. */
int talk_read_document(talk *t, const char *path);

/* ---- chat_commands.c ------------------------------------------------------------------------ */

/* What follows a command. */
typedef enum talk_next {
	TALK_READ,   /* the next message */
	TALK_ANSWER, /* an answer to the dialog's last message */
	TALK_END
} talk_next;

/* Carries out a command, text [bytes] with its "/" and a NUL. */
talk_next talk_command(talk *t, const char *text);

/* Command `index` of the list, from 0. False: past its end. */
bool talk_get_command(size_t index, const char **name, bool *has_argument);

/* ---- chat_complete.c ------------------------------------------------------------------------ */

/* A candidates_fn; user: a talk. */
candidates_fn talk_complete;

/* ---- chat_filter.c -------------------------------------------------------------------------- */

/* Answers the conversations of standard input, one a line. */
void talk_filter(talk *t);

#endif
