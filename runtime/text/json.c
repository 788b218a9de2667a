/* json.c - the reader: one character at a time, no recursion */
#include "runtime/text/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"
#include "runtime/os/memory.h"

#define NUMBER_MAX 400u /* characters; longer ones exceed the precision of a double */

void json_begin(json_reader *r, const char *text, size_t size, const char *name, brise_error *err)
{
	memset(r, 0, sizeof *r);
	r->text = text;
	r->size = size;
	r->name = name;
	r->err = err;
	if (size >= 3 && memcmp(text, UTF8_BYTE_ORDER_MARK, 3) == 0)
		r->at = 3;
}

bool json_refuse(json_reader *r, brise_status status, const char *what)
{
	size_t line = 1, i, place = r->at < r->size ? r->at : r->size;

	if (r->status != BRISE_OK)
		return false;
	for (i = 0; i < place; i++)
		line += r->text[i] == '\n';
	r->status =
	        error_set(r->err, status, "%s: line %zu, byte %zu: %s", r->name, line, r->at, what);
	return false;
}

static bool wrong(json_reader *r, const char *what)
{
	return json_refuse(r, BRISE_EFORMAT,
	                   r->depth > 0 && r->at >= r->size ? "the text ends too early (cut off?)"
	                                                    : what);
}

/* A value of another type: the key it belongs to comes first, where that is a plain name. */
static bool wrong_type(json_reader *r, const char *what)
{
	const char *key = r->text + r->key_at;
	char text[100];
	size_t n = 0;

	if (r->key_depth > 0 && r->depth - r->key_depth <= 1)
		while (n < 48 && r->key_at + n < r->size &&
		       (isalnum((unsigned char)key[n]) || (key[n] && strchr("_.-", key[n]))))
			n++;
	if (n == 0 || n == 48 || key[n] != '"')
		return wrong(r, what);
	(void)snprintf(text, sizeof text, "%.*s: %s", (int)n, key, what);
	return wrong(r, text);
}

static int ahead(json_reader *r)
{
	while (r->at < r->size && (r->text[r->at] == ' ' || r->text[r->at] == '\t' ||
	                           r->text[r->at] == '\n' || r->text[r->at] == '\r'))
		r->at++;
	return r->status == BRISE_OK && r->at < r->size ? (unsigned char)r->text[r->at] : -1;
}

brise_status json_end(json_reader *r)
{
	if (r->status == BRISE_OK && ahead(r) >= 0)
		wrong(r, "text after the value");
	return r->status;
}

json_type json_peek(json_reader *r)
{
	int c = ahead(r);

	if (c == '-' || (c >= '0' && c <= '9') || c == 'N' || c == 'I')
		return JSON_NUMBER;
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NOTHING;
	}
}

static bool enter(json_reader *r, char open, const char *what)
{
	if (ahead(r) != open)
		return wrong_type(r, what);
	if (r->depth == JSON_DEPTH)
		return wrong(r, "nested too deeply");
	r->at++;
	r->first[r->depth++] = true;
	return true;
}

bool json_enter_object(json_reader *r)
{
	return enter(r, '{', "an object expected");
}

bool json_enter_array(json_reader *r)
{
	return enter(r, '[', "an array expected");
}

/* Past the comma between elements, or out of the container. */
static bool next(json_reader *r, char close)
{
	int c = ahead(r);

	if (r->status != BRISE_OK)
		return false;
	if (c == close) {
		r->at++;
		r->depth--;
		return false;
	}
	if (!r->first[r->depth - 1]) {
		if (c != ',')
			return wrong(r, "a comma or the end expected");
		r->at++;
		c = ahead(r);
	}
	r->first[r->depth - 1] = false;
	return c >= 0 ? true : wrong(r, "the text ends too early");
}

bool json_next_element(json_reader *r)
{
	return next(r, ']');
}

static int hex4(json_reader *r)
{
	int value = 0, i;

	for (i = 0; i < 4; i++) {
		int c = r->at < r->size ? (unsigned char)r->text[r->at] : 0;

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + c - 'A' + 10;
		else
			return -1;
		r->at++;
	}
	return value;
}

static unsigned put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* The escape after a backslash, as 1 to 4 bytes; 0: not one. */
static unsigned read_escape(json_reader *r, char out[4])
{
	static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
	int c = r->at < r->size ? r->text[r->at++] : 0, high, low;
	const char *found;

	if (c != 'u') {
		found = c ? strchr(plain, c) : NULL;
		out[0] = found ? meaning[found - plain] : 0;
		return found ? 1 : 0;
	}
	high = hex4(r);
	if (high < 0 || (high >= 0xdc00 && high < 0xe000))
		return 0;
	if (high < 0xd800 || high >= 0xe000)
		return put_utf8(out, (uint32_t)high);
	if (r->size - r->at < 6 || r->text[r->at] != '\\' || r->text[r->at + 1] != 'u')
		return 0;
	r->at += 2;
	low = hex4(r);
	if (low < 0xdc00 || low >= 0xe000)
		return 0;
	return put_utf8(out,
	                0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
}

/* Reads a string into out [bytes], cut where it does not fit; *length is the whole length. */
static bool read_string(json_reader *r, char *out, size_t bytes, size_t *length)
{
	char piece[4];

	*length = 0;
	if (ahead(r) != '"')
		return wrong_type(r, "a string expected");
	r->at++;
	for (;;) {
		unsigned n;

		if (r->at >= r->size)
			return wrong(r, "a string without end");
		if (r->text[r->at] == '"')
			break;
		if ((unsigned char)r->text[r->at] < 0x20)
			return wrong(r, "a control character in a string");
		if (r->text[r->at] == '\\') {
			r->at++;
			n = read_escape(r, piece);
		} else {
			int step = utf8_measure((const uint8_t *)r->text + r->at, r->size - r->at);

			n = step > 0 ? (unsigned)step : 0;
			memcpy(piece, r->text + r->at, n);
			r->at += n;
		}
		if (n == 0)
			return wrong(r, "not a character: wrong escape or not UTF-8");
		if (*length < bytes)
			memcpy(out + *length, piece, n < bytes - *length ? n : bytes - *length);
		*length += n;
	}
	r->at++;
	return true;
}

static bool pass_colon(json_reader *r)
{
	if (ahead(r) != ':')
		return wrong(r, "a colon expected");
	r->at++;
	return true;
}

/* A key that is not read well belongs to no value. */
static bool begin_key(json_reader *r, size_t *at)
{
	r->key_depth = 0;
	if (!next(r, '}'))
		return false;
	(void)ahead(r);
	*at = r->at + 1;
	return true;
}

static void end_key(json_reader *r, size_t at)
{
	r->key_at = at;
	r->key_depth = r->depth;
}

bool json_next_key(json_reader *r, char *key, size_t bytes)
{
	size_t length, i, at;

	if (!begin_key(r, &at) || !read_string(r, key, bytes - 1, &length))
		return false;
	end_key(r, at);
	length = length < bytes - 1 ? length : bytes - 1;
	for (i = 0; i < length; i++)
		/* callers compare C strings: what comes before a zero must not match */
		key[i] = key[i] ? key[i] : 1;
	key[length] = 0;
	return pass_colon(r);
}

bool json_read_string(json_reader *r, char **text, size_t *bytes)
{
	size_t start, length;

	*text = NULL;
	*bytes = 0;
	(void)ahead(r);
	start = r->at;
	if (!read_string(r, NULL, 0, &length))
		return false;
	*text = memory_new(length + 1, 1);
	if (!*text)
		return json_refuse(r, BRISE_ENOMEM, "no memory for a string");
	r->at = start;
	(void)read_string(r, *text, length, bytes);
	(*text)[length] = 0;
	return true;
}

bool json_next_whole_key(json_reader *r, char **text, size_t *bytes)
{
	*text = NULL;
	*bytes = 0;
	if (!next(r, '}') || !json_read_string(r, text, bytes))
		return false;
	if (pass_colon(r))
		return true;
	memory_free(*text);
	*text = NULL;
	return false;
}

bool json_read_name(json_reader *r, char *text, size_t bytes)
{
	size_t length;

	if (!read_string(r, text, bytes - 1, &length))
		return false;
	if (length > bytes - 1)
		return wrong(r, "a string longer than expected");
	text[length] = 0;
	return strlen(text) == length ? true : wrong(r, "a zero character in a name");
}

/* Length of the NaN, Infinity or -Infinity ahead, which Python's json writes; 0: none. */
static size_t not_finite_length(const json_reader *r)
{
	static const char *const words[] = { "NaN", "Infinity", "-Infinity" };
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (r->size - r->at >= strlen(words[i]) &&
		    !memcmp(r->text + r->at, words[i], strlen(words[i])))
			return strlen(words[i]);
	return 0;
}

/* Length of the number ahead by JSON's grammar; 0: none. *integer: no fraction, no exponent. */
static size_t number_length(const json_reader *r, bool *integer)
{
	const char *p = r->text + r->at, *end = r->text + r->size, *start = p;

	*integer = true;
	p += p < end && *p == '-';
	if (p == end || !isdigit((unsigned char)*p))
		return 0;
	if (*p == '0')
		p++;
	else
		while (p < end && isdigit((unsigned char)*p))
			p++;
	if (p < end && *p == '.') {
		*integer = false;
		if (++p == end || !isdigit((unsigned char)*p))
			return 0;
		while (p < end && isdigit((unsigned char)*p))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		*integer = false;
		p++;
		p += p < end && (*p == '+' || *p == '-');
		if (p == end || !isdigit((unsigned char)*p))
			return 0;
		while (p < end && isdigit((unsigned char)*p))
			p++;
	}
	return (size_t)(p - start);
}

/* Copies the number ahead, with the locale's decimal point, and passes it. */
static bool take_number(json_reader *r, char text[NUMBER_MAX + 8], bool *integer)
{
	const char *point = localeconv()->decimal_point;
	size_t length, i, n = 0;

	if (json_peek(r) == JSON_NUMBER && not_finite_length(r))
		return wrong_type(r, "a finite number expected");
	if (json_peek(r) != JSON_NUMBER || (length = number_length(r, integer)) == 0)
		return wrong_type(r, "a number expected");
	if (length > NUMBER_MAX || strlen(point) > 4)
		return wrong(r, "a number of too many digits");
	for (i = 0; i < length; i++) {
		char c = r->text[r->at + i];

		if (c == '.') {
			memcpy(text + n, point, strlen(point));
			n += strlen(point);
		} else {
			text[n++] = c;
		}
	}
	text[n] = 0;
	r->at += length;
	return true;
}

bool json_read_integer(json_reader *r, int64_t *value)
{
	char text[NUMBER_MAX + 8];
	uint64_t magnitude = 0, limit;
	const char *p = text;
	bool integer;

	if (!take_number(r, text, &integer))
		return false;
	p += *p == '-';
	limit = p == text ? (uint64_t)INT64_MAX : (uint64_t)INT64_MAX + 1;
	for (; integer && *p; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (magnitude > (limit - digit) / 10)
			integer = false;
		else
			magnitude = magnitude * 10 + digit;
	}
	if (!integer)
		return wrong_type(r, "an integer expected");
	*value = text[0] == '-' ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

bool json_read_double(json_reader *r, double *value)
{
	char text[NUMBER_MAX + 8];
	bool integer;

	if (!take_number(r, text, &integer))
		return false;
	*value = strtod(text, NULL);
	return isfinite(*value) ? true : wrong(r, "a number too large");
}

static bool read_word(json_reader *r, const char *word)
{
	size_t n = strlen(word);

	(void)ahead(r);
	if (r->status != BRISE_OK || r->size - r->at < n || memcmp(r->text + r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

bool json_read_bool(json_reader *r, bool *value)
{
	*value = read_word(r, "true");
	return *value || read_word(r, "false") ? true : wrong_type(r, "true or false expected");
}

bool json_read_null(json_reader *r)
{
	return read_word(r, "null") ? true : wrong_type(r, "null expected");
}

/* Scalars here; containers are walked by json_skip without recursion. */
static bool skip_scalar(json_reader *r)
{
	size_t length;
	bool value;
	bool integer;

	switch (json_peek(r)) {
	case JSON_STRING:
		return read_string(r, NULL, 0, &length);
	case JSON_NUMBER:
		if ((length = not_finite_length(r)) == 0)
			length = number_length(r, &integer);
		r->at += length;
		return length ? true : wrong_type(r, "a number expected");
	case JSON_BOOL:
		return json_read_bool(r, &value);
	case JSON_NULL:
		return json_read_null(r);
	default:
		return wrong(r, "a value expected");
	}
}

bool json_skip(json_reader *r)
{
	bool object[JSON_DEPTH];
	unsigned base = r->depth;
	char key[2];

	for (;;) {
		json_type type = json_peek(r);

		if (type == JSON_OBJECT || type == JSON_ARRAY) {
			if (!(type == JSON_OBJECT ? json_enter_object(r) : json_enter_array(r)))
				return false;
			object[r->depth - 1] = type == JSON_OBJECT;
		} else if (!skip_scalar(r)) {
			return false;
		}
		/* Leaves finished containers, then moves to the next value. */
		while (r->depth > base && !(object[r->depth - 1] ? json_next_key(r, key, sizeof key)
		                                                 : json_next_element(r)))
			if (r->status != BRISE_OK)
				return false;
		if (r->depth == base)
			return r->status == BRISE_OK;
	}
}
