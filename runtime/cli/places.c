/* places.c - see places.h */
#include "runtime/cli/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

char *places_join(const char *folder, const char *name)
{
	size_t size = strlen(folder) + strlen(name) + 2;
	char *path = memory_new(size, 1);

	if (path)
		(void)snprintf(path, size, "%s/%s", folder, name);
	return path;
}

/* Paths that are not absolute are ignored, as the specification says. */
static const char *find_folder(const char *variable)
{
	const char *folder = getenv(variable);

	return folder && folder[0] == '/' ? folder : NULL;
}

/* One that is not there is nobody's: system users have such names, and it is not made. */
static const char *find_home(void)
{
	const char *home = find_folder("HOME");
	os_facts facts;

	return home && os_examine(home, &facts) && facts.kind == OS_FOLDER ? home : NULL;
}

static char *find(const char *variable, const char *below_home, const char *name)
{
	const char *folder = find_folder(variable), *home = find_home();
	char *base, *ours, *path = NULL;

	base = folder ? memory_copy_text(folder) : home ? places_join(home, below_home) : NULL;
	ours = base ? places_join(base, "brise") : NULL;
	if (ours)
		path = places_join(ours, name);
	memory_free(base);
	memory_free(ours);
	return path;
}

char *places_data(const char *name)
{
	return find("XDG_DATA_HOME", ".local/share", name);
}

char *places_cache(const char *name)
{
	return find("XDG_CACHE_HOME", ".cache", name);
}

brise_status places_make(const char *folder, brise_error *err)
{
	os_facts facts;

	if (!os_make_private_folders(folder))
		return error_errno(err, "%s: the folder cannot be made", folder);
	if (!os_examine(folder, &facts) || facts.kind != OS_FOLDER)
		return error_set(err, BRISE_EIO, "%s: is no folder", folder);
	return BRISE_OK;
}
