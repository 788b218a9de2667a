/* chat_json.c - see chat_json.h
 *
 * Python separates by ", " and ": ", keeps the order of keys and the digits of integers, and writes
 * a float as the shortest decimal that reads back as the same double. Of keys that are given twice
 * it keeps the last; here all stay.
 */
#include "runtime/text/chat_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"

static void put(chat_text *out, const char *text)
{
	chat_text_add(out, text, strlen(text), false);
}

/* ---- strings -------------------------------------------------------------------------------- */

/* The escape of a byte; "": none. `room` holds one that is made. */
static const char *escape(uint8_t c, char room[8])
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	default:
		if (c >= 0x20)
			return "";
		(void)snprintf(room, 8, "\\u%04x", c);
		return room;
	}
}

void chat_json_string(chat_text *out, const char *text, size_t n)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t i, plain = 0;
	const char *instead;
	char room[8];
	int step;

	put(out, "\"");
	for (i = 0; i < n; i += (size_t)step) {
		step = utf8_measure(bytes + i, n - i);
		instead = step > 0 ? escape(bytes[i], room) : UTF8_REPLACEMENT;
		step = step > 0 ? step : 1;
		if (!*instead)
			continue;
		chat_text_add(out, text + plain, i - plain, false);
		put(out, instead);
		plain = i + 1;
	}
	chat_text_add(out, text + plain, n - plain, false);
	put(out, "\"");
}

/* ---- numbers -------------------------------------------------------------------------------- */

#define DIGITS_MAX 17 /* of a double */

/* Digits and exponent of the shortest decimal that reads back as `value`: d.ddd * 10^exponent. */
static int shorten(double value, char digits[DIGITS_MAX + 1], int *exponent)
{
	char text[64];
	int n, kept = 0;
	const char *at;

	for (n = 1; n <= DIGITS_MAX; n++) {
		double back;

		(void)snprintf(text, sizeof text, "%.*e", n - 1, value);
		back = strtod(text, NULL);
		if (!(back < value) && !(back > value))
			break;
	}
	/* Whatever the host's locale has for a decimal point is passed over. */
	for (at = text; *at && *at != 'e'; at++)
		if (*at >= '0' && *at <= '9' && kept < DIGITS_MAX)
			digits[kept++] = *at;
	digits[kept] = 0;
	*exponent = *at ? atoi(at + 1) : 0;
	return kept;
}

/* As Python's repr: an exponent below -4 and from 16 on. */
static void put_double(chat_text *out, double value)
{
	char digits[DIGITS_MAX + 1], room[16];
	int exponent, n = shorten(fabs(value), digits, &exponent), i;

	if (signbit(value))
		put(out, "-");
	if (exponent < -4 || exponent >= 16) {
		chat_text_add(out, digits, 1, false);
		if (n > 1) {
			put(out, ".");
			put(out, digits + 1);
		}
		(void)snprintf(room, sizeof room, "e%c%02d", exponent < 0 ? '-' : '+',
		               abs(exponent));
		put(out, room);
		return;
	}
	if (exponent < 0)
		put(out, "0.");
	for (i = -1; i > exponent; i--)
		put(out, "0");
	for (i = 0; i < n || i <= exponent; i++) {
		if (exponent >= 0 && i == exponent + 1)
			put(out, ".");
		chat_text_add(out, i < n ? digits + i : "0", 1, false);
	}
	if (n <= exponent + 1)
		put(out, ".0");
}

/* A number, or NaN, Infinity, -Infinity, which Python reads and writes. */
static bool put_number(chat_text *out, json_reader *r)
{
	size_t from = r->at, n, i;
	json_reader number;
	bool whole = true;
	double value;

	if (!json_skip(r))
		return false;
	n = r->at - from;
	for (i = 0; i < n; i++)
		whole = whole && !strchr(".eE", r->text[from + i]);
	if (whole) {
		bool zero = n == 2 && !memcmp(r->text + from, "-0", 2);

		chat_text_add(out, r->text + from + zero, n - zero, false);
		return true;
	}
	json_begin(&number, r->text + from, n, "number", NULL);
	if (json_read_double(&number, &value))
		put_double(out, value);
	else /* too large for a double, or of more digits than are read */
		chat_text_add(out, r->text + from, n, false);
	return true;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool put_string(chat_text *out, json_reader *r)
{
	size_t bytes;
	char *text;

	if (!json_read_string(r, &text, &bytes))
		return false;
	chat_json_string(out, text, bytes);
	memory_free(text);
	return true;
}

static bool put_array(chat_text *out, json_reader *r)
{
	const char *before = "[";

	if (!json_enter_array(r))
		return false;
	while (json_next_element(r)) {
		put(out, before);
		before = ", ";
		if (!chat_json_value(out, r))
			return false;
	}
	put(out, *before == '[' ? "[]" : "]");
	return r->status == BRISE_OK;
}

static bool put_object(chat_text *out, json_reader *r)
{
	const char *before = "{";
	size_t bytes;
	char *key;

	if (!json_enter_object(r))
		return false;
	while (json_next_whole_key(r, &key, &bytes)) {
		put(out, before);
		before = ", ";
		chat_json_string(out, key, bytes);
		memory_free(key);
		put(out, ": ");
		if (!chat_json_value(out, r))
			return false;
	}
	put(out, *before == '{' ? "{}" : "}");
	return r->status == BRISE_OK;
}

/* The reader bounds the depth (JSON_DEPTH). */
bool chat_json_value(chat_text *out, json_reader *r)
{
	bool value;

	switch (json_peek(r)) {
	case JSON_OBJECT:
		return put_object(out, r);
	case JSON_ARRAY:
		return put_array(out, r);
	case JSON_STRING:
		return put_string(out, r);
	case JSON_NUMBER:
		return put_number(out, r);
	case JSON_BOOL:
		if (!json_read_bool(r, &value))
			return false;
		put(out, value ? "true" : "false");
		return true;
	case JSON_NULL:
		if (!json_read_null(r))
			return false;
		put(out, "null");
		return true;
	default:
		return json_skip(r); /* which says what is wrong */
	}
}

void chat_json_content(chat_text *out, const char *text, size_t n)
{
	size_t from = out->n;
	json_reader r;
	brise_status status;

	if (n == 0) {
		put(out, "{}");
		return;
	}
	json_begin(&r, text, n, "content", NULL);
	(void)chat_json_value(out, &r);
	status = json_end(&r);
	if (status == BRISE_ENOMEM)
		out->failed = true;
	/* A byte order mark is no JSON to Python. */
	if (status == BRISE_OK && (uint8_t)text[0] != (uint8_t)UTF8_BYTE_ORDER_MARK[0])
		return;
	out->n = from;
	chat_json_string(out, text, n);
}
