/* connection.c - one client: its requests one after another, and sending without waiting
 *
 * Requests that are sent before the reply to an earlier one (pipelining) are read when that reply
 * has ended and most of it has been sent. So a client that does not read is not read from either,
 * and takes a bounded amount of memory.
 */
#include "runtime/serve/connection.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/exchange_life.h"
#include "runtime/serve/reply.h"

/* With more than this to send, no further request is begun. */
#define OUTPUT_ENOUGH 65536u

/* A client counts as reading while it takes so many bytes in each timeout, or all there are. */
#define PROGRESS_BYTES 16384u

/* A body may pause for one timeout, and must come at this rate after the first one. */
#define BODY_BYTES_PER_SECOND 1024.0

#define LINGER_SECONDS 1.0
#define LINGER_BYTES   ((size_t)1 << 20)

/* Of one turn of the loop, so that others have theirs. */
#define READS_PER_TURN 16

/* FNV-1a (Fowler, Noll, Vo; RFC 9923): addresses that collide take turns as one client. */
static uint64_t hash_name(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return hash;
}

connection *connection_new(site *s, int socket, const char *peer, bool checks_host)
{
	connection *c = memory_new(1, sizeof *c);

	if (!c)
		return NULL;
	c->site = s;
	c->socket = socket;
	memcpy(c->peer, peer, strnlen(peer, sizeof c->peer - 1));
	c->client = hash_name(c->peer);
	c->number = s->figures.accepted + 1;
	c->checks_host = checks_host;
	http_begin(&c->request, &s->limits);
	c->since = c->sent = c->heard = os_clock();
	s->figures.connections++;
	return c;
}

void connection_free(connection *c)
{
	if (c->exchange)
		exchange_lose(c->exchange);
	socket_close(c->socket);
	c->site->figures.connections--;
	c->site->body_bytes -= c->body_room;
	http_free(&c->request);
	output_free(&c->out);
	memory_free(c);
}

/* An error of a request that could not be read. */
static void refuse(connection *c, int status, const char *message, const char *reason)
{
	reply_head head = { .status = status, .type = "application/json", .minor = 1 };
	log_entry entry = { .peer = c->peer, .status = status, .reason = reason };
	output body = { .bytes = NULL };

	reply_write_error(&body, status, message);
	head.bytes = entry.bytes = output_size(&body);
	reply_write_head(&c->out, &head);
	output_add(&c->out, body.bytes, output_size(&body));
	output_free(&body);
	c->state = c->out.failed ? CONNECTION_DEAD : CONNECTION_CLOSING;
	c->site->figures.statuses[status / 100]++;
	log_write(c->site->log, &entry);
}

static void refuse_request(connection *c)
{
	output message = { .bytes = NULL };

	output_format(&message, "expected %s", c->request.reason);
	output_add(&message, "", 1);
	refuse(c, c->request.status,
	       message.failed ? "" : (const char *)message.bytes + message.start,
	       c->request.reason);
	output_free(&message);
}

void connection_turn_away(connection *c, int status, const char *message)
{
	refuse(c, status, message, NULL);
}

/* ---- reading -------------------------------------------------------------------------------- */

static size_t input_size(const connection *c)
{
	return c->in_end - c->in_start;
}

/* False: the connection is over. */
static bool read_input(connection *c)
{
	int64_t got;

	if (c->in_start > 0) {
		memmove(c->in, c->in + c->in_start, input_size(c));
		c->in_end -= c->in_start;
		c->in_start = 0;
	}
	if (c->in_end == sizeof c->in)
		return true;
	got = socket_read(c->socket, c->in + c->in_end, sizeof c->in - c->in_end);
	if (got > 0)
		c->in_end += (size_t)got;
	else if (got == 0)
		c->has_ended = true;
	else if (errno != EAGAIN)
		return false;
	return true;
}

static void drop_input(connection *c)
{
	int64_t got = socket_read(c->socket, c->in, sizeof c->in);

	if (got > 0)
		c->dropped += (size_t)got;
	if (got == 0 || (got < 0 && errno != EAGAIN) || c->dropped > LINGER_BYTES)
		c->state = CONNECTION_DEAD;
}

/* ---- requests ------------------------------------------------------------------------------- */

/* When waiting for a request, its head or its body began. */
static void note_time(connection *c, double now)
{
	if (c->request.state == c->since_state)
		return;
	c->since_state = c->request.state;
	c->since = now;
}

/* A client that waits to be told to go on with the body. */
static void send_continue(connection *c)
{
	if (c->request.state != HTTP_BODY || !c->request.expects || c->has_continued)
		return;
	c->has_continued = true;
	if (c->request.body_bytes == 0)
		output_add_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

/* Keeps the sum of all bodies; refuses what goes beyond it. */
static void count_body(connection *c)
{
	c->site->body_bytes += c->request.body_room - c->body_room;
	c->body_room = c->request.body_room;
	if (c->request.state == HTTP_BODY && c->site->body_bytes > c->site->most_body_bytes)
		(void)http_refuse(&c->request, 503, "fewer long requests at once");
}

static void begin_exchange(connection *c)
{
	if (!exchange_open(c)) {
		c->state = CONNECTION_DEAD;
		return;
	}
	site_answer(c->site, c->exchange, c->checks_host);
}

static void end_request(connection *c, double now)
{
	http_next(&c->request);
	count_body(c);
	c->is_used = true;
	c->has_continued = false;
	note_time(c, now);
}

/* Reads requests from what has come, and begins to answer them. Returns whether it did anything. */
static bool take_requests(connection *c, double now)
{
	bool did = false;

	while (c->state == CONNECTION_OPEN && !c->exchange &&
	       output_size(&c->out) < OUTPUT_ENOUGH) {
		if (c->request.state == HTTP_WHOLE)
			end_request(c, now);
		if (input_size(c) == 0)
			break;
		c->in_start += http_read(&c->request, c->in + c->in_start, input_size(c));
		did = true;
		note_time(c, now);
		count_body(c);
		if (c->request.state == HTTP_REFUSED)
			refuse_request(c);
		else if (c->request.state == HTTP_WHOLE)
			begin_exchange(c);
		else
			send_continue(c);
	}
	return did;
}

/* A client that sends no more can still read. But one that has closed altogether looks the same
 * until something is sent to it, and an answer may take long: it is not begun for nobody. */
static void end_after_input(connection *c)
{
	if (!c->has_ended || c->state == CONNECTION_DEAD)
		return;
	if (c->exchange) {
		c->state = CONNECTION_DEAD;
	} else if (c->state == CONNECTION_OPEN && input_size(c) == 0) {
		if ((c->request.state == HTTP_HEAD || c->request.state == HTTP_BODY) &&
		    !http_refuse(&c->request, 400, "a whole request"))
			refuse_request(c);
		c->state = CONNECTION_CLOSING;
	}
}

/* ---- sending -------------------------------------------------------------------------------- */

static void note_sent(connection *c, size_t n, double now)
{
	c->sent_bytes += n;
	if (c->sent_bytes < PROGRESS_BYTES && output_size(&c->out) > 0)
		return;
	c->sent = now;
	c->sent_bytes = 0;
}

/* Returns whether anything was sent. */
static bool send_output(connection *c, double now)
{
	bool did = false;

	while (output_size(&c->out) > 0 && c->state != CONNECTION_DEAD) {
		int64_t put =
		        socket_write(c->socket, c->out.bytes + c->out.start, output_size(&c->out));

		if (put < 0 && errno == EAGAIN)
			break;
		if (put <= 0) {
			c->state = CONNECTION_DEAD;
			break;
		}
		output_take(&c->out, (size_t)put);
		note_sent(c, (size_t)put, now);
		did = true;
	}
	return did;
}

static void begin_lingering(connection *c, double now)
{
	if (c->state != CONNECTION_CLOSING || c->exchange || output_size(&c->out) > 0)
		return;
	socket_end(c->socket);
	c->state = c->has_ended ? CONNECTION_DEAD : CONNECTION_LINGERING;
	c->since = now;
}

/* ---- time ----------------------------------------------------------------------------------- */

double connection_deadline(const connection *c)
{
	double timeout = c->site->timeout_s;

	if (c->state == CONNECTION_LINGERING)
		return c->since + LINGER_SECONDS;
	if (output_size(&c->out) > 0)
		return c->sent + timeout;
	if (c->exchange || c->state != CONNECTION_OPEN)
		return HUGE_VAL;
	if (c->request.state == HTTP_BODY)
		return fmin(c->heard + timeout,
		            c->since + timeout +
		                    (double)c->request.body_bytes / BODY_BYTES_PER_SECOND);
	return c->since + (c->request.state == HTTP_IDLE && c->is_used ? c->site->keep_s : timeout);
}

/* What is due at the deadline. */
static void expire(connection *c)
{
	if (c->state != CONNECTION_OPEN || output_size(&c->out) > 0 ||
	    c->request.state == HTTP_IDLE) {
		c->state = CONNECTION_DEAD;
		return;
	}
	(void)http_refuse(&c->request, 408, "the rest of the request sooner");
	refuse_request(c);
}

bool connection_is_idle(const connection *c)
{
	return c->state == CONNECTION_OPEN && !c->exchange && c->request.state != HTTP_HEAD &&
	       c->request.state != HTTP_BODY && input_size(c) == 0 && output_size(&c->out) == 0;
}

/* --------------------------------------------------------------------------------------------- */

static bool wants_input(const connection *c)
{
	return !c->has_ended && c->state != CONNECTION_DEAD &&
	       (c->state != CONNECTION_CLOSING || c->exchange) &&
	       (input_size(c) < sizeof c->in || c->state == CONNECTION_LINGERING) &&
	       output_size(&c->out) < OUTPUT_ENOUGH;
}

int connection_wanted(const connection *c)
{
	return (wants_input(c) ? SOCKET_READABLE : 0) |
	       (output_size(&c->out) > 0 ? SOCKET_WRITABLE : 0) |
	       (c->exchange && !c->has_ended ? SOCKET_HALF : 0);
}

/* Reads what has come, begins to answer it, sends. Returns whether more may be there to read. */
static bool work_once(connection *c, bool is_readable, double now)
{
	size_t before = input_size(c);
	bool has_read, has_moved;

	if (is_readable && c->state != CONNECTION_LINGERING && wants_input(c) && !read_input(c))
		c->state = CONNECTION_DEAD;
	has_read = input_size(c) > before;
	if (has_read)
		c->heard = now;
	do {
		has_moved = take_requests(c, now);
		has_moved = send_output(c, now) || has_moved;
	} while (has_moved);
	end_after_input(c);
	(void)send_output(c, now);
	return has_read;
}

void connection_work(connection *c, int happened, double now)
{
	int reads = 0;

	if (!c->was_waiting) {
		c->sent = now;
		c->sent_bytes = 0;
	}
	if (happened & SOCKET_GONE)
		c->state = CONNECTION_DEAD;
	if ((happened & SOCKET_HALF) && c->exchange)
		c->has_ended = true;
	if (c->state == CONNECTION_LINGERING && (happened & SOCKET_READABLE))
		drop_input(c);
	while (c->state != CONNECTION_DEAD && work_once(c, happened & SOCKET_READABLE, now) &&
	       reads < READS_PER_TURN)
		reads++;
	if (c->state != CONNECTION_DEAD && now >= connection_deadline(c)) {
		expire(c);
		(void)send_output(c, now);
	}
	if (c->state != CONNECTION_DEAD)
		begin_lingering(c, now);
	c->was_waiting = output_size(&c->out) > 0;
}
