/* schema.c - keywords of JSON schemas (draft 2020-12, and what older drafts write otherwise)
 *
 * A keyword that restricts and is not known is an error: a text must not be said to follow a schema
 * of which a part was ignored. Keywords that only describe are passed over.
 */
#include "runtime/grammar/schema.h"

#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/grammar/grammar.h"
#include "runtime/os/memory.h"

#define SETS_MAX 20000u
#define SEEN_MAX 400u /* schemas that hold together for one value */

bool schema_refuse(schema_builder *b, uint32_t value, brise_status status, const char *what)
{
	if (b->status == BRISE_OK)
		b->status = document_refuse(b->d, value, status, what, b->err);
	return false;
}

bool schema_no_memory(schema_builder *b)
{
	if (b->status == BRISE_OK)
		b->status = error_set(b->err, BRISE_ENOMEM, "%s: no memory", b->d->name);
	return false;
}

static bool wrong(schema_builder *b, uint32_t value, const char *what)
{
	return schema_refuse(b, value, BRISE_EFORMAT, what);
}

/* ---- keywords ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned types;
} type_names[] = {
	{ "null", SCHEMA_NULL },     { "boolean", SCHEMA_BOOL },  { "integer", SCHEMA_INTEGER },
	{ "number", SCHEMA_NUMBER }, { "string", SCHEMA_STRING }, { "array", SCHEMA_ARRAY },
	{ "object", SCHEMA_OBJECT },
};

static unsigned read_type(schema_builder *b, uint32_t value)
{
	size_t i;

	for (i = 0; i < sizeof type_names / sizeof *type_names; i++)
		if (document_is_string(b->d, value, type_names[i].name))
			return type_names[i].types;
	(void)wrong(b, value, "a type is null, boolean, integer, number, string, array or object");
	return 0;
}

static void read_types(schema_builder *b, schema_facts *f, uint32_t value)
{
	uint32_t i;

	f->types = 0;
	if (b->d->values[value].type != JSON_ARRAY)
		f->types = read_type(b, value);
	else
		for (i = b->d->values[value].child; i; i = b->d->values[i].next)
			f->types |= read_type(b, i);
}

/* A count; beyond 32 bits it is no limit that a text can reach. */
static uint32_t read_count(schema_builder *b, uint32_t value, uint32_t *to)
{
	const document_value *v = &b->d->values[value];
	decimal count;
	uint64_t n = 0;
	unsigned i;

	if (v->type != JSON_NUMBER || !decimal_read(&count, b->d->text + v->at, v->bytes) ||
	    count.is_negative || count.n_fraction > 0)
		return wrong(b, value, "a count expected: an integer, 0 or more");
	for (i = 0; i < count.n_whole && n < UINT32_MAX; i++)
		n = n * 10 + count.whole[i];
	*to = n < SCHEMA_NO_LIMIT ? (uint32_t)n : SCHEMA_NO_LIMIT;
	return value;
}

static uint32_t expect(schema_builder *b, uint32_t value, json_type type, const char *what)
{
	return b->d->values[value].type == type ? value : wrong(b, value, what);
}

static uint32_t expect_schema(schema_builder *b, uint32_t value)
{
	json_type type = b->d->values[value].type;

	return type == JSON_OBJECT || type == JSON_BOOL
	               ? value
	               : wrong(b, value, "a schema expected: an object, true or false");
}

static uint32_t expect_schemas(schema_builder *b, uint32_t value)
{
	uint32_t i;

	if (!expect(b, value, JSON_ARRAY, "a list of schemas expected"))
		return 0;
	if (b->d->values[value].n == 0)
		return wrong(b, value, "a list of schemas that is not empty expected");
	for (i = b->d->values[value].child; i; i = b->d->values[i].next)
		(void)expect_schema(b, i);
	return value;
}

static uint32_t expect_number(schema_builder *b, uint32_t value)
{
	decimal d;

	if (!expect(b, value, JSON_NUMBER, "a number expected"))
		return 0;
	if (!decimal_read(&d, b->d->text + b->d->values[value].at, b->d->values[value].bytes))
		return schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                     "more than 40 digits before or behind the point");
	return value;
}

static uint32_t expect_names(schema_builder *b, uint32_t value)
{
	uint32_t i;

	if (!expect(b, value, JSON_ARRAY, "a list of names expected"))
		return 0;
	for (i = b->d->values[value].child; i; i = b->d->values[i].next)
		(void)expect(b, i, JSON_STRING, "a name expected");
	return value;
}

static uint32_t expect_properties(schema_builder *b, uint32_t value)
{
	uint32_t i;

	if (!expect(b, value, JSON_OBJECT, "an object of schemas expected"))
		return 0;
	for (i = b->d->values[value].child; i; i = b->d->values[i].next)
		(void)expect_schema(b, i);
	return value;
}

/* A list is the schemas of the first elements, as drafts before 2020 have it. */
static void read_items(schema_builder *b, schema_facts *f, uint32_t value)
{
	uint32_t i;

	if (b->d->values[value].type == JSON_ARRAY) {
		for (i = b->d->values[value].child; i; i = b->d->values[i].next)
			(void)expect_schema(b, i);
		f->prefix = value;
		f->items = document_find(b->d, f->value, "additionalItems");
		if (f->items)
			(void)expect_schema(b, f->items);
	} else {
		f->items = expect_schema(b, value);
	}
}

static void read_format(schema_builder *b, schema_facts *f, uint32_t value)
{
	if (!expect(b, value, JSON_STRING, "a format is a string"))
		return;
	f->format = schema_find_format(b->d->values[value].string);
	f->format_value = value;
	if (!f->format)
		(void)schema_refuse(b, value, BRISE_EUNSUPPORTED, "a format that is not supported");
}

/* Keywords that restrict nothing. */
static bool is_annotation(const char *key)
{
	static const char *const names[] = {
		"title",           "description",      "default",       "examples",
		"example",         "$schema",          "$id",           "id",
		"$comment",        "deprecated",       "readOnly",      "writeOnly",
		"contentEncoding", "contentMediaType", "contentSchema", "$defs",
		"definitions",     "$anchor",          "$vocabulary",   "additionalItems",
		"discriminator"
	};
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(key, names[i]))
			return true;
	return key[0] == 'x' && key[1] == '-';
}

/* False: the keyword is of another kind. */
static bool read_count_keyword(schema_builder *b, schema_facts *f, const char *key, uint32_t value)
{
	const struct {
		const char *name;
		uint32_t *to;
	} counts[] = {
		{ "minLength", &f->least_length },         { "maxLength", &f->most_length },
		{ "minItems", &f->least_items },           { "maxItems", &f->most_items },
		{ "minProperties", &f->least_properties }, { "maxProperties", &f->most_properties },
	};
	size_t i;

	for (i = 0; i < sizeof counts / sizeof *counts; i++)
		if (!strcmp(key, counts[i].name)) {
			(void)read_count(b, value, counts[i].to);
			return true;
		}
	return false;
}

static bool read_number_keyword(schema_builder *b, schema_facts *f, const char *key, uint32_t value)
{
	const struct {
		const char *name;
		uint32_t *to;
	} numbers[] = {
		{ "minimum", &f->minimum },        { "maximum", &f->maximum },
		{ "exclusiveMinimum", &f->above }, { "exclusiveMaximum", &f->below },
		{ "multipleOf", &f->multiple },
	};
	size_t i;

	for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!strcmp(key, numbers[i].name)) {
			*numbers[i].to = expect_number(b, value);
			return true;
		}
	return false;
}

/* What refers to other schemas. */
static bool read_branch_keyword(schema_builder *b, schema_facts *f, const char *key, uint32_t value)
{
	if (!strcmp(key, "anyOf"))
		f->any_of = expect_schemas(b, value);
	else if (!strcmp(key, "oneOf"))
		f->one_of = expect_schemas(b, value);
	else if (!strcmp(key, "allOf"))
		f->all_of = expect_schemas(b, value);
	else if (!strcmp(key, "$ref"))
		f->reference = expect(b, value, JSON_STRING, "a reference is a string");
	else
		return false;
	return true;
}

/* All keys are strings: a schema that says no more than that restricts nothing. */
static bool is_any_string(const schema_builder *b, uint32_t value)
{
	const document_value *v = &b->d->values[value];
	uint32_t i;

	for (i = v->child; i; i = b->d->values[i].next)
		if (strcmp(b->d->values[i].key, "type") != 0 ||
		    !document_is_string(b->d, i, "string"))
			return false;
	return v->type == JSON_OBJECT || (v->type == JSON_BOOL && v->flag);
}

static bool read_plain_keyword(schema_builder *b, schema_facts *f, const char *key, uint32_t value)
{
	if (!strcmp(key, "type"))
		read_types(b, f, value);
	else if (!strcmp(key, "properties"))
		f->properties = expect_properties(b, value);
	else if (!strcmp(key, "required"))
		f->required = expect_names(b, value);
	else if (!strcmp(key, "additionalProperties"))
		f->additional = expect_schema(b, value);
	else if (!strcmp(key, "items"))
		read_items(b, f, value);
	else if (!strcmp(key, "prefixItems"))
		f->prefix = expect_schemas(b, value);
	else if (!strcmp(key, "enum"))
		f->enumeration = expect(b, value, JSON_ARRAY, "a list of values expected");
	else if (!strcmp(key, "const"))
		f->constant = value;
	else if (!strcmp(key, "pattern"))
		f->pattern = expect(b, value, JSON_STRING, "a regular expression is a string");
	else if (!strcmp(key, "format"))
		read_format(b, f, value);
	else if (!strcmp(key, "uniqueItems") && b->d->values[value].type == JSON_BOOL &&
	         !b->d->values[value].flag)
		return true;
	else if (!strcmp(key, "propertyNames") && is_any_string(b, value))
		return true;
	else
		return read_count_keyword(b, f, key, value) ||
		       read_number_keyword(b, f, key, value);
	return true;
}

static void read_keyword(schema_builder *b, schema_facts *f, uint32_t value)
{
	const char *key = b->d->values[value].key;

	if (document_find(b->d, f->value, key) != value)
		(void)wrong(b, value, "a keyword that comes twice");
	else if (read_branch_keyword(b, f, key, value))
		return;
	else if (read_plain_keyword(b, f, key, value))
		f->is_plain = true;
	else if (!is_annotation(key))
		(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                    "a keyword that is not supported");
}

/* Draft 2020 has prefixItems and items, older ones items as a list. */
static void check_items(schema_builder *b, const schema_facts *f)
{
	uint32_t prefix = document_find(b->d, f->value, "prefixItems");

	if (prefix && f->prefix && prefix != f->prefix)
		(void)wrong(b, f->prefix, "a list beside prefixItems");
}

uint32_t schema_find_facts(schema_builder *b, uint32_t value)
{
	schema_facts f = { .value = value,
		           .types = SCHEMA_ALL,
		           .most_length = SCHEMA_NO_LIMIT,
		           .most_items = SCHEMA_NO_LIMIT,
		           .most_properties = SCHEMA_NO_LIMIT };
	schema_facts *moved;
	uint32_t i;

	if (b->facts_of[value] || b->status != BRISE_OK)
		return b->facts_of[value];
	for (i = b->d->values[value].child; i; i = b->d->values[i].next)
		read_keyword(b, &f, i);
	check_items(b, &f);
	if (b->n_facts == b->most_facts) {
		moved = memory_resize(b->facts, b->most_facts * 2 + 64, sizeof *moved);
		if (!moved)
			return schema_no_memory(b);
		b->facts = moved;
		b->most_facts = b->most_facts * 2 + 64;
	}
	b->facts[b->n_facts] = f;
	b->facts_of[value] = (uint32_t)b->n_facts++;
	return b->status == BRISE_OK ? b->facts_of[value] : 0;
}

const schema_facts *schema_get(const schema_builder *b, uint32_t part)
{
	return &b->facts[b->facts_of[part / 4]];
}

/* ---- schemas to parts ----------------------------------------------------------------------- */

static bool push(schema_builder *b, uint32_t **list, size_t *n, size_t *most, uint32_t item)
{
	uint32_t *moved;

	if (*n == *most) {
		moved = memory_resize(*list, *most * 2 + 16, sizeof *moved);
		if (!moved)
			return schema_no_memory(b);
		*list = moved;
		*most = *most * 2 + 16;
	}
	(*list)[(*n)++] = item;
	return true;
}

bool schema_add_part(schema_builder *b, schema_parts *p, uint32_t part)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->parts[i] == part)
			return true;
	return push(b, &p->parts, &p->n, &p->most, part);
}

void schema_free_parts(schema_parts *p)
{
	memory_free(p->parts);
	memory_free(p->seen);
	memset(p, 0, sizeof *p);
}

static void see(schema_builder *b, schema_parts *p, uint32_t value)
{
	size_t i;

	for (i = 0; i < p->n_seen; i++)
		if (p->seen[i] == value)
			return;
	if (p->n_seen == SEEN_MAX)
		(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                    "too many schemas that hold together");
	else
		(void)push(b, &p->seen, &p->n_seen, &p->most_seen, value);
}

static void collect_one(schema_builder *b, schema_parts *p, uint32_t value)
{
	const document_value *v = &b->d->values[value];
	uint32_t facts, i, target;
	schema_facts f;

	if (v->type == JSON_BOOL) {
		p->is_nothing |= !v->flag;
		return;
	}
	facts = v->type == JSON_OBJECT ? schema_find_facts(b, value) : 0;
	if (!facts) {
		(void)wrong(b, value, "a schema expected: an object, true or false");
		return;
	}
	f = b->facts[facts];
	if (f.is_plain)
		(void)schema_add_part(b, p, value * 4 + SCHEMA_PLAIN);
	if (f.any_of)
		(void)schema_add_part(b, p, value * 4 + SCHEMA_ANY_OF);
	if (f.one_of)
		(void)schema_add_part(b, p, value * 4 + SCHEMA_ONE_OF);
	for (i = f.all_of ? b->d->values[f.all_of].child : 0; i; i = b->d->values[i].next)
		see(b, p, i);
	if (!f.reference)
		return;
	target = document_resolve(b->d, value, b->d->values[f.reference].string,
	                          b->d->values[f.reference].string_bytes);
	if (target)
		see(b, p, target);
	else
		(void)schema_refuse(b, f.reference, BRISE_EUNSUPPORTED,
		                    "a reference to nothing in this document");
}

void schema_collect(schema_builder *b, schema_parts *p, uint32_t value)
{
	size_t at = p->n_seen;

	for (see(b, p, value); at < p->n_seen && b->status == BRISE_OK; at++)
		collect_one(b, p, p->seen[at]);
}

/* ---- parts to sets -------------------------------------------------------------------------- */

static void order(uint32_t *parts, size_t n)
{
	size_t i, k;

	for (i = 1; i < n; i++) {
		uint32_t part = parts[i];

		for (k = i; k > 0 && parts[k - 1] > part; k--)
			parts[k] = parts[k - 1];
		parts[k] = part;
	}
}

static uint32_t hash_parts(const uint32_t *parts, size_t n)
{
	uint32_t hash = (uint32_t)n;

	for (; n > 0; n--, parts++) {
		hash = (hash ^ *parts) * 0x9e3779b1u;
		hash ^= hash >> 15;
	}
	return hash;
}

static uint32_t find_set(const schema_builder *b, const uint32_t *parts, size_t n, size_t *slot)
{
	size_t at = hash_parts(parts, n) & (b->n_slots - 1);

	for (; b->slots[at]; at = (at + 1) & (b->n_slots - 1)) {
		const schema_set *s = &b->sets[b->slots[at] - 1];

		if (s->n == n && (n == 0 || !memcmp(b->parts + s->first, parts, n * sizeof *parts)))
			return b->slots[at];
	}
	*slot = at;
	return 0;
}

/* The name of a rule in messages: the place of a schema. */
static uint32_t add_rule(schema_builder *b, uint32_t value)
{
	brise_error place;

	size_t name = strlen(b->d->name) + 2;

	(void)document_refuse(b->d, value, BRISE_EFORMAT, "it", &place);
	name = name < strlen(place.message) ? name : 0;
	return network_add_rule(b->n, place.message + name, strlen(place.message + name));
}

uint32_t schema_take_set(schema_builder *b, schema_parts *p, uint32_t value)
{
	schema_set set = { .value = value };
	uint32_t found, nothing = SCHEMA_NOTHING;
	const uint32_t *parts = p->is_nothing ? &nothing : p->parts;
	size_t n = p->is_nothing ? 1 : p->n, slot = 0, i;
	schema_set *moved;

	order(p->parts, p->n);
	found = find_set(b, parts, n, &slot);
	if (!found && b->n_sets == SETS_MAX)
		(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                    "too many combinations of schemas");
	if (found || b->status != BRISE_OK || network_is_full(b->n)) {
		schema_free_parts(p);
		return found ? found - 1 : 0;
	}
	set.first = (uint32_t)b->n_parts;
	set.n = (uint32_t)n;
	for (i = 0; i < n; i++)
		(void)push(b, &b->parts, &b->n_parts, &b->most_parts, parts[i]);
	if (b->n_sets == b->most_sets) {
		moved = memory_resize(b->sets, b->most_sets * 2 + 64, sizeof *moved);
		if (!moved) {
			schema_free_parts(p);
			return schema_no_memory(b);
		}
		b->sets = moved;
		b->most_sets = b->most_sets * 2 + 64;
	}
	set.rule = add_rule(b, value);
	b->sets[b->n_sets] = set;
	b->slots[slot] = (uint32_t)++b->n_sets;
	schema_free_parts(p);
	return (uint32_t)b->n_sets - 1;
}

/* ---- the whole ------------------------------------------------------------------------------ */

bool schema_begin(schema_builder *b, const document *d, network *n, brise_error *err)
{
	memset(b, 0, sizeof *b);
	b->d = d;
	b->n = n;
	b->err = err;
	b->n_slots = (size_t)1 << 16; /* more than twice SETS_MAX, a power of two */
	b->slots = memory_new(b->n_slots, sizeof *b->slots);
	b->facts_of = memory_new(d->n, sizeof *b->facts_of);
	b->most_facts = 64;
	b->facts = memory_new(b->most_facts, sizeof *b->facts);
	b->n_facts = 1;
	b->most_parts = 64;
	b->parts = memory_new(b->most_parts, sizeof *b->parts);
	json_rules_make(&b->rules, n);
	return (b->slots && b->facts_of && b->facts && b->parts) || schema_no_memory(b);
}

void schema_end(schema_builder *b)
{
	memory_free(b->facts);
	memory_free(b->facts_of);
	memory_free(b->sets);
	memory_free(b->parts);
	memory_free(b->slots);
}

brise_status grammar_compile_schema(network *n, const char *text, size_t bytes, const char *name,
                                    uint32_t *root, bool *has_free_keys, brise_error *err)
{
	document d;
	schema_builder b = { .status = document_read(&d, text, bytes, name, err) };
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	uint32_t set, value;

	if (b.status == BRISE_OK && schema_begin(&b, &d, n, err)) {
		schema_collect(&b, &p, 1);
		set = schema_take_set(&b, &p, 1);
		schema_fill_sets(&b);
		*root = network_add_rule(n, NULL, 0);
		value = network_add_state(n);
		if (!network_is_full(n) && b.status == BRISE_OK) {
			json_rules_put_space(n, n->rules[*root].start, value);
			network_add_call(n, value, schema_rule(&b, set), n->rules[*root].end);
		}
		*has_free_keys = b.has_free_keys;
	}
	schema_free_parts(&p);
	schema_end(&b);
	document_free(&d);
	return b.status;
}
