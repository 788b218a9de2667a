/* schema.c - schemas to parts, and parts to sets */
#include "runtime/grammar/schema.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/grammar/grammar.h"
#include "runtime/os/memory.h"

#define SETS_MAX  20000u
#define SEEN_MAX  400u /* schemas that hold together for one value */
#define PARTS_MAX 1000u

/* Steps of comparing and searching, and of regular expressions: half a second. The server compiles
 * where it answers all requests. */
#define WORK_MAX INT64_C(60000000)

/* Numbers of parts, which stand side by side, that are compared in a step. */
#define PARTS_A_STEP 8u

bool schema_refuse(schema_builder *b, uint32_t value, brise_status status, const char *what)
{
	/* Without steps left, what is there may not have been found. */
	if (b->status == BRISE_OK && b->work < 0)
		b->status = document_refuse(b->d, 1, BRISE_EUNSUPPORTED,
		                            "too much to compare: the schema is too large", b->err);
	else if (b->status == BRISE_OK)
		b->status = document_refuse(b->d, value, status, what, b->err);
	return false;
}

bool schema_spend(schema_builder *b, size_t n)
{
	if (!document_spend(b->d, n))
		(void)schema_refuse(b, 1, BRISE_EUNSUPPORTED, "");
	return b->status == BRISE_OK;
}

bool schema_no_memory(schema_builder *b)
{
	if (b->status == BRISE_OK)
		b->status = error_set(b->err, BRISE_ENOMEM, "%s: no memory", b->d->name);
	return false;
}

static bool wrong(schema_builder *b, uint32_t value, const char *what)
{
	return schema_refuse(b, value, BRISE_EFORMAT, what);
}

const schema_facts *schema_get(const schema_builder *b, uint32_t part)
{
	bool is_plain = schema_kind_of(part) == SCHEMA_PLAIN;

	return &b->facts[is_plain ? b->facts_of[schema_value_of(part)] : 0];
}

const char *schema_get_key(const schema_builder *b, uint32_t part, size_t *bytes)
{
	const document_value *v = &b->d->values[schema_value_of(part)];

	*bytes = v->key ? v->key_bytes : v->string_bytes;
	return v->key ? v->key : v->string;
}

/* ---- schemas to parts ----------------------------------------------------------------------- */

static bool push(schema_builder *b, uint32_t **list, size_t *n, size_t *most, uint32_t item)
{
	uint32_t *moved;

	if (*n == *most) {
		moved = memory_resize(*list, *most * 2 + 16, sizeof *moved);
		if (!moved)
			return schema_no_memory(b);
		*list = moved;
		*most = *most * 2 + 16;
	}
	(*list)[(*n)++] = item;
	return true;
}

bool schema_add_part(schema_builder *b, schema_parts *p, uint32_t part)
{
	uint32_t value = part < SCHEMA_KINDS ? 1 : schema_value_of(part);
	size_t i;

	if (!schema_spend(b, 1 + p->n / PARTS_A_STEP))
		return false;
	for (i = 0; i < p->n; i++)
		if (p->parts[i] == part)
			return true;
	if (p->n == PARTS_MAX)
		return schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                     "too many conditions that hold together");
	return push(b, &p->parts, &p->n, &p->most, part);
}

void schema_free_parts(schema_parts *p)
{
	memory_free(p->parts);
	memory_free(p->seen);
	memset(p, 0, sizeof *p);
}

static void see(schema_builder *b, schema_parts *p, uint32_t value)
{
	size_t i;

	if (!schema_spend(b, 1 + p->n_seen / PARTS_A_STEP))
		return;
	for (i = 0; i < p->n_seen; i++)
		if (p->seen[i] == value)
			return;
	if (p->n_seen == SEEN_MAX)
		(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                    "too many schemas that hold together");
	else
		(void)push(b, &p->seen, &p->n_seen, &p->most_seen, value);
}

uint32_t schema_resolve(schema_builder *b, const schema_facts *f)
{
	const document_value *v = &b->d->values[f->reference];
	uint32_t target = document_resolve(b->d, f->value, v->string, v->string_bytes);

	return target ? target
	              : schema_refuse(b, f->reference, BRISE_EUNSUPPORTED,
	                              "a reference to nothing in this document");
}

static void collect_dependents(schema_builder *b, schema_parts *p, uint32_t list)
{
	uint32_t i = list ? b->d->values[list].child : 0;

	for (; i && b->status == BRISE_OK; i = b->d->values[i].next)
		if (b->d->values[i].n > 0 || b->d->values[i].type == JSON_BOOL)
			(void)schema_add_part(b, p, schema_part(i, SCHEMA_DEPENDS));
}

static void collect_one(schema_builder *b, schema_parts *p, uint32_t value)
{
	const document_value *v = &b->d->values[value];
	uint32_t facts, i;
	schema_facts f;

	if (v->type == JSON_BOOL) {
		p->is_nothing |= !v->flag;
		return;
	}
	facts = v->type == JSON_OBJECT ? schema_find_facts(b, value) : 0;
	if (!facts) {
		(void)wrong(b, value, "a schema expected: an object, true or false");
		return;
	}
	f = b->facts[facts];
	if (f.is_plain)
		(void)schema_add_part(b, p, schema_part(value, SCHEMA_PLAIN));
	if (f.any_of)
		(void)schema_add_part(b, p, schema_part(value, SCHEMA_ANY_OF));
	if (f.one_of)
		(void)schema_add_part(b, p, schema_part(value, SCHEMA_ONE_OF));
	if (f.condition && (f.then || f.otherwise))
		(void)schema_add_part(b, p, schema_part(value, SCHEMA_IF));
	if (f.negated)
		schema_negate(b, p, f.negated);
	for (i = 0; i < 3; i++)
		collect_dependents(b, p, f.dependent[i]);
	for (i = f.all_of ? b->d->values[f.all_of].child : 0; i && b->status == BRISE_OK;
	     i = b->d->values[i].next)
		see(b, p, i);
	if (f.reference && (i = schema_resolve(b, &f)) != 0)
		see(b, p, i);
}

void schema_collect(schema_builder *b, schema_parts *p, uint32_t value)
{
	size_t at = p->n_seen;

	for (see(b, p, value); at < p->n_seen && b->status == BRISE_OK; at++)
		collect_one(b, p, p->seen[at]);
}

/* ---- parts to sets -------------------------------------------------------------------------- */

static int compare_parts(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t hash_parts(const uint32_t *parts, size_t n)
{
	uint32_t hash = (uint32_t)n;

	for (; n > 0; n--, parts++) {
		hash = (hash ^ *parts) * 0x9e3779b1u;
		hash ^= hash >> 15;
	}
	return hash;
}

static uint32_t find_set(const schema_builder *b, const uint32_t *parts, size_t n, size_t *slot)
{
	size_t at = hash_parts(parts, n) & (b->n_slots - 1);

	for (; b->slots[at]; at = (at + 1) & (b->n_slots - 1)) {
		const schema_set *s = &b->sets[b->slots[at] - 1];

		if (s->n == n && (n == 0 || !memcmp(b->parts + s->first, parts, n * sizeof *parts)))
			return b->slots[at];
	}
	*slot = at;
	return 0;
}

/* The name of a rule in messages: the place of a schema. */
static uint32_t add_rule(schema_builder *b, uint32_t value)
{
	brise_error place;

	size_t name = strlen(b->d->name) + 2;

	(void)document_refuse(b->d, value, BRISE_EFORMAT, "it", &place);
	name = name < strlen(place.message) ? name : 0;
	return network_add_rule(b->n, place.message + name, strlen(place.message + name));
}

uint32_t schema_take_set(schema_builder *b, schema_parts *p, uint32_t value)
{
	schema_set set = { .value = value };
	uint32_t found, nothing = SCHEMA_NOTHING;
	const uint32_t *parts = p->is_nothing ? &nothing : p->parts;
	size_t n = p->is_nothing ? 1 : p->n, slot = 0, i;
	schema_set *moved;

	if (p->n > 1)
		qsort(p->parts, p->n, sizeof *p->parts, compare_parts);
	(void)schema_spend(b, 64 + 8 * p->n);
	found = find_set(b, parts, n, &slot);
	if (!found && b->n_sets == SETS_MAX)
		(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                    "too many combinations of schemas");
	if (found || b->status != BRISE_OK || network_is_full(b->n)) {
		schema_free_parts(p);
		return found ? found - 1 : 0;
	}
	set.first = (uint32_t)b->n_parts;
	set.n = (uint32_t)n;
	for (i = 0; i < n; i++)
		(void)push(b, &b->parts, &b->n_parts, &b->most_parts, parts[i]);
	if (b->n_sets == b->most_sets) {
		moved = memory_resize(b->sets, b->most_sets * 2 + 64, sizeof *moved);
		if (!moved) {
			schema_free_parts(p);
			return schema_no_memory(b);
		}
		b->sets = moved;
		b->most_sets = b->most_sets * 2 + 64;
	}
	set.rule = add_rule(b, value);
	b->sets[b->n_sets] = set;
	b->slots[slot] = (uint32_t)++b->n_sets;
	schema_free_parts(p);
	return (uint32_t)b->n_sets - 1;
}

/* ---- the whole ------------------------------------------------------------------------------ */

bool schema_begin(schema_builder *b, document *d, network *n, brise_error *err)
{
	memset(b, 0, sizeof *b);
	b->work = WORK_MAX;
	d->work = &b->work;
	b->d = d;
	b->n = n;
	b->err = err;
	b->n_slots = (size_t)1 << 16; /* more than twice SETS_MAX, a power of two */
	b->slots = memory_new(b->n_slots, sizeof *b->slots);
	b->facts_of = memory_new(d->n, sizeof *b->facts_of);
	b->most_facts = 64;
	b->facts = memory_new(b->most_facts, sizeof *b->facts);
	b->n_facts = 1;
	if (b->facts)
		schema_init_facts(&b->facts[0]);
	b->most_parts = 64;
	b->parts = memory_new(b->most_parts, sizeof *b->parts);
	json_rules_make(&b->rules, n);
	return (b->slots && b->facts_of && b->facts && b->parts) || schema_no_memory(b);
}

void schema_end(schema_builder *b)
{
	memory_free(b->facts);
	memory_free(b->facts_of);
	memory_free(b->sets);
	memory_free(b->parts);
	memory_free(b->slots);
	schema_free_patterns(b);
}

brise_status grammar_compile_schema(network *n, const char *text, size_t bytes, const char *name,
                                    uint32_t *root, grammar_keys *keys, brise_error *err)
{
	document d;
	schema_builder b = { .status = document_read(&d, text, bytes, name, err) };
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	uint32_t set, value;

	if (b.status == BRISE_OK && schema_begin(&b, &d, n, err)) {
		schema_collect(&b, &p, 1);
		set = schema_take_set(&b, &p, 1);
		schema_fill_sets(&b);
		*root = network_add_rule(n, NULL, 0);
		value = network_add_state(n);
		if (!network_is_full(n) && b.status == BRISE_OK) {
			json_rules_put_space(n, n->rules[*root].start, value);
			network_add_call(n, value, schema_rule(&b, set), n->rules[*root].end);
		}
		*keys = (grammar_keys){ b.has_free_keys, b.has_selected_keys };
		(void)schema_spend(&b, 0);
	}
	schema_free_parts(&p);
	schema_end(&b);
	document_free(&d);
	return b.status;
}
