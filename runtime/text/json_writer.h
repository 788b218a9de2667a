/* json_writer.h - writes JSON (RFC 8259) through a callback, with its commas, quotes and escapes
 *
 * For all values the output is valid JSON: numbers that are not finite become null, bytes that are
 * not UTF-8 become U+FFFD each.
 *
 *     json_writer w = { .sink = report_json, .user = stdout };
 *     json_open(&w, NULL, '{');
 *     json_put_unsigned(&w, "n_layers", 32);
 *     json_open(&w, "ends", '[');
 *     json_put_integer(&w, NULL, 2);
 *     json_close(&w);
 *     json_close(&w);
 */
#ifndef RUNTIME_JSON_WRITER_H
#define RUNTIME_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_WRITER_DEPTH 16u

typedef void json_sink_fn(void *user, const char *bytes, size_t n);

/* Begins with the sink and its argument, the rest zeros. */
typedef struct json_writer {
	json_sink_fn *sink;
	void *user;
	unsigned indent; /* spaces per level and a line per value, as Python's json.dumps(indent=2)
	                    writes; 0: neither spaces nor lines */
	unsigned depth;
	char closing[JSON_WRITER_DEPTH];
	bool more[JSON_WRITER_DEPTH]; /* an element was written at this depth */
} json_writer;

/* Every function: key NULL in an array and for the outermost value. Keys are plain ASCII. */

/* kind: '{' or '['. At most JSON_WRITER_DEPTH deep. */
void json_open(json_writer *w, const char *key, char kind);
void json_close(json_writer *w);

/* text [n], with its escapes; json_put_string: a C string, NULL: null. */
void json_put_text(json_writer *w, const char *key, const char *text, size_t n);
void json_put_string(json_writer *w, const char *key, const char *text);
void json_put_integer(json_writer *w, const char *key, int64_t value);
void json_put_unsigned(json_writer *w, const char *key, uint64_t value);

/* With that many significant digits, 1 to 17: 9 keep a float, 17 a double. */
void json_put_number(json_writer *w, const char *key, double value, int digits);

/* With that many digits behind the point, 0 to 17. */
void json_put_fixed(json_writer *w, const char *key, double value, int decimals);

/* The shortest decimal that reads back as exactly this value, as a float if `single`; whole numbers
 * below 1e15 with a zero behind the point, as Python writes floats. */
void json_put_exactly(json_writer *w, const char *key, double value, bool single);
void json_put_bool(json_writer *w, const char *key, bool value);
void json_put_null(json_writer *w, const char *key);

/* A value that is valid JSON [n] already, without the white space between its parts. */
void json_put_json(json_writer *w, const char *key, const char *json, size_t n);

#endif
