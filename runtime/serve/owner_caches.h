/* owner_caches.h - prompt caches on disk, a folder for each API key */
#ifndef SERVE_OWNER_CACHES_H
#define SERVE_OWNER_CACHES_H

#include "runtime/session/cache.h"

typedef struct owner_caches {
	prompt_cache *caches; /* [n_owners + 1] by key; folder NULL: not opened yet */
	const char *folder;   /* of key 0, and where those of keys are */
	uint64_t bytes;       /* most bytes of each */
	const char *const *owners;
	size_t n_owners;
} owner_caches;

/* False: no memory. Folder and owners outlive it. */
bool owner_caches_open(owner_caches *c, const char *folder, uint64_t bytes,
                       const char *const *owners, size_t n_owners);
void owner_caches_close(owner_caches *c); /* all zero allowed */

/* A key's cache, opened when it is first needed, for one thread at a time. NULL: it cannot be used.
 */
prompt_cache *owner_caches_get(owner_caches *c, size_t key);

#endif
