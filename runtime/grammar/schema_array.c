/* schema_array.c - arrays: their first elements, and the rest */
#include "runtime/grammar/schema.h"

#define PREFIX_MAX 10000u

void schema_collect_element(schema_builder *b, const schema_merged *m, uint32_t place,
                            schema_parts *p)
{
	uint32_t value, k;
	size_t i;

	for (i = 0; i < m->n; i++) {
		const schema_facts f = *schema_get(b, m->parts[i]);

		value = f.items;
		(void)document_spend(b->d, place);
		if (f.prefix && b->d->values[f.prefix].n > place)
			for (value = b->d->values[f.prefix].child, k = 0; k < place; k++)
				value = b->d->values[value].next;
		if (value)
			schema_collect(b, p, value);
	}
}

static uint32_t count_prefix(const schema_builder *b, const schema_merged *m)
{
	uint32_t n = 1;
	size_t i;

	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(b, m->parts[i]);

		if (f->prefix && b->d->values[f->prefix].n > n)
			n = b->d->values[f->prefix].n;
	}
	return n;
}

/* The rule of the element at a place; false: there can be none. */
static bool find_element(schema_builder *b, const schema_merged *m, uint32_t place, uint32_t *rule)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };

	schema_collect_element(b, m, place, &p);
	if (p.is_nothing) {
		schema_free_parts(&p);
		return false;
	}
	*rule = schema_rule(b, schema_take_set(b, &p, m->value));
	return b->status == BRISE_OK && !network_is_full(b->n);
}

/* A comma, and an element. */
static uint32_t add_following(schema_builder *b, uint32_t element)
{
	network *n = b->n;
	uint32_t rule = network_add_rule(n, NULL, 0), comma = network_add_state(n),
	         next = network_add_state(n);

	if (network_is_full(n))
		return 0;
	network_add_bytes(n, n->rules[rule].start, ',', ',', comma);
	network_add_call(n, comma, b->rules.blank, next);
	network_add_call(n, next, element, n->rules[rule].end);
	return rule;
}

/* The elements behind the first ones, as many as the limits leave. */
static void put_rest(schema_builder *b, const schema_merged *m, uint32_t place, uint32_t from,
                     uint32_t close)
{
	uint32_t least = m->least_items > place ? m->least_items - place : 0, most, element, end;

	if (m->most_items <= place || !find_element(b, m, place, &element))
		return;
	most = m->most_items == SCHEMA_NO_LIMIT ? NETWORK_NO_LIMIT : m->most_items - place;
	end = network_add_state(b->n);
	network_add_repeat(b->n, from, add_following(b, element), least, most, end);
	network_add_call(b->n, end, b->rules.blank, close);
}

void schema_put_array(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	network *n = b->n;
	uint32_t open = network_add_state(n), at = network_add_state(n),
	         close = network_add_state(n), prefix = count_prefix(b, m), i, element, next;

	if (m->least_items > m->most_items)
		return;
	if (prefix > PREFIX_MAX) {
		(void)schema_refuse(b, m->value, BRISE_EUNSUPPORTED,
		                    "too many schemas of first elements");
		return;
	}
	network_add_bytes(n, from, '[', '[', open);
	network_add_bytes(n, close, ']', ']', to);
	if (schema_put_items(b, m, prefix, open, close))
		return;
	network_add_call(n, open, b->rules.blank, at);
	if (m->least_items == 0)
		network_add_empty(n, at, close);
	for (i = 0; i < prefix && i < m->most_items && b->status == BRISE_OK; i++) {
		if (!find_element(b, m, i, &element))
			return;
		next = network_add_state(n);
		network_add_call(n, at, i == 0 ? element : add_following(b, element), next);
		at = next;
		if (i + 1 >= m->least_items)
			network_add_call(n, at, b->rules.blank, close);
	}
	put_rest(b, m, prefix, at, close);
}
