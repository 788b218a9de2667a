/* schema_sets.c - sets of parts to rules */
#include <string.h>

#include "runtime/grammar/machine.h"
#include "runtime/grammar/schema.h"

#define LISTED_MAX 15000u
_Static_assert(LISTED_MAX < MACHINE_ITEMS_MAX, "all listed values can be met at once");

#define OVERLAPS_MAX 64u

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void limit(schema_merged *m, unsigned type, uint32_t *most, uint32_t least)
{
	m->types &= least > 0 ? type : 0;
	*most = smaller(*most, least > 0 ? least - 1 : 0);
}

static void exceed(schema_merged *m, unsigned type, uint32_t *least, uint32_t most)
{
	m->types &= most < SCHEMA_NO_LIMIT ? type : 0;
	*least = larger(*least, most < SCHEMA_NO_LIMIT ? most + 1 : most);
}

/* What parts that are not plain leave of types and counts. */
static void merge_other(schema_merged *m, uint32_t part)
{
	const document_value *v = &m->b->d->values[schema_value_of(part)];
	const schema_facts *f = &m->b->facts[m->b->facts_of[schema_value_of(part)]];

	switch (schema_kind_of(part)) {
	case SCHEMA_TYPES:
		m->types &= part;
		break;
	case SCHEMA_NOT_TYPE:
		m->types &= ~f->types;
		break;
	case SCHEMA_NOT_VALUE:
		m->types &= v->type == JSON_NULL ? ~(unsigned)SCHEMA_NULL : SCHEMA_ALL;
		break;
	case SCHEMA_NOT_PATTERN:
	case SCHEMA_NOT_FORMAT:
		m->types &= SCHEMA_STRING;
		break;
	case SCHEMA_BELOW:
	case SCHEMA_ABOVE:
	case SCHEMA_AT_MOST:
	case SCHEMA_AT_LEAST:
		m->types &= SCHEMA_NUMBER;
		break;
	case SCHEMA_HAS_OTHER:
		m->types &= SCHEMA_OBJECT;
		break;
	case SCHEMA_SHORTER:
		limit(m, SCHEMA_STRING, &m->most_length, f->least_length);
		break;
	case SCHEMA_LONGER:
		exceed(m, SCHEMA_STRING, &m->least_length, f->most_length);
		break;
	case SCHEMA_FEWER_ITEMS:
		limit(m, SCHEMA_ARRAY, &m->most_items, f->least_items);
		break;
	case SCHEMA_MORE_ITEMS:
		exceed(m, SCHEMA_ARRAY, &m->least_items, f->most_items);
		break;
	case SCHEMA_FEWER_PROPERTIES:
		limit(m, SCHEMA_OBJECT, &m->most_properties, f->least_properties);
		break;
	case SCHEMA_MORE_PROPERTIES:
		exceed(m, SCHEMA_OBJECT, &m->least_properties, f->most_properties);
		break;
	default:
		break;
	}
}

void schema_merge_parts(const schema_builder *b, const uint32_t *parts, size_t n, uint32_t value,
                        schema_merged *m)
{
	size_t i;

	*m = (schema_merged){ .b = b,
		              .parts = parts,
		              .n = n,
		              .value = value,
		              .types = SCHEMA_ALL,
		              .most_length = SCHEMA_NO_LIMIT,
		              .most_items = SCHEMA_NO_LIMIT,
		              .most_properties = SCHEMA_NO_LIMIT };
	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(b, m->parts[i]);

		m->types &= f->types;
		m->least_length = larger(m->least_length, f->least_length);
		m->most_length = smaller(m->most_length, f->most_length);
		m->least_items = larger(m->least_items, f->least_items);
		m->most_items = smaller(m->most_items, f->most_items);
		m->least_properties = larger(m->least_properties, f->least_properties);
		m->most_properties = smaller(m->most_properties, f->most_properties);
		merge_other(m, m->parts[i]);
	}
}

void schema_merge(const schema_builder *b, uint32_t set, schema_merged *m)
{
	const schema_set *s = &b->sets[set];

	schema_merge_parts(b, b->parts + s->first, s->n, s->value, m);
}

bool schema_copy_set(schema_builder *b, uint32_t set, schema_merged *m, schema_parts *parts)
{
	size_t i;

	*parts = (schema_parts){ NULL, NULL, 0, 0, 0, 0, false };
	schema_merge(b, set, m);
	(void)schema_spend(b, 8 * m->n);
	for (i = 0; i < m->n; i++)
		if (!schema_add_part(b, parts, m->parts[i]))
			return false;
	m->parts = parts->parts;
	return true;
}

/* Pairs of branches of oneOf that may hold at the same time. */
typedef struct overlaps {
	uint32_t pairs[OVERLAPS_MAX][2];
	size_t n;
} overlaps;

static void add_overlap(schema_builder *b, overlaps *o, uint32_t list, uint32_t i, uint32_t k)
{
	if (o->n == OVERLAPS_MAX) {
		(void)schema_refuse(b, list, BRISE_EUNSUPPORTED,
		                    "too many branches that may hold at the same time");
		return;
	}
	o->pairs[o->n][0] = i;
	o->pairs[o->n++][1] = k;
}

static void find_overlaps(schema_builder *b, uint32_t list, overlaps *o)
{
	uint32_t i, k;

	for (i = b->d->values[list].child; i && b->status == BRISE_OK; i = b->d->values[i].next)
		for (k = b->d->values[i].next; k && b->status == BRISE_OK;
		     k = b->d->values[k].next) {
			schema_parts p = { NULL, NULL, 0, 0, 0, 0, false }, q = p;
			uint32_t first, second;

			schema_collect(b, &p, i);
			first = schema_take_set(b, &p, i);
			schema_collect(b, &q, k);
			second = schema_take_set(b, &q, k);
			if (b->status == BRISE_OK && !schema_apart(b, first, second, 0))
				add_overlap(b, o, list, i, k);
		}
}

/* Of branches that may hold at the same time none of the others does. */
static void exclude_others(schema_builder *b, schema_parts *p, const overlaps *o, uint32_t branch)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (o->pairs[i][0] == branch)
			schema_negate(b, p, o->pairs[i][1]);
		else if (o->pairs[i][1] == branch)
			schema_negate(b, p, o->pairs[i][0]);
}

static void fill_branches(schema_builder *b, uint32_t set, const schema_merged *m, uint32_t part)
{
	schema_branches it = { .part = part, .value = m->value };
	uint32_t own = schema_rule(b, set), rule;
	overlaps others = { .n = 0 };
	size_t i;

	if (schema_kind_of(part) == SCHEMA_ONE_OF)
		find_overlaps(b, b->facts[b->facts_of[schema_value_of(part)]].one_of, &others);
	while (b->status == BRISE_OK) {
		schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };

		for (i = 0; i < m->n; i++)
			if (m->parts[i] != part)
				(void)schema_add_part(b, &p, m->parts[i]);
		if (!schema_next_branch(b, &it, &p)) {
			schema_free_parts(&p);
			break;
		}
		exclude_others(b, &p, &others, it.value);
		rule = schema_rule(b, schema_take_set(b, &p, it.value));
		if (!network_is_full(b->n))
			network_add_call(b->n, b->n->rules[own].start, rule, b->n->rules[own].end);
	}
}

bool schema_excludes_flag(const schema_merged *m, bool flag)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		const document_value *v = &m->b->d->values[schema_value_of(m->parts[i])];

		if (schema_kind_of(m->parts[i]) == SCHEMA_NOT_VALUE && v->type == JSON_BOOL &&
		    v->flag == flag)
			return true;
	}
	return false;
}

/* Excluded arrays and objects would have to be followed to their last byte. */
static bool check_excluded(schema_builder *b, const schema_merged *m)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		uint32_t value = schema_value_of(m->parts[i]);
		json_type type = b->d->values[value].type;

		if (schema_kind_of(m->parts[i]) == SCHEMA_NOT_VALUE &&
		    ((type == JSON_ARRAY && m->types & SCHEMA_ARRAY) ||
		     (type == JSON_OBJECT && m->types & SCHEMA_OBJECT)))
			return schema_refuse(b, value, BRISE_EUNSUPPORTED,
			                     "an array or object that is excluded");
	}
	return true;
}

static void fill_types(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	if (m->types & SCHEMA_NULL)
		network_add_text(b->n, from, "null", to);
	if (m->types & SCHEMA_BOOL && !schema_excludes_flag(m, true))
		network_add_text(b->n, from, "true", to);
	if (m->types & SCHEMA_BOOL && !schema_excludes_flag(m, false))
		network_add_text(b->n, from, "false", to);
	if (m->types & SCHEMA_NUMBER)
		schema_put_number(b, m, from, to);
	if (m->types & SCHEMA_STRING)
		schema_put_string(b, m, from, to);
	if (m->types & SCHEMA_ARRAY)
		schema_put_array(b, m, from, to);
	if (m->types & SCHEMA_OBJECT)
		schema_put_object(b, m, from, to);
}

/* All begin at one state, of which the machine takes so many at once. */
static void put_listed(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	uint32_t value = 0, n;

	for (n = 0; (value = schema_next_value(b, m, value)) != 0; n++) {
		if (n == LISTED_MAX) {
			(void)schema_refuse(b, m->value, BRISE_EUNSUPPORTED,
			                    "more than 15,000 listed values");
			return;
		}
		schema_put_value(b, value, from, to);
	}
}

static void fill_plain(schema_builder *b, uint32_t set, const schema_merged *m)
{
	uint32_t rule = schema_rule(b, set), from = b->n->rules[rule].start,
	         to = b->n->rules[rule].end;

	if (m->n == 0) {
		network_add_call(b->n, from, b->rules.any, to);
		b->has_free_keys = true;
	} else if (schema_find_list(m) != SCHEMA_NOTHING) {
		put_listed(b, m, from, to);
	} else if (check_excluded(b, m)) {
		fill_types(b, m, from, to);
	}
}

void schema_fill_sets(schema_builder *b)
{
	uint32_t set, part;

	for (set = 0; set < b->n_sets && b->status == BRISE_OK && !network_is_full(b->n); set++) {
		schema_parts parts;
		schema_merged m;

		if (schema_copy_set(b, set, &m, &parts)) {
			part = schema_find_branches(b, &m);
			if (part != SCHEMA_NOTHING)
				fill_branches(b, set, &m, part);
			else if (b->status == BRISE_OK)
				fill_plain(b, set, &m);
		}
		schema_free_parts(&parts);
	}
}
