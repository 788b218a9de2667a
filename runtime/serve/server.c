/* server.c - the loop that waits for all sockets and answers what comes */
#include "runtime/serve/server.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/sockets.h"
#include "runtime/serve/connection.h"
#include "runtime/serve/site.h"
#include "runtime/serve/worker.h"

/* Connections beyond the limit that are told so at the same time. Further ones wait in the
 * system's queue. */
#define TURNED_AWAY 16u

/* The longest bodies that memory is taken for at the same time. */
#define BODIES_AT_ONCE 8u

/* Without descriptors or memory for another connection, none is accepted for so long. */
#define ACCEPT_PAUSE_SECONDS 0.5

typedef struct watch {
	int descriptor;
	server_watch_fn *each;
	void *user;
} watch;

struct server {
	site site;
	int listeners[SERVER_LISTENERS]; /* sockets */
	watch watches[SERVER_WATCHES];
	size_t n_listeners, n_watches;
	connection **connections; /* [n_connections] of [room] */
	size_t n_connections, room, limit;
	socket_wait *waits; /* [SERVER_WATCHES + SERVER_LISTENERS + room] */
	double grace_s, stops_at, accepts_at;
};

void server_init_options(server_options *options)
{
	memset(options, 0, sizeof *options);
	options->limits.line = 8192;
	options->limits.head = 32768;
	options->limits.fields = 100;
	options->limits.body = (size_t)8 << 20;
	options->connections = 128;
	options->timeout_s = 30;
	options->keep_s = 75;
	options->grace_s = 30;
}

static void deliver(void *user)
{
	worker_deliver(user);
}

brise_status server_new(server **out, const server_options *options, brise_error *err)
{
	server *s = memory_new(1, sizeof *s);
	brise_status status;

	*out = NULL;
	if (!s)
		return error_set(err, BRISE_ENOMEM, "no memory for a server");
	s->limit = options->connections;
	s->room = s->limit + TURNED_AWAY;
	s->connections = memory_new(s->room, sizeof *s->connections);
	s->waits = memory_new(SERVER_WATCHES + SERVER_LISTENERS + s->room, sizeof *s->waits);
	if (!s->connections || !s->waits) {
		server_free(s);
		return error_set(err, BRISE_ENOMEM, "no memory for %zu connections", s->limit);
	}
	if ((status = worker_new(&s->site.worker, err)) != BRISE_OK) {
		server_free(s);
		return status;
	}
	server_watch(s, worker_wake(s->site.worker), deliver, s->site.worker);
	s->site.guard = options->guard;
	s->site.limits = options->limits;
	s->site.most_body_bytes = options->limits.body > SIZE_MAX / BODIES_AT_ONCE
	                                  ? SIZE_MAX
	                                  : options->limits.body * BODIES_AT_ONCE;
	s->site.timeout_s = options->timeout_s;
	s->site.keep_s = options->keep_s;
	s->site.log = options->log;
	s->site.service = options->service;
	s->grace_s = options->grace_s;
	s->stops_at = HUGE_VAL;
	*out = s;
	return BRISE_OK;
}

static void close_listeners(server *s)
{
	while (s->n_listeners > 0)
		socket_close(s->listeners[--s->n_listeners]);
}

void server_free(server *s)
{
	if (!s)
		return;
	while (s->n_connections > 0)
		connection_free(s->connections[--s->n_connections]);
	close_listeners(s);
	worker_free(s->site.worker);
	memory_free(s->connections);
	memory_free(s->waits);
	memory_free(s);
}

bool server_add_listener(server *s, int socket)
{
	if (s->n_listeners == SERVER_LISTENERS)
		return false;
	s->listeners[s->n_listeners++] = socket;
	return true;
}

void server_add_routes(server *s, const exchange_route *routes, size_t n, bool is_open)
{
	site_table *table = &s->site.tables[s->site.n_tables++];

	table->routes = routes;
	table->n = n;
	table->is_open = is_open;
}

void server_watch(server *s, int descriptor, server_watch_fn *each, void *user)
{
	watch *w = &s->watches[s->n_watches++];

	w->descriptor = descriptor;
	w->each = each;
	w->user = user;
}

void server_stop(server *s)
{
	s->stops_at = os_clock() + (s->site.is_stopping ? 0 : s->grace_s);
	s->site.is_stopping = true;
	close_listeners(s);
}

/* ---- new connections ------------------------------------------------------------------------ */

/* Closes the connection that has waited longest for its next request, as every client must expect
 * (RFC 9112, 9.3), so that it keeps nobody out. False: there is none. */
static bool end_idle(server *s)
{
	connection **oldest = NULL;
	size_t i;

	for (i = 0; i < s->n_connections; i++) {
		connection *c = s->connections[i];

		if (c->is_used && connection_is_idle(c) && (!oldest || c->since < (*oldest)->since))
			oldest = &s->connections[i];
	}
	if (!oldest)
		return false;
	connection_free(*oldest);
	*oldest = s->connections[--s->n_connections];
	return true;
}

/* Whether a client came to a loopback address, also of a listener at all addresses: a page of
 * another site is led there as well. */
static bool comes_to_loopback(int socket)
{
	char name[SOCKET_NAME];
	bool is_loopback;

	socket_describe(socket, name, &is_loopback);
	return is_loopback;
}

/* False: none is waiting, or none can be taken now. */
static bool accept_one(server *s, int listener, double now)
{
	char peer[SOCKET_NAME];
	int socket = socket_accept(listener, peer);
	connection *c;

	if (socket == -1) {
		if (errno != EAGAIN && errno != EINTR)
			s->accepts_at = now + ACCEPT_PAUSE_SECONDS;
		return false;
	}
	if (!(c = connection_new(&s->site, socket, peer, comes_to_loopback(socket)))) {
		socket_close(socket);
		s->accepts_at = now + ACCEPT_PAUSE_SECONDS;
		return false;
	}
	s->site.figures.accepted++;
	s->connections[s->n_connections++] = c;
	if (s->n_connections <= s->limit || end_idle(s))
		return true;
	s->site.figures.turned_away++;
	connection_turn_away(c, 503, "too many connections at once; try again later");
	return true;
}

static bool may_accept(const server *s, double now)
{
	return s->n_connections < s->room && now >= s->accepts_at;
}

static void accept_waiting(server *s, int listener, double now)
{
	while (may_accept(s, now) && accept_one(s, listener, now))
		;
}

/* ---- one turn ------------------------------------------------------------------------------- */

static size_t fill_waits(server *s, double now)
{
	size_t n = 0, i;

	for (i = 0; i < s->n_watches; i++)
		s->waits[n++] = (socket_wait){ s->watches[i].descriptor, SOCKET_READABLE, 0 };
	for (i = 0; i < s->n_listeners; i++)
		s->waits[n++] = (socket_wait){ may_accept(s, now) ? s->listeners[i] : -1,
			                       SOCKET_READABLE, 0 };
	for (i = 0; i < s->n_connections; i++)
		s->waits[n++] = (socket_wait){ s->connections[i]->socket,
			                       connection_wanted(s->connections[i]), 0 };
	return n;
}

/* Milliseconds until something is due; -1: nothing is. */
static int64_t next_timeout(const server *s, double now)
{
	double due = s->stops_at;
	size_t i;

	if (s->accepts_at > now && s->accepts_at < due)
		due = s->accepts_at;
	for (i = 0; i < s->n_connections; i++)
		due = fmin(due, connection_deadline(s->connections[i]));
	if (due == HUGE_VAL)
		return -1;
	return due > now ? (int64_t)fmin(ceil((due - now) * 1000), 1e9) : 0;
}

static void work_on_connections(server *s, const socket_wait *waits, size_t n, double now)
{
	size_t i;

	for (i = s->n_connections; i-- > 0;) {
		connection *c = s->connections[i];

		connection_work(c, i < n ? waits[i].happened : SOCKET_READABLE, now);
		if (c->state == CONNECTION_DEAD || (s->site.is_stopping && connection_is_idle(c))) {
			connection_free(c);
			s->connections[i] = s->connections[--s->n_connections];
		}
	}
}

/* Those that wait for a listener are accepted last, so that places of those that went are free. */
static bool turn(server *s)
{
	size_t n_watches = s->n_watches, n_listeners = s->n_listeners,
	       n_connections = s->n_connections, i;
	double now = os_clock();
	const socket_wait *waits = s->waits;

	if (!socket_poll(s->waits, fill_waits(s, now), next_timeout(s, now)))
		return false;
	now = os_clock();
	for (i = 0; i < n_watches; i++)
		if (waits[i].happened & (SOCKET_READABLE | SOCKET_GONE))
			s->watches[i].each(s->watches[i].user);
	work_on_connections(s, waits + n_watches + n_listeners, n_connections, now);
	for (i = 0; i < n_listeners && i < s->n_listeners; i++)
		if (waits[n_watches + i].happened)
			accept_waiting(s, s->listeners[i], now);
	return true;
}

brise_status server_run(server *s, brise_error *err)
{
	while (!s->site.is_stopping || (s->n_connections > 0 && os_clock() < s->stops_at))
		if (!turn(s))
			return error_errno(err, "waiting for connections");
	return BRISE_OK;
}
