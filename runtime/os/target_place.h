/* target_place.h - checks the file that is to be replaced: before the work, and again before
 * replacing it
 */
#ifndef RUNTIME_TARGET_PLACE_H
#define RUNTIME_TARGET_PLACE_H

#include "runtime/brise.h"
#include "runtime/os/os.h"

/* What all files of a kind begin with. A file of another kind is not replaced: most likely it is
 * the one that is read, or the second of two names that a shell made of *. */
typedef struct target_kind {
	const char *magic; /* [bytes], at most 16 */
	size_t bytes;
	const char *name; /* for messages: "a GGUF file" */
	/* nobody but this library gives such a file the name of a part: a complete one, of a run
	 * that was killed before it could rename it, is a leftover too */
	bool only_ours;
} target_kind;

typedef struct target_seen {
	bool exists;
	os_facts facts;
} target_seen;

/* Looks at `path`, which messages call `name`. Refuses folders, devices, links, files that may not
 * be written, and files that are not empty and not of the kind (NULL: any). Errors: BRISE_EIO. */
brise_status place_look(const char *path, const char *name, const target_kind *kind,
                        target_seen *seen, brise_error *err);

/* Gives an open file the mode of the one that it replaces, and its owner and group where this
 * process may. */
void place_copy_mode(int file, const target_seen *seen);

/* Renames `part` to `path`. What is there then is looked at once more; of what has no kind (NULL)
 * only the file that was seen before is replaced, and where nothing was, nothing.
 * Errors: BRISE_EIO. */
brise_status place_put(const char *part, const char *path, const char *name,
                       const target_kind *kind, const target_seen *before, brise_error *err);

#endif
