/* sockets.h - listening, connections and waiting for them; nothing else opens a socket
 *
 * Sockets are numbers, never block, and are not inherited by programs that are started. Functions
 * that fail return -1 or false and leave the reason in errno. Not in firmware.
 */
#ifndef RUNTIME_SOCKETS_H
#define RUNTIME_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOCKET_NAME 128 /* bytes that a name takes at most */

/* Listens at a numeric address (IPv4 or IPv6; "::": of both) and a port; port 0: a free one. errno
 * is EINVAL where host is no such address. */
int socket_listen(const char *host, uint16_t port);

/* Listens at a path in the file system, which whoever may write to it can connect to. What an ended
 * process left there is replaced; errno is EADDRINUSE where another listens, or the path is
 * something else. */
int socket_listen_path(const char *path);

/* Takes a socket that was opened by another program and inherited. errno is EINVAL where the number
 * is none that listens for streams. */
bool socket_adopt(int listener);

/* "127.0.0.1:8080", "[::1]:8080", or a path; and whether only this machine can connect to it by
 * TCP. Of a listener, or of this end of a connection. */
void socket_describe(int listener, char name[SOCKET_NAME], bool *is_loopback);

/* The next connection; peer: its address without the port, "unix" for a path. -1 with EAGAIN: none
 * is waiting. */
int socket_accept(int listener, char peer[SOCKET_NAME]);

/* Reads up to n bytes, writes up to n bytes. Return how many; 0 from reading: the other end sends
 * no more; -1: errno, which is EAGAIN where it would have to wait. Writing raises no signal. */
int64_t socket_read(int connection, void *bytes, size_t n);
int64_t socket_write(int connection, const void *bytes, size_t n);

/* Tells the other end that nothing more will be sent. */
void socket_end(int connection);
void socket_close(int connection); /* a listener, too */

/* What is waited for, and what has come. */
enum {
	SOCKET_READABLE = 1, /* or a connection to accept, or the other end sends no more */
	SOCKET_WRITABLE = 2,
	SOCKET_HALF = 4, /* the other end sends no more, even if bytes before that are unread; where
	                    the system can tell. Comes with READABLE or alone */
	SOCKET_GONE = 8, /* both directions are closed, or an error; always waited for */
};

typedef struct socket_wait {
	int socket;   /* or any other descriptor; -1: none */
	int wanted;   /* of the above */
	int happened; /* of the above */
} socket_wait;

/* Waits until something happens to one of waits [n], or for timeout_ms; -1: without end. A signal
 * ends it, too. Without memory it waits for the first ones alone, and not long. False: errno. */
bool socket_poll(socket_wait *waits, size_t n, int64_t timeout_ms);

#endif
