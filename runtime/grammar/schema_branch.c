/* schema_branch.c - the branches of parts: the ways to satisfy anyOf, if, not and the like
 *
 * A schema does not hold if one of its keywords does not, so its negation has a branch for each way
 * in which one of them can fail: `required` by each of its names, `properties` by each property
 * that is there with another value. A keyword whose failure no branch can say, such as `items`, is
 * refused.
 */
#include "runtime/grammar/schema.h"

#include <string.h>

void schema_negate(schema_builder *b, schema_parts *p, uint32_t value)
{
	const document_value *v = &b->d->values[value];

	if (v->type == JSON_BOOL)
		p->is_nothing |= v->flag;
	else if (v->type == JSON_OBJECT && v->n > 0 && schema_find_facts(b, value))
		(void)schema_add_part(b, p, schema_part(value, SCHEMA_NOT));
	else if (v->type == JSON_OBJECT)
		p->is_nothing = true; /* everything satisfies {} */
	else
		(void)schema_refuse(b, value, BRISE_EFORMAT,
		                    "a schema expected: an object, true or false");
}

/* The first child of a value, then the next: of lists of which each entry is a branch. */
static bool next_child(const schema_builder *b, schema_branches *it, uint32_t list)
{
	it->inner = it->inner ? b->d->values[it->inner].next : b->d->values[list].child;
	if (it->inner)
		it->value = it->inner;
	return it->inner != 0;
}

/* ---- how a keyword can fail ----------------------------------------------------------------- */

/* Keywords that fail in one way, which is a part of the schema or of their value. */
static bool find_failure(const schema_facts *f, const char *key, uint32_t keyword, uint32_t *part)
{
	static const struct {
		const char *name;
		schema_kind kind;
		bool of_schema;
	} failures[] = {
		{ "type", SCHEMA_NOT_TYPE, true },
		{ "minLength", SCHEMA_SHORTER, true },
		{ "maxLength", SCHEMA_LONGER, true },
		{ "minItems", SCHEMA_FEWER_ITEMS, true },
		{ "maxItems", SCHEMA_MORE_ITEMS, true },
		{ "minProperties", SCHEMA_FEWER_PROPERTIES, true },
		{ "maxProperties", SCHEMA_MORE_PROPERTIES, true },
		{ "pattern", SCHEMA_NOT_PATTERN, true },
		{ "minimum", SCHEMA_BELOW, false },
		{ "maximum", SCHEMA_ABOVE, false },
		{ "exclusiveMinimum", SCHEMA_AT_MOST, false },
		{ "exclusiveMaximum", SCHEMA_AT_LEAST, false },
	};
	size_t i;

	for (i = 0; i < sizeof failures / sizeof *failures; i++)
		if (!strcmp(key, failures[i].name)) {
			*part = schema_part(failures[i].of_schema ? f->value : keyword,
			                    failures[i].kind);
			return true;
		}
	return false;
}

/* A name of `required` that is missing, a property with another value, a schema of allOf. */
static void add_failed_entry(schema_builder *b, schema_parts *p, const char *key, uint32_t entry)
{
	if (!strcmp(key, "required")) {
		(void)schema_add_part(b, p, SCHEMA_OBJECT);
		(void)schema_add_part(b, p, schema_part(entry, SCHEMA_LACKS));
	} else if (!strcmp(key, "properties")) {
		(void)schema_add_part(b, p, schema_part(entry, SCHEMA_HAS_OTHER));
	} else {
		schema_negate(b, p, entry);
	}
}

/* A number that is not read exactly could come in its place. */
static void exclude_value(schema_builder *b, schema_parts *p, uint32_t value)
{
	const document_value *v = &b->d->values[value];
	decimal number;

	if (v->type == JSON_NUMBER && !decimal_read(&number, b->d->text + v->at, v->bytes))
		(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                    "an excluded number with more than 40 digits before or behind "
		                    "the point");
	else
		(void)schema_add_part(b, p, schema_part(value, SCHEMA_NOT_VALUE));
}

/* Keywords that fail in one way, which is more than a part. False: another keyword. */
static bool add_failure(schema_builder *b, schema_parts *p, const schema_facts *f, const char *key,
                        uint32_t keyword)
{
	uint32_t i;

	if (!strcmp(key, "const")) {
		exclude_value(b, p, keyword);
	} else if (!strcmp(key, "enum")) {
		for (i = b->d->values[keyword].child; i && b->status == BRISE_OK;
		     i = b->d->values[i].next)
			exclude_value(b, p, i);
	} else if (!strcmp(key, "anyOf")) {
		for (i = b->d->values[keyword].child; i && b->status == BRISE_OK;
		     i = b->d->values[i].next)
			schema_negate(b, p, i);
	} else if (!strcmp(key, "not")) {
		schema_collect(b, p, keyword);
	} else if (!strcmp(key, "$ref")) {
		if ((i = schema_resolve(b, f)) != 0)
			schema_negate(b, p, i);
	} else if (!strcmp(key, "format") && f->format) {
		(void)schema_add_part(b, p, schema_part(f->value, SCHEMA_NOT_FORMAT));
	} else {
		return false;
	}
	return true;
}

/* Keywords that cannot fail as they stand there. */
static bool cannot_fail(const schema_builder *b, const char *key, uint32_t keyword)
{
	const document_value *v = &b->d->values[keyword];

	if (!strcmp(key, "format") || !strcmp(key, "nullable"))
		return true;
	if (!strcmp(key, "uniqueItems"))
		return !v->flag;
	if (!strcmp(key, "patternProperties"))
		return v->n == 0;
	if (!strcmp(key, "items") || !strcmp(key, "additionalProperties"))
		return (v->type == JSON_BOOL && v->flag) || (v->type == JSON_OBJECT && v->n == 0);
	return schema_is_annotation(key);
}

/* The next way in which a schema can fail: it->outer is the keyword at hand, it->inner its entry
 * where each entry is a way. */
static bool next_failure(schema_builder *b, schema_branches *it, schema_parts *p)
{
	uint32_t value = schema_value_of(it->part), part;
	const schema_facts f = b->facts[b->facts_of[value]];

	while (b->status == BRISE_OK) {
		const char *key;

		if (!it->inner) {
			it->outer = it->outer ? b->d->values[it->outer].next
			                      : b->d->values[value].child;
			if (!it->outer)
				return false;
		}
		key = b->d->values[it->outer].key;
		if (!strcmp(key, "required") || !strcmp(key, "properties") ||
		    !strcmp(key, "allOf")) {
			if (!next_child(b, it, it->outer))
				continue;
			add_failed_entry(b, p, key, it->inner);
			return true;
		}
		it->value = it->outer;
		if (find_failure(&f, key, it->outer, &part)) {
			(void)schema_add_part(b, p, part);
			return true;
		}
		if (add_failure(b, p, &f, key, it->outer))
			return true;
		if (!cannot_fail(b, key, it->outer))
			(void)schema_refuse(b, it->outer, BRISE_EUNSUPPORTED,
			                    "a keyword that cannot be negated, as not, if and "
			                    "branches of oneOf that overlap need it");
	}
	return false;
}

/* ---- the other parts ------------------------------------------------------------------------ */

/* What holds with the condition, then what holds without it. */
static void add_condition(schema_builder *b, const schema_facts *f, bool holds, schema_parts *p)
{
	if (holds)
		schema_collect(b, p, f->condition);
	else
		schema_negate(b, p, f->condition);
	if (holds && f->then)
		schema_collect(b, p, f->then);
	if (!holds && f->otherwise)
		schema_collect(b, p, f->otherwise);
}

/* The property is missing, or it is there with what depends on it. */
static void add_dependent(schema_builder *b, uint32_t value, bool is_there, schema_parts *p)
{
	(void)schema_add_part(b, p, schema_part(value, is_there ? SCHEMA_HAS : SCHEMA_LACKS));
	if (is_there && b->d->values[value].type == JSON_ARRAY)
		(void)schema_add_part(b, p, schema_part(value, SCHEMA_HAS_ALL));
	else if (is_there)
		schema_collect(b, p, value);
}

/* Another type, or one of the two ranges beside the number. */
static void add_other_number(schema_builder *b, uint32_t value, unsigned step, schema_parts *p)
{
	(void)schema_add_part(b, p,
	                      step == 1   ? SCHEMA_ALL & ~SCHEMA_NUMBER
	                      : step == 2 ? schema_part(value, SCHEMA_BELOW)
	                                  : schema_part(value, SCHEMA_ABOVE));
}

bool schema_next_branch(schema_builder *b, schema_branches *it, schema_parts *p)
{
	uint32_t value = schema_value_of(it->part);
	const schema_facts f = b->facts[b->facts_of[value]];
	schema_kind kind = schema_kind_of(it->part);

	it->step++;
	switch (kind) {
	case SCHEMA_ANY_OF:
	case SCHEMA_ONE_OF:
		if ((it->step > 1 && !it->inner) ||
		    !next_child(b, it, kind == SCHEMA_ANY_OF ? f.any_of : f.one_of))
			return false;
		schema_collect(b, p, it->inner);
		return true;
	case SCHEMA_NOT:
		return next_failure(b, it, p);
	case SCHEMA_IF:
		if (it->step <= 2)
			add_condition(b, &f, it->step == 1, p);
		return it->step <= 2;
	case SCHEMA_DEPENDS:
		if (it->step <= 2)
			add_dependent(b, value, it->step == 2, p);
		return it->step <= 2;
	default:
		if (it->step <= 3)
			add_other_number(b, value, it->step, p);
		return it->step <= 3;
	}
}
