/* guard.h - who may ask: API keys, and pages of other origins
 *
 * A page of any site can make its visitor's browser send requests to 127.0.0.1. If its own name is
 * made to lead there (DNS rebinding), the browser even lets it read replies, but sends that name
 * as Host: on a loopback address only names of this machine are accepted. Other pages send their
 * Origin, which is accepted if it is the server's own or was allowed.
 */
#ifndef SERVE_GUARD_H
#define SERVE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* Lists belong to the caller. */
typedef struct guard {
	const char *const *keys; /* [n_keys]; none: everybody may ask */
	size_t n_keys;
	const char *const *origins; /* [n_origins] that browsers may ask from; "*": any */
	size_t n_origins;
	const char *const *hosts; /* [n_hosts] further names of this server, without ports */
	size_t n_hosts;
} guard;

/* Which key the client shows, from 1, in the time that depends on the lengths alone; 0: none.
 * authorization: "Bearer KEY"; key: alone. Each may be NULL. */
size_t guard_find_key(const guard *g, const char *authorization, const char *key);

/* Whether a Host field, with or without port, names this machine or is one of the hosts. */
bool guard_knows_host(const guard *g, const char *host);

/* Whether browsers may ask from that origin. */
bool guard_allows_origin(const guard *g, const char *origin);

/* Whether it is the origin of the server's own pages, which are at `host` (NULL: unknown). */
bool guard_is_own_origin(const char *origin, const char *host);

#endif
