/* schema_object.c - objects
 *
 * Properties come in the order in which the schema names them, in `properties` first, then those
 * that `required` alone names, then all others; optional ones may be left out. So each comes once
 * at most, and which are missing follows from the place.
 */
#include <string.h>

#include "runtime/grammar/schema.h"
#include "runtime/os/memory.h"

/* States of an object: places between properties times the number of properties so far. */
#define OBJECT_STATES_MAX 60000u

/* ---- what a property must satisfy ----------------------------------------------------------- */

static bool has_key(const schema_builder *b, uint32_t part, const char *key, size_t bytes)
{
	size_t n;
	const char *own = schema_get_key(b, part, &n);

	return n == bytes && !memcmp(own, key, bytes);
}

/* The first of the names that a part requires; 0: none. */
static uint32_t find_names(const schema_builder *b, uint32_t part)
{
	uint32_t list = schema_get(b, part)->required;

	if (schema_kind_of(part) == SCHEMA_HAS_ALL)
		list = schema_value_of(part);
	return list ? b->d->values[list].child : 0;
}

bool schema_is_required(const schema_merged *m, const char *key, size_t bytes)
{
	const document *d = m->b->d;
	uint32_t k;
	size_t i;

	for (i = 0; i < m->n; i++) {
		schema_kind kind = schema_kind_of(m->parts[i]);

		if ((kind == SCHEMA_HAS || kind == SCHEMA_HAS_OTHER) &&
		    has_key(m->b, m->parts[i], key, bytes))
			return true;
		k = find_names(m->b, m->parts[i]);
		(void)document_spend(d, k ? d->values[d->values[k].parent].n : 1);
		for (; k; k = d->values[k].next)
			if (d->values[k].string_bytes == bytes &&
			    !memcmp(d->values[k].string, key, bytes))
				return true;
	}
	return false;
}

void schema_collect_property(schema_builder *b, const schema_merged *m, const char *key,
                             size_t bytes, schema_parts *p)
{
	uint32_t value;
	size_t i;

	for (i = 0; i < m->n; i++) {
		const schema_facts f = *schema_get(b, m->parts[i]);

		schema_kind kind = schema_kind_of(m->parts[i]);

		if (kind == SCHEMA_LACKS)
			p->is_nothing |= has_key(b, m->parts[i], key, bytes);
		if (kind == SCHEMA_HAS_OTHER && has_key(b, m->parts[i], key, bytes))
			schema_negate(b, p, schema_value_of(m->parts[i]));
		value = f.properties ? document_find_key(b->d, f.properties, key, bytes) : 0;
		if (value)
			schema_collect(b, p, value);
		if (f.patterns && schema_collect_matching(b, p, f.patterns, key, bytes))
			value = f.patterns;
		if (!value && f.additional)
			schema_collect(b, p, f.additional);
	}
	if (schema_has_selected_keys(b, m))
		p->is_nothing |= !schema_name_fits(b, m, key, bytes);
}

/* Of properties that nothing names. */
static void collect_additional(schema_builder *b, const schema_merged *m, schema_parts *p)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		const schema_facts f = *schema_get(b, m->parts[i]);

		if (f.additional)
			schema_collect(b, p, f.additional);
	}
}

/* ---- the names of an object ----------------------------------------------------------------- */

typedef struct object {
	schema_builder *b;
	const schema_merged *m;
	json_key *keys;    /* [n] */
	bool *required;    /* [n] */
	uint32_t *members; /* [n] rules; 0: there can be none */
	size_t n, most;
	uint32_t free_member; /* rule; 0: none */
	uint32_t columns;     /* numbers of properties that are told apart, less one */
	uint32_t *choose;     /* [n + 1][columns + 1] states before a key */
	uint32_t *after;      /* and behind a member, or the brace */
} object;

static void add_key(object *o, const char *text, size_t bytes)
{
	json_key *moved;
	size_t i;

	if (!schema_spend(o->b, o->n))
		return;
	for (i = 0; i < o->n; i++)
		if (o->keys[i].bytes == bytes && !memcmp(o->keys[i].text, text, bytes))
			return;
	if (o->n == SCHEMA_PROPERTIES_MAX) {
		(void)schema_refuse(o->b, o->m->value, BRISE_EUNSUPPORTED,
		                    "more than 2,000 properties");
		return;
	}
	if (o->n == o->most) {
		moved = memory_resize(o->keys, o->most * 2 + 16, sizeof *moved);
		if (!moved) {
			(void)schema_no_memory(o->b);
			return;
		}
		o->keys = moved;
		o->most = o->most * 2 + 16;
	}
	o->keys[o->n++] = (json_key){ text, bytes };
}

static void find_keys(object *o)
{
	const schema_builder *b = o->b;
	const char *key;
	size_t i, bytes;
	uint32_t k;

	for (i = 0; i < o->m->n && b->status == BRISE_OK; i++) {
		const schema_facts *f = schema_get(b, o->m->parts[i]);

		for (k = f->properties ? b->d->values[f->properties].child : 0;
		     k && b->status == BRISE_OK; k = b->d->values[k].next)
			add_key(o, b->d->values[k].key, b->d->values[k].key_bytes);
	}
	for (i = 0; i < o->m->n && b->status == BRISE_OK; i++) {
		schema_kind kind = schema_kind_of(o->m->parts[i]);

		if (kind == SCHEMA_LACKS || kind == SCHEMA_HAS || kind == SCHEMA_HAS_OTHER) {
			key = schema_get_key(b, o->m->parts[i], &bytes);
			add_key(o, key, bytes);
		}
		for (k = find_names(b, o->m->parts[i]); k && b->status == BRISE_OK;
		     k = b->d->values[k].next)
			add_key(o, b->d->values[k].string, b->d->values[k].string_bytes);
	}
}

/* A rule for "key": value. */
static uint32_t add_member(object *o, const json_key *key)
{
	schema_builder *b = o->b;
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	uint32_t rule, value, set;

	schema_collect_property(b, o->m, key->text, key->bytes, &p);
	if (p.is_nothing) {
		schema_free_parts(&p);
		return 0;
	}
	set = schema_take_set(b, &p, o->m->value);
	rule = network_add_rule(b->n, NULL, 0);
	value = network_add_state(b->n);
	if (b->status != BRISE_OK || network_is_full(b->n))
		return 0;
	json_rules_put_key(b->n, b->n->rules[rule].start, key->text, key->bytes, value);
	network_add_call(b->n, value, schema_rule(b, set), b->n->rules[rule].end);
	return rule;
}

static void add_free_member(object *o)
{
	schema_builder *b = o->b;
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	uint32_t set;

	if (schema_has_selected_keys(b, o->m)) {
		o->free_member = schema_add_selected_member(b, o->m, o->keys, o->n);
		return;
	}
	collect_additional(b, o->m, &p);
	if (p.is_nothing || b->status != BRISE_OK) {
		schema_free_parts(&p);
		return;
	}
	set = schema_take_set(b, &p, o->m->value);
	if (b->status != BRISE_OK || network_is_full(b->n))
		return;
	o->free_member = json_rules_add_free_member(&b->rules, o->keys, o->n, schema_rule(b, set));
	b->has_free_keys = true;
}

/* ---- its states ----------------------------------------------------------------------------- */

/* The column for one property more. */
static uint32_t count_on(const object *o, uint32_t column)
{
	return column < o->columns ? column + 1 : column;
}

static bool has_room(const object *o, uint32_t column)
{
	return o->m->most_properties == SCHEMA_NO_LIMIT || column < o->m->most_properties;
}

/* Places in the object: at property `i` with `column` properties before. The members and what may
 * be left out lead on; a comma leads from behind a member to before the next. */
static void put_place(object *o, size_t i, uint32_t column, bool may_close, uint32_t close)
{
	network *n = o->b->n;
	size_t width = (size_t)o->columns + 1, at = i * width + column;
	uint32_t next = count_on(o, column), comma;

	if (i < o->n) {
		if (!o->required[i])
			network_add_empty(n, o->choose[at], o->choose[at + width]);
		if (o->members[i] && has_room(o, column))
			network_add_call(n, o->choose[at], o->members[i],
			                 o->after[(i + 1) * width + next]);
	} else if (o->free_member && has_room(o, column)) {
		network_add_call(n, o->choose[at], o->free_member, o->after[i * width + next]);
	}
	if (i == 0 && column == 0 && o->n > 0)
		return; /* nothing ends before the first property but the empty object */
	comma = network_add_state(n);
	network_add_bytes(n, o->after[at], ',', ',', comma);
	network_add_call(n, comma, o->b->rules.blank, o->choose[at]);
	if (may_close && column >= o->m->least_properties)
		network_add_call(n, o->after[at], o->b->rules.blank, close);
}

static bool make_states(object *o)
{
	size_t n = (o->n + 1) * ((size_t)o->columns + 1), i;

	o->choose = memory_new(n, sizeof *o->choose);
	o->after = memory_new(n, sizeof *o->after);
	if (!o->choose || !o->after)
		return schema_no_memory(o->b);
	for (i = 0; i < n; i++) {
		o->choose[i] = network_add_state(o->b->n);
		o->after[i] = network_add_state(o->b->n);
	}
	return !network_is_full(o->b->n);
}

static void put_states(object *o, uint32_t from, uint32_t to)
{
	network *n = o->b->n;
	uint32_t open = network_add_state(n), close = network_add_state(n), column;
	bool may_close = true;
	size_t i;

	if (!make_states(o))
		return;
	network_add_bytes(n, from, '{', '{', open);
	network_add_call(n, open, o->b->rules.blank, o->choose[0]);
	network_add_bytes(n, close, '}', '}', to);
	for (i = o->n + 1; i-- > 0;) {
		may_close = may_close && (i == o->n || !o->required[i]);
		for (column = 0; column <= o->columns; column++)
			put_place(o, i, column, may_close, close);
	}
	/* Without properties. */
	if (may_close && o->m->least_properties == 0)
		network_add_call(n, open, o->b->rules.blank, close);
}

/* How many properties must be told apart: all up to a limit, else up to the least number. */
static bool find_columns(object *o)
{
	uint32_t most = o->m->most_properties, least = o->m->least_properties;

	/* No more than all, where there are no others; and one is told from none. */
	if (!o->free_member && most >= o->n)
		most = SCHEMA_NO_LIMIT;
	o->columns = most != SCHEMA_NO_LIMIT ? most : least > 0 ? least : 1;
	if ((o->n + 1) * ((uint64_t)o->columns + 1) <= OBJECT_STATES_MAX)
		return true;
	return schema_refuse(o->b, o->m->value, BRISE_EUNSUPPORTED,
	                     "numbers of properties too large");
}

static void fill_object(object *o, uint32_t from, uint32_t to)
{
	size_t i;

	find_keys(o);
	o->required = memory_new(o->n + 1, sizeof *o->required);
	o->members = memory_new(o->n + 1, sizeof *o->members);
	if (!o->required || !o->members) {
		(void)schema_no_memory(o->b);
		return;
	}
	for (i = 0; i < o->n && schema_spend(o->b, o->m->n); i++) {
		o->required[i] = schema_is_required(o->m, o->keys[i].text, o->keys[i].bytes);
		o->members[i] = add_member(o, &o->keys[i]);
	}
	add_free_member(o);
	if (o->b->status == BRISE_OK && !network_is_full(o->b->n) && find_columns(o))
		put_states(o, from, to);
}

void schema_put_object(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	object o = { .b = b, .m = m };

	if (m->least_properties > m->most_properties)
		return;
	fill_object(&o, from, to);
	memory_free(o.keys);
	memory_free(o.required);
	memory_free(o.members);
	memory_free(o.choose);
	memory_free(o.after);
}
