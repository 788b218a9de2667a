/* store.c - see store.h; store_file.c reads and writes the files */
#include "runtime/cli/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/places.h"
#include "runtime/cli/store_file.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define ENDING ".jsonl"

/* Words of a message that make a name, and bytes of them. */
#define NAME_WORDS 6u
#define NAME_BYTES 40u

/* Conversations that have a name with different numbers; each is looked for. */
#define MOST_OF_A_NAME 10000u

bool store_open(store *s, const char *folder)
{
	s->folder = memory_copy_text(folder);
	return s->folder != NULL;
}

void store_close(store *s)
{
	memory_free(s->folder);
	s->folder = NULL;
}

/* From memory_new; NULL: no memory. */
static char *path_of(const store *s, const char *name)
{
	size_t size = strlen(s->folder) + strlen(name) + sizeof ENDING + 1;
	char *path = memory_new(size, 1);

	if (path)
		(void)snprintf(path, size, "%s/%s" ENDING, s->folder, name);
	return path;
}

static brise_status no_memory(brise_error *err)
{
	return error_set(err, BRISE_ENOMEM, "no memory for the name of a conversation");
}

/* ---- names ---------------------------------------------------------------------------------- */

const char *store_check_name(const char *name)
{
	const char *c;

	if (!*name)
		return "a name is expected";
	if (strlen(name) > STORE_NAME_MAX)
		return "names have 100 bytes at most";
	if (name[0] == '.' || name[0] == '-')
		return "names do not begin with a full stop or a dash";
	for (c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '/' || *c == '\\')
			return "names have no blanks, slashes or control characters";
	return NULL;
}

bool store_look(const store *s, const char *name, os_facts *file)
{
	char *path = path_of(s, name);
	bool has = path && os_examine_link(path, file);

	memory_free(path);
	return has;
}

bool store_has(const store *s, const char *name)
{
	os_facts file;

	return store_look(s, name, &file);
}

/* "what-is-a-breeze" of "What is a breeze?"; "conversation" where no letter is one of ASCII's. */
static void make_name(const char *text, size_t bytes, char name[NAME_BYTES + 1])
{
	size_t i, n = 0, words = 0;
	bool in_word = false;

	for (i = 0; i < bytes && n < NAME_BYTES; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 'a' - 'A');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
			in_word = in_word && c == '\'';
			continue;
		}
		if (!in_word && words++ == NAME_WORDS)
			break;
		if (!in_word && n > 0)
			name[n++] = '-';
		if (n < NAME_BYTES)
			name[n++] = c;
		in_word = true;
	}
	while (n > 0 && name[n - 1] == '-')
		n--;
	name[n] = 0;
	if (n == 0)
		(void)snprintf(name, NAME_BYTES + 1, "conversation");
}

bool store_choose_name(const store *s, const char *text, size_t bytes,
                       char name[STORE_NAME_MAX + 1])
{
	char base[NAME_BYTES + 1], chosen[STORE_NAME_MAX + 1];
	unsigned i;

	make_name(text, bytes, base);
	(void)snprintf(chosen, sizeof chosen, "%s", base);
	for (i = 2; store_has(s, chosen); i++) {
		if (i > MOST_OF_A_NAME)
			return false;
		(void)snprintf(chosen, sizeof chosen, "%s-%u", base, i);
	}
	memcpy(name, chosen, sizeof chosen);
	return true;
}

/* ---- files ---------------------------------------------------------------------------------- */

brise_status store_save(const store *s, const char *name, const dialog *d, const char *model,
                        brise_error *err)
{
	char *path = path_of(s, name);
	brise_status status = path ? places_make(s->folder, err) : no_memory(err);

	if (status == BRISE_OK)
		status = store_file_write(path, d, model, err);
	memory_free(path);
	return status;
}

brise_status store_load(const store *s, const char *name, dialog *d, brise_error *err)
{
	char *path = path_of(s, name);
	brise_status status;

	memset(d, 0, sizeof *d);
	if (!path)
		return no_memory(err);
	status = store_file_read(path, d, err);
	memory_free(path);
	return status;
}

brise_status store_rename(const store *s, const char *from, const char *to, brise_error *err)
{
	char *old = path_of(s, from), *new = path_of(s, to);
	brise_status status = BRISE_OK;

	if (!old || !new)
		status = no_memory(err);
	else if (!os_rename_new(old, new))
		status = errno == EEXIST
		                 ? error_set(err, BRISE_EIO, "there is a conversation %s", to)
		                 : error_errno(err, "%s: cannot be renamed", old);
	memory_free(old);
	memory_free(new);
	return status;
}

brise_status store_remove(const store *s, const char *name, brise_error *err)
{
	char *path = path_of(s, name);
	brise_status status = BRISE_OK;

	if (!path)
		status = no_memory(err);
	else if (!os_remove(path))
		status = error_errno(err, "%s: cannot be removed", path);
	memory_free(path);
	return status;
}

typedef struct listing {
	const store *store;
	store_entry *entries; /* [n], room for [room] */
	size_t n, room;
	bool failed;
} listing;

/* An os_entry_fn. */
static bool list_entry(void *user, const char *file)
{
	listing *l = user;
	size_t length = strlen(file), n = sizeof ENDING - 1;
	store_entry *entries, entry;
	os_facts facts;
	char *path;

	if (length <= n || length - n > STORE_NAME_MAX || strcmp(file + length - n, ENDING) != 0)
		return true;
	(void)snprintf(entry.name, sizeof entry.name, "%.*s", (int)(length - n), file);
	path = path_of(l->store, entry.name);
	if (store_check_name(entry.name) != NULL || !path || !os_examine(path, &facts)) {
		memory_free(path);
		return true;
	}
	memory_free(path);
	entry.changed_ns = facts.changed_ns;
	if (l->n == l->room) {
		if (!(entries = memory_resize(l->entries, 2 * l->room + 32, sizeof *entries))) {
			l->failed = true;
			return false;
		}
		l->entries = entries;
		l->room = 2 * l->room + 32;
	}
	l->entries[l->n++] = entry;
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const store_entry *x = a, *y = b;

	if (x->changed_ns != y->changed_ns)
		return x->changed_ns > y->changed_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

brise_status store_list(const store *s, store_entry **entries, size_t *n, brise_error *err)
{
	listing l = { .store = s };

	*entries = NULL;
	*n = 0;
	if (!os_list_folder(s->folder, list_entry, &l) && errno != ENOENT) {
		memory_free(l.entries);
		return error_errno(err, "%s: cannot be read", s->folder);
	}
	if (l.failed) {
		memory_free(l.entries);
		return error_set(err, BRISE_ENOMEM, "no memory for a list of conversations");
	}
	if (l.n > 0)
		qsort(l.entries, l.n, sizeof *l.entries, compare_entries);
	*entries = l.entries;
	*n = l.n;
	return BRISE_OK;
}
