/* log.c - a line for each request, on standard error */
#include "runtime/serve/log.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/os/os.h"
#include "runtime/serve/calendar.h"
#include "runtime/serve/output.h"
#include "runtime/text/json_writer.h"

/* Bytes of a path that are written. */
#define PATH_MOST 200

/* A path comes from the client: what a terminal would not show as it is, or would obey, is written
 * in hexadecimal digits. */
static void add_path(output *o, const char *path)
{
	size_t i;

	for (i = 0; path[i] && i < PATH_MOST; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c > 0x20 && c < 0x7f && c != '%')
			output_add(o, path + i, 1);
		else
			output_format(o, "%%%02X", c);
	}
}

static void write_text(output *o, const log_entry *e, const char *date)
{
	output_format(o, "%s %s %s ", date, e->peer, e->method ? e->method : "-");
	add_path(o, e->path ? e->path : "-");
	output_format(o, " %d %" PRIu64 " B %.3f s", e->status, e->bytes, e->seconds);
	if (e->key)
		output_format(o, " key %zu", e->key);
	if (e->prompt_tokens)
		output_format(o, " prompt %" PRIu64 " cached %" PRIu64 " answer %" PRIu64,
		              e->prompt_tokens, e->cached_tokens, e->answer_tokens);
	if (e->reason)
		output_format(o, " (expected %s)", e->reason);
}

static void write_json(output *o, const log_entry *e, const char *date)
{
	json_writer w = { .sink = output_sink, .user = o };
	output path = { .bytes = NULL };

	if (e->path)
		add_path(&path, e->path);
	json_open(&w, NULL, '{');
	json_put_string(&w, "time", date);
	json_put_unsigned(&w, "request", e->number);
	json_put_string(&w, "client", e->peer);
	json_put_string(&w, "method", e->method);
	if (e->path)
		json_put_text(&w, "path", path.bytes, output_size(&path));
	else
		json_put_null(&w, "path");
	json_put_integer(&w, "status", e->status);
	json_put_unsigned(&w, "bytes", e->bytes);
	json_put_fixed(&w, "seconds", e->seconds, 3);
	if (e->key)
		json_put_unsigned(&w, "key", e->key);
	if (e->prompt_tokens) {
		json_put_unsigned(&w, "prompt_tokens", e->prompt_tokens);
		json_put_unsigned(&w, "cached_tokens", e->cached_tokens);
		json_put_unsigned(&w, "answer_tokens", e->answer_tokens);
	}
	if (e->reason)
		json_put_string(&w, "expected", e->reason);
	json_close(&w);
	output_free(&path);
}

void log_write(log_format format, const log_entry *entry)
{
	output line = { .bytes = NULL };
	char date[CALENDAR_TEXT];

	if (format == LOG_NONE)
		return;
	calendar_write(date, os_time());
	if (format == LOG_JSON)
		write_json(&line, entry, date);
	else
		write_text(&line, entry, date);
	output_add(&line, "\n", 1);
	if (!line.failed)
		(void)fwrite(line.bytes + line.start, 1, output_size(&line), stderr);
	output_free(&line);
}
