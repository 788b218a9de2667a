/* gguf_folder.c - choosing a GGUF file of a folder
 *
 * Repositories of GGUF files often hold one model in a dozen types. With several models the user
 * must choose, and the message names them. The parts of a model that was cut are one, known by its
 * first part.
 */
#include "convert/checkpoint/gguf_folder.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/formats/gguf_parts.h"
#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define SHOWN_MAX 3u /* names in the message */

typedef struct name_list {
	char **names;
	size_t n;
	bool complete; /* false: no memory */
} name_list;

/* Image projectors are in the same folder as their language model. */
static bool is_model(const char *name)
{
	return names_end_with(name, ".gguf") && name[0] != '.' && strncmp(name, "mmproj", 6) != 0;
}

static bool add_name(void *user, const char *name)
{
	name_list *list = user;
	char **grown, *copy;

	if (!is_model(name))
		return true;
	grown = memory_resize(list->names, list->n + 1, sizeof *grown);
	if (grown)
		list->names = grown;
	copy = grown ? memory_copy_text(name) : NULL;
	if (!copy)
		return list->complete = false;
	gguf_name_first_part(copy);
	list->names[list->n++] = copy;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts, and leaves one of each. */
static void sort_names(name_list *list)
{
	size_t i, n = 0;

	if (list->n > 0)
		qsort(list->names, list->n, sizeof *list->names, compare_names);
	for (i = 0; i < list->n; i++)
		if (n > 0 && !strcmp(list->names[n - 1], list->names[i]))
			memory_free(list->names[i]);
		else
			list->names[n++] = list->names[i];
	list->n = n;
}

static brise_status refuse_several(const name_list *list, const char *folder, brise_error *err)
{
	char shown[SHOWN_MAX * 84 + 32] = "";
	size_t i, at = 0;

	for (i = 0; i < list->n && i < SHOWN_MAX; i++)
		at += (size_t)snprintf(shown + at, sizeof shown - at, "%s%.80s", i ? ", " : "",
		                       list->names[i]);
	if (list->n > SHOWN_MAX)
		(void)snprintf(shown + at, sizeof shown - at, " and %zu more", list->n - SHOWN_MAX);
	return error_set(err, BRISE_EFORMAT, "%s: %zu GGUF models, give one of them: %s", folder,
	                 list->n, shown);
}

brise_status gguf_find_in_folder(char **path, const char *folder, brise_error *err)
{
	name_list list = { NULL, 0, true };
	brise_status status = BRISE_OK;
	size_t i;

	*path = NULL;
	(void)os_list_folder(folder, add_name, &list);
	sort_names(&list);
	if (list.complete && list.n > 1)
		status = refuse_several(&list, folder, err);
	else if (!list.complete || (list.n == 1 && !(*path = files_join(folder, list.names[0]))))
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for its files' names", folder);
	for (i = 0; i < list.n; i++)
		memory_free(list.names[i]);
	memory_free(list.names);
	return status;
}
