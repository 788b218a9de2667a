/* gguf_folder.c - choosing a GGUF file of a folder
 *
 * Repositories of GGUF files often hold one model in a dozen types. With several models the user
 * must choose, and the message names them. The parts of a model that was cut are one, known by its
 * first part.
 */
#include "convert/checkpoint/gguf_folder.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/formats/gguf_parts.h"
#include "convert/formats/names.h"
#include "runtime/error.h"

#define SHOWN_MAX 3u /* names in the message */

typedef struct name_list {
	char **names;
	size_t n;
} name_list;

/* Projectors of images stand beside the language model they belong to. */
static bool is_model(const char *name)
{
	return names_end_with(name, ".gguf") && name[0] != '.' && strncmp(name, "mmproj", 6) != 0;
}

static bool add_name(name_list *list, const char *name)
{
	char **grown = realloc(list->names, (list->n + 1) * sizeof *grown), *copy = strdup(name);

	if (grown)
		list->names = grown;
	if (!grown || !copy) {
		free(copy);
		return false;
	}
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
			free(list->names[i]);
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
	name_list list = { NULL, 0 };
	DIR *entries = opendir(folder);
	struct dirent *entry;
	bool enough = true;
	brise_status status = BRISE_OK;
	size_t i;

	*path = NULL;
	while (enough && entries && (entry = readdir(entries)))
		if (is_model(entry->d_name))
			enough = add_name(&list, entry->d_name);
	if (entries)
		(void)closedir(entries);
	sort_names(&list);
	if (enough && list.n > 1)
		status = refuse_several(&list, folder, err);
	else if (!enough || (list.n == 1 && !(*path = files_join(folder, list.names[0]))))
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for its files' names", folder);
	for (i = 0; i < list.n; i++)
		free(list.names[i]);
	free(list.names);
	return status;
}
