/* store.h - conversations that are kept by name: one file each in a folder of the user's
 *
 * NAME.jsonl has a line of JSON for each message, after a first line that says what it is:
 *
 *     {"brise":"conversation","version":1,"model":"mistral.brise","dropped":0}
 *     {"role":"user","content":"Hello"}
 *     {"role":"assistant","content":"Hi"}
 *
 * "dropped" and an answer's "ids" are as in dialog.h. A file is replaced in one step, so that it is
 * always that of one turn or of the next, and is the user's alone (0600, in a folder of 0700).
 */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include "runtime/cli/dialog.h"
#include "runtime/os/os.h"

#define STORE_NAME_MAX 100u /* bytes of a name */

typedef struct store {
	char *folder;
} store;

/* Uses a folder, which is made when something is saved. False: no memory. */
bool store_open(store *s, const char *folder);
void store_close(store *s);

/* NULL if a conversation can have that name, else what is wrong with it. */
const char *store_check_name(const char *name);

/* Makes a name of a message's first words, with a number where others have it. False: 10,000 have
 * it; the name is as it was. */
bool store_choose_name(const store *s, const char *text, size_t bytes,
                       char name[STORE_NAME_MAX + 1]);

bool store_has(const store *s, const char *name);

/* The file of a conversation, which is another after each change. False: there is none. */
bool store_look(const store *s, const char *name, os_facts *file);

/* model: file name, for the user to read. Errors: BRISE_EIO, BRISE_ENOMEM; the file is as it
 * was. */
brise_status store_save(const store *s, const char *name, const dialog *d, const char *model,
                        brise_error *err);

/* *d is what the file holds, freed by the caller; empty after an error. Errors: BRISE_EIO,
 * BRISE_EFORMAT with the line, BRISE_ENOMEM. */
brise_status store_load(const store *s, const char *name, dialog *d, brise_error *err);

/* `from` is called `to` from now on, where nothing has that name. Errors: BRISE_EIO,
 * BRISE_ENOMEM. */
brise_status store_rename(const store *s, const char *from, const char *to, brise_error *err);
brise_status store_remove(const store *s, const char *name, brise_error *err);

typedef struct store_entry {
	char name[STORE_NAME_MAX + 1];
	int64_t changed_ns;
} store_entry;

/* *entries: [*n] the one changed last first; from memory_new. None if there is no folder.
 * Errors: BRISE_EIO, BRISE_ENOMEM. */
brise_status store_list(const store *s, store_entry **entries, size_t *n, brise_error *err);

#endif
