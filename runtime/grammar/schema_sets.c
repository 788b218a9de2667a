/* schema_sets.c - sets of parts to rules */
#include <string.h>

#include "runtime/grammar/schema.h"

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void schema_merge(const schema_builder *b, uint32_t set, schema_merged *m)
{
	const schema_set *s = &b->sets[set];
	size_t i;

	*m = (schema_merged){ .b = b,
		              .parts = b->parts + s->first,
		              .n = s->n,
		              .value = s->value,
		              .types = SCHEMA_ALL,
		              .most_length = SCHEMA_NO_LIMIT,
		              .most_items = SCHEMA_NO_LIMIT,
		              .most_properties = SCHEMA_NO_LIMIT };
	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(b, m->parts[i]);

		if (m->parts[i] == SCHEMA_NOTHING) {
			m->types = 0;
		} else if (m->parts[i] == SCHEMA_ONLY_OBJECT) {
			m->types &= SCHEMA_OBJECT;
		} else if (m->parts[i] % 4 == SCHEMA_PLAIN) {
			m->types &= f->types;
			m->least_length = larger(m->least_length, f->least_length);
			m->most_length = smaller(m->most_length, f->most_length);
			m->least_items = larger(m->least_items, f->least_items);
			m->most_items = smaller(m->most_items, f->most_items);
			m->least_properties = larger(m->least_properties, f->least_properties);
			m->most_properties = smaller(m->most_properties, f->most_properties);
		}
	}
}

/* The part of a set that is an anyOf or oneOf; SCHEMA_NOTHING: none. */
static uint32_t find_branches(const schema_builder *b, uint32_t set)
{
	const schema_set *s = &b->sets[set];
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		uint32_t part = b->parts[s->first + i];

		if (part >= 4 && part % 4 != SCHEMA_PLAIN)
			return part;
	}
	return SCHEMA_NOTHING;
}

/* The set of a branch and of all parts of a set but that which has the branches. */
static uint32_t take_branch(schema_builder *b, uint32_t set, uint32_t without, uint32_t branch)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	uint32_t i;

	for (i = 0; i < b->sets[set].n; i++) {
		uint32_t part = b->parts[b->sets[set].first + i];

		if (part != without)
			(void)schema_add_part(b, &p, part);
		p.is_nothing |= part == SCHEMA_NOTHING;
	}
	schema_collect(b, &p, branch);
	return schema_take_set(b, &p, branch);
}

/* The branches of oneOf, by themselves, exclude each other. */
static void check_one_of(schema_builder *b, uint32_t list)
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
				(void)schema_refuse(b, list, BRISE_EUNSUPPORTED,
				                    "branches that may hold at the same time");
		}
}

static void fill_branches(schema_builder *b, uint32_t set, uint32_t part)
{
	const schema_facts f = *schema_get(b, part);
	uint32_t list = part % 4 == SCHEMA_ANY_OF ? f.any_of : f.one_of, i, rule, own;

	if (part % 4 == SCHEMA_ONE_OF)
		check_one_of(b, list);
	own = schema_rule(b, set);
	for (i = b->d->values[list].child; i && b->status == BRISE_OK; i = b->d->values[i].next) {
		rule = schema_rule(b, take_branch(b, set, part, i));
		if (!network_is_full(b->n))
			network_add_call(b->n, b->n->rules[own].start, rule, b->n->rules[own].end);
	}
}

static void fill_types(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	if (m->types & SCHEMA_NULL)
		network_add_text(b->n, from, "null", to);
	if (m->types & SCHEMA_BOOL) {
		network_add_text(b->n, from, "true", to);
		network_add_text(b->n, from, "false", to);
	}
	if (m->types & SCHEMA_NUMBER)
		schema_put_number(b, m, from, to);
	if (m->types & SCHEMA_STRING)
		schema_put_string(b, m, from, to);
	if (m->types & SCHEMA_ARRAY)
		schema_put_array(b, m, from, to);
	if (m->types & SCHEMA_OBJECT)
		schema_put_object(b, m, from, to);
}

static void fill_plain(schema_builder *b, uint32_t set)
{
	uint32_t rule = schema_rule(b, set), from = b->n->rules[rule].start,
	         to = b->n->rules[rule].end, value = 0, n = b->sets[set].n, i, *parts;
	schema_merged m;

	/* New sets move the parts of all. */
	schema_parts own = { NULL, NULL, 0, 0, 0, 0, false };
	for (i = 0; i < n; i++)
		(void)schema_add_part(b, &own, b->parts[b->sets[set].first + i]);
	parts = own.parts;
	schema_merge(b, set, &m);
	m.parts = parts;
	if (b->status != BRISE_OK) {
		schema_free_parts(&own);
		return;
	}
	if (n == 0) {
		network_add_call(b->n, from, b->rules.any, to);
		b->has_free_keys = true;
	} else if (schema_find_list(&m) != SCHEMA_NOTHING) {
		while ((value = schema_next_value(b, &m, value)) != 0)
			schema_put_value(b, value, from, to);
	} else {
		fill_types(b, &m, from, to);
	}
	schema_free_parts(&own);
}

void schema_fill_sets(schema_builder *b)
{
	uint32_t set, part;

	for (set = 0; set < b->n_sets && b->status == BRISE_OK && !network_is_full(b->n); set++) {
		part = find_branches(b, set);
		if (part != SCHEMA_NOTHING)
			fill_branches(b, set, part);
		else
			fill_plain(b, set);
	}
}
