/* schema_apart.c - whether two sets exclude each other, as the branches of oneOf must
 *
 * They do if their types differ, or their listed values, or their bounds or lengths do not overlap,
 * or a property that one of them requires, or an element that both have, cannot satisfy both.
 */
#include "runtime/grammar/schema.h"

#define DEPTH_MAX 6u
#define WORK_MAX  20000u

static bool numbers_apart(const schema_merged *a, const schema_merged *b)
{
	decimal low, high;
	bool low_is_open, high_is_open;
	int order, i;

	for (i = 0; i < 2; i++) {
		if (schema_find_bound(i ? b : a, false, &low, &low_is_open) &&
		    schema_find_bound(i ? a : b, true, &high, &high_is_open)) {
			order = decimal_compare(&low, &high);
			if (order > 0 || (order == 0 && (low_is_open || high_is_open)))
				return true;
		}
	}
	return false;
}

/* Copies of what is merged, as new sets move the parts. */
typedef struct copy {
	schema_merged m;
	schema_parts parts;
} copy;

static bool property_apart(schema_builder *b, const copy *x, const copy *y, const char *key,
                           size_t bytes, unsigned depth)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false }, q = p;
	uint32_t first, second;

	schema_collect_property(b, &x->m, key, bytes, &p);
	first = schema_take_set(b, &p, x->m.value);
	schema_collect_property(b, &y->m, key, bytes, &q);
	second = schema_take_set(b, &q, y->m.value);
	return b->status == BRISE_OK && schema_apart(b, first, second, depth + 1);
}

/* Some property that x requires excludes y. */
static bool required_apart(schema_builder *b, const copy *x, const copy *y, unsigned depth)
{
	uint32_t k;
	size_t i;

	for (i = 0; i < x->m.n; i++) {
		const schema_facts f = *schema_get(b, x->m.parts[i]);

		for (k = f.required ? b->d->values[f.required].child : 0; k;
		     k = b->d->values[k].next)
			if (property_apart(b, x, y, b->d->values[k].string,
			                   b->d->values[k].string_bytes, depth))
				return true;
	}
	return false;
}

static bool arrays_apart(schema_builder *b, const copy *x, const copy *y, unsigned depth)
{
	uint32_t least = x->m.least_items > y->m.least_items ? x->m.least_items : y->m.least_items,
	         i, first, second;

	if (least > x->m.most_items || least > y->m.most_items)
		return true;
	for (i = 0; i < least && i < 16; i++) {
		schema_parts p = { NULL, NULL, 0, 0, 0, 0, false }, q = p;

		schema_collect_element(b, &x->m, i, &p);
		first = schema_take_set(b, &p, x->m.value);
		schema_collect_element(b, &y->m, i, &q);
		second = schema_take_set(b, &q, y->m.value);
		if (b->status != BRISE_OK || schema_apart(b, first, second, depth + 1))
			return true;
	}
	return false;
}

/* No value that x lists satisfies y. */
static bool list_apart(schema_builder *b, const copy *x, const copy *y)
{
	bool y_lists = schema_find_list(&y->m) != SCHEMA_NOTHING;
	uint32_t value = 0, other;

	while ((value = schema_next_value(b, &x->m, value)) != 0) {
		json_type type = b->d->values[value].type;

		if (y_lists) {
			for (other = 0; (other = schema_next_value(b, &y->m, other)) != 0;)
				if (document_equal(b->d, value, other))
					return false;
		} else if (type == JSON_OBJECT || type == JSON_ARRAY) {
			if (y->m.types & (type == JSON_OBJECT ? SCHEMA_OBJECT : SCHEMA_ARRAY))
				return false;
		} else if (schema_fits(b, &y->m, value)) {
			return false;
		}
	}
	return true;
}

static bool plain_apart(schema_builder *b, const copy *x, const copy *y, unsigned depth)
{
	unsigned types = x->m.types & y->m.types;

	if (types == 0)
		return true;
	if (schema_find_list(&x->m) != SCHEMA_NOTHING)
		return list_apart(b, x, y);
	if (schema_find_list(&y->m) != SCHEMA_NOTHING)
		return list_apart(b, y, x);
	if (types & (SCHEMA_NULL | SCHEMA_BOOL))
		return false;
	if (types & SCHEMA_NUMBER && !numbers_apart(&x->m, &y->m))
		return false;
	if (types & SCHEMA_STRING && x->m.least_length <= y->m.most_length &&
	    y->m.least_length <= x->m.most_length)
		return false;
	if (types & SCHEMA_ARRAY && !arrays_apart(b, x, y, depth))
		return false;
	return !(types & SCHEMA_OBJECT) || required_apart(b, x, y, depth) ||
	       required_apart(b, y, x, depth);
}

/* Each branch, with the other parts of its set, excludes `other`. */
static bool branches_apart(schema_builder *b, const copy *c, uint32_t part, uint32_t other,
                           unsigned depth)
{
	schema_branches it = { .part = part, .value = c->m.value };
	uint32_t set;
	size_t k;

	while (b->status == BRISE_OK) {
		schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };

		for (k = 0; k < c->m.n; k++)
			if (c->m.parts[k] != part)
				(void)schema_add_part(b, &p, c->m.parts[k]);
		if (!schema_next_branch(b, &it, &p)) {
			schema_free_parts(&p);
			return true;
		}
		set = schema_take_set(b, &p, it.value);
		if (b->status != BRISE_OK || !schema_apart(b, set, other, depth + 1))
			return false;
	}
	return false;
}

bool schema_apart(schema_builder *b, uint32_t first, uint32_t second, unsigned depth)
{
	copy x, y;
	uint32_t part;
	bool apart = false;

	if (depth > DEPTH_MAX || ++b->apart > WORK_MAX || b->status != BRISE_OK)
		return false;
	apart = schema_copy_set(b, first, &x.m, &x.parts);
	if (schema_copy_set(b, second, &y.m, &y.parts) && apart) {
		apart = false;
		if ((part = schema_find_branches(b, &x.m)) != SCHEMA_NOTHING)
			apart = branches_apart(b, &x, part, second, depth);
		else if ((part = schema_find_branches(b, &y.m)) != SCHEMA_NOTHING)
			apart = branches_apart(b, &y, part, first, depth);
		else
			apart = plain_apart(b, &x, &y, depth);
	}
	schema_free_parts(&x.parts);
	schema_free_parts(&y.parts);
	return apart && b->status == BRISE_OK;
}
