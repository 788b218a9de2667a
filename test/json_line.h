/* json_line.h - a reader for the JSON of reference vectors: one object a line, with strings and
 * lists of integers
 *
 * For trusted files; anything it cannot parse ends the test with a failed statement.
 */
#ifndef TEST_JSON_LINE_H
#define TEST_JSON_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value after "key": in the line, or NULL. Keys of the vectors never occur inside their strings
 * with quotes and colon unescaped. */
static inline const char *json_line_find(const char *line, const char *key)
{
	char quoted[64];
	const char *at;

	(void)snprintf(quoted, sizeof quoted, "\"%s\":", key);
	at = strstr(line, quoted);
	if (!at)
		return NULL;
	at += strlen(quoted);
	return at + strspn(at, " ");
}

static inline unsigned json_line_hex4(const char *digits)
{
	unsigned value = 0;

	(void)sscanf(digits, "%4x", &value);
	return value;
}

static inline size_t json_line_put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Decodes the string that begins at `value` into malloc'ed [*bytes] (NUL bytes allowed); NULL: not
 * a string. */
static inline char *json_line_string(const char *value, size_t *bytes)
{
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	char *out;
	const char *escape;
	size_t n = 0;

	if (!value || *value != '"')
		return NULL;
	out = malloc(strlen(value) + 4);
	for (value++; out && *value && *value != '"'; value++) {
		if (*value != '\\') {
			out[n++] = *value;
		} else if (*++value == 'u') {
			uint32_t c = json_line_hex4(value + 1);

			value += 4;
			if (c >= 0xd800 && c < 0xdc00 && value[1] == '\\' && value[2] == 'u') {
				c = 0x10000 + ((c - 0xd800) << 10) +
				    (json_line_hex4(value + 3) - 0xdc00);
				value += 6;
			}
			n += json_line_put_utf8(out + n, c);
		} else {
			escape = *value ? strchr(escapes, *value) : NULL;
			if (!escape)
				break;
			out[n++] = meanings[escape - escapes];
		}
	}
	if (out && *value != '"') {
		free(out);
		return NULL;
	}
	*bytes = n;
	return out;
}

/* Decodes the list of integers that begins at `value` into malloc'ed [*n]; NULL: not one. */
static inline int32_t *json_line_ids(const char *value, size_t *n)
{
	int32_t *ids;
	char *end;

	if (!value || *value != '[')
		return NULL;
	ids = malloc((strlen(value) + 1) * sizeof *ids);
	*n = 0;
	for (value++; ids && *value && *value != ']'; value = end + strspn(end, ", ")) {
		ids[*n] = (int32_t)strtol(value, &end, 10);
		if (end == value) {
			free(ids);
			return NULL;
		}
		(*n)++;
	}
	return ids;
}

/* Decodes a string of hexadecimal digits in place of the text it names. */
static inline char *json_line_hex(const char *value, size_t *bytes)
{
	char *text = json_line_string(value, bytes);
	size_t i;

	for (i = 0; text && i < *bytes / 2; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], 0 };

		text[i] = (char)strtol(pair, NULL, 16);
	}
	if (text)
		*bytes /= 2;
	return text;
}

/* Reads one line of any length into *line (grown with realloc); false at the end. */
static inline bool json_line_read(FILE *file, char **line, size_t *room)
{
	size_t n = 0;
	int c;

	while ((c = getc(file)) != EOF && c != '\n') {
		if (n + 1 >= *room) {
			size_t larger = *room * 2 + 4096;
			char *grown = realloc(*line, larger);

			if (!grown)
				return false;
			*line = grown;
			*room = larger;
		}
		(*line)[n++] = (char)c;
	}
	if (*line)
		(*line)[n] = 0;
	return n > 0;
}

#endif
