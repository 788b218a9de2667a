/* json_rules.h - rules of JSON that all schemas share
 *
 * White space is bounded, so that a text cannot consist of blanks: nothing, one space, or a line
 * feed and an indentation behind `{`, `[` and `,` and before `}` and `]`; at most one space behind
 * `:`. So are digits of a number that nothing else bounds.
 */
#ifndef GRAMMAR_JSON_RULES_H
#define GRAMMAR_JSON_RULES_H

#include "runtime/grammar/charset.h"

#define JSON_INDENT_SPACES 40u
#define JSON_INDENT_TABS   20u
#define JSON_DIGITS_MAX    20u /* before the point, and behind it */

typedef struct json_rules {
	network *n;
	uint32_t blank;     /* between the parts of objects and arrays */
	uint32_t character; /* one of a string, escaped in any way */
	uint32_t special;   /* one beyond ASCII or escaped where it must be, in one way */
	uint32_t string, number, integer;
	uint32_t array, object, any; /* of anything */
} json_rules;

void json_rules_make(json_rules *r, network *n);

/* Behind a colon. */
void json_rules_put_space(network *n, uint32_t from, uint32_t to);

/* "key": - with the space that may follow. */
void json_rules_put_key(network *n, uint32_t from, const char *key, size_t bytes, uint32_t to);

/* A rule for one member whose key is none of keys [n_keys]; each key can be written in one way.
 * value: rule. */
typedef struct json_key {
	const char *text;
	size_t bytes;
} json_key;

uint32_t json_rules_add_free_member(const json_rules *r, const json_key *keys, size_t n_keys,
                                    uint32_t value);

#endif
