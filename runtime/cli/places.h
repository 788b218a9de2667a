/* places.h - where the program keeps files of its own: below the user's folders, as the XDG Base
 * Directory Specification has them
 *
 * The only place that asks the environment for them.
 */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include "runtime/brise.h"

/* $XDG_DATA_HOME/brise/NAME, or ~/.local/share/brise/NAME; $XDG_CACHE_HOME/brise/NAME, or
 * ~/.cache/brise/NAME. From memory_new. NULL: the environment names no such folder, or no
 * memory. */
char *places_data(const char *name);
char *places_cache(const char *name);

/* "FOLDER/NAME" from memory_new; NULL: no memory. */
char *places_join(const char *folder, const char *name);

/* Makes a folder and those above it, for this user alone (0700), where they are not there.
 * Errors: BRISE_EIO, BRISE_ENOMEM. */
brise_status places_make(const char *folder, brise_error *err);

#endif
