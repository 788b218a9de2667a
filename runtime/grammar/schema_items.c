/* schema_items.c - arrays of which elements are counted (contains) or told apart (uniqueItems)
 *
 * A state stands for how many elements there are, up to the last number that matters, and how many
 * of them satisfy `contains`: a choice of elements that do and any others has each array that has
 * enough of them. Where they may also be too many, the others are those that do not satisfy it. For
 * uniqueItems a state is the set of values that are there, which must be few.
 */
#include <string.h>

#include "runtime/grammar/schema.h"
#include "runtime/os/memory.h"

#define COUNTERS_MAX 2u
#define STATES_MAX   20000u
#define UNIQUE_MAX   10u /* different values: 1,024 sets of them */
#define DEPTH_MAX    8u  /* of branches in branches */

/* ---- contains ------------------------------------------------------------------------------- */

typedef struct counter {
	uint32_t schema, least, most;
	uint32_t last; /* number that is told apart */
} counter;

typedef struct counted {
	schema_builder *b;
	const schema_merged *m;
	counter counters[COUNTERS_MAX];
	size_t n;
	uint32_t places; /* the last number of elements that is told apart, at least 1 */
	uint32_t *choose, *after;
	uint32_t close;
} counted;

static bool find_counters(schema_builder *b, const schema_merged *m, counted *c)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(b, m->parts[i]);
		bool has_most = f->most_contains != SCHEMA_NO_LIMIT;

		if (!f->contains || (f->least_contains == 0 && !has_most))
			continue;
		if (c->n == COUNTERS_MAX)
			return schema_refuse(b, f->contains, BRISE_EUNSUPPORTED,
			                     "more than two contains that hold together");
		c->counters[c->n++] = (counter){ f->contains, f->least_contains, f->most_contains,
			                         has_most ? f->most_contains : f->least_contains };
	}
	return true;
}

static size_t count_states(const counted *c)
{
	uint64_t n = (uint64_t)c->places + 1;
	size_t i;

	for (i = 0; i < c->n && n <= STATES_MAX; i++)
		n *= (uint64_t)c->counters[i].last + 1;
	return n <= STATES_MAX ? (size_t)n : 0;
}

static size_t find_state(const counted *c, uint32_t place, const uint32_t *counts)
{
	size_t at = place < c->places ? place : c->places, i;

	for (i = 0; i < c->n; i++)
		at = at * ((size_t)c->counters[i].last + 1) + counts[i];
	return at;
}

/* An element that satisfies those of `chosen`, a bit each, and is counted by them. */
static void put_element(counted *c, uint32_t place, const uint32_t *counts, unsigned chosen)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	uint32_t next[COUNTERS_MAX], rule;
	schema_builder *b = c->b;
	bool is_possible = true;
	size_t i;

	schema_collect_element(b, c->m, place, &p);
	for (i = 0; i < c->n; i++) {
		const counter *k = &c->counters[i];
		bool is_chosen = chosen >> i & 1;

		next[i] = counts[i];
		if (is_chosen && counts[i] == k->last)
			is_possible = false; /* enough, or no more allowed */
		else if (is_chosen)
			next[i]++;
		if (is_chosen)
			schema_collect(b, &p, k->schema);
		else if (k->most != SCHEMA_NO_LIMIT)
			schema_negate(b, &p, k->schema);
	}
	if (!is_possible || p.is_nothing || b->status != BRISE_OK) {
		schema_free_parts(&p);
		return;
	}
	rule = schema_rule(b, schema_take_set(b, &p, c->m->value));
	network_add_call(b->n, c->choose[find_state(c, place, counts)], rule,
	                 c->after[find_state(c, place + 1, next)]);
}

static void put_counted_state(counted *c, uint32_t place, const uint32_t *counts)
{
	size_t at = find_state(c, place, counts), i;
	network *n = c->b->n;
	bool may_close = place >= c->m->least_items;
	unsigned chosen;
	uint32_t comma;

	for (i = 0; i < c->n; i++)
		may_close = may_close && counts[i] >= c->counters[i].least;
	if (place > 0) {
		comma = network_add_state(n);
		network_add_bytes(n, c->after[at], ',', ',', comma);
		network_add_call(n, comma, c->b->rules.blank, c->choose[at]);
	}
	if (may_close && place > 0)
		network_add_call(n, c->after[at], c->b->rules.blank, c->close);
	else if (may_close)
		network_add_empty(n, c->choose[at], c->close);
	for (chosen = 0; place < c->m->most_items && chosen < 1u << c->n; chosen++)
		put_element(c, place, counts, chosen);
}

static void put_counted(counted *c, uint32_t from)
{
	uint32_t counts[COUNTERS_MAX], place;
	size_t n = count_states(c), i, at, rest;

	if (n == 0) {
		(void)schema_refuse(c->b, c->m->value, BRISE_EUNSUPPORTED,
		                    "numbers of elements too large beside contains");
		return;
	}
	c->choose = memory_new(n, sizeof *c->choose);
	c->after = memory_new(n, sizeof *c->after);
	if (!c->choose || !c->after) {
		(void)schema_no_memory(c->b);
		return;
	}
	for (i = 0; i < n; i++) {
		c->choose[i] = network_add_state(c->b->n);
		c->after[i] = network_add_state(c->b->n);
	}
	network_add_call(c->b->n, from, c->b->rules.blank, c->choose[0]);
	for (at = 0; at < n && schema_spend(c->b, 1) && !network_is_full(c->b->n); at++) {
		rest = at;
		for (i = c->n; i-- > 0;) {
			counts[i] = (uint32_t)(rest % ((size_t)c->counters[i].last + 1));
			rest /= (size_t)c->counters[i].last + 1;
		}
		place = (uint32_t)rest;
		put_counted_state(c, place, counts);
	}
}

/* ---- uniqueItems ---------------------------------------------------------------------------- */

typedef struct unique_value {
	uint32_t value;   /* of the document; 0: a word */
	const char *word; /* true, false, null */
	uint32_t rule;
} unique_value;

typedef struct unique {
	schema_builder *b;
	const schema_merged *m;
	unique_value values[UNIQUE_MAX];
	uint32_t n;
} unique;

static bool refuse_unique(schema_builder *b, const schema_merged *m)
{
	uint32_t value = m->value;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (schema_get(b, m->parts[i])->unique)
			value = schema_get(b, m->parts[i])->unique;
	return schema_refuse(b, value, BRISE_EUNSUPPORTED,
	                     "uniqueItems, unless elements are up to ten listed values or "
	                     "booleans and there is no contains");
}

/* The number of a value among all, which it joins. */
static bool find_value(unique *u, uint32_t value, const char *word, uint32_t *number)
{
	const document *d = u->b->d;
	uint32_t i;

	if (value && (d->values[value].type == JSON_BOOL || d->values[value].type == JSON_NULL)) {
		word = d->values[value].type == JSON_NULL ? "null"
		       : d->values[value].flag            ? "true"
		                                          : "false";
		value = 0;
	}
	for (i = 0; i < u->n; i++)
		if (value ? u->values[i].value && document_equal(d, u->values[i].value, value)
		          : u->values[i].word && !strcmp(u->values[i].word, word))
			break;
	*number = i;
	if (i < u->n)
		return true;
	if (i == UNIQUE_MAX)
		return refuse_unique(u->b, u->m);
	u->values[u->n++] = (unique_value){ value, word, network_add_rule(u->b->n, NULL, 0) };
	if (network_is_full(u->b->n))
		return false;
	if (value)
		schema_put_value(u->b, value, u->b->n->rules[u->values[i].rule].start,
		                 u->b->n->rules[u->values[i].rule].end);
	else
		network_add_text(u->b->n, u->b->n->rules[u->values[i].rule].start, word,
		                 u->b->n->rules[u->values[i].rule].end);
	return true;
}

static bool add_value(unique *u, uint32_t value, const char *word, unsigned *values)
{
	uint32_t number;

	if (!find_value(u, value, word, &number))
		return false;
	*values |= 1u << number;
	return true;
}

/* Null, true and false, where a set has no other types. */
static bool add_words(unique *u, const schema_merged *m, unsigned *values)
{
	if (m->types & ~(unsigned)(SCHEMA_NULL | SCHEMA_BOOL))
		return refuse_unique(u->b, u->m);
	if (m->types & SCHEMA_NULL && !add_value(u, 0, "null", values))
		return false;
	if (m->types & SCHEMA_BOOL && !schema_excludes_flag(m, true) &&
	    !add_value(u, 0, "true", values))
		return false;
	return !(m->types & SCHEMA_BOOL) || schema_excludes_flag(m, false) ||
	       add_value(u, 0, "false", values);
}

/* Adds the values that satisfy parts, a bit each. */
static bool add_values(unique *u, const schema_parts *p, unsigned depth, unsigned *values)
{
	schema_branches it = { .value = u->m->value };
	schema_builder *b = u->b;
	uint32_t value = 0;
	schema_merged m;
	bool done = true;
	size_t i;

	schema_merge_parts(b, p->parts, p->n, u->m->value, &m);
	if (p->is_nothing || !schema_spend(b, 1))
		return b->status == BRISE_OK;
	it.part = schema_find_branches(b, &m);
	if (it.part == SCHEMA_NOTHING && schema_find_list(&m) == SCHEMA_NOTHING)
		return add_words(u, &m, values);
	if (it.part == SCHEMA_NOTHING) {
		while (done && (value = schema_next_value(b, &m, value)) != 0)
			done = add_value(u, value, NULL, values);
		return done && b->status == BRISE_OK;
	}
	if (depth == DEPTH_MAX || schema_kind_of(it.part) == SCHEMA_ONE_OF)
		return refuse_unique(b, u->m);
	while (done) {
		schema_parts q = { NULL, NULL, 0, 0, 0, 0, false };

		for (i = 0; i < p->n; i++)
			if (p->parts[i] != it.part)
				(void)schema_add_part(b, &q, p->parts[i]);
		if (!schema_next_branch(b, &it, &q)) {
			schema_free_parts(&q);
			break;
		}
		done = add_values(u, &q, depth + 1, values);
		schema_free_parts(&q);
	}
	return done && b->status == BRISE_OK;
}

/* The values of an element at a place. */
static bool find_values(unique *u, uint32_t place, unsigned *values)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	bool done;

	schema_collect_element(u->b, u->m, place, &p);
	done = add_values(u, &p, 0, values);
	schema_free_parts(&p);
	return done;
}

static unsigned count_bits(unsigned x)
{
	unsigned n = 0;

	for (; x; x &= x - 1)
		n++;
	return n;
}

/* A state for each set of values: what may follow is none of them, and of its place. */
static void put_sets(unique *u, const unsigned *of_place, uint32_t from, uint32_t close)
{
	uint32_t choose[1u << UNIQUE_MAX], after[1u << UNIQUE_MAX], comma;
	network *n = u->b->n;
	unsigned set, i, count;

	for (set = 0; set < 1u << u->n; set++) {
		choose[set] = network_add_state(n);
		after[set] = network_add_state(n);
	}
	network_add_call(n, from, u->b->rules.blank, choose[0]);
	for (set = 0; set < 1u << u->n && !network_is_full(n); set++) {
		count = count_bits(set);
		if (set == 0 && u->m->least_items == 0)
			network_add_empty(n, choose[0], close);
		if (set != 0) {
			comma = network_add_state(n);
			network_add_bytes(n, after[set], ',', ',', comma);
			network_add_call(n, comma, u->b->rules.blank, choose[set]);
			if (count >= u->m->least_items)
				network_add_call(n, after[set], u->b->rules.blank, close);
		}
		for (i = 0; i < u->n && count < u->m->most_items; i++)
			if (of_place[count] & ~set & 1u << i)
				network_add_call(n, choose[set], u->values[i].rule,
				                 after[set | 1u << i]);
	}
}

static void put_unique(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t close)
{
	unsigned of_place[UNIQUE_MAX + 1];
	unique u = { .b = b, .m = m };
	uint32_t place;

	/* Behind so many elements all values are there. */
	for (place = 0; place <= UNIQUE_MAX; place++) {
		of_place[place] = 0;
		if (place < m->most_items && !find_values(&u, place, &of_place[place]))
			return;
	}
	if (!network_is_full(b->n))
		put_sets(&u, of_place, from, close);
}

/* ---- both ----------------------------------------------------------------------------------- */

bool schema_put_items(schema_builder *b, const schema_merged *m, uint32_t places, uint32_t from,
                      uint32_t close)
{
	counted c = { .b = b, .m = m, .close = close };
	bool is_unique = false;
	size_t i;

	for (i = 0; i < m->n; i++)
		is_unique = is_unique || schema_get(b, m->parts[i])->unique;
	is_unique = is_unique && m->most_items > 1;
	if (!find_counters(b, m, &c) || (c.n == 0 && !is_unique))
		return b->status != BRISE_OK;
	if (is_unique && c.n > 0)
		return refuse_unique(b, m) || true;
	if (is_unique) {
		put_unique(b, m, from, close);
		return true;
	}
	c.places = places > m->least_items ? places : m->least_items;
	if (m->most_items != SCHEMA_NO_LIMIT && m->most_items > c.places)
		c.places = m->most_items;
	put_counted(&c, from);
	memory_free(c.choose);
	memory_free(c.after);
	return true;
}
