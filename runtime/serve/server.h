/* server.h - the loop that waits for all sockets and answers what comes
 *
 * One thread (and another for the texts of long requests, aside.h), which sleeps in poll as long as
 * nothing happens: there are no regular wake-ups, and a server without connections takes no
 * processor time.
 *
 *     server_new(&s, &options, &err);
 *     server_add_listener(s, socket); server_add_routes(s, routes, n, false);
 *     server_watch(s, scheduler_wake(x), deliver, x);
 *     server_run(s, &err);
 *     server_free(s);
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <stdbool.h>

#include "runtime/brise.h"
#include "runtime/serve/exchange.h"
#include "runtime/serve/guard.h"
#include "runtime/serve/http.h"
#include "runtime/serve/log.h"

typedef struct server server;

/* What it points to belongs to the caller and outlives the server. */
typedef struct server_options {
	http_limits limits;
	size_t connections; /* at once */
	double timeout_s;   /* for a head, for progress of a body or a reply */
	double keep_s;      /* a connection without a request is kept so long */
	double grace_s;     /* for replies that have begun when the server is to stop */
	guard guard;
	log_format log;
	void *service; /* of exchange_facts */
} server_options;

/* Defaults: no keys, no origins. */
void server_init_options(server_options *options);

/* *out: freed by server_free; NULL after an error. Errors: BRISE_ENOMEM. */
brise_status server_new(server **out, const server_options *options, brise_error *err);

/* Closes all connections and listeners; exchanges are lost. NULL is allowed. */
void server_free(server *s);

#define SERVER_LISTENERS 8
#define SERVER_WATCHES   8

/* Takes a socket that listens. False: there are SERVER_LISTENERS already; it is still the
 * caller's. */
bool server_add_listener(server *s, int listener);

/* Routes [n], which outlive the server, of at most SITE_TABLES tables; is_open: without API key. */
void server_add_routes(server *s, const exchange_route *routes, size_t n, bool is_open);

/* Calls `each` with `user` in every turn of the loop in which the descriptor is readable. */
typedef void server_watch_fn(void *user);
void server_watch(server *s, int descriptor, server_watch_fn *each, void *user);

/* Answers until it has been stopped. Errors: BRISE_EIO, BRISE_ENOMEM. */
brise_status server_run(server *s, brise_error *err);

/* From within a watch: listens no more, ends connections that are idle, and gives the others the
 * time of grace. The second time: ends them at once. */
void server_stop(server *s);

#endif
