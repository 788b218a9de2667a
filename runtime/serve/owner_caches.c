/* owner_caches.c - see owner_caches.h: folders are named by hashes, which do not tell the keys */
#include "runtime/serve/owner_caches.h"

#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/sha256.h"

bool owner_caches_open(owner_caches *c, const char *folder, uint64_t bytes,
                       const char *const *owners, size_t n_owners)
{
	*c = (owner_caches){ memory_new(n_owners + 1, sizeof *c->caches), folder, bytes, owners,
		             n_owners };
	return c->caches != NULL;
}

void owner_caches_close(owner_caches *c)
{
	size_t i;

	for (i = 0; c->caches && i <= c->n_owners; i++)
		prompt_cache_close(&c->caches[i]);
	memory_free(c->caches);
	*c = (owner_caches){ .caches = NULL };
}

prompt_cache *owner_caches_get(owner_caches *c, size_t key)
{
	prompt_cache *cache = &c->caches[key];
	char hex[33], *folder;
	uint8_t digest[32];
	const char *text;
	size_t size, i;

	if (cache->folder)
		return cache;
	if (key == 0)
		return prompt_cache_open(cache, c->folder, c->bytes, NULL) == BRISE_OK ? cache
		                                                                       : NULL;
	text = c->owners[key - 1];
	sha256(digest, text, strlen(text));
	for (i = 0; i < 16; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", (unsigned)digest[i]);
	size = strlen(c->folder) + sizeof hex + 8;
	if (!(folder = memory_new(size, 1)))
		return NULL;
	(void)snprintf(folder, size, "%s/key-%s", c->folder, hex);
	if (prompt_cache_open(cache, folder, c->bytes, NULL) != BRISE_OK)
		cache = NULL;
	memory_free(folder);
	return cache;
}
