/* exchange.c - a request that has come in whole, and its reply */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/connection.h"
#include "runtime/serve/exchange_life.h"
#include "runtime/serve/reply.h"

bool exchange_open(connection *c)
{
	const http_request *r = &c->request;
	exchange *x = memory_new(1, sizeof *x);

	if (!x)
		return false;
	x->facts.method = r->method;
	x->facts.path = r->path;
	x->facts.query = r->query;
	x->facts.body = r->body ? r->body : "";
	x->facts.body_bytes = r->body_bytes;
	x->facts.number = ++c->site->figures.requests;
	x->facts.service = c->site->service;
	x->facts.who = (asker){ 0, c->client, c->number };
	x->connection = c;
	x->site = c->site;
	x->request = r;
	x->is_head = strcmp(r->method, "HEAD") == 0;
	x->begun = os_clock();
	c->site->figures.exchanges++;
	c->exchange = x;
	return true;
}

/* ---- requests from inside ------------------------------------------------------------------- */

static void free_inside(exchange *x)
{
	if (x->replied)
		*x->replied = true;
	output_free(&x->fields);
	memory_free(x);
}

exchange *inside_ask(const exchange_facts *facts, exchange_handler *handle, inside_reply_fn *reply,
                     void *user, bool *failed)
{
	exchange *x = memory_new(1, sizeof *x);
	bool replied = false;

	*failed = !x;
	if (!x)
		return NULL;
	x->facts = *facts;
	x->reply = reply;
	x->reply_user = user;
	x->replied = &replied;
	handle(x);
	if (replied)
		return NULL;
	x->replied = NULL;
	return x;
}

void inside_leave(exchange *x)
{
	if (x->gone)
		x->gone(x->user);
	free_inside(x);
}

static void reply_inside(exchange *x, int status, const char *body, size_t bytes)
{
	inside_reply_fn *reply = x->reply;
	void *user = x->reply_user;

	free_inside(x);
	reply(user, status, body, bytes);
}

/* A stream has ended. */
static void refuse_stream(exchange *x)
{
	output body = { .bytes = NULL };

	reply_write_error(&body, 400, "a stream is no reply here: leave out \"stream\"");
	reply_inside(x, 400, body.bytes + body.start, output_size(&body));
	output_free(&body);
}

/* ---- requests of connections ---------------------------------------------------------------- */

/* Counts and logs. */
static void finish(exchange *x, int status)
{
	site_figures *f = &x->site->figures;
	log_entry entry = { .number = x->facts.number,
		            .peer = x->connection->peer,
		            .method = x->facts.method,
		            .path = x->facts.path,
		            .status = status,
		            .bytes = x->bytes,
		            .seconds = os_clock() - x->begun,
		            .key = x->facts.who.key,
		            .prompt_tokens = x->prompt_tokens,
		            .cached_tokens = x->cached_tokens,
		            .answer_tokens = x->answer_tokens };

	f->exchanges--;
	f->prompt_tokens += x->prompt_tokens;
	f->cached_tokens += x->cached_tokens;
	f->answer_tokens += x->answer_tokens;
	f->statuses[status == LOG_CLIENT_LEFT || status < 100 || status > 599 ? 0 : status / 100]++;
	log_write(x->site->log, &entry);
	x->connection->exchange = NULL;
	output_free(&x->fields);
	memory_free(x);
}

void exchange_lose(exchange *x)
{
	exchange_gone_fn *gone = x->gone;

	if (gone)
		gone(x->user);
	finish(x, LOG_CLIENT_LEFT);
}

/* The connection cannot go on: the loop sees it. */
static void give_up(connection *c)
{
	c->state = CONNECTION_DEAD;
}

static void write_head(exchange *x, int status, const char *type, uint64_t bytes)
{
	connection *c = x->connection;
	reply_head head = { .status = status,
		            .type = type,
		            .bytes = bytes,
		            .minor = x->request->minor,
		            .fields = &x->fields };

	if (x->site->is_stopping || bytes == REPLY_UNBOUNDED || !x->request->keeps)
		c->state = c->state == CONNECTION_OPEN ? CONNECTION_CLOSING : c->state;
	head.keeps = c->state == CONNECTION_OPEN;
	x->status = status;
	reply_write_head(&c->out, &head);
	if (x->fields.failed)
		give_up(c);
}

const exchange_facts *exchange_get_facts(const exchange *x)
{
	return &x->facts;
}

const char *exchange_get_header(const exchange *x, const char *name)
{
	return x->request ? http_find_field(x->request, name) : NULL;
}

void exchange_add_header(exchange *x, const char *name, const char *value)
{
	const char *at;

	if (!http_is_token(name, strlen(name)))
		return;
	for (at = value; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return;
	output_add_text(&x->fields, name);
	output_add_text(&x->fields, ": ");
	output_add_text(&x->fields, value);
	output_add_text(&x->fields, "\r\n");
}

void exchange_reply(exchange *x, int status, const char *type, const char *body, size_t bytes)
{
	if (x->reply) {
		reply_inside(x, status, body, bytes);
		return;
	}
	write_head(x, status, type, bytes);
	if (!x->is_head && status != 204 && status != 304) {
		output_add(&x->connection->out, body, bytes);
		x->bytes = bytes;
	}
	if (x->connection->out.failed)
		give_up(x->connection);
	finish(x, status);
}

void exchange_refuse(exchange *x, int status, const char *message)
{
	output body = { .bytes = NULL };

	reply_write_error(&body, status, message);
	exchange_reply(x, status, "application/json", body.bytes, output_size(&body));
	output_free(&body);
}

void exchange_begin(exchange *x, int status, const char *type)
{
	if (x->reply)
		return;
	x->is_chunked = x->request->minor >= 1;
	write_head(x, status, type, x->is_chunked ? REPLY_CHUNKED : REPLY_UNBOUNDED);
}

void exchange_write(exchange *x, const char *bytes, size_t n)
{
	output *out = x->reply ? NULL : &x->connection->out;
	size_t waiting = out ? output_size(out) : 0;

	if (!out || n == 0 || x->is_head || x->connection->state == CONNECTION_DEAD)
		return;
	x->bytes += n;
	if (x->is_chunked)
		output_format(out, "%zx\r\n", n);
	output_add(out, bytes, n);
	if (x->is_chunked)
		output_add_text(out, "\r\n");
	if (out->failed || waiting > EXCHANGE_WAITING_MOST)
		give_up(x->connection);
}

void exchange_end(exchange *x)
{
	if (x->reply) {
		refuse_stream(x);
		return;
	}
	if (x->is_chunked && !x->is_head)
		output_add_text(&x->connection->out, "0\r\n\r\n");
	if (x->connection->out.failed)
		give_up(x->connection);
	finish(x, x->status);
}

void exchange_break(exchange *x)
{
	if (x->reply) {
		refuse_stream(x);
		return;
	}
	/* Without the last chunk, a reply of HTTP/1.1 is incomplete. */
	if (x->connection->state == CONNECTION_OPEN)
		x->connection->state = CONNECTION_CLOSING;
	finish(x, x->status);
}

void exchange_on_gone(exchange *x, exchange_gone_fn *gone, void *user)
{
	x->gone = gone;
	x->user = user;
}

void exchange_note(exchange *x, uint64_t prompt_tokens, uint64_t cached_tokens,
                   uint64_t answer_tokens)
{
	x->prompt_tokens = prompt_tokens;
	x->cached_tokens = cached_tokens;
	x->answer_tokens = answer_tokens;
}
