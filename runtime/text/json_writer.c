/* json_writer.c - one value at a time, straight to the sink */
#include "runtime/text/json_writer.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/text/utf8.h"

static void put(json_writer *w, const char *text)
{
	w->sink(w->user, text, strlen(text));
}

/* The comma before, and the key. */
static void begin(json_writer *w, const char *key)
{
	if (w->depth > 0 && w->more[w->depth - 1])
		put(w, ",");
	if (w->depth > 0)
		w->more[w->depth - 1] = true;
	if (key) {
		put(w, "\"");
		put(w, key);
		put(w, "\":");
	}
}

void json_open(json_writer *w, const char *key, char kind)
{
	begin(w, key);
	put(w, kind == '{' ? "{" : "[");
	if (w->depth == JSON_WRITER_DEPTH)
		return; /* a mistake of the caller's, which spoils the text and nothing else */
	w->closing[w->depth] = kind == '{' ? '}' : ']';
	w->more[w->depth++] = false;
}

void json_close(json_writer *w)
{
	if (w->depth > 0)
		w->sink(w->user, &w->closing[--w->depth], 1);
}

/* RFC 8259, section 7: quotes, backslashes and controls are escaped. */
static void put_escaped(json_writer *w, unsigned char c)
{
	char text[8];

	if (c == '\n')
		strcpy(text, "\\n");
	else if (c == '\t')
		strcpy(text, "\\t");
	else
		(void)snprintf(text, sizeof text, c == '"' || c == '\\' ? "\\%c" : "\\u%04x", c);
	put(w, text);
}

void json_put_text(json_writer *w, const char *key, const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t i = 0, plain = 0; /* bytes before i that have not been written yet */

	begin(w, key);
	put(w, "\"");
	while (i < n) {
		int size = utf8_measure(p + i, n - i);
		bool escaped =
		        size == 1 && (p[i] < 0x20 || p[i] == '"' || p[i] == '\\' || p[i] == 0x7f);

		if (size > 0 && !escaped) {
			plain += (size_t)size;
			i += (size_t)size;
			continue;
		}
		if (plain > 0)
			w->sink(w->user, text + i - plain, plain);
		plain = 0;
		if (escaped)
			put_escaped(w, p[i]);
		else
			put(w, UTF8_REPLACEMENT);
		i++;
	}
	if (plain > 0)
		w->sink(w->user, text + i - plain, plain);
	put(w, "\"");
}

void json_put_string(json_writer *w, const char *key, const char *text)
{
	if (text)
		json_put_text(w, key, text, strlen(text));
	else
		json_put_null(w, key);
}

void json_put_integer(json_writer *w, const char *key, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRId64, value);
	begin(w, key);
	put(w, text);
}

void json_put_unsigned(json_writer *w, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRIu64, value);
	begin(w, key);
	put(w, text);
}

void json_put_number(json_writer *w, const char *key, double value, int digits)
{
	const char *point = localeconv()->decimal_point;
	char text[64], *found;

	if (!isfinite(value)) {
		json_put_null(w, key);
		return;
	}
	(void)snprintf(text, sizeof text, "%.*g", digits, value);
	found = strcmp(point, ".") != 0 ? strstr(text, point) : NULL;
	if (found) {
		*found = '.';
		memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
	}
	begin(w, key);
	put(w, text);
}

void json_put_bool(json_writer *w, const char *key, bool value)
{
	begin(w, key);
	put(w, value ? "true" : "false");
}

void json_put_null(json_writer *w, const char *key)
{
	begin(w, key);
	put(w, "null");
}
