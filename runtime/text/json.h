/* json.h - a strict, bounded JSON reader (RFC 8259) that walks the text once
 *
 * Beyond the standard it skips a byte order mark at the beginning and, where a value is
 * skipped, over NaN, Infinity and -Infinity, which Python writes. Asked for a number, it refuses
 * them.
 *
 * The caller asks for what it expects; the first mismatch fills the error with the line and byte,
 * and every later call returns false. No tree is built and nothing is allocated but strings, so
 * memory is bounded by the input. Nesting is bounded by JSON_DEPTH.
 *
 *     json_begin(&r, text, size, "config.json", err);
 *     json_enter_object(&r);
 *     while (json_next_key(&r, key, sizeof key))
 *             if (!strcmp(key, "dim")) json_read_integer(&r, &dim); else json_skip(&r);
 *     status = json_end(&r);
 */
#ifndef CONVERT_FORMATS_JSON_H
#define CONVERT_FORMATS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

#define JSON_DEPTH 64u

typedef enum json_type {
	JSON_NOTHING,
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_BOOL,
	JSON_NULL
} json_type;

typedef struct json_reader {
	const char *text, *name;
	size_t size, at;
	unsigned depth;
	bool first[JSON_DEPTH]; /* no element has been read at this depth yet */
	size_t key_at;          /* where the last key is, behind its quote */
	unsigned key_depth;     /* and its depth; 0: none yet */
	brise_status status;
	brise_error *err;
} json_reader;

/* text [size], not NUL-terminated; name is what messages call the file. */
void json_begin(json_reader *r, const char *text, size_t size, const char *name, brise_error *err);

/* Checks that nothing but white space follows, and returns the first error of the whole walk. */
brise_status json_end(json_reader *r);

/* Type of the value ahead; JSON_NOTHING if there is none or it begins like no JSON value. */
json_type json_peek(json_reader *r);

bool json_enter_object(json_reader *r);

/* Reads the next key and its colon; false at the object's end, which it leaves, and after an error.
 * Keys longer than the buffer are cut, and zero characters become ones: such keys match nothing a
 * caller knows. */
bool json_next_key(json_reader *r, char *key, size_t bytes);

/* The same with the whole key as it is, malloc'ed as json_read_string does; *text is NULL where it
 * returns false. */
bool json_next_whole_key(json_reader *r, char **text, size_t *bytes);

bool json_enter_array(json_reader *r);

/* True if an element is ahead; false at the array's end, which it leaves, and after an error. */
bool json_next_element(json_reader *r);

/* *text: malloc'ed UTF-8 [*bytes] and a NUL; freed by the caller. */
bool json_read_string(json_reader *r, char **text, size_t *bytes);

/* A string into a buffer; an error if it does not fit with its NUL, or contains one. */
bool json_read_name(json_reader *r, char *text, size_t bytes);

/* A number without fraction or exponent, within int64. */
bool json_read_integer(json_reader *r, int64_t *value);

/* Any number, correctly rounded whatever the locale; an error if it overflows. */
bool json_read_double(json_reader *r, double *value);
bool json_read_bool(json_reader *r, bool *value);
bool json_read_null(json_reader *r);

/* Skips any value, checking its grammar. */
bool json_skip(json_reader *r);

/* Records an error of the caller's own at the present place; returns false. */
bool json_refuse(json_reader *r, brise_status status, const char *what);

#endif
