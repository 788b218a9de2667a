/* sockets.c - listening, connections and waiting for them with POSIX sockets */
#include "runtime/os/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/os/memory.h"

#define BACKLOG 128

/* Without memory to wait for all, so long for the first ones. */
#define RETRY_MS 100

/* Bytes that the system holds for a client that does not read. Left to itself, Linux takes 4 MB,
 * which are hours of an answer. */
#define SEND_ROOM 65536

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the program ignores SIGPIPE there */
#endif
#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

/* The addresses that are used here, aligned for all. */
typedef union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
} address;

static bool set_modes(int socket_number)
{
	int flags = fcntl(socket_number, F_GETFL);

	return flags != -1 && fcntl(socket_number, F_SETFL, flags | O_NONBLOCK) != -1 &&
	       fcntl(socket_number, F_SETFD, FD_CLOEXEC) != -1;
}

/* Closes; errno stays. */
static int fail(int socket_number)
{
	int error = errno;

	if (socket_number != -1)
		(void)close(socket_number);
	errno = error;
	return -1;
}

static int listen_at(const address *a, socklen_t bytes)
{
	int on = 1, off = 0, s = socket(a->any.sa_family, SOCK_STREAM, 0);

	if (s == -1 || !set_modes(s))
		return fail(s);
	/* Connections of an ended server that are not quite over do not keep the port. */
	if (a->any.sa_family != AF_UNIX &&
	    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
		return fail(s);
	if (a->any.sa_family == AF_INET6)
		(void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	return bind(s, &a->any, bytes) == 0 && listen(s, BACKLOG) == 0 ? s : fail(s);
}

int socket_listen(const char *host, uint16_t port)
{
	address a;

	memset(&a, 0, sizeof a);
	if (inet_pton(AF_INET, host, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		return listen_at(&a, sizeof a.v4);
	}
	memset(&a, 0, sizeof a);
	if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
		return listen_at(&a, sizeof a.v6);
	}
	errno = EINVAL;
	return -1;
}

/* Whether a socket file is left from a process that has ended: nobody listens. */
static bool is_abandoned(const address *a)
{
	struct stat found;
	int s;
	bool refused;

	if (lstat(a->path.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
		return false;
	if ((s = socket(AF_UNIX, SOCK_STREAM, 0)) == -1)
		return false;
	refused = set_modes(s) && connect(s, &a->any, sizeof a->path) != 0 && errno == ECONNREFUSED;
	(void)close(s);
	return refused;
}

int socket_listen_path(const char *path)
{
	size_t length = strlen(path);
	address a;

	memset(&a, 0, sizeof a);
	if (length == 0 || length >= sizeof a.path.sun_path) {
		errno = length ? ENAMETOOLONG : EINVAL;
		return -1;
	}
	a.path.sun_family = AF_UNIX;
	memcpy(a.path.sun_path, path, length);
	if (is_abandoned(&a) && unlink(path) != 0)
		return -1;
	return listen_at(&a, sizeof a.path);
}

bool socket_adopt(int listener)
{
	int kind = 0;
	socklen_t bytes = sizeof kind;
	address a;
	socklen_t address_bytes = sizeof a;
	bool is_listening = true;

	if (getsockopt(listener, SOL_SOCKET, SO_TYPE, &kind, &bytes) != 0)
		return false;
#ifdef SO_ACCEPTCONN
	{
		int accepts = 0;

		bytes = sizeof accepts;
		if (getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &bytes) == 0)
			is_listening = accepts != 0;
	}
#endif
	if (kind != SOCK_STREAM || !is_listening ||
	    getsockname(listener, &a.any, &address_bytes) != 0 ||
	    (a.any.sa_family != AF_INET && a.any.sa_family != AF_INET6 &&
	     a.any.sa_family != AF_UNIX)) {
		errno = EINVAL;
		return false;
	}
	return set_modes(listener);
}

/* Whether the address is 127.x.x.x or ::1, also written as an IPv6 address. */
static bool is_loopback_address(const address *a)
{
	const uint8_t *v6 = a->v6.sin6_addr.s6_addr;

	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return a->any.sa_family == AF_INET6 &&
	       (IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr) ||
	        (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr) && v6[12] == 127));
}

/* The number of an address, an IPv4 address within IPv6 as such. */
static void write_number(const address *a, char *text, size_t size)
{
	const void *number = &a->v4.sin_addr;
	int family = AF_INET;

	if (a->any.sa_family == AF_INET6) {
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);

		family = is_mapped ? AF_INET : AF_INET6;
		number = a->v6.sin6_addr.s6_addr + (is_mapped ? 12 : 0);
	}
	if (!inet_ntop(family, number, text, (socklen_t)size))
		text[0] = 0;
}

void socket_describe(int listener, char name[SOCKET_NAME], bool *is_loopback)
{
	char number[INET6_ADDRSTRLEN];
	address a;
	socklen_t bytes = sizeof a;

	memset(&a, 0, sizeof a);
	*is_loopback = false;
	(void)snprintf(name, SOCKET_NAME, "socket %d", listener);
	if (getsockname(listener, &a.any, &bytes) != 0)
		return;
	if (a.any.sa_family == AF_UNIX) {
		(void)snprintf(name, SOCKET_NAME, "%.*s", (int)sizeof a.path.sun_path,
		               a.path.sun_path);
		return;
	}
	*is_loopback = is_loopback_address(&a);
	write_number(&a, number, sizeof number);
	(void)snprintf(
	        name, SOCKET_NAME, strchr(number, ':') ? "[%s]:%u" : "%s:%u", number,
	        (unsigned)ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port));
}

int socket_accept(int listener, char peer[SOCKET_NAME])
{
	int on = 1, room = SEND_ROOM, s;
	address a;
	socklen_t bytes = sizeof a;

	memset(&a, 0, sizeof a);
	if ((s = accept(listener, &a.any, &bytes)) == -1) {
		/* The client has gone while it waited: there may be others behind it. */
		if (errno == EWOULDBLOCK || errno == ECONNABORTED)
			errno = EAGAIN;
		return -1;
	}
	if (!set_modes(s))
		return fail(s);
	(void)setsockopt(s, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	if (a.any.sa_family == AF_INET || a.any.sa_family == AF_INET6) {
		/* Each piece of an answer is sent when it is there. */
		(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		write_number(&a, peer, SOCKET_NAME);
	} else {
		(void)snprintf(peer, SOCKET_NAME, "unix");
	}
	return s;
}

int64_t socket_read(int connection, void *bytes, size_t n)
{
	ssize_t got;

	do
		got = recv(connection, bytes, n, 0);
	while (got == -1 && errno == EINTR);
	if (got == -1 && errno == EWOULDBLOCK)
		errno = EAGAIN;
	return got;
}

int64_t socket_write(int connection, const void *bytes, size_t n)
{
	ssize_t put;

	do
		put = send(connection, bytes, n, MSG_NOSIGNAL);
	while (put == -1 && errno == EINTR);
	if (put == -1 && errno == EWOULDBLOCK)
		errno = EAGAIN;
	return put;
}

void socket_end(int connection)
{
	(void)shutdown(connection, SHUT_WR);
}

void socket_close(int connection)
{
	(void)close(connection);
}

static short poll_events(int wanted)
{
	return (short)((wanted & SOCKET_READABLE ? POLLIN : 0) |
	               (wanted & SOCKET_WRITABLE ? POLLOUT : 0) |
	               (wanted & SOCKET_HALF ? POLLRDHUP : 0));
}

static int poll_happened(short events)
{
	return (events & POLLIN ? SOCKET_READABLE : 0) | (events & POLLOUT ? SOCKET_WRITABLE : 0) |
	       (events & POLLRDHUP ? SOCKET_HALF : 0) |
	       (events & (POLLERR | POLLHUP | POLLNVAL) ? SOCKET_GONE : 0);
}

bool socket_poll(socket_wait *waits, size_t n, int64_t timeout_ms)
{
	struct pollfd few[64], *polled = few;
	int timeout = timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms, got, error;
	size_t i;

	if (n > sizeof few / sizeof *few && !(polled = memory_new(n, sizeof *polled))) {
		for (i = sizeof few / sizeof *few; i < n; i++)
			waits[i].happened = 0;
		polled = few;
		n = sizeof few / sizeof *few;
		timeout = timeout < 0 || timeout > RETRY_MS ? RETRY_MS : timeout;
	}
	for (i = 0; i < n; i++) {
		polled[i].fd = waits[i].socket;
		polled[i].events = poll_events(waits[i].wanted);
		polled[i].revents = 0;
		waits[i].happened = 0;
	}
	got = poll(polled, (nfds_t)n, timeout);
	error = errno;
	for (i = 0; got > 0 && i < n; i++)
		waits[i].happened = poll_happened(polled[i].revents);
	if (polled != few)
		memory_free(polled);
	errno = error;
	return got >= 0 || error == EINTR;
}
