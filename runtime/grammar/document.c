/* document.c - see document.h */
#include "runtime/grammar/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/grammar/decimal.h"
#include "runtime/os/memory.h"

#define NUMBER_STEPS 16u /* that comparing two numbers takes */

static uint32_t add_value(document *d, json_reader *r)
{
	document_value *moved;

	if (d->n == d->most) {
		moved = memory_resize(d->values, d->most * 2 + 64, sizeof *moved);
		if (!moved) {
			(void)json_refuse(r, BRISE_ENOMEM, "no memory");
			return 0;
		}
		d->values = moved;
		d->most = d->most * 2 + 64;
	}
	memset(&d->values[d->n], 0, sizeof *d->values);
	return (uint32_t)d->n++;
}

static bool read_number(json_reader *r)
{
	size_t start = r->at;

	if (!json_skip(r))
		return false;
	if (r->text[r->at - 1] < '0' || r->text[r->at - 1] > '9') {
		r->at = start;
		return json_refuse(r, BRISE_EFORMAT, "a finite number expected");
	}
	return true;
}

static bool read_scalar(document *d, json_reader *r, uint32_t value)
{
	size_t bytes = 0;
	bool flag = false;

	switch (d->values[value].type) {
	case JSON_STRING:
		(void)json_read_string(r, &d->values[value].string, &bytes);
		d->values[value].string_bytes = (uint32_t)bytes;
		break;
	case JSON_NUMBER:
		(void)read_number(r);
		break;
	case JSON_BOOL:
		(void)json_read_bool(r, &flag);
		d->values[value].flag = flag;
		break;
	default:
		(void)json_skip(r);
	}
	d->values[value].bytes = (uint32_t)(r->at - d->values[value].at);
	return r->status == BRISE_OK;
}

/* A value that begins ahead, as the last child of parent; last: its sibling before it. */
static uint32_t begin_value(document *d, json_reader *r, uint32_t parent, uint32_t last)
{
	json_type type = json_peek(r);
	uint32_t value = add_value(d, r);

	if (!value)
		return 0;
	d->values[value].type = type;
	d->values[value].at = (uint32_t)r->at;
	for (; d->lines_at < r->at; d->lines_at++)
		d->line += d->text[d->lines_at] == '\n';
	d->values[value].line = d->line;
	d->values[value].parent = parent;
	if (last)
		d->values[last].next = value;
	else if (parent)
		d->values[parent].child = value;
	if (parent)
		d->values[value].index = d->values[parent].n++;
	return value;
}

/* Whether another child comes, whose key then is *key. */
static bool next_child(json_reader *r, bool is_object, char **key, size_t *bytes)
{
	*key = NULL;
	*bytes = 0;
	return is_object ? json_next_whole_key(r, key, bytes) : json_next_element(r);
}

static void read_all(document *d, json_reader *r)
{
	uint32_t open[JSON_DEPTH + 1], last[JSON_DEPTH + 1] = { 0 }, value;
	unsigned depth = 0;
	size_t bytes;
	char *key;

	value = begin_value(d, r, 0, 0);
	while (r->status == BRISE_OK) {
		json_type type = d->values[value].type;

		if (type == JSON_OBJECT || type == JSON_ARRAY) {
			if (!(type == JSON_OBJECT ? json_enter_object(r) : json_enter_array(r)))
				return;
			open[depth] = value;
			last[depth++] = 0;
		} else if (!read_scalar(d, r, value)) {
			return;
		}
		while (depth > 0 && !next_child(r, d->values[open[depth - 1]].type == JSON_OBJECT,
		                                &key, &bytes)) {
			if (r->status != BRISE_OK)
				return;
			depth--;
			d->values[open[depth]].bytes =
			        (uint32_t)(r->at - d->values[open[depth]].at);
		}
		if (depth == 0)
			return;
		value = begin_value(d, r, open[depth - 1], last[depth - 1]);
		if (!value) {
			memory_free(key);
			return;
		}
		last[depth - 1] = value;
		d->values[value].key = key;
		d->values[value].key_bytes = (uint32_t)bytes;
	}
}

brise_status document_read(document *d, const char *text, size_t bytes, const char *name,
                           brise_error *err)
{
	json_reader r;

	memset(d, 0, sizeof *d);
	d->text = text;
	d->name = name;
	d->line = 1;
	if (bytes > DOCUMENT_BYTES_MAX)
		return error_set(err, BRISE_EUNSUPPORTED, "%s: %zu bytes, expected at most %zu",
		                 name, bytes, DOCUMENT_BYTES_MAX);
	json_begin(&r, text, bytes, name, err);
	(void)add_value(d, &r);
	if (r.status == BRISE_OK)
		read_all(d, &r);
	if (r.status == BRISE_OK)
		d->values[1].is_root = true;
	return json_end(&r);
}

void document_free(document *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		memory_free(d->values[i].key);
		memory_free(d->values[i].string);
	}
	memory_free(d->values);
	memset(d, 0, sizeof *d);
}

bool document_spend(const document *d, size_t n)
{
	if (!d->work)
		return true;
	*d->work -= n < INT32_MAX ? (int64_t)n : INT32_MAX;
	return *d->work >= 0;
}

uint32_t document_find_key(const document *d, uint32_t object, const char *key, size_t bytes)
{
	uint32_t child, found = 0;

	if (d->values[object].type != JSON_OBJECT || !document_spend(d, d->values[object].n))
		return 0;
	for (child = d->values[object].child; child; child = d->values[child].next)
		if (d->values[child].key_bytes == bytes &&
		    !memcmp(d->values[child].key, key, bytes))
			found = child;
	return found;
}

uint32_t document_find(const document *d, uint32_t object, const char *key)
{
	return document_find_key(d, object, key, strlen(key));
}

bool document_is_string(const document *d, uint32_t value, const char *text)
{
	const document_value *v = &d->values[value];

	return v->type == JSON_STRING && v->string_bytes == strlen(text) &&
	       !memcmp(v->string, text, v->string_bytes);
}

static bool equal_numbers(const document *d, const document_value *a, const document_value *b)
{
	decimal x, y;

	if (decimal_read(&x, d->text + a->at, a->bytes) &&
	    decimal_read(&y, d->text + b->at, b->bytes))
		return decimal_compare(&x, &y) == 0;
	return a->bytes == b->bytes && !memcmp(d->text + a->at, d->text + b->at, a->bytes);
}

/* Recursion is bounded by JSON_DEPTH. */
bool document_equal(const document *d, uint32_t a, uint32_t b)
{
	const document_value *x = &d->values[a], *y = &d->values[b];
	uint32_t i, k;

	if (!document_spend(d, 1 + x->bytes / 64) || x->type != y->type || x->n != y->n)
		return false;
	switch (x->type) {
	case JSON_BOOL:
		return x->flag == y->flag;
	case JSON_NUMBER:
		return document_spend(d, NUMBER_STEPS) && equal_numbers(d, x, y);
	case JSON_STRING:
		return x->string_bytes == y->string_bytes &&
		       !memcmp(x->string, y->string, x->string_bytes);
	case JSON_ARRAY:
		for (i = x->child, k = y->child; i && k;
		     i = d->values[i].next, k = d->values[k].next)
			if (!document_equal(d, i, k))
				return false;
		return true;
	case JSON_OBJECT:
		for (i = x->child; i; i = d->values[i].next) {
			k = document_find_key(d, b, d->values[i].key, d->values[i].key_bytes);
			if (!k || !document_equal(d, i, k))
				return false;
		}
		return true;
	default:
		return true;
	}
}

/* ---- references ----------------------------------------------------------------------------- */

static uint32_t find_root(const document *d, uint32_t value)
{
	while (!d->values[value].is_root && d->values[value].parent) {
		uint32_t id = document_find(d, value, "$id");

		if (id && d->values[id].type == JSON_STRING && d->values[id].string_bytes > 0 &&
		    d->values[id].string[0] != '#')
			break;
		value = d->values[value].parent;
	}
	return value;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* Decodes one part of a JSON pointer into key [bytes], "~1" and "%25" among it; returns how many
 * bytes of key there are. */
static size_t decode_part(const char *text, size_t bytes, char *key)
{
	size_t i, n = 0;

	for (i = 0; i < bytes; i++)
		if (text[i] == '%' && i + 2 < bytes && hex_digit(text[i + 1]) >= 0 &&
		    hex_digit(text[i + 2]) >= 0) {
			key[n++] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		} else {
			key[n++] = text[i];
		}
	bytes = n;
	for (i = n = 0; i < bytes; i++)
		if (key[i] == '~' && i + 1 < bytes && (key[i + 1] == '0' || key[i + 1] == '1'))
			key[n++] = key[++i] == '0' ? '~' : '/';
		else
			key[n++] = key[i];
	return n;
}

static uint32_t find_part(const document *d, uint32_t value, const char *key, size_t bytes)
{
	uint32_t child = d->values[value].child;
	unsigned long index;
	char *end;
	char digits[16];

	if (d->values[value].type == JSON_OBJECT)
		return document_find_key(d, value, key, bytes);
	if (d->values[value].type != JSON_ARRAY || bytes == 0 || bytes >= sizeof digits)
		return 0;
	memcpy(digits, key, bytes);
	digits[bytes] = 0;
	index = strtoul(digits, &end, 10);
	if (*end || digits[0] < '0' || digits[0] > '9' || !document_spend(d, d->values[value].n))
		return 0;
	while (child && index-- > 0)
		child = d->values[child].next;
	return child;
}

/* A value somewhere that has `key`: text. */
static uint32_t find_named(const document *d, const char *key, const char *text, size_t bytes)
{
	uint32_t i, found = 0;

	if (!document_spend(d, d->n))
		return 0;
	for (i = 1; i < d->n; i++) {
		const document_value *v = &d->values[i];

		if (v->type != JSON_STRING || !v->key || strcmp(v->key, key) != 0 ||
		    v->string_bytes != bytes || memcmp(v->string, text, bytes) != 0)
			continue;
		if (found)
			return 0;
		found = v->parent;
	}
	return found;
}

uint32_t document_resolve(const document *d, uint32_t from, const char *reference, size_t bytes)
{
	uint32_t value = find_root(d, from);
	size_t at = 1, end;
	char *key;

	if (bytes == 0 || reference[0] != '#')
		return bytes > 0 ? find_named(d, "$id", reference, bytes) : 0;
	if (bytes > 1 && reference[1] != '/')
		return find_named(d, "$anchor", reference + 1, bytes - 1);
	key = memory_new(bytes, 1);
	if (!key)
		return 0;
	while (at < bytes && value) {
		end = ++at;
		while (end < bytes && reference[end] != '/')
			end++;
		value = find_part(d, value, key, decode_part(reference + at, end - at, key));
		at = end;
	}
	memory_free(key);
	return value;
}

/* ---- places --------------------------------------------------------------------------------- */

/* The JSON pointer of a value below root at the end of text [size]; returns where it begins. */
static const char *write_place(const document *d, uint32_t root, uint32_t value, char *text,
                               size_t size)
{
	size_t at = size - 1, bytes;
	char number[16];

	text[at] = 0;
	while (value != root) {
		const document_value *v = &d->values[value];
		const char *part = v->key;

		bytes = v->key_bytes;
		if (!part) {
			bytes = (size_t)snprintf(number, sizeof number, "%u", (unsigned)v->index);
			part = number;
		}
		if (bytes + 1 > at)
			break;
		at -= bytes;
		memcpy(text + at, part, bytes);
		text[--at] = '/';
		value = v->parent;
	}
	return text + at;
}

brise_status document_refuse(const document *d, uint32_t value, brise_status status,
                             const char *what, brise_error *err)
{
	uint32_t root = value, name;
	char text[200];

	while (!d->values[root].is_root && d->values[root].parent)
		root = d->values[root].parent;
	name = d->values[root].parent ? document_find(d, d->values[root].parent, "name") : 0;
	if (name && d->values[name].type == JSON_STRING)
		return error_set(err, status, "%s: %.64s: %s: #%s: %s", d->name,
		                 d->values[name].string, d->values[root].key,
		                 write_place(d, root, value, text, sizeof text), what);
	return error_set(err, status, "%s: line %u: #%s: %s", d->name,
	                 (unsigned)d->values[value].line,
	                 write_place(d, 1, value, text, sizeof text), what);
}
