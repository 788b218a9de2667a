/* serve_listen.c - where brise serve listens: addresses, a path, or sockets of its parent */
#include "runtime/cli/serve_listen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/os/os.h"
#include "runtime/os/sockets.h"

/* The first descriptor that is passed (sd_listen_fds(3)). */
#define FIRST_INHERITED 3

static int add_listener(serve_place *place, server *s, int listener)
{
	char name[SOCKET_NAME];
	bool is_loopback;

	if (!server_add_listener(s, listener)) {
		socket_close(listener);
		return report_error("serve", "expected at most %d places to listen at",
		                    SERVER_LISTENERS);
	}
	socket_describe(listener, name, &is_loopback);
	if (place->is_made || name[0] == '/') {
		printf("unix:%s\n", name);
	} else {
		printf("http://%s\n", name);
		place->is_open = place->is_open || !is_loopback;
	}
	(void)fflush(stdout);
	return COMMANDS_READY;
}

/* How many sockets were passed to this process: LISTEN_PID says whether it was this one. */
static int count_inherited(void)
{
	const char *process = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	long n;

	if (!process || !count || strtol(process, NULL, 10) != os_process())
		return 0;
	n = strtol(count, NULL, 10);
	if (n < 0)
		return 0;
	return n > SERVER_LISTENERS ? SERVER_LISTENERS + 1 : (int)n;
}

static int take_inherited(serve_place *place, server *s, int n)
{
	int i, result = COMMANDS_READY;

	if (n > SERVER_LISTENERS)
		return report_error("serve", "LISTEN_FDS: expected at most %d sockets, found more",
		                    SERVER_LISTENERS);
	for (i = 0; i < n && result == COMMANDS_READY; i++) {
		if (!socket_adopt(FIRST_INHERITED + i))
			return report_error("serve",
			                    "LISTEN_FDS: descriptor %d is no socket that listens "
			                    "for streams",
			                    FIRST_INHERITED + i);
		result = add_listener(place, s, FIRST_INHERITED + i);
	}
	return result;
}

static int report_address(const char *host, unsigned port)
{
	switch (errno) {
	case EINVAL:
		return report_usage(
		        "serve",
		        "--host: expected an address such as 127.0.0.1, ::1 or 0.0.0.0, "
		        "or localhost, found '%.60s'",
		        host);
	case EADDRINUSE:
		return report_error("serve",
		                    "%s port %u: another program listens there; --port N chooses "
		                    "another, --port 0 a free one",
		                    host, port);
	case EADDRNOTAVAIL:
		return report_error("serve", "--host %s: this machine has no such address", host);
	case EACCES:
		return report_error(
		        "serve",
		        "%s port %u: this user may not listen there; ports from 1024 on "
		        "are for all",
		        host, port);
	default:
		return report_error("serve", "%s port %u: %s", host, port, strerror(errno));
	}
}

static int listen_at_address(serve_place *place, server *s)
{
	const char *host = place->host ? place->host : SERVE_HOST;
	unsigned port = place->port == SERVE_PORT_UNSAID ? SERVE_PORT : place->port;
	bool is_name = strcmp(host, "localhost") == 0;
	int listener = socket_listen(is_name ? SERVE_HOST : host, (uint16_t)port), result;

	if (listener == -1)
		return report_address(host, port);
	result = add_listener(place, s, listener);
	/* The name stands for both; a machine may have only the first. */
	if (result == COMMANDS_READY && is_name && port > 0 &&
	    (listener = socket_listen("::1", (uint16_t)port)) != -1)
		result = add_listener(place, s, listener);
	return result;
}

static int listen_at_path(serve_place *place, server *s)
{
	int listener = socket_listen_path(place->path);

	if (listener == -1 && errno == EADDRINUSE)
		return report_error("serve",
		                    "--unix %s: another program listens there, or it is a file",
		                    place->path);
	if (listener == -1)
		return report_error("serve", "--unix %s: %s", place->path, strerror(errno));
	place->is_made = true;
	return add_listener(place, s, listener);
}

int serve_listen(serve_place *place, server *s)
{
	bool is_address = place->host || place->port != SERVE_PORT_UNSAID;
	int inherited = count_inherited(), result = COMMANDS_READY;

	if (inherited > 0)
		result = take_inherited(place, s, inherited);
	else if (!place->path)
		is_address = true;
	if (result == COMMANDS_READY && is_address)
		result = listen_at_address(place, s);
	if (result == COMMANDS_READY && place->path)
		result = listen_at_path(place, s);
	return result;
}

void serve_unlisten(const serve_place *place)
{
	if (place->is_made)
		(void)os_remove(place->path);
}
