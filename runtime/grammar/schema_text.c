/* schema_text.c - strings: lengths, patterns and formats
 *
 * Without pattern and format a string is characters, escaped in any way, and counted. With them it
 * is the product of their automata and the count, and each character is written in one way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/regex_ahead.h"
#include "runtime/grammar/schema.h"
#include "runtime/os/memory.h"

#define REGEXES_MAX    8u
#define PRODUCT_MAX    30000u /* states */
#define PRODUCT_SLOTS  131072u
#define PRODUCT_COUNTS 30000u

/* ---- formats -------------------------------------------------------------------------------- */

#define DATE                                                                                       \
	"(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|"        \
	"02-(0[1-9]|1\\d|2[0-8]))|"                                                                \
	"(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
#define OFFSET "([+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define TIME                                                                                       \
	"(([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?([Zz]|" OFFSET ")|"                      \
	"23:59:60(\\.\\d{1,9})?[Zz])"
/* A name has at most 253 bytes, a label 63: up to four of 61, or up to eight of 30. */
#define LABEL(more) "[0-9A-Za-z]([0-9A-Za-z-]{0," more "}[0-9A-Za-z])?"
#define NAMES(least)                                                                               \
	"(" LABEL("59") "(\\." LABEL("59") "){" least                                              \
	                                   ",3}|" LABEL("28") "(\\." LABEL("28") "){" least ",7})"
#define HOST  NAMES("0")
#define ATOM  "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]{1,64}"
#define BYTE  "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define IPV4  "(" BYTE "\\." BYTE "\\." BYTE "\\." BYTE ")"
#define HEX4  "[0-9A-Fa-f]{1,4}"
#define LAST4 "(" HEX4 ":" HEX4 "|" IPV4 ")"
#define IPV6                                                                                       \
	"((" HEX4 ":){6}" LAST4 "|::(" HEX4 ":){5}" LAST4 "|(" HEX4 ")?::(" HEX4 ":){4}" LAST4     \
	"|((" HEX4 ":){0,1}" HEX4 ")?::(" HEX4 ":){3}" LAST4 "|((" HEX4 ":){0,2}" HEX4             \
	")?::(" HEX4 ":){2}" LAST4 "|((" HEX4 ":){0,3}" HEX4 ")?::" HEX4 ":" LAST4 "|((" HEX4      \
	":){0,4}" HEX4 ")?::" LAST4 "|((" HEX4 ":){0,5}" HEX4 ")?::" HEX4 "|((" HEX4               \
	":){0,6}" HEX4 ")?::)"
#define PERCENT "%[0-9A-Fa-f]{2}"
#define PCHARS  "([0-9A-Za-z._~!$&'()*+,;=:@-]|" PERCENT ")"
#define AUTHORITY                                                                                  \
	"(([0-9A-Za-z._~!$&'()*+,;=:-]|" PERCENT ")*@)?(([0-9A-Za-z._~!$&'()*+,;=-]|" PERCENT      \
	")*|\\[" IPV6 "\\])(:\\d*)?"
#define URI                                                                                        \
	"[A-Za-z][0-9A-Za-z+.-]*:(//" AUTHORITY "(/" PCHARS "*)*|/?(" PCHARS "+(/" PCHARS          \
	"*)*)?)(\\?(" PCHARS "|[/?])*)?(#(" PCHARS "|[/?])*)?"

static const struct {
	const char *name, *expression;
} formats[] = {
	{ "date", "^(" DATE ")$" },
	{ "time", "^(" TIME ")$" },
	{ "date-time", "^(" DATE ")[Tt](" TIME ")$" },
	{ "duration", "^P(\\d+W|((\\d+Y(\\d+M(\\d+D)?)?|\\d+M(\\d+D)?|\\d+D)"
	              "(T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S))?|"
	              "T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S)))$" },
	{ "email", "^" ATOM "(\\." ATOM "){0,7}@" NAMES("1") "$" },
	{ "hostname", "^" HOST "$" },
	{ "ipv4", "^" IPV4 "$" },
	{ "ipv6", "^" IPV6 "$" },
	{ "uri", "^" URI "$" },
	{ "uuid", "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$" },
};

const char *schema_find_format(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(name, formats[i].name))
			return formats[i].expression;
	return NULL;
}

/* ---- the automata of a set ------------------------------------------------------------------ */

typedef struct automata {
	regex r[REGEXES_MAX];
	size_t n;
} automata;

static void free_automata(automata *a)
{
	while (a->n > 0)
		regex_free(&a->r[--a->n]);
}

static bool add_one(schema_builder *b, automata *a, const char *text, size_t bytes, uint32_t value)
{
	const char *why = "";
	char what[150];
	brise_status status;

	if (a->n == REGEXES_MAX)
		return schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                     "too many patterns that hold together");
	status = regex_compile(&a->r[a->n], text, bytes, &b->work, &why);
	if (status == BRISE_OK) {
		a->n++;
		return true;
	}
	(void)snprintf(what, sizeof what, "a regular expression: %s", why);
	return schema_refuse(b, value, status, what);
}

/* An expression; what it looks for ahead becomes automata of its own. */
static bool add_regex(schema_builder *b, automata *a, const char *text, size_t bytes,
                      uint32_t value)
{
	size_t at = 1, n;
	regex_ahead group;
	char *part;
	bool done = true;

	if (!regex_begins_ahead(text, bytes))
		return add_one(b, a, text, bytes, value);
	part = memory_new(bytes + 8, 1);
	if (!part)
		return schema_no_memory(b);
	for (; done && regex_find_ahead(text, bytes, at, &group); at = group.end + 1) {
		n = group.end - group.begin;
		memcpy(part, "^(?:", 4);
		memcpy(part + 4, text + group.begin, n);
		part[4 + n] = ')';
		done = add_one(b, a, part, n + 5, value);
		if (done && group.is_negative)
			regex_invert(&a->r[a->n - 1]);
	}
	if (done) {
		part[0] = '^';
		memcpy(part + 1, text + at, bytes - at);
		done = add_one(b, a, part, 1 + bytes - at, value);
	}
	memory_free(part);
	return done;
}

/* Patterns and formats that must not fit. */
static void add_inverted(schema_builder *b, automata *a, uint32_t part)
{
	const schema_facts f = b->facts[b->facts_of[schema_value_of(part)]];
	const document_value *v = &b->d->values[f.pattern];
	bool added = false;

	if (schema_kind_of(part) == SCHEMA_NOT_FORMAT) {
		added = add_one(b, a, f.format, strlen(f.format), f.format_value);
	} else if (schema_kind_of(part) == SCHEMA_NOT_PATTERN) {
		if (regex_begins_ahead(v->string, v->string_bytes))
			(void)schema_refuse(b, f.pattern, BRISE_EUNSUPPORTED,
			                    "look-ahead in a pattern that must not fit");
		else
			added = add_one(b, a, v->string, v->string_bytes, f.pattern);
	}
	if (added)
		regex_invert(&a->r[a->n - 1]);
}

/* Writes an expression that fits a text alone; returns its bytes. Each byte of the text takes at
 * most 10. */
static size_t quote_text(const char *text, size_t bytes, char *to)
{
	size_t at = 0, n = 0, step;

	for (; at < bytes; at += step)
		n += (size_t)sprintf(to + n, "\\u{%lx}",
		                     (unsigned long)charset_decode(text + at, bytes - at, &step));
	return n;
}

/* Texts that are excluded, as one automaton. */
static void add_excluded(schema_builder *b, const schema_merged *m, automata *a)
{
	size_t total = 16, n = 4, i, count = 0;
	uint32_t last = 0;
	char *text;

	for (i = 0; i < m->n; i++)
		total += (size_t)b->d->values[schema_value_of(m->parts[i])].string_bytes * 10 + 1;
	text = b->status == BRISE_OK ? memory_new(total, 1) : NULL;
	if (!text) {
		(void)schema_no_memory(b);
		return;
	}
	memcpy(text, "^(?:", 4);
	for (i = 0; i < m->n; i++) {
		const document_value *v = &b->d->values[schema_value_of(m->parts[i])];

		if (schema_kind_of(m->parts[i]) != SCHEMA_NOT_VALUE || v->type != JSON_STRING)
			continue;
		if (count++ > 0)
			text[n++] = '|';
		n += quote_text(v->string, v->string_bytes, text + n);
		last = schema_value_of(m->parts[i]);
	}
	memcpy(text + n, ")$", 2);
	if (count > 0 && add_one(b, a, text, n + 2, last))
		regex_invert(&a->r[a->n - 1]);
	memory_free(text);
}

static bool make_automata(schema_builder *b, const schema_merged *m, automata *a)
{
	size_t i;

	a->n = 0;
	for (i = 0; i < m->n && b->status == BRISE_OK; i++) {
		const schema_facts f = *schema_get(b, m->parts[i]);

		if (f.pattern)
			(void)add_regex(b, a, b->d->values[f.pattern].string,
			                b->d->values[f.pattern].string_bytes, f.pattern);
		if (f.format && b->status == BRISE_OK)
			(void)add_regex(b, a, f.format, strlen(f.format), f.format_value);
		if (b->status == BRISE_OK)
			add_inverted(b, a, m->parts[i]);
	}
	add_excluded(b, m, a);
	if (b->status != BRISE_OK)
		free_automata(a);
	return b->status == BRISE_OK;
}

bool schema_text_fits(schema_builder *b, const schema_merged *m, const char *text, size_t bytes)
{
	automata a;
	bool fits = true;
	size_t i;

	if (!make_automata(b, m, &a))
		return false;
	for (i = 0; i < a.n; i++)
		fits = fits && regex_fits(&a.r[i], text, bytes);
	free_automata(&a);
	return fits;
}

/* ---- their product -------------------------------------------------------------------------- */

typedef struct product_key {
	uint32_t states[REGEXES_MAX];
	uint32_t count;
} product_key;

typedef struct product {
	schema_builder *b;
	const automata *a;
	uint32_t least, most, columns; /* of counts; columns: the last that is told apart */
	product_key *keys;             /* [n] */
	uint32_t *places;              /* [n] states of the network */
	uint32_t *slots;
	size_t n;
	charset borders; /* characters where some class begins */
} product;

/* The state of the network for a key; 0: too many. */
static uint32_t find_place(product *p, const product_key *key)
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
			return p->places[p->slots[at] - 1];
	if (p->n == PRODUCT_MAX)
		return 0;
	p->keys[p->n] = *key;
	p->places[p->n] = network_add_state(p->b->n);
	p->slots[at] = (uint32_t)++p->n;
	return p->places[p->n - 1];
}

/* Where character c leads; false: nowhere. */
static bool follow(const product *p, const product_key *from, uint32_t c, product_key *to)
{
	size_t i;

	memset(to, 0, sizeof *to);
	for (i = 0; i < p->a->n; i++) {
		const regex *r = &p->a->r[i];

		to->states[i] = r->next[from->states[i] * r->n_classes + regex_class(r, c)];
		if (!to->states[i])
			return false;
	}
	to->count = from->count < p->columns ? from->count + 1 : from->count;
	return p->most == SCHEMA_NO_LIMIT || from->count < p->most;
}

static bool is_whole(const product *p, const product_key *key)
{
	size_t i;

	for (i = 0; i < p->a->n; i++)
		if (!p->a->r[i].is_whole[key->states[i]])
			return false;
	return key->count >= p->least;
}

/* Edges of one state: neighbouring classes that lead to the same place go together. */
static bool put_edges(product *p, size_t which, uint32_t close)
{
	const product_key key = p->keys[which];
	uint32_t from = p->places[which], last = 0, place;
	charset set = { NULL, 0, 0 };
	product_key to;
	bool done = true;
	size_t i;

	if (!schema_spend(p->b, 4 * p->borders.n * p->a->n))
		return false;
	if (is_whole(p, &key))
		network_add_bytes(p->b->n, from, '"', '"', close);
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
		for (k = 0; k < p->a->r[i].n_classes; k++)
			if (!charset_add(s, p->a->r[i].begins[k], p->a->r[i].begins[k]))
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

static void put_product(product *p, uint32_t value, uint32_t from, uint32_t close)
{
	product_key first;
	bool done = true;
	uint32_t place;
	size_t i;

	memset(&first, 0, sizeof first);
	for (i = 0; i < p->a->n; i++) {
		first.states[i] = p->a->r[i].start;
		done = done && first.states[i];
	}
	if (!done)
		return; /* an expression that nothing fits */
	place = find_place(p, &first);
	network_add_empty(p->b->n, from, place);
	for (i = 0; i < p->n && done && !network_is_full(p->b->n); i++)
		done = put_edges(p, i, close);
	if (!done)
		(void)schema_refuse(p->b, value, BRISE_EUNSUPPORTED,
		                    "patterns and lengths that are too large together");
}

static void put_automata(schema_builder *b, const schema_merged *m, const automata *a,
                         uint32_t from, uint32_t close)
{
	product p = { .b = b, .a = a, .least = m->least_length, .most = m->most_length };

	p.columns = p.most != SCHEMA_NO_LIMIT ? p.most : p.least;
	if (p.columns > PRODUCT_COUNTS) {
		(void)schema_refuse(b, m->value, BRISE_EUNSUPPORTED,
		                    "a length above 30,000 beside a pattern");
		return;
	}
	p.keys = memory_new(PRODUCT_MAX, sizeof *p.keys);
	p.places = memory_new(PRODUCT_MAX, sizeof *p.places);
	p.slots = memory_new(PRODUCT_SLOTS, sizeof *p.slots);
	if (!p.keys || !p.places || !p.slots)
		(void)schema_no_memory(b);
	else if (find_borders(&p))
		put_product(&p, m->value, from, close);
	charset_free(&p.borders);
	memory_free(p.keys);
	memory_free(p.places);
	memory_free(p.slots);
}

void schema_put_string(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	uint32_t open, close;
	automata a;

	if (m->least_length > m->most_length || !make_automata(b, m, &a))
		return;
	open = network_add_state(b->n);
	network_add_bytes(b->n, from, '"', '"', open);
	if (a.n > 0) {
		put_automata(b, m, &a, open, to);
	} else {
		close = network_add_state(b->n);
		network_add_repeat(b->n, open, b->rules.character, m->least_length,
		                   m->most_length == SCHEMA_NO_LIMIT ? NETWORK_NO_LIMIT
		                                                     : m->most_length,
		                   close);
		network_add_bytes(b->n, close, '"', '"', to);
	}
	free_automata(&a);
}
