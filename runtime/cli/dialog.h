/* dialog.h - the messages of a conversation: what was said, and what the model is shown of it
 *
 * The first message may be the system's; after it those of user and assistant take turns. Texts are
 * what counts. An answer's ids are kept besides where encoding its text would give other ids than
 * the model drew: then what was evaluated need not be evaluated again.
 */
#ifndef CLI_DIALOG_H
#define CLI_DIALOG_H

#include "runtime/brise.h"

typedef struct dialog_message {
	brise_role role; /* BRISE_SYSTEM, BRISE_USER or BRISE_ASSISTANT */
	char *text;      /* [bytes] and a NUL */
	size_t bytes;
	int32_t *ids; /* [n_ids] as drawn; NULL: those of the text */
	size_t n_ids;
} dialog_message;

/* Zero-initialised: empty. */
typedef struct dialog {
	dialog_message *messages; /* [n] */
	size_t n, room;
	size_t dropped; /* messages after the system's that the model is not shown any more */
} dialog;

void dialog_free(dialog *d);

/* Appends a message; the text is copied. False: no memory. */
bool dialog_add(dialog *d, brise_role role, const char *text, size_t bytes);

/* Keeps the first n messages. */
void dialog_cut(dialog *d, size_t n);

/* Messages from the end of a dialog, which others are to take the place of. Zero-initialised: none.
 */
typedef struct dialog_part {
	dialog_message *messages; /* [n] */
	size_t n, dropped;        /* by the dialog, with them */
} dialog_part;

/* Moves messages `from` and further ones into *part, which is empty. False: no memory. */
bool dialog_set_aside(dialog *d, size_t from, dialog_part *part);

/* Moves them back, where those that took their place have been cut. *part is empty then. */
void dialog_put_back(dialog *d, dialog_part *part);

void dialog_free_part(dialog_part *part);

/* The system's message becomes text [bytes]; of 0 bytes: there is none. False: no memory. */
bool dialog_set_system(dialog *d, const char *text, size_t bytes);

/* NULL: there is none. */
const dialog_message *dialog_get_system(const dialog *d);
const dialog_message *dialog_get_last(const dialog *d);

/* Index of the user's last message; n: there is none. */
size_t dialog_find_last_of_user(const dialog *d);

/* Messages of the user that the model is shown. */
size_t dialog_count_turns(const dialog *d);

/* The oldest turn, a message of the user and its answer, is shown no longer. False: only one is
 * left. */
bool dialog_drop_turn(dialog *d);

/* The ids of what the model is shown, up to where its answer begins; as brise_encode_chat. */
brise_status dialog_encode(const dialog *d, const brise_chat *chat, int32_t **ids, size_t *n,
                           brise_error *err);

/* Appends an answer that was drawn as ids [n] after `prompt` [n_prompt], what dialog_encode gave.
 * Errors: as brise_encode_chat; the dialog is unchanged. */
brise_status dialog_add_answer(dialog *d, const brise_chat *chat, const char *text, size_t bytes,
                               const int32_t *ids, size_t n, const int32_t *prompt, size_t n_prompt,
                               brise_error *err);

/* Forgets ids that do not mean the text of their message to this model: those of another, or of a
 * file that was edited. Errors: BRISE_ENOMEM. */
brise_status dialog_check_ids(dialog *d, const brise_chat *chat, brise_error *err);

#endif
