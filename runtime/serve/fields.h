/* fields.h - reads a request's JSON field by field, and refuses wrong types by the field's path
 *
 *     fields_begin(&f, body, bytes, &pool, why);
 *     for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);)
 *             if (!strcmp(key, "top_p"))
 *                     fields_read_number(&f, 0, 1, &top_p);
 *             else
 *                     fields_skip(&f);
 *     if (!fields_end(&f)) ... *why says it
 *
 * The first error fills *why and ends the walk: every later call returns false. A field that is
 * null is as one that is not there: fields_next_key passes over it. Of fields given twice the last
 * counts, if the caller reads it as usual.
 */
#ifndef SERVE_FIELDS_H
#define SERVE_FIELDS_H

#include "runtime/serve/pool.h"
#include "runtime/serve/refusal.h"
#include "runtime/text/json.h"

typedef struct fields {
	json_reader json;
	brise_error err;
	pool *pool;
	refusal *why;
	char path[REFUSAL_PARAM]; /* of the value ahead; cut where it is too long */
	size_t outer[JSON_DEPTH]; /* length of the path of each container that was entered */
	size_t count[JSON_DEPTH]; /* elements of it that were begun */
} fields;

/* Strings that are read are memory of p. text [bytes] must live as long as the walk. */
void fields_begin(fields *f, const char *text, size_t bytes, pool *p, refusal *why);

/* The same of a value within another text, whose path is `path`. */
void fields_begin_at(fields *f, const char *text, size_t bytes, const char *path, pool *p,
                     refusal *why);

/* True if everything was read, and nothing follows. */
bool fields_end(fields *f);

json_type fields_peek(fields *f);
bool fields_enter_object(fields *f);
bool fields_next_key(fields *f, char *key, size_t bytes);
bool fields_enter_array(fields *f);
bool fields_next_element(fields *f);

/* *text: [*bytes] and a NUL; NULs within are allowed. */
bool fields_read_string(fields *f, const char **text, size_t *bytes);

/* A string without NULs. */
bool fields_read_name(fields *f, const char **text);
bool fields_read_bool(fields *f, bool *value);
bool fields_read_integer(fields *f, int64_t least, int64_t most, int64_t *value);
bool fields_read_number(fields *f, double least, double most, double *value);

/* The place in the text of any value, checked as JSON. */
bool fields_read_raw(fields *f, const char **text, size_t *bytes);
bool fields_skip(fields *f);

/* Refuses the type of the value ahead: "Invalid type for 'PATH': expected EXPECTED, but got a
 * string instead." */
bool fields_refuse_type(fields *f, const char *expected);

/* Refuses its value: status 400, param the path. */
bool fields_refuse(fields *f, const char *code, const char *format, ...) PORTABLE_PRINTF(3, 4);

/* Refuses that a field of the object that was left or is being read is missing; path: as a client
 * would write it. */
bool fields_refuse_missing(fields *f, const char *path);
/* The same of `field`, ".name", of an object whose path was `item`. */
bool fields_refuse_missing_in(fields *f, const char *item, const char *field);

#endif
