/* serve_listen.h - where brise serve listens */
#ifndef CLI_SERVE_LISTEN_H
#define CLI_SERVE_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/serve/server.h"

#define SERVE_HOST        "127.0.0.1"
#define SERVE_PORT        8080u
#define SERVE_PORT_UNSAID UINT32_MAX

typedef struct serve_place {
	const char *host; /* NULL: not said */
	uint32_t port;    /* SERVE_PORT_UNSAID: not said */
	const char *path; /* of a socket in the file system; NULL: none */
	bool is_made;     /* set: there is something at the path */
	bool is_open;     /* set: others than this machine can connect by TCP */
} serve_place;

/* Adds listeners to the server: inherited ones (LISTEN_FDS, as systemd and others pass them), or
 * those of the place. Prints the URL of each on standard output. Returns COMMANDS_READY or the exit
 * status, with the error printed. */
int serve_listen(serve_place *place, server *s);

/* Removes what the path has left in the file system. */
void serve_unlisten(const serve_place *place);

#endif
