/* guard.c - who may ask: API keys, and pages of other origins */
#include "runtime/serve/guard.h"

#include <stdint.h>
#include <string.h>

#include "runtime/serve/http.h"

/* Compares all bytes, whatever the first ones are. */
static bool is_equal_key(const char *shown, size_t n, const char *key)
{
	size_t length = strlen(key), i;
	unsigned differ = n != length;

	for (i = 0; i < n; i++)
		differ |= (unsigned char)shown[i] ^
		          (unsigned)(unsigned char)key[length ? i % length : 0];
	return differ == 0;
}

static size_t find_key(const guard *g, const char *shown)
{
	size_t n = strlen(shown), found = 0, i;

	for (i = 0; i < g->n_keys; i++)
		if (is_equal_key(shown, n, g->keys[i]))
			found = i + 1;
	return found;
}

size_t guard_find_key(const guard *g, const char *authorization, const char *key)
{
	static const char scheme[] = "bearer ";
	size_t found = key ? find_key(g, key) : 0, i;

	if (!authorization || found)
		return found;
	for (i = 0; scheme[i]; i++)
		if (authorization[i] == 0 || (authorization[i] | 0x20) != scheme[i])
			return 0;
	return find_key(g, authorization + i + strspn(authorization + i, " "));
}

/* Whether text [n] is `name` but for the case of letters. */
static bool is_name(const char *text, size_t n, const char *name)
{
	char copy[256];

	if (n >= sizeof copy)
		return false;
	memcpy(copy, text, n);
	copy[n] = 0;
	return http_is_same(copy, name);
}

/* 127.0.0.1 and all others of 127.0.0.0/8, as four decimal numbers: a name may begin likewise. */
static bool is_loopback_number(const char *text, size_t n)
{
	unsigned dots = 0;
	size_t i;

	if (n < 9 || memcmp(text, "127.", 4) != 0)
		return false;
	for (i = 0; i < n; i++)
		if (text[i] == '.')
			dots++;
		else if (text[i] < '0' || text[i] > '9')
			return false;
	return dots == 3;
}

bool guard_knows_host(const guard *g, const char *host)
{
	static const char below[] = ".localhost";
	size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":"), i;

	if (is_name(host, n, "localhost") || is_name(host, n, "[::1]") ||
	    is_loopback_number(host, n))
		return true;
	if (n >= sizeof below && is_name(host + n - (sizeof below - 1), sizeof below - 1, below))
		return true;
	for (i = 0; i < g->n_hosts; i++)
		if (is_name(host, n, g->hosts[i]))
			return true;
	return false;
}

bool guard_allows_origin(const guard *g, const char *origin)
{
	size_t i;

	for (i = 0; i < g->n_origins; i++)
		if (strcmp(g->origins[i], "*") == 0 || http_is_same(g->origins[i], origin))
			return true;
	return false;
}

bool guard_is_own_origin(const char *origin, const char *host)
{
	size_t scheme = strncmp(origin, "http://", 7) == 0    ? 7
	                : strncmp(origin, "https://", 8) == 0 ? 8
	                                                      : 0;

	return scheme > 0 && host && http_is_same(origin + scheme, host);
}
