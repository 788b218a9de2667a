/* schema.h - what the files that compile JSON schemas share
 *
 * What a value must satisfy is a set of parts of schemas: the plain keywords of schema objects,
 * their anyOf, oneOf, not, if and dependents, and what these come to, such as an object that lacks
 * a property. Each set that is met becomes one rule; so recursive references end, and keywords
 * beside `$ref`, `allOf` and `anyOf` hold together with what stands in there. A part that can be
 * satisfied in several ways has branches; a set with one is the union of the sets that have one of
 * its branches instead. Sets without are objects, arrays, strings and numbers.
 *
 *     schema_keyword.c keywords
 *     schema.c         schemas to sets
 *     schema_branch.c  the branches of parts, negation among them
 *     schema_sets.c    sets to rules
 *     schema_object.c  objects; schema_key.c: their keys, where patterns select them
 *     schema_array.c   arrays; schema_items.c: where elements are counted or told apart
 *     schema_text.c    strings; schema_pattern.h, schema_product.h: their automata
 *     schema_format.c  formats
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
	bool is_nullable;
	bool is_plain; /* something but anyOf, oneOf, allOf and $ref restricts */
	uint32_t properties, required, additional;
	uint32_t patterns, names; /* patternProperties, propertyNames */
	uint32_t items, prefix;   /* the rest, and the first ones */
	uint32_t contains, least_contains, most_contains, unique;
	uint32_t enumeration, constant;
	uint32_t any_of, one_of, all_of, reference;
	uint32_t negated, condition, then, otherwise;
	uint32_t dependent[3]; /* dependentRequired, dependentSchemas, dependencies */
	uint32_t least_length, most_length, least_items, most_items, least_properties,
	        most_properties;
	uint32_t minimum, maximum, above, below, multiple; /* above, below: exclusive */
	uint32_t pattern;
	const char *format; /* a regular expression */
	uint32_t format_value;
} schema_facts;

/* A part is a value of the document and what it says, or, below SCHEMA_KINDS, types alone. Keys of
 * objects come in the order of the parts that name them. */
typedef enum schema_kind {
	SCHEMA_TYPES,
	/* of a name, or a member whose key it is: an object, if it is one, without it or with it */
	SCHEMA_LACKS,
	SCHEMA_HAS,
	SCHEMA_HAS_ALL,   /* of a list of names */
	SCHEMA_HAS_OTHER, /* of a schema in properties: an object with a value not by it */
	/* of a schema object */
	SCHEMA_PLAIN,
	SCHEMA_ANY_OF,
	SCHEMA_ONE_OF,
	SCHEMA_NOT, /* the schema does not hold */
	SCHEMA_IF,
	SCHEMA_NOT_TYPE,
	SCHEMA_SHORTER, /* a string, shorter than minLength says */
	SCHEMA_LONGER,
	SCHEMA_FEWER_ITEMS,
	SCHEMA_MORE_ITEMS,
	SCHEMA_FEWER_PROPERTIES,
	SCHEMA_MORE_PROPERTIES,
	SCHEMA_NOT_PATTERN, /* a string that its pattern does not fit */
	SCHEMA_NOT_FORMAT,
	/* of a member of dependentRequired and the like */
	SCHEMA_DEPENDS,
	/* of a number: one in comparison with it */
	SCHEMA_BELOW,
	SCHEMA_ABOVE,
	SCHEMA_AT_MOST,
	SCHEMA_AT_LEAST,
	SCHEMA_NOT_VALUE /* of any value: another one */
} schema_kind;

#define SCHEMA_KINDS   128u /* above all kinds and types */
#define SCHEMA_NOTHING 0u   /* the part of no types, which no value satisfies */

static inline uint32_t schema_part(uint32_t value, schema_kind kind)
{
	return value * SCHEMA_KINDS + kind;
}

static inline schema_kind schema_kind_of(uint32_t part)
{
	return part < SCHEMA_KINDS ? SCHEMA_TYPES : (schema_kind)(part % SCHEMA_KINDS);
}

static inline uint32_t schema_value_of(uint32_t part)
{
	return part / SCHEMA_KINDS;
}

typedef struct schema_set {
	uint32_t first, n;    /* parts, ascending */
	uint32_t rule, value; /* value: a schema, for messages */
} schema_set;

typedef struct schema_pattern schema_pattern;

typedef struct schema_builder {
	const document *d;
	network *n;
	json_rules rules;
	schema_facts *facts; /* 0 is of a schema that restricts nothing */
	uint32_t *facts_of;  /* [values] */
	size_t n_facts, most_facts;
	schema_set *sets;
	uint32_t *parts, *slots;
	size_t n_sets, most_sets, n_parts, most_parts, n_slots;
	size_t apart; /* work of telling schemas apart */
	int64_t work; /* steps that are left, the document's too */
	schema_pattern *patterns;
	bool has_free_keys, has_selected_keys; /* by patterns */
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

/* Takes n steps of the work that compiling may take; false after an error. */
bool schema_spend(schema_builder *b, size_t n);

void schema_init_facts(schema_facts *f);

/* The facts of a schema object; number 0 after an error. */
uint32_t schema_find_facts(schema_builder *b, uint32_t value);

/* The keywords of a plain part; of another: none that restricts. */
const schema_facts *schema_get(const schema_builder *b, uint32_t part);

/* The key of a part that has one. */
const char *schema_get_key(const schema_builder *b, uint32_t part, size_t *bytes);

/* Keywords that restrict nothing. */
bool schema_is_annotation(const char *key);

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

/* Adds that a schema does not hold. */
void schema_negate(schema_builder *b, schema_parts *p, uint32_t value);

/* What a reference leads to; 0: an error. */
uint32_t schema_resolve(schema_builder *b, const schema_facts *f);

/* Goes through the branches of a part. */
typedef struct schema_branches {
	uint32_t part;
	uint32_t value; /* of the branch at hand, for messages */
	uint32_t outer, inner;
	unsigned step;
} schema_branches;

/* Adds what the next branch asks for; false: there are no more. */
bool schema_next_branch(schema_builder *b, schema_branches *it, schema_parts *p);

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

/* The parts are a copy, as new sets move those of all: freed with schema_free_parts. */
bool schema_copy_set(schema_builder *b, uint32_t set, schema_merged *m, schema_parts *parts);
void schema_merge_parts(const schema_builder *b, const uint32_t *parts, size_t n, uint32_t value,
                        schema_merged *m);
void schema_merge(const schema_builder *b, uint32_t set, schema_merged *m);

void schema_put_object(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);
/* Arrays whose elements are counted or told apart, from behind the bracket to before the other;
 * places: from here on elements are alike. False: the array needs no such thing. */
bool schema_put_items(schema_builder *b, const schema_merged *m, uint32_t places, uint32_t from,
                      uint32_t close);
void schema_put_array(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);
void schema_put_string(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);
void schema_put_number(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to);

/* A value of the document, as a text. */
void schema_put_value(schema_builder *b, uint32_t value, uint32_t from, uint32_t to);

/* The part that lists values; SCHEMA_NOTHING: none does. */
uint32_t schema_find_list(const schema_merged *m);

/* The next listed value behind `last` (0: the first) that satisfies all parts; 0: none. */
uint32_t schema_next_value(schema_builder *b, const schema_merged *m, uint32_t last);

/* Whether a part excludes a value, or true or false. */
bool schema_excludes_flag(const schema_merged *m, bool flag);
bool schema_is_excluded(const schema_builder *b, const schema_merged *m, uint32_t value);

/* The part of these that has branches and is to be replaced next; SCHEMA_NOTHING: none. */
uint32_t schema_find_branches(schema_builder *b, const schema_merged *m);

/* Whether a value that is no array and no object satisfies the parts. */
bool schema_fits(schema_builder *b, const schema_merged *m, uint32_t value);

/* Whether text has a length that is allowed, and satisfies patterns and formats. */
bool schema_text_has_length(const schema_merged *m, const char *text, size_t bytes);
bool schema_text_fits(schema_builder *b, const schema_merged *m, const char *text, size_t bytes);

/* What propertyNames ask for. */
typedef struct schema_names {
	schema_parts parts;
	schema_merged m; /* of these */
	bool has_any;
} schema_names;

/* Whether keys are selected by patternProperties or propertyNames; whether a key may be there; a
 * rule for a member whose key is none of these [n_keys], 0: there can be none; and the parts for
 * the value behind a key, of the patterns that fit it. False: none does. */
bool schema_has_selected_keys(const schema_builder *b, const schema_merged *m);
bool schema_name_fits(schema_builder *b, const schema_merged *m, const char *key, size_t bytes);
uint32_t schema_add_selected_member(schema_builder *b, const schema_merged *m, const json_key *keys,
                                    size_t n_keys);
bool schema_collect_matching(schema_builder *b, schema_parts *p, uint32_t patterns, const char *key,
                             size_t bytes);

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

/* The expression of a format; NULL: it has none, and restricts nothing. */
const char *schema_find_format(const char *name);

void schema_free_patterns(schema_builder *b);

/* Begins and ends a builder, which has the document count its steps. */
bool schema_begin(schema_builder *b, document *d, network *n, brise_error *err);
void schema_end(schema_builder *b);

#endif
