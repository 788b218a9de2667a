/* site.c - from a request to its route, past those who guard it */
#include "runtime/serve/site.h"

#include <stdio.h>
#include <string.h>

#include "runtime/serve/exchange_life.h"

/* Room for the names of all methods. */
#define ALLOW_ROOM 80

typedef struct found {
	const exchange_route *route; /* NULL: no route has this path and this method */
	bool is_open;                /* a route of this path needs no key */
	char allow[ALLOW_ROOM];      /* methods of this path; "": no route has it */
} found;

static bool matches_path(const exchange_route *route, const char *path)
{
	size_t length = strlen(route->path);

	if (length > 0 && route->path[length - 1] == '*')
		return strncmp(path, route->path, length - 1) == 0;
	return strcmp(path, route->path) == 0;
}

static void add_method(found *f, const char *method)
{
	size_t length = strlen(f->allow);

	if (!http_has_word(f->allow, method))
		(void)snprintf(f->allow + length, sizeof f->allow - length, "%s%s",
		               length ? ", " : "", method);
}

/* HEAD is answered as GET, without the body. */
static void find_route(const site *s, const char *method, const char *path, found *f)
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	size_t i, k;

	memset(f, 0, sizeof *f);
	for (i = 0; i < s->n_tables; i++)
		for (k = 0; k < s->tables[i].n; k++) {
			const exchange_route *route = &s->tables[i].routes[k];

			if (!matches_path(route, path) && strcmp(path, "*") != 0)
				continue;
			add_method(f, route->method);
			if (strcmp(route->method, "GET") == 0)
				add_method(f, "HEAD");
			f->is_open = f->is_open || s->tables[i].is_open;
			if (!f->route && strcmp(route->method, wanted) == 0)
				f->route = route;
		}
	if (f->allow[0])
		add_method(f, "OPTIONS");
}

/* Whether the client may ask from where it does; otherwise it has been told that not. */
static bool check_place(const site *s, exchange *x, bool checks_host)
{
	const char *host = x->request->host, *origin = exchange_get_header(x, "Origin");
	char message[400];

	if (checks_host && host && !guard_knows_host(&s->guard, host)) {
		(void)snprintf(message, sizeof message,
		               "Host: expected localhost or an address of this machine, found "
		               "'%.100s'; brise serve --allow-host NAME allows another name",
		               host);
		exchange_refuse(x, 403, message);
		return false;
	}
	if (!origin)
		return true;
	if (guard_allows_origin(&s->guard, origin)) {
		exchange_add_header(x, "Access-Control-Allow-Origin", origin);
		exchange_add_header(x, "Vary", "Origin");
		return true;
	}
	if (guard_is_own_origin(origin, host))
		return true;
	(void)snprintf(message, sizeof message,
	               "Origin: pages of '%.100s' may not use this server; brise serve --cors "
	               "ORIGIN allows one",
	               origin);
	exchange_refuse(x, 403, message);
	return false;
}

static bool check_key(const site *s, exchange *x, bool is_open)
{
	if (s->guard.n_keys == 0)
		return true;
	x->facts.who.key = guard_find_key(&s->guard, exchange_get_header(x, "Authorization"),
	                                  exchange_get_header(x, "x-api-key"));
	if (x->facts.who.key > 0 || is_open)
		return true;
	exchange_add_header(x, "WWW-Authenticate", "Bearer");
	exchange_refuse(x, 401,
	                "expected an API key of this server, as 'Authorization: Bearer KEY' or "
	                "'x-api-key: KEY'");
	return false;
}

/* OPTIONS, and what browsers ask before they send a request to another origin. */
static void answer_options(const site *s, exchange *x, const char *allow)
{
	const char *origin = exchange_get_header(x, "Origin"),
	           *fields = exchange_get_header(x, "Access-Control-Request-Headers");

	exchange_add_header(x, "Allow", allow);
	if (origin && guard_allows_origin(&s->guard, origin)) {
		exchange_add_header(x, "Access-Control-Allow-Methods", allow);
		if (fields)
			exchange_add_header(x, "Access-Control-Allow-Headers", fields);
		if (exchange_get_header(x, "Access-Control-Request-Private-Network"))
			exchange_add_header(x, "Access-Control-Allow-Private-Network", "true");
		exchange_add_header(x, "Access-Control-Max-Age", "600");
	}
	exchange_reply(x, 204, NULL, "", 0);
}

void site_answer(site *s, exchange *x, bool checks_host)
{
	const exchange_facts *facts = &x->facts;
	char message[300];
	found f;

	if (!check_place(s, x, checks_host))
		return;
	find_route(s, facts->method, facts->path, &f);
	if (strcmp(facts->method, "OPTIONS") == 0 && f.allow[0]) {
		answer_options(s, x, f.allow);
		return;
	}
	if (!check_key(s, x, f.is_open))
		return;
	if (f.route) {
		f.route->handle(x);
		return;
	}
	if (f.allow[0]) {
		exchange_add_header(x, "Allow", f.allow);
		(void)snprintf(message, sizeof message, "%.100s: expected %s, found %s",
		               facts->path, f.allow, facts->method);
		exchange_refuse(x, 405, message);
		return;
	}
	(void)snprintf(message, sizeof message, "no such path: %.100s", facts->path);
	exchange_refuse(x, 404, message);
}
