/* schema_product.c - see schema_product.h */
#include "runtime/grammar/schema_product.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/os/memory.h"

#define PRODUCT_MAX    30000u /* states */
#define PRODUCT_SLOTS  131072u
#define PRODUCT_COUNTS 30000u
#define COUNT_WORK     20000000 /* steps, some 0.3 s */

/* The slot of a key, empty or not. */
static size_t find_slot(const product *p, const product_key *key)
{
	const uint32_t *words = (const uint32_t *)key;
	uint32_t hash = 0;
	size_t at, i;

	for (i = 0; i < sizeof *key / sizeof *words; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b1u;
		hash ^= hash >> 15;
	}
	for (at = hash % PRODUCT_SLOTS; p->slots[at]; at = (at + 1) % PRODUCT_SLOTS)
		if (!memcmp(&p->keys[p->slots[at] - 1], key, sizeof *key))
			break;
	return at;
}

/* The state of the network for a key; 0: too many. */
static uint32_t find_place(product *p, const product_key *key)
{
	size_t at = find_slot(p, key);

	if (p->slots[at])
		return p->places[p->slots[at] - 1];
	if (p->n == PRODUCT_MAX)
		return 0;
	p->keys[p->n] = *key;
	p->places[p->n] = network_add_state(p->b->n);
	p->slots[at] = (uint32_t)++p->n;
	return p->places[p->n - 1];
}

/* Where character c leads; false: nowhere. A mark that cannot fit any more stays in state 0. */
static bool follow(const product *p, const product_key *from, uint32_t c, product_key *to)
{
	size_t i;

	memset(to, 0, sizeof *to);
	for (i = 0; i < p->a->n; i++) {
		const regex *r = p->a->r[i];

		to->states[i] = r->next[from->states[i] * r->n_classes + regex_class(r, c)];
		if (!to->states[i] && p->a->groups[i] == 0)
			return false;
	}
	to->count = from->count < p->columns ? from->count + 1 : from->count;
	return p->most == SCHEMA_NO_LIMIT || from->count < p->most;
}

/* Where a text that ends here leads; 0: none ends here. */
static uint32_t find_end(const product *p, const product_key *key)
{
	unsigned failed = 0;
	size_t i;

	for (i = 0; i < p->a->n; i++)
		if (!p->a->r[i]->is_whole[key->states[i]])
			failed |= 1u << p->a->groups[i];
	return failed & 1 || key->count < p->least ? 0 : p->end(p->user, ~failed >> 1);
}

/* Edges of one state: neighbouring classes that lead to the same place go together. */
static bool put_edges(product *p, size_t which)
{
	const product_key key = p->keys[which];
	uint32_t from = p->places[which], last = 0, place, end = find_end(p, &key);
	charset set = { NULL, 0, 0 };
	product_key to;
	bool done = true;
	size_t i;

	if (!schema_spend(p->b, 4 * p->borders.n * p->a->n))
		return false;
	if (end)
		network_add_bytes(p->b->n, from, '"', '"', end);
	for (i = 0; i < p->borders.n && done; i++) {
		const charset_range *r = &p->borders.ranges[i];

		place = 0;
		if (follow(p, &key, r->low, &to)) {
			place = find_place(p, &to);
			done = place != 0;
		}
		if (place != last && set.n > 0) {
			charset_put(p->b->n, from, set.ranges, set.n, CHARSET_JSON, last);
			set.n = 0;
		}
		last = place;
		if (place && !charset_add(&set, r->low, r->high))
			done = schema_no_memory(p->b);
	}
	if (set.n > 0 && last)
		charset_put(p->b->n, from, set.ranges, set.n, CHARSET_JSON, last);
	charset_free(&set);
	return done;
}

static int compare_lows(const void *a, const void *b)
{
	const charset_range *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

/* The pieces into which the classes of all automata cut the characters. */
static bool find_borders(product *p)
{
	charset *s = &p->borders;
	size_t i, k;

	for (i = 0; i < p->a->n; i++)
		for (k = 0; k < p->a->r[i]->n_classes; k++)
			if (!charset_add(s, p->a->r[i]->begins[k], p->a->r[i]->begins[k]))
				return schema_no_memory(p->b);
	/* Not joined where they follow each other. */
	if (s->n > 1)
		qsort(s->ranges, s->n, sizeof *s->ranges, compare_lows);
	for (i = k = 0; i < s->n; i++)
		if (k == 0 || s->ranges[k - 1].low != s->ranges[i].low)
			s->ranges[k++] = s->ranges[i];
	s->n = k;
	for (i = 0; i < s->n; i++)
		s->ranges[i].high = i + 1 < s->n ? s->ranges[i + 1].low - 1 : CHARSET_LAST;
	return true;
}

static void put_states(product *p, uint32_t from)
{
	product_key first;
	bool done = true;
	uint32_t place;
	size_t i;

	memset(&first, 0, sizeof first);
	for (i = 0; i < p->a->n; i++) {
		first.states[i] = p->a->r[i]->start;
		if (!first.states[i] && p->a->groups[i] == 0)
			return; /* an expression that nothing fits */
	}
	place = find_place(p, &first);
	network_add_empty(p->b->n, from, place);
	for (i = 0; i < p->n && done && !network_is_full(p->b->n); i++)
		done = put_edges(p, i);
	if (!done)
		(void)schema_refuse(p->b, p->value, BRISE_EUNSUPPORTED,
		                    "patterns and lengths that are too large together");
}

bool product_put(product *p, uint32_t from)
{
	p->columns = p->most != SCHEMA_NO_LIMIT ? p->most : p->least;
	if (p->columns > PRODUCT_COUNTS)
		return schema_refuse(p->b, p->value, BRISE_EUNSUPPORTED,
		                     "a length above 30,000 beside a pattern");
	p->keys = memory_new(PRODUCT_MAX, sizeof *p->keys);
	p->places = memory_new(PRODUCT_MAX, sizeof *p->places);
	p->slots = memory_new(PRODUCT_SLOTS, sizeof *p->slots);
	if (!p->keys || !p->places || !p->slots)
		return schema_no_memory(p->b);
	if (find_borders(p))
		put_states(p, from);
	return p->b->status == BRISE_OK && !network_is_full(p->b->n);
}

void product_free(product *p)
{
	charset_free(&p->borders);
	memory_free(p->keys);
	memory_free(p->places);
	memory_free(p->slots);
}

/* ---- how many texts there are --------------------------------------------------------------- */

/* Characters of a piece; surrogates are none. */
static uint64_t count_characters(const charset_range *r)
{
	uint32_t low = r->low > 0xd800 ? r->low : 0xd800,
	         high = r->high < 0xdfff ? r->high : 0xdfff;

	return (uint64_t)r->high - r->low + 1 - (low <= high ? high - low + 1 : 0);
}

/* Adds the texts of one character more to `longer`; returns how many of these end. */
static uint64_t count_longer(product *p, const uint32_t *texts, uint32_t *longer, uint64_t most,
                             int64_t *work)
{
	uint64_t ends = 0, more;
	product_key to;
	size_t i, k, n;

	memset(longer, 0, p->n * sizeof *longer);
	for (i = 0; i < p->n; i++)
		for (k = 0; texts[i] && k < p->borders.n; k++) {
			--*work;
			if (!follow(p, &p->keys[i], p->borders.ranges[k].low, &to))
				continue;
			n = p->slots[find_slot(p, &to)] - 1;
			more = texts[i] * count_characters(&p->borders.ranges[k]);
			ends += find_end(p, &p->keys[n]) ? more : 0;
			ends = ends < most ? ends : most;
			longer[n] = (uint32_t)(longer[n] + more < most ? longer[n] + more : most);
		}
	return ends;
}

bool product_has_texts(product *p, uint32_t least, bool *has)
{
	uint32_t *texts = memory_new(p->n, sizeof *texts),
	         *longer = memory_new(p->n, sizeof *longer), *moved;
	int64_t work = COUNT_WORK;
	uint64_t n = 0;
	size_t length;

	if (!texts || !longer) {
		memory_free(texts);
		memory_free(longer);
		return schema_no_memory(p->b);
	}
	if (p->n > 0) {
		texts[0] = 1;
		n = find_end(p, &p->keys[0]) != 0;
	}
	/* A text longer than there are states goes through one twice: there is no end of them. */
	for (length = 0; length <= p->n && n < least && work > 0; length++) {
		n += count_longer(p, texts, longer, least, &work);
		moved = texts;
		texts = longer;
		longer = moved;
	}
	memory_free(texts);
	memory_free(longer);
	*has = n >= least;
	return work > 0 || schema_refuse(p->b, p->value, BRISE_EUNSUPPORTED,
	                                 "patterns and numbers that are too large together");
}
