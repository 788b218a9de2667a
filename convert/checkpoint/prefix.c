/* prefix.c - finds the one prefix and takes it off */
#include "convert/checkpoint/prefix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define NAME_MAX_BYTES 512u

void prefix_drop_wrappers(char *name)
{
	static const char *const inserted[] = { "_orig_mod.", "_fsdp_wrapped_module.",
		                                "_checkpoint_wrapped_module." };
	char *to = name;
	bool begins = true; /* a component of the name begins here */
	size_t i;

	while (*name) {
		for (i = 0; begins && i < sizeof inserted / sizeof *inserted; i++)
			if (!strncmp(name, inserted[i], strlen(inserted[i]))) {
				name += strlen(inserted[i]);
				i = SIZE_MAX; /* another one may follow */
			}
		begins = *name == '.';
		if (*name)
			*to++ = *name++;
	}
	*to = 0;
}

int prefix_measure(const naming *names, const char *name)
{
	const char *layer = names->layer + strlen(names->body), *at = name;
	char plain[NAME_MAX_BYTES];
	uint32_t number;

	for (; (at = strstr(at, layer)) != NULL; at++) {
		if (at != name && at[-1] != '.')
			continue;
		(void)snprintf(plain, sizeof plain, "%s%s", names->body, at);
		if (naming_find_kind(names, plain, UINT32_MAX, &number) != 0)
			return at - name < (ptrdiff_t)NAME_MAX_BYTES ? (int)(at - name) : -1;
	}
	return -1;
}

typedef struct prefix {
	const char *text; /* in a name */
	int bytes;        /* -1: no tensor in a layer was found */
} prefix;

static brise_status find(prefix *found, const tensor_list *list, const naming *names,
                         const char *where, brise_error *err)
{
	const char *first = NULL;
	size_t i;

	*found = (prefix){ NULL, -1 };
	for (i = 0; i < list->n; i++) {
		const char *name = list->items[i].name;
		int bytes = prefix_measure(names, name);

		if (bytes < 0)
			continue;
		if (first && (bytes != found->bytes || memcmp(name, first, (size_t)bytes) != 0))
			return error_set(
			        err, BRISE_EFORMAT,
			        "%s: tensors %.120s and %.120s have different prefixes, so "
			        "that it is not clear which are the model's",
			        where, first, name);
		*found = (prefix){ name, bytes };
		first = name;
	}
	return BRISE_OK;
}

/* Where the output's own name begins, after a beginning of the prefix; NULL: not the output's. */
static const char *find_output(const prefix *found, const char *name, const char *output)
{
	const char *at = strstr(name, output);
	size_t before = at ? (size_t)(at - name) : 0;

	if (!at || (before > 0 && at[-1] != '.') || before > (size_t)found->bytes ||
	    memcmp(name, found->text, before) != 0)
		return NULL;
	return at;
}

/* *changed: the name is another one now. */
static bool rename_tensor(named_tensor *t, const prefix *found, const naming *names,
                          const char *output, bool *changed)
{
	const char *rest = find_output(found, t->name, output), *body = "";
	size_t bytes;
	char *name;

	if (!rest) {
		if (strncmp(t->name, found->text, (size_t)found->bytes) != 0)
			return true;
		rest = t->name + found->bytes;
		body = names->body;
	}
	bytes = strlen(body) + strlen(rest) + 1;
	if (!(name = memory_new(bytes, 1)))
		return false;
	(void)snprintf(name, bytes, "%s%s", body, rest);
	*changed = *changed || strcmp(name, t->name) != 0;
	memory_free(t->name);
	t->name = name;
	return true;
}

brise_status prefix_remove(tensor_list *list, const naming *names, const char *where,
                           notes *decisions, brise_error *err)
{
	char output[40], before[NAME_MAX_BYTES];
	brise_status status;
	bool changed = false;
	prefix found;
	size_t i;

	for (i = 0; i < list->n; i++) {
		size_t bytes = strlen(list->items[i].name);

		prefix_drop_wrappers(list->items[i].name);
		changed = changed || strlen(list->items[i].name) != bytes;
	}
	if ((status = find(&found, list, names, where, err)) != BRISE_OK)
		return status;
	if (changed)
		notes_add(decisions, "names of tensors: parts that wrappers inserted are removed");
	if (found.bytes < 0)
		return BRISE_OK;
	(void)snprintf(before, sizeof before, "%.*s", found.bytes, found.text);
	found.text = before;
	(void)snprintf(output, sizeof output, "%s", names->outside[TENSOR_OUTPUT]);
	*strchr(output, '.') = 0;
	(void)strcat(output, ".");
	for (changed = false, i = 0; i < list->n; i++)
		if (!rename_tensor(&list->items[i], &found, names, output, &changed))
			return error_set(err, BRISE_ENOMEM, "%s: no memory for a name", where);
	if (changed)
		notes_add(decisions, "names of tensors: \"%s\" read as \"%s\"", before,
		          names->body);
	return BRISE_OK;
}
