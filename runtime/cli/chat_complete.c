/* chat_complete.c - what tab makes of a command that is being typed */
#include <stdio.h>
#include <string.h>

#include "runtime/cli/chat.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define PATH_MAX_BYTES 4096u

/* Whether text [n] is `command`, a blank, and the beginning of its argument. */
static bool is_command(const char *text, size_t n, const char *command)
{
	size_t length = strlen(command);

	return n > length && !memcmp(text, command, length) && text[length] == ' ';
}

static bool takes_conversation(const char *text, size_t n, size_t *from)
{
	static const char *const names[] = { "/load", "/delete", "/save", "/rename" };
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (is_command(text, n, names[i])) {
			*from = strlen(names[i]) + 1;
			return true;
		}
	return false;
}

static void offer_commands(candidates *list)
{
	const char *name;
	bool has_argument;
	char word[32];
	size_t i;

	for (i = 0; talk_get_command(i, &name, &has_argument); i++) {
		(void)snprintf(word, sizeof word, "%s%s", name, has_argument ? " " : "");
		candidates_offer(list, 0, word);
	}
}

static void offer_conversations(const talk *t, candidates *list, size_t from)
{
	store_entry *entries = NULL;
	size_t n = 0, i;

	if (t->has_store)
		(void)store_list(&t->store, &entries, &n, NULL);
	for (i = 0; i < n; i++)
		candidates_offer(list, from, entries[i].name);
	memory_free(entries);
}

typedef struct path_offers {
	candidates *list;
	size_t from;
	const char *typed; /* the folder as it is typed, with its slash; [n_typed] */
	size_t n_typed;
	bool wants_hidden;
} path_offers;

/* An os_entry_fn. */
static bool offer_entry(void *user, const char *name)
{
	path_offers *o = user;
	char word[PATH_MAX_BYTES];
	os_facts facts;
	int n;

	if (name[0] == '.' && !o->wants_hidden)
		return true;
	n = snprintf(word, sizeof word - 1, "%.*s%s", (int)o->n_typed, o->typed, name);
	if (n < 0 || (size_t)n >= sizeof word - 1)
		return true;
	if (os_examine(word, &facts) && facts.kind == OS_FOLDER)
		(void)strcat(word, "/");
	candidates_offer(o->list, o->from, word);
	return true;
}

static void offer_paths(candidates *list, const char *text, size_t n, size_t from)
{
	path_offers o = { .list = list, .from = from, .typed = text + from };
	char folder[PATH_MAX_BYTES];
	size_t i;

	if (n - from >= sizeof folder - 1)
		return;
	for (i = from; i < n; i++)
		if (text[i] == '/')
			o.n_typed = i + 1 - from;
	o.wants_hidden = from + o.n_typed < n && text[from + o.n_typed] == '.';
	(void)snprintf(folder, sizeof folder, "%.*s", (int)o.n_typed, o.typed);
	(void)os_list_folder(o.n_typed > 0 ? folder : ".", offer_entry, &o);
}

void talk_complete(void *user, candidates *list, const char *text, size_t n)
{
	size_t from;

	if (n == 0 || text[0] != '/')
		return;
	if (takes_conversation(text, n, &from))
		offer_conversations(user, list, from);
	else if (is_command(text, n, "/file"))
		offer_paths(list, text, n, strlen("/file") + 1);
	else
		offer_commands(list);
}
