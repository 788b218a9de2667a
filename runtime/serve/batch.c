/* batch.c - see batch.h */
#include "runtime/serve/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/inside.h"

#define OUT_MODE 0666u /* less the process's mask */

struct batch_item {
	batch *b;
	batch_item *next, **link;
	char *custom_id, *body;
	exchange *x; /* NULL: the handler has not returned yet */
	uint64_t number;
};

/* ---- opening --------------------------------------------------------------------------------- */

static bool is_blank(const char *line, size_t bytes)
{
	while (bytes > 0 && (*line == ' ' || *line == '\t' || *line == '\r')) {
		line++;
		bytes--;
	}
	return bytes == 0;
}

static brise_status count_lines(batch *b, const char *path, brise_error *err)
{
	batch_reader r;
	const char *line;
	bool is_whole;
	size_t bytes;
	brise_status status = batch_reader_open(&r, path, err);

	while (status == BRISE_OK &&
	       (status = batch_reader_next(&r, &line, &bytes, &is_whole, err)) == BRISE_OK && line)
		b->total += !is_blank(line, bytes);
	batch_reader_close(&r);
	return status;
}

static brise_status add_id(batch *b, const char *id, bool *was_there, brise_error *err)
{
	return batch_ids_add(&b->ids, id, was_there)
	               ? BRISE_OK
	               : error_set(err, BRISE_ENOMEM, "no memory for the ids of a batch");
}

/* A line of an earlier run. One that is not whole is the last, and is cut off. */
static brise_status take_reply(batch *b, const char *line, size_t bytes, uint64_t number,
                               brise_error *err)
{
	brise_status status;
	bool was_there;
	char *id;

	if (!batch_line_find_id(line, bytes, &id))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: line %" PRIu64
		                 " is no reply of a batch; nothing is written to this file",
		                 b->out_path, number);
	status = id ? add_id(b, id, &was_there, err) : BRISE_OK;
	memory_free(id);
	return status;
}

static brise_status read_replies(batch *b, brise_error *err)
{
	batch_reader r;
	const char *line;
	bool is_whole;
	size_t bytes;
	uint64_t number = 0;
	brise_status status = batch_reader_open(&r, b->out_path, err);

	while (status == BRISE_OK &&
	       (status = batch_reader_next(&r, &line, &bytes, &is_whole, err)) == BRISE_OK &&
	       line && is_whole)
		status = take_reply(b, line, bytes, ++number, err);
	b->out_at = r.end;
	batch_reader_close(&r);
	return status;
}

static brise_status open_out(batch *b, const char *in, brise_error *err)
{
	os_facts of_in, of_out;

	if ((b->out = os_create(b->out_path, OUT_MODE)) < 0)
		b->out = os_open_writable(b->out_path);
	if (b->out < 0 || !os_examine_open(b->out, &of_out))
		return error_errno(err, "%s: cannot be written", b->out_path);
	if (os_examine(in, &of_in) && of_in.device == of_out.device &&
	    of_in.serial == of_out.serial)
		return error_set(err, BRISE_EINVAL, "%s and %s are the same file", in, b->out_path);
	if (os_lock_file(b->out) == OS_LOCK_HELD)
		return error_set(err, BRISE_EINVAL, "%s: another batch writes to it", b->out_path);
	return BRISE_OK;
}

brise_status batch_open(batch *b, const char *in, const char *out, brise_error *err)
{
	brise_status status;

	b->out_path = out;
	b->out = -1;
	b->in.file = -1;
	if ((status = count_lines(b, in, err)) != BRISE_OK ||
	    (status = open_out(b, in, err)) != BRISE_OK ||
	    (status = read_replies(b, err)) != BRISE_OK)
		return status;
	if (!os_set_size(b->out, b->out_at))
		return error_errno(err, "%s: its last line cannot be repaired", out);
	return batch_reader_open(&b->in, in, err);
}

/* ---- replies --------------------------------------------------------------------------------- */

static void fail(batch *b, brise_status status)
{
	if (b->status == BRISE_OK)
		b->status = status;
}

/* Appends a line; what could not be written whole is cut off. */
static void write_reply(batch *b, uint64_t number, const char *custom_id, int status,
                        const char *reply, size_t bytes)
{
	body line = { .bytes = NULL };

	if (b->status != BRISE_OK)
		return;
	batch_line_write(&line, number, custom_id, status, reply, bytes);
	if (line.failed) {
		fail(b, error_set(&b->error, BRISE_ENOMEM, "no memory for a reply"));
	} else if (!os_write_at(b->out, line.bytes, line.n, b->out_at)) {
		fail(b, error_errno(&b->error, "%s", b->out_path));
		(void)os_set_size(b->out, b->out_at);
	} else {
		b->out_at += line.n;
		b->done++;
		b->failed += status != 200;
	}
	body_free(&line);
}

static void free_item(batch_item *i)
{
	*i->link = i->next;
	if (i->next)
		i->next->link = i->link;
	i->b->n_items--;
	memory_free(i->custom_id);
	memory_free(i->body);
	memory_free(i);
}

/* An inside_reply_fn. */
static void take_answer(void *user, int status, const char *reply, size_t bytes)
{
	batch_item *i = user;

	write_reply(i->b, i->number, i->custom_id, status, reply, bytes);
	free_item(i);
}

/* ---- requests -------------------------------------------------------------------------------- */

static const exchange_route *find_route(const batch *b, const char *url)
{
	size_t t, i;

	for (t = 0; t < b->n_tables; t++)
		for (i = 0; i < b->table_sizes[t]; i++)
			if (!strcmp(b->tables[t][i].path, url) &&
			    !strcmp(b->tables[t][i].method, "POST"))
				return &b->tables[t][i];
	return NULL;
}

static void ask(batch *b, batch_line *l, const exchange_route *route)
{
	batch_item *i = memory_new(1, sizeof *i);
	exchange_facts facts = { .method = "POST", .path = route->path, .query = "" };
	exchange *x;
	bool failed;

	if (i && (i->body = memory_new(l->body_bytes + 1, 1))) {
		memcpy(i->body, l->body, l->body_bytes);
		i->custom_id = l->custom_id;
		l->custom_id = NULL;
		i->b = b;
		i->number = ++b->asked;
		i->next = b->items;
		i->link = &b->items;
		if (i->next)
			i->next->link = &i->next;
		b->items = i;
		b->n_items++;
		facts.body = i->body;
		facts.body_bytes = l->body_bytes;
		facts.number = i->number;
		facts.service = b->service;
		x = inside_ask(&facts, route->handle, take_answer, i, &failed);
		if (x)
			i->x = x; /* otherwise it has been replied, and the item is free */
		if (!failed)
			return;
		free_item(i);
	} else {
		memory_free(i);
	}
	fail(b, error_set(&b->error, BRISE_ENOMEM, "no memory for a request"));
}

/* One line of requests. */
static void take_line(batch *b, const char *line, size_t bytes)
{
	const exchange_route *route;
	bool was_there = false;
	batch_line l;
	char why[256];

	if (!batch_line_read(&l, line, bytes, why)) {
		/* Without an id every run would add the error again. */
		if (l.custom_id && *l.custom_id)
			fail(b, add_id(b, l.custom_id, &was_there, &b->error));
		if (!was_there)
			write_reply(b, ++b->asked, l.custom_id, 0, why, strlen(why));
		else
			b->before++;
	} else if (!batch_ids_add(&b->ids, l.custom_id, &was_there)) {
		fail(b, error_set(&b->error, BRISE_ENOMEM, "no memory for the ids of a batch"));
	} else if (was_there) {
		b->before++;
	} else if (!(route = find_route(b, l.url))) {
		(void)snprintf(why, sizeof why, "url: there is no %.200s here", l.url);
		write_reply(b, ++b->asked, l.custom_id, 0, why, strlen(why));
	} else {
		ask(b, &l, route);
	}
	batch_line_free(&l);
}

bool batch_step(batch *b)
{
	const char *line;
	bool is_whole;
	size_t bytes;

	while (b->status == BRISE_OK && !b->is_read && b->n_items < b->most) {
		b->status = batch_reader_next(&b->in, &line, &bytes, &is_whole, &b->error);
		if (b->status != BRISE_OK)
			break;
		b->is_read = !line;
		if (line && !is_blank(line, bytes))
			take_line(b, line, bytes);
	}
	return b->status == BRISE_OK && b->n_items > 0;
}

void batch_close(batch *b)
{
	while (b->items) {
		batch_item *i = b->items;

		if (i->x)
			inside_leave(i->x);
		free_item(i);
	}
	batch_reader_close(&b->in);
	if (b->out >= 0) {
		(void)os_sync(b->out);
		(void)os_close(b->out);
	}
	batch_ids_free(&b->ids);
	b->out = -1;
}
