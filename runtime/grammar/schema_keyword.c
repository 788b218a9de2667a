/* schema_keyword.c - keywords of JSON schemas (draft 2020-12, and what older drafts write
 * otherwise)
 *
 * A keyword that restricts and is not known is an error: a text must not be said to follow a schema
 * of which a part was ignored. Keywords that only describe are passed over.
 */
#include <string.h>

#include "runtime/grammar/schema_pattern.h"
#include "runtime/os/memory.h"

#define DEPENDENTS_MAX 100u

static bool wrong(schema_builder *b, uint32_t value, const char *what)
{
	return schema_refuse(b, value, BRISE_EFORMAT, what);
}

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

/* Without any, it restricts nothing. */
static uint32_t expect_patterns(schema_builder *b, uint32_t value)
{
	uint32_t i;

	if (!expect_properties(b, value))
		return 0;
	if (b->d->values[value].n > AUTOMATA_MAX)
		return schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                     "too many patterns that hold together");
	for (i = b->d->values[value].child; i; i = b->d->values[i].next)
		if (document_find_key(b->d, value, b->d->values[i].key,
		                      b->d->values[i].key_bytes) != i)
			(void)wrong(b, i, "a pattern that comes twice");
	return b->d->values[value].n > 0 ? value : 0;
}

/* An object of lists of names, of schemas, or of either. */
static uint32_t expect_dependents(schema_builder *b, uint32_t value, bool names, bool schemas)
{
	uint32_t i;

	if (!expect(b, value, JSON_OBJECT, "an object expected"))
		return 0;
	if (b->d->values[value].n > DEPENDENTS_MAX)
		return schema_refuse(b, value, BRISE_EUNSUPPORTED, "more than 100 names");
	for (i = b->d->values[value].child; i; i = b->d->values[i].next)
		if (document_find_key(b->d, value, b->d->values[i].key,
		                      b->d->values[i].key_bytes) != i)
			(void)wrong(b, i, "a name that comes twice");
		else if (names && (!schemas || b->d->values[i].type == JSON_ARRAY))
			(void)expect_names(b, i);
		else
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

/* A name without an expression is an annotation, as in draft 2020-12's vocabulary of formats. */
static void read_format(schema_builder *b, schema_facts *f, uint32_t value)
{
	if (!expect(b, value, JSON_STRING, "a format is a string"))
		return;
	f->format = schema_find_format(b->d->values[value].string);
	f->format_value = value;
}

/* Keywords that restrict nothing: of drafts 4 to 2020-12; of OpenAPI; of editors and of generators
 * of schemas. A name that is in none of these lists may be a misspelt assertion, and is refused. */
bool schema_is_annotation(const char *key)
{
	static const char *const names[] = {
		"title", "description", "default", "examples", "$schema", "$id", "id", "$comment",
		"deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType",
		"contentSchema", "$defs", "definitions", "$anchor", "$vocabulary",
		"additionalItems", "media", "links",
		/* OpenAPI 3.0 and 3.1, Gemini's subset of it */
		"example", "discriminator", "xml", "externalDocs", "propertyOrdering",
		/* VS Code's schemas, Monaco */
		"markdownDescription", "enumDescriptions", "markdownEnumDescriptions",
		"enumItemLabels", "deprecationMessage", "markdownDeprecationMessage",
		"errorMessage", "patternErrorMessage", "defaultSnippets", "suggestSortText",
		"doNotSuggest", "allowComments", "allowTrailingCommas", "order",
		/* forms, ajv, code generators */
		"enumNames", "enumTitles", "enum-descriptions", "tsType", "tsEnumNames", "javaType",
		"$async", "strict", "meta", "metadata", "version", "author"
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
		{ "minContains", &f->least_contains },     { "maxContains", &f->most_contains },
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
	else if (!strcmp(key, "not"))
		f->negated = expect_schema(b, value);
	else if (!strcmp(key, "if"))
		f->condition = expect_schema(b, value);
	else if (!strcmp(key, "then"))
		f->then = expect_schema(b, value);
	else if (!strcmp(key, "else"))
		f->otherwise = expect_schema(b, value);
	else if (!strcmp(key, "dependentRequired"))
		f->dependent[0] = expect_dependents(b, value, true, false);
	else if (!strcmp(key, "dependentSchemas"))
		f->dependent[1] = expect_dependents(b, value, false, true);
	else if (!strcmp(key, "dependencies"))
		f->dependent[2] = expect_dependents(b, value, true, true);
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
	else if (!strcmp(key, "nullable"))
		f->is_nullable = expect(b, value, JSON_BOOL, "true or false expected") &&
		                 b->d->values[value].flag;
	else if (!strcmp(key, "uniqueItems"))
		f->unique = expect(b, value, JSON_BOOL, "true or false expected") &&
		                            b->d->values[value].flag
		                    ? value
		                    : 0;
	else if (!strcmp(key, "contains"))
		f->contains = expect_schema(b, value);
	else if (!strcmp(key, "propertyNames"))
		f->names = is_any_string(b, value) ? 0 : expect_schema(b, value);
	else if (!strcmp(key, "patternProperties"))
		f->patterns = expect_patterns(b, value);
	else
		return read_count_keyword(b, f, key, value) ||
		       read_number_keyword(b, f, key, value);
	return true;
}

static void read_keyword(schema_builder *b, schema_facts *f, uint32_t value)
{
	const char *key = b->d->values[value].key;

	if (schema_is_annotation(key))
		return;
	if (document_find(b->d, f->value, key) != value)
		(void)wrong(b, value, "a keyword that comes twice");
	else if (read_branch_keyword(b, f, key, value))
		return;
	else if (read_plain_keyword(b, f, key, value))
		f->is_plain = true;
	else
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

void schema_init_facts(schema_facts *f)
{
	*f = (schema_facts){ .types = SCHEMA_ALL,
		             .most_length = SCHEMA_NO_LIMIT,
		             .most_items = SCHEMA_NO_LIMIT,
		             .least_contains = 1,
		             .most_contains = SCHEMA_NO_LIMIT,
		             .most_properties = SCHEMA_NO_LIMIT };
}

uint32_t schema_find_facts(schema_builder *b, uint32_t value)
{
	schema_facts f, *moved;
	uint32_t i;

	if (b->facts_of[value] || b->status != BRISE_OK)
		return b->facts_of[value];
	schema_init_facts(&f);
	f.value = value;
	for (i = b->d->values[value].child; i && schema_spend(b, 1); i = b->d->values[i].next)
		read_keyword(b, &f, i);
	check_items(b, &f);
	/* OpenAPI 3.0: nullable adds null to a type that stands beside it, and has no other effect.
	 */
	if (f.is_nullable && document_find(b->d, value, "type"))
		f.types |= SCHEMA_NULL;
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
