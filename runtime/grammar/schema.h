/* schema.h - what the files that compile JSON schemas share
 *
 * What a value must satisfy is a set of parts of schemas: the plain keywords of schema objects,
 * and their anyOf and oneOf. Each set that is met becomes one rule; so recursive references end,
 * and keywords beside `$ref`, `allOf` and `anyOf` hold together with what stands in there.
 *
 *     schema.c         keywords, and schemas to sets
 *     schema_sets.c    sets to rules
 *     schema_object.c  objects and arrays
 *     schema_text.c    strings
 *     schema_number.c  numbers
 *     schema_value.c   enum and const
 *     schema_apart.c   whether the branches of oneOf exclude each other
 */
#ifndef GRAMMAR_SCHEMA_H
#define GRAMMAR_SCHEMA_H

#include "runtime/grammar/decimal.h"
#include "runtime/grammar/document.h"
#include "runtime/grammar/json_rules.h"
#include "runtime/grammar/regex.h"

enum {
	SCHEMA_NULL = 1,
	SCHEMA_BOOL = 2,
	SCHEMA_INTEGER = 4,
	SCHEMA_FRACTION = 8, /* numbers that are no integers */
	SCHEMA_STRING = 16,
	SCHEMA_ARRAY = 32,
	SCHEMA_OBJECT = 64,
	SCHEMA_ALL = 127
};

#define SCHEMA_NUMBER (SCHEMA_INTEGER | SCHEMA_FRACTION)

#define SCHEMA_PROPERTIES_MAX 2000u /* of an object, all that hold together counted */
#define SCHEMA_NO_LIMIT       UINT32_MAX

/* Keywords of a schema object: values of the document, 0 where there is none. */
typedef struct schema_facts {
	uint32_t value;
	unsigned types;
	bool is_plain; /* something but anyOf, oneOf, allOf and $ref restricts */
	uint32_t properties, required, additional;
	uint32_t items, prefix; /* the rest, and the first ones */
	uint32_t enumeration, constant;
	uint32_t any_of, one_of, all_of, reference;
	uint32_t least_length, most_length, least_items, most_items, least_properties,
	        most_properties;
	uint32_t minimum, maximum, above, below, multiple; /* above, below: exclusive */
	uint32_t pattern;
	const char *format; /* a regular expression */
	uint32_t format_value;
} schema_facts;

/* Parts: a schema object's number times 4, and which part of it. */
enum { SCHEMA_PLAIN, SCHEMA_ANY_OF, SCHEMA_ONE_OF };

#define SCHEMA_NOTHING     3u /* a part that no value satisfies */
#define SCHEMA_ONLY_OBJECT 2u /* a part that all objects satisfy */

typedef struct schema_set {
	uint32_t first, n;    /* parts, ascending */
	uint32_t rule, value; /* value: a schema, for messages */
} schema_set;

typedef struct schema_builder {
	const document *d;
	network *n;
	json_rules rules;
	schema_facts *facts; /* 0 is none */
	uint32_t *facts_of;  /* [values] */
	size_t n_facts, most_facts;
	schema_set *sets;
	uint32_t *parts, *slots;
	size_t n_sets, most_sets, n_parts, most_parts, n_slots;
	size_t work; /* of telling schemas apart */
	bool has_free_keys;
	brise_status status;
	brise_error *err;
} schema_builder;

/* Parts that are collected for a set. */
typedef struct schema_parts {
	uint32_t *parts, *seen;
	size_t n, most, n_seen, most_seen;
	bool is_nothing;
} schema_parts;

/* Records an error at a value of the document; returns false. */
bool schema_refuse(schema_builder *b, uint32_t value, brise_status status, const char *what);
bool schema_no_memory(schema_builder *b);

/* The facts of a schema object; number 0 after an error. */
uint32_t schema_find_facts(schema_builder *b, uint32_t value);
const schema_facts *schema_get(const schema_builder *b, uint32_t part);

/* Adds what a schema asks for, with all it refers to. */
void schema_collect(schema_builder *b, schema_parts *p, uint32_t value);
bool schema_add_part(schema_builder *b, schema_parts *p, uint32_t part);
void schema_free_parts(schema_parts *p);

/* The number of the set of parts collected, which are freed; a rule of it is made, and filled
 * later. */
uint32_t schema_take_set(schema_builder *b, schema_parts *p, uint32_t value);

/* The rule of a set. */
static inline uint32_t schema_rule(const schema_builder *b, uint32_t set)
{
	return set < b->n_sets ? b->sets[set].rule : 0;
}

/* Fills the rules of all sets. */
void schema_fill_sets(schema_builder *b);

/* The plain parts of a set, put together. */
typedef struct schema_merged {
	const schema_builder *b;
	const uint32_t *parts; /* [n] */
	size_t n;
	uint32_t value; /* a schema, for messages */
	unsigned types;
	uint32_t least_length, most_length, least_items, most_items, least_properties,
	        most_properties;
} schema_merged;

void schema_merge(const schema_builder *b, uint32_t set, schema_merged *m);

void schema_put_object(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);
void schema_put_array(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);
void schema_put_string(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);
void schema_put_number(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);

/* A value of the document, as a text. */
void schema_put_value(schema_builder *b, uint32_t value, uint32_t from, uint32_t to);

/* The part that lists values; SCHEMA_NOTHING: none does. */
uint32_t schema_find_list(const schema_merged *m);

/* The next listed value behind `last` (0: the first) that satisfies all parts; 0: none. */
uint32_t schema_next_value(schema_builder *b, const schema_merged *m, uint32_t last);

/* Whether a value that is no array and no object satisfies the parts. */
bool schema_fits(schema_builder *b, const schema_merged *m, uint32_t value);

/* Whether text satisfies patterns and formats. */
bool schema_text_fits(schema_builder *b, const schema_merged *m, const char *text, size_t bytes);

/* The bounds of numbers; false: there is none on that side. */
bool schema_find_bound(const schema_merged *m, bool is_upper, decimal *bound, bool *is_open);
bool schema_is_multiple(const decimal *number, const decimal *of);

/* The parts for the value of a property, and for the element at a place of an array. */
void schema_collect_property(schema_builder *b, const schema_merged *m, const char *key,
                             size_t bytes, schema_parts *p);
void schema_collect_element(schema_builder *b, const schema_merged *m, uint32_t place,
                            schema_parts *p);
bool schema_is_required(const schema_merged *m, const char *key, size_t bytes);

/* Whether no value satisfies two sets; false where it cannot be told. */
bool schema_apart(schema_builder *b, uint32_t first, uint32_t second, unsigned depth);

/* The expression of a format; NULL: it is not known. */
const char *schema_find_format(const char *name);

/* Begins and ends a builder. */
bool schema_begin(schema_builder *b, const document *d, network *n, brise_error *err);
void schema_end(schema_builder *b);

#endif
