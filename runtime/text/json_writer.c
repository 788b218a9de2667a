/* json_writer.c - one value at a time, straight to the sink */
#include "runtime/text/json_writer.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text/utf8.h"

static void put(json_writer *w, const char *text)
{
	w->sink(w->user, text, strlen(text));
}

/* A line of its own, as far as the depth is. */
static void put_line(json_writer *w)
{
	unsigned i;

	if (w->indent == 0)
		return;
	put(w, "\n");
	for (i = 0; i < w->depth * w->indent; i++)
		put(w, " ");
}

/* The comma before, and the key. */
static void begin(json_writer *w, const char *key)
{
	if (w->depth > 0 && w->more[w->depth - 1])
		put(w, ",");
	if (w->depth > 0) {
		w->more[w->depth - 1] = true;
		put_line(w);
	}
	if (key) {
		put(w, "\"");
		put(w, key);
		put(w, w->indent > 0 ? "\": " : "\":");
	}
}

void json_open(json_writer *w, const char *key, char kind)
{
	begin(w, key);
	put(w, kind == '{' ? "{" : "[");
	if (w->depth == JSON_WRITER_DEPTH)
		return; /* a caller's mistake: the text is wrong, but no memory is overwritten */
	w->closing[w->depth] = kind == '{' ? '}' : ']';
	w->more[w->depth++] = false;
}

void json_close(json_writer *w)
{
	if (w->depth == 0)
		return;
	w->depth--;
	if (w->more[w->depth])
		put_line(w);
	w->sink(w->user, &w->closing[w->depth], 1);
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

/* text: a number as printf writes it in the locale of the host program; changed in place. */
static void put_decimal(json_writer *w, const char *key, char *text)
{
	const char *point = localeconv()->decimal_point;
	char *found = strcmp(point, ".") != 0 ? strstr(text, point) : NULL;

	if (found) {
		*found = '.';
		memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
	}
	begin(w, key);
	put(w, text);
}

void json_put_number(json_writer *w, const char *key, double value, int digits)
{
	char text[64];

	if (!isfinite(value)) {
		json_put_null(w, key);
		return;
	}
	(void)snprintf(text, sizeof text, "%.*g", digits, value);
	put_decimal(w, key, text);
}

void json_put_fixed(json_writer *w, const char *key, double value, int decimals)
{
	char text[340]; /* DBL_MAX has 309 digits before the point */

	if (!isfinite(value)) {
		json_put_null(w, key);
		return;
	}
	(void)snprintf(text, sizeof text, "%.*f", decimals, value);
	put_decimal(w, key, text);
}

void json_put_exactly(json_writer *w, const char *key, double value, bool single)
{
	double size = fabs(value);
	bool exact = false;
	char text[64];
	int digits;

	if (!isfinite(value) || (size < 1e15 && !(size > floor(size)))) {
		json_put_fixed(w, key, value, 1);
		return;
	}
	for (digits = 1; digits <= 17 && !exact; digits++) {
		double back;

		(void)snprintf(text, sizeof text, "%.*g", digits, value);
		back = strtod(text, NULL);
		if (single)
			back = (double)(float)back;
		exact = !(back < value) && !(back > value);
	}
	put_decimal(w, key, text);
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

/* Within strings nothing is left out: what is white space there is a space, as JSON has the others
 * escaped. */
void json_put_json(json_writer *w, const char *key, const char *json, size_t n)
{
	bool in_string = false, escaped = false;
	size_t i, from = 0;

	begin(w, key);
	for (i = 0; i < n; i++)
		if (in_string) {
			in_string = escaped || json[i] != '"';
			escaped = !escaped && json[i] == '\\';
		} else if (json[i] == '"') {
			in_string = true;
		} else if (json[i] == ' ' || json[i] == '\n' || json[i] == '\r' ||
		           json[i] == '\t') {
			w->sink(w->user, json + from, i - from);
			from = i + 1;
		}
	w->sink(w->user, json + from, n - from);
}
