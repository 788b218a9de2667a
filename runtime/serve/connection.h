/* connection.h - one client: what it sends, the exchange that is going on, and what waits to be
 * sent to it */
#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include "runtime/os/sockets.h"
#include "runtime/serve/exchange.h"
#include "runtime/serve/http.h"
#include "runtime/serve/output.h"
#include "runtime/serve/site.h"

typedef enum connection_state {
	CONNECTION_OPEN,
	CONNECTION_CLOSING,   /* reads nothing more; ends when everything is sent */
	CONNECTION_LINGERING, /* everything is sent and the end told; drops what still comes, so
	                         that the system does not reset a reply that is not read yet */
	CONNECTION_DEAD       /* to be freed */
} connection_state;

#define CONNECTION_INPUT 16384 /* bytes that have been read and not used */

typedef struct connection {
	site *site;
	int socket;
	char peer[SOCKET_NAME];
	uint64_t client; /* a hash of peer */
	uint64_t number; /* of the connection, from 1 */
	bool checks_host;
	connection_state state;
	http_request request;
	exchange *exchange; /* that is going on; NULL: none */
	output out;
	size_t in_start, in_end;
	bool has_ended;         /* the client sends no more */
	bool is_used;           /* had a request before */
	bool has_continued;     /* "100 Continue" was sent for this request */
	double since;           /* when waiting for a request began, or its head, or its body */
	http_state since_state; /* which of them */
	double heard;           /* when something was last read */
	double sent;            /* when the client last read something worth counting */
	size_t sent_bytes;      /* that it read after that */
	bool was_waiting;       /* something was left to be sent when the loop turned last */
	size_t body_room;       /* of this request, in the sum of all */
	size_t dropped;         /* bytes while lingering */
	char in[CONNECTION_INPUT];
} connection;

/* Takes a socket that was accepted. NULL: no memory; the socket is still the caller's. */
connection *connection_new(site *s, int socket, const char *peer, bool checks_host);

/* Closes; an exchange that is going on is lost. */
void connection_free(connection *c);

/* Answers with an error before anything was read, and closes. */
void connection_turn_away(connection *c, int status, const char *message);

/* Reads, answers and sends as far as possible without waiting. happened: as in a socket_wait. */
void connection_work(connection *c, int happened, double now);

/* What to wait for (socket_wait.wanted), and until when: HUGE_VAL is without end. */
int connection_wanted(const connection *c);
double connection_deadline(const connection *c);

/* Nothing of a request is there, and nothing waits to be sent. */
bool connection_is_idle(const connection *c);

#endif
