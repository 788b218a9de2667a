/* schema_key.c - keys that patternProperties and propertyNames select
 *
 * A key that the schema does not name follows the product of all patterns and of what propertyNames
 * asks for. The patterns that it fits are known where it ends, and with them the schemas of its
 * value. Each key is written in one way, so that one that comes twice can be told (members.h); what
 * is left of such keys is looked for as a text goes on (unused_keys.h).
 */
#include "runtime/grammar/schema_product.h"

#include <string.h>

#include "runtime/os/memory.h"

/* A pattern of patternProperties: a group of automata. */
typedef struct key_pattern {
	uint32_t facts; /* of the schema object that has it */
	uint32_t value; /* the member of patternProperties */
} key_pattern;

typedef struct key_rule {
	schema_builder *b;
	const schema_merged *m;
	key_pattern patterns[AUTOMATA_MAX];
	size_t n_patterns;
	uint32_t *ends; /* [1 << n_patterns] state behind a key, + 1; 0: not made yet */
	uint32_t end;   /* of the rule */
} key_rule;

/* ---- propertyNames -------------------------------------------------------------------------- */

/* All schemas of keys together. *names: for schema_free_names. False: an error. */
static bool find_names(schema_builder *b, const schema_merged *m, schema_names *names)
{
	size_t i;

	*names = (schema_names){ .has_any = false };
	for (i = 0; i < m->n && b->status == BRISE_OK; i++) {
		uint32_t value = schema_get(b, m->parts[i])->names;

		if (!value)
			continue;
		names->has_any = true;
		schema_collect(b, &names->parts, value);
		names->m.value = value;
	}
	schema_merge_parts(b, names->parts.parts, names->parts.n, names->m.value, &names->m);
	if (names->parts.is_nothing)
		names->m.types = 0;
	if (b->status == BRISE_OK && schema_find_branches(b, &names->m) != SCHEMA_NOTHING)
		(void)schema_refuse(b, names->m.value, BRISE_EUNSUPPORTED,
		                    "propertyNames that hold in one of several ways");
	return b->status == BRISE_OK;
}

/* Whether a key fits a set that has been found. */
static bool name_fits(schema_builder *b, const schema_names *names, const char *key, size_t bytes)
{
	uint32_t value = 0;

	if (!names->has_any)
		return true;
	if (!(names->m.types & SCHEMA_STRING))
		return false;
	if (schema_find_list(&names->m) == SCHEMA_NOTHING)
		return schema_text_has_length(&names->m, key, bytes) &&
		       schema_text_fits(b, &names->m, key, bytes);
	while ((value = schema_next_value(b, &names->m, value)) != 0)
		if (b->d->values[value].type == JSON_STRING &&
		    b->d->values[value].string_bytes == bytes &&
		    !memcmp(b->d->values[value].string, key, bytes))
			return true;
	return false;
}

bool schema_name_fits(schema_builder *b, const schema_merged *m, const char *key, size_t bytes)
{
	schema_names names;
	bool fits = find_names(b, m, &names) && name_fits(b, &names, key, bytes);

	schema_free_parts(&names.parts);
	return fits;
}

/* Adds what keys must fit. */
static void add_names(schema_builder *b, const schema_names *names, automata *a)
{
	alternatives list = { NULL, 0, 0, 0 };
	uint32_t value = 0;

	if (schema_find_list(&names->m) == SCHEMA_NOTHING) {
		(void)automata_add_strings(b, a, &names->m);
		return;
	}
	while ((value = schema_next_value(b, &names->m, value)) != 0)
		if (b->d->values[value].type == JSON_STRING)
			(void)alternatives_add(b, &list, b->d->values[value].string,
			                       b->d->values[value].string_bytes);
	if (list.n == 0)
		(void)automata_add(b, a, 0, "^(?!)", 5, names->m.value);
	(void)automata_add_list(b, a, &list, false, names->m.value);
}

/* ---- patternProperties ---------------------------------------------------------------------- */

bool schema_collect_matching(schema_builder *b, schema_parts *p, uint32_t patterns, const char *key,
                             size_t bytes)
{
	bool found = false;
	uint32_t i;

	for (i = b->d->values[patterns].child; i && b->status == BRISE_OK;
	     i = b->d->values[i].next) {
		const document_value *v = &b->d->values[i];
		automata a = { .n = 0 };

		if (automata_add(b, &a, 0, v->key, v->key_bytes, i) &&
		    automata_fit(&a, 0, key, bytes)) {
			found = true;
			schema_collect(b, p, i);
		}
	}
	return found;
}

static void add_patterns(key_rule *k, automata *a)
{
	schema_builder *b = k->b;
	uint32_t i, patterns;
	size_t part;

	for (part = 0; part < k->m->n && b->status == BRISE_OK; part++) {
		patterns = schema_get(b, k->m->parts[part])->patterns;
		for (i = patterns ? b->d->values[patterns].child : 0; i && b->status == BRISE_OK;
		     i = b->d->values[i].next) {
			if (k->n_patterns == AUTOMATA_MAX) {
				(void)schema_refuse(b, patterns, BRISE_EUNSUPPORTED,
				                    "too many patterns that hold together");
				return;
			}
			k->patterns[k->n_patterns++] =
			        (key_pattern){ schema_value_of(k->m->parts[part]), i };
			(void)automata_add(b, a, (unsigned)k->n_patterns, b->d->values[i].key,
			                   b->d->values[i].key_bytes, i);
		}
	}
}

/* What the value must satisfy behind a key that fits the marked patterns. */
static void collect_marked(key_rule *k, unsigned marks, schema_parts *p)
{
	schema_builder *b = k->b;
	size_t part, i;

	for (part = 0; part < k->m->n; part++) {
		const schema_facts f = *schema_get(b, k->m->parts[part]);
		bool found = false;

		for (i = 0; i < k->n_patterns; i++)
			if (k->patterns[i].facts == schema_value_of(k->m->parts[part]) &&
			    f.patterns && marks >> i & 1) {
				found = true;
				schema_collect(b, p, k->patterns[i].value);
			}
		if (!found && f.additional)
			schema_collect(b, p, f.additional);
	}
}

/* The state behind the quotation mark of a key. */
static uint32_t end_key(void *user, unsigned marks)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	key_rule *k = user;
	schema_builder *b = k->b;
	uint32_t colon, value, rule;

	marks &= (1u << k->n_patterns) - 1;
	if (k->ends[marks])
		return k->ends[marks] - 1;
	k->ends[marks] = 1;
	collect_marked(k, marks, &p);
	if (p.is_nothing || b->status != BRISE_OK) {
		schema_free_parts(&p);
		return 0;
	}
	rule = schema_rule(b, schema_take_set(b, &p, k->m->value));
	k->ends[marks] = network_add_state(b->n) + 1;
	colon = network_add_state(b->n);
	value = network_add_state(b->n);
	if (network_is_full(b->n) || b->status != BRISE_OK)
		return 0;
	network_add_bytes(b->n, k->ends[marks] - 1, ':', ':', colon);
	json_rules_put_space(b->n, colon, value);
	network_add_call(b->n, value, rule, k->end);
	return k->ends[marks] - 1;
}

/* ---- the rule ------------------------------------------------------------------------------- */

bool schema_has_selected_keys(const schema_builder *b, const schema_merged *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (schema_get(b, m->parts[i])->patterns || schema_get(b, m->parts[i])->names)
			return true;
	return false;
}

/* The product, and whether it leaves as many keys as there must be properties. */
static void put_keys(key_rule *k, const automata *a, uint32_t least, uint32_t most, uint32_t from)
{
	product p = { .b = k->b,
		      .a = a,
		      .least = least,
		      .most = most,
		      .value = k->m->value,
		      .end = end_key,
		      .user = k };
	bool has = true;

	if (product_put(&p, from) && k->m->least_properties > 0 &&
	    product_has_texts(&p, k->m->least_properties, &has) && !has)
		(void)schema_refuse(k->b, k->m->value, BRISE_EUNSUPPORTED,
		                    "minProperties above the number of keys that patterns leave");
	product_free(&p);
}

uint32_t schema_add_selected_member(schema_builder *b, const schema_merged *m, const json_key *keys,
                                    size_t n_keys)
{
	key_rule k = { .b = b, .m = m };
	alternatives named = { NULL, 0, 0, 0 };
	automata a = { .n = 0 };
	schema_names names;
	uint32_t rule = 0, from;
	size_t i;

	if (!find_names(b, m, &names) || (names.has_any && !(names.m.types & SCHEMA_STRING))) {
		schema_free_parts(&names.parts);
		return 0;
	}
	if (names.has_any)
		add_names(b, &names, &a);
	add_patterns(&k, &a);
	for (i = 0; i < n_keys && b->status == BRISE_OK; i++)
		(void)alternatives_add(b, &named, keys[i].text, keys[i].bytes);
	(void)automata_add_list(b, &a, &named, true, m->value);
	if (a.n == 0)
		(void)automata_add(b, &a, 0, "", 0,
		                   m->value); /* characters that are only counted */
	k.ends = memory_new((size_t)1 << k.n_patterns, sizeof *k.ends);
	if (!k.ends)
		(void)schema_no_memory(b);
	rule = network_add_rule(b->n, NULL, 0);
	from = network_add_state(b->n);
	if (b->status == BRISE_OK && !network_is_full(b->n)) {
		k.end = b->n->rules[rule].end;
		network_add_bytes(b->n, b->n->rules[rule].start, '"', '"', from);
		put_keys(&k, &a, names.m.least_length, names.m.most_length, from);
		b->has_free_keys = b->has_selected_keys = true;
	}
	memory_free(k.ends);
	schema_free_parts(&names.parts);
	return rule;
}
