/* schema_value.c - enum and const: values that are listed */
#include <string.h>

#include "runtime/grammar/schema.h"

/* ---- as texts ------------------------------------------------------------------------------- */

static void put_number(schema_builder *b, const document_value *v, uint32_t from, uint32_t to)
{
	char text[DECIMAL_TEXT];
	decimal d;

	if (decimal_read(&d, b->d->text + v->at, v->bytes))
		network_add_string(b->n, from, text, decimal_write(&d, text), to);
	else
		network_add_string(b->n, from, b->d->text + v->at, v->bytes, to);
}

static void put_children(schema_builder *b, uint32_t value, uint32_t from, uint32_t to)
{
	bool is_object = b->d->values[value].type == JSON_OBJECT;
	uint32_t open = network_add_state(b->n), at = network_add_state(b->n), i, next, comma;

	network_add_text(b->n, from, is_object ? "{" : "[", open);
	network_add_call(b->n, open, b->rules.blank, at);
	for (i = b->d->values[value].child; i && !network_is_full(b->n) && schema_spend(b, 1);
	     i = b->d->values[i].next) {
		const document_value *v = &b->d->values[i];

		if (is_object && document_find_key(b->d, value, v->key, v->key_bytes) != i)
			continue; /* the last of two counts */
		if (i != b->d->values[value].child) {
			comma = network_add_state(b->n);
			next = network_add_state(b->n);
			network_add_bytes(b->n, at, ',', ',', comma);
			network_add_call(b->n, comma, b->rules.blank, next);
			at = next;
		}
		if (is_object) {
			next = network_add_state(b->n);
			json_rules_put_key(b->n, at, v->key, v->key_bytes, next);
			at = next;
		}
		next = network_add_state(b->n);
		schema_put_value(b, i, at, next);
		at = next;
	}
	next = network_add_state(b->n);
	if (b->d->values[value].n > 0)
		network_add_call(b->n, at, b->rules.blank, next);
	else
		network_add_empty(b->n, at, next);
	network_add_text(b->n, next, is_object ? "}" : "]", to);
}

/* Recursion is bounded by JSON_DEPTH. */
void schema_put_value(schema_builder *b, uint32_t value, uint32_t from, uint32_t to)
{
	const document_value *v = &b->d->values[value];
	uint32_t open, close;

	switch (v->type) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		put_children(b, value, from, to);
		break;
	case JSON_STRING:
		open = network_add_state(b->n);
		close = network_add_state(b->n);
		network_add_bytes(b->n, from, '"', '"', open);
		charset_put_text(b->n, open, v->string, v->string_bytes, close);
		network_add_bytes(b->n, close, '"', '"', to);
		break;
	case JSON_NUMBER:
		put_number(b, v, from, to);
		break;
	default:
		network_add_string(b->n, from, b->d->text + v->at, v->bytes, to);
	}
}

/* ---- which ---------------------------------------------------------------------------------- */

uint32_t schema_find_list(const schema_merged *m)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(m->b, m->parts[i]);

		if (f->enumeration || f->constant)
			return m->parts[i];
	}
	return SCHEMA_NOTHING;
}

static unsigned find_type(const document *d, const document_value *v)
{
	decimal number;

	switch (v->type) {
	case JSON_NULL:
		return SCHEMA_NULL;
	case JSON_BOOL:
		return SCHEMA_BOOL;
	case JSON_NUMBER:
		return decimal_read(&number, d->text + v->at, v->bytes) && number.n_fraction == 0
		               ? SCHEMA_INTEGER
		               : SCHEMA_FRACTION;
	case JSON_STRING:
		return SCHEMA_STRING;
	case JSON_ARRAY:
		return SCHEMA_ARRAY;
	default:
		return SCHEMA_OBJECT;
	}
}

typedef struct bounds {
	decimal low, high;
	bool has_low, has_high, low_is_open, high_is_open;
} bounds;

static void find_bounds(const schema_merged *m, bounds *all)
{
	all->has_low = schema_find_bound(m, false, &all->low, &all->low_is_open);
	all->has_high = schema_find_bound(m, true, &all->high, &all->high_is_open);
}

static bool is_within(const bounds *all, const decimal *number)
{
	int order;

	if (all->has_low) {
		order = decimal_compare(number, &all->low);
		if (order < 0 || (order == 0 && all->low_is_open))
			return false;
	}
	if (all->has_high) {
		order = decimal_compare(number, &all->high);
		if (order > 0 || (order == 0 && all->high_is_open))
			return false;
	}
	return true;
}

static bool number_fits(const schema_merged *m, const document_value *v)
{
	const document *d = m->b->d;
	decimal number, bound;
	bounds all;
	size_t i;

	if (!decimal_read(&number, d->text + v->at, v->bytes))
		return true; /* beyond all bounds that are read */
	find_bounds(m, &all);
	if (!is_within(&all, &number))
		return false;
	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(m->b, m->parts[i]);
		const document_value *of;

		if (!f->multiple)
			continue;
		of = &d->values[f->multiple];
		if (decimal_read(&bound, d->text + of->at, of->bytes) &&
		    !schema_is_multiple(&number, &bound))
			return false;
	}
	return true;
}

bool schema_text_has_length(const schema_merged *m, const char *text, size_t bytes)
{
	uint32_t n = 0;
	size_t at, step;

	for (at = 0; at < bytes; at += step, n++)
		(void)charset_decode(text + at, bytes - at, &step);
	return n >= m->least_length && n <= m->most_length;
}

/* Whether a part restricts what is in an array or object. */
static bool looks_inside(const schema_builder *b, uint32_t part, json_type type)
{
	const schema_facts *f = schema_get(b, part);
	schema_kind kind = schema_kind_of(part);

	if (kind == (type == JSON_ARRAY ? SCHEMA_FEWER_ITEMS : SCHEMA_FEWER_PROPERTIES) ||
	    kind == (type == JSON_ARRAY ? SCHEMA_MORE_ITEMS : SCHEMA_MORE_PROPERTIES) ||
	    (type == JSON_OBJECT && kind >= SCHEMA_LACKS && kind <= SCHEMA_HAS_OTHER))
		return true;
	if (type == JSON_ARRAY)
		return f->items || f->prefix || f->contains || f->unique || f->least_items > 0 ||
		       f->most_items != SCHEMA_NO_LIMIT;
	return f->properties || f->required || f->additional || f->patterns || f->names ||
	       f->least_properties > 0 || f->most_properties != SCHEMA_NO_LIMIT;
}

bool schema_fits(schema_builder *b, const schema_merged *m, uint32_t value)
{
	const document_value *v = &b->d->values[value];
	size_t i;

	if (!(m->types & find_type(b->d, v)))
		return false;
	if (v->type == JSON_NUMBER)
		return number_fits(m, v);
	if (v->type == JSON_STRING)
		return schema_text_has_length(m, v->string, v->string_bytes) &&
		       schema_text_fits(b, m, v->string, v->string_bytes);
	for (i = 0; (v->type == JSON_ARRAY || v->type == JSON_OBJECT) && i < m->n; i++)
		if (looks_inside(b, m->parts[i], v->type))
			(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
			                    "a listed array or object, of which other keywords "
			                    "restrict the inside");
	return true;
}

/* is_own: the value is of that list. */
static bool is_listed(const schema_builder *b, const schema_facts *f, bool is_own, uint32_t value)
{
	uint32_t i;

	if (f->constant && !document_equal(b->d, f->constant, value))
		return false;
	if (!f->enumeration || is_own)
		return true;
	for (i = b->d->values[f->enumeration].child; i; i = b->d->values[i].next)
		if (document_equal(b->d, i, value))
			return true;
	return false;
}

static bool is_listed_by_all(const schema_builder *b, const schema_merged *m, uint32_t value)
{
	uint32_t list = schema_find_list(m);
	size_t i;

	for (i = 0; i < m->n; i++)
		if (!is_listed(b, schema_get(b, m->parts[i]), m->parts[i] == list, value))
			return false;
	return true;
}

bool schema_is_excluded(const schema_builder *b, const schema_merged *m, uint32_t value)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (schema_kind_of(m->parts[i]) == SCHEMA_NOT_VALUE &&
		    document_equal(b->d, schema_value_of(m->parts[i]), value))
			return true;
	return false;
}

/* Branches of excluded numbers come last, and only where they are within the bounds: each splits
 * one range into two. */
uint32_t schema_find_branches(schema_builder *b, const schema_merged *m)
{
	bool has_list = schema_find_list(m) != SCHEMA_NOTHING;
	decimal number;
	bounds all;
	size_t i;

	for (i = 0; i < m->n; i++)
		switch (schema_kind_of(m->parts[i])) {
		case SCHEMA_ANY_OF:
		case SCHEMA_ONE_OF:
		case SCHEMA_NOT:
		case SCHEMA_IF:
		case SCHEMA_DEPENDS:
			return m->parts[i];
		default:
			break;
		}
	find_bounds(m, &all);
	for (i = 0; i < m->n && !has_list && m->types & SCHEMA_NUMBER; i++) {
		const document_value *v = &b->d->values[schema_value_of(m->parts[i])];

		if (schema_kind_of(m->parts[i]) == SCHEMA_NOT_VALUE && v->type == JSON_NUMBER &&
		    decimal_read(&number, b->d->text + v->at, v->bytes) && is_within(&all, &number))
			return m->parts[i];
	}
	return SCHEMA_NOTHING;
}

uint32_t schema_next_value(schema_builder *b, const schema_merged *m, uint32_t last)
{
	const schema_facts f = *schema_get(b, schema_find_list(m));
	uint32_t value;

	if (f.constant)
		value = last ? 0 : f.constant;
	else
		value = last ? b->d->values[last].next : b->d->values[f.enumeration].child;
	while (value && schema_spend(b, m->n) &&
	       !(is_listed_by_all(b, m, value) && !schema_is_excluded(b, m, value) &&
	         schema_fits(b, m, value)))
		value = f.constant ? 0 : b->d->values[value].next;
	return b->status == BRISE_OK ? value : 0;
}
