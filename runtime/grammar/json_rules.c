/* json_rules.c - see json_rules.h */
#include "runtime/grammar/json_rules.h"

#include <string.h>

#include "runtime/grammar/grammar.h"
#include "runtime/os/memory.h"

static uint32_t start_of(const network *n, uint32_t rule)
{
	return rule < n->n_rules ? n->rules[rule].start : 0;
}

static uint32_t end_of(const network *n, uint32_t rule)
{
	return rule < n->n_rules ? n->rules[rule].end : 0;
}

void json_rules_put_space(network *n, uint32_t from, uint32_t to)
{
	network_add_bytes(n, from, ' ', ' ', to);
	network_add_empty(n, from, to);
}

void json_rules_put_key(network *n, uint32_t from, const char *key, size_t bytes, uint32_t to)
{
	uint32_t open = network_add_state(n), text = network_add_state(n),
	         colon = network_add_state(n);

	network_add_bytes(n, from, '"', '"', open);
	charset_put_text(n, open, key, bytes, text);
	network_add_text(n, text, "\":", colon);
	json_rules_put_space(n, colon, to);
}

/* Up to `most` of a byte, and at least one. */
static void put_run(network *n, uint32_t from, unsigned byte, unsigned most, uint32_t to)
{
	for (; most > 0; most--) {
		uint32_t next = network_add_state(n);

		network_add_bytes(n, from, byte, byte, next);
		network_add_empty(n, next, to);
		from = next;
	}
}

static uint32_t add_blank(network *n)
{
	uint32_t rule = network_add_rule(n, NULL, 0), start = start_of(n, rule),
	         end = end_of(n, rule), line = network_add_state(n);

	json_rules_put_space(n, start, end);
	network_add_bytes(n, start, '\n', '\n', line);
	network_add_empty(n, line, end);
	put_run(n, line, ' ', JSON_INDENT_SPACES, end);
	put_run(n, line, '\t', JSON_INDENT_TABS, end);
	return rule;
}

static void put_hex(network *n, uint32_t from, uint32_t to)
{
	network_add_bytes(n, from, '0', '9', to);
	network_add_bytes(n, from, 'a', 'f', to);
	network_add_bytes(n, from, 'A', 'F', to);
}

static void put_two_hex(network *n, uint32_t from, uint32_t to)
{
	uint32_t middle = network_add_state(n);

	put_hex(n, from, middle);
	put_hex(n, middle, to);
}

/* Four digits that are a character, or two surrogates that are one together. */
static void put_unicode(network *n, uint32_t from, uint32_t to)
{
	uint32_t any = network_add_state(n), d = network_add_state(n), two = network_add_state(n),
	         high = network_add_state(n), second = network_add_state(n),
	         low = network_add_state(n), lows = network_add_state(n),
	         last = network_add_state(n);

	network_add_bytes(n, from, '0', '9', any);
	network_add_bytes(n, from, 'a', 'c', any);
	network_add_bytes(n, from, 'A', 'C', any);
	network_add_bytes(n, from, 'e', 'f', any);
	network_add_bytes(n, from, 'E', 'F', any);
	put_hex(n, any, two);
	put_two_hex(n, two, to);
	network_add_bytes(n, from, 'd', 'd', d);
	network_add_bytes(n, from, 'D', 'D', d);
	network_add_bytes(n, d, '0', '7', two);
	network_add_bytes(n, d, '8', '9', high);
	network_add_bytes(n, d, 'a', 'b', high);
	network_add_bytes(n, d, 'A', 'B', high);
	put_two_hex(n, high, second);
	network_add_text(n, second, "\\u", low);
	network_add_bytes(n, low, 'd', 'd', lows);
	network_add_bytes(n, low, 'D', 'D', lows);
	network_add_bytes(n, lows, 'c', 'f', last);
	network_add_bytes(n, lows, 'C', 'F', last);
	put_two_hex(n, last, to);
}

static uint32_t add_character(network *n)
{
	static const charset_range plain[] = { { 0x20, 0x21 },
		                               { 0x23, 0x5b },
		                               { 0x5d, CHARSET_LAST } };
	uint32_t rule = network_add_rule(n, NULL, 0), start = start_of(n, rule),
	         end = end_of(n, rule), escape = network_add_state(n),
	         unicode = network_add_state(n);
	const char *c;

	charset_put(n, start, plain, 3, CHARSET_PLAIN, end);
	network_add_bytes(n, start, '\\', '\\', escape);
	for (c = "\"\\/bfnrt"; *c; c++)
		network_add_bytes(n, escape, (uint8_t)*c, (uint8_t)*c, end);
	network_add_bytes(n, escape, 'u', 'u', unicode);
	put_unicode(n, unicode, end);
	return rule;
}

static uint32_t add_special(network *n)
{
	static const charset_range special[] = {
		{ 0, 0x1f }, { '"', '"' }, { '\\', '\\' }, { 0x80, CHARSET_LAST }
	};
	uint32_t rule = network_add_rule(n, NULL, 0);

	charset_put(n, start_of(n, rule), special, 4, CHARSET_JSON, end_of(n, rule));
	return rule;
}

static uint32_t add_string(json_rules *r)
{
	network *n = r->n;
	uint32_t rule = network_add_rule(n, NULL, 0), inner = network_add_state(n);

	network_add_bytes(n, start_of(n, rule), '"', '"', inner);
	network_add_call(n, inner, r->character, inner);
	network_add_bytes(n, inner, '"', '"', end_of(n, rule));
	return rule;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Up to `most` digits, and at least `least` (0 or 1). */
static void put_digits(network *n, uint32_t from, unsigned least, unsigned most, uint32_t to)
{
	if (least == 0)
		network_add_empty(n, from, to);
	for (; most > 0; most--) {
		uint32_t next = network_add_state(n);

		network_add_bytes(n, from, '0', '9', next);
		network_add_empty(n, next, to);
		from = next;
	}
}

static uint32_t add_integer(network *n)
{
	uint32_t rule = network_add_rule(n, NULL, 0), first = network_add_state(n),
	         rest = network_add_state(n);

	network_add_bytes(n, start_of(n, rule), '-', '-', first);
	network_add_empty(n, start_of(n, rule), first);
	network_add_bytes(n, first, '0', '0', end_of(n, rule));
	network_add_bytes(n, first, '1', '9', rest);
	put_digits(n, rest, 0, JSON_DIGITS_MAX - 1, end_of(n, rule));
	return rule;
}

static uint32_t add_number(json_rules *r)
{
	network *n = r->n;
	uint32_t rule = network_add_rule(n, NULL, 0), end = end_of(n, rule),
	         whole = network_add_state(n), point = network_add_state(n),
	         fraction = network_add_state(n), e = network_add_state(n),
	         sign = network_add_state(n);

	network_add_call(n, start_of(n, rule), r->integer, whole);
	network_add_empty(n, whole, fraction);
	network_add_bytes(n, whole, '.', '.', point);
	put_digits(n, point, 1, JSON_DIGITS_MAX, fraction);
	network_add_empty(n, fraction, end);
	network_add_bytes(n, fraction, 'e', 'e', e);
	network_add_bytes(n, fraction, 'E', 'E', e);
	network_add_empty(n, e, sign);
	network_add_bytes(n, e, '+', '+', sign);
	network_add_bytes(n, e, '-', '-', sign);
	put_digits(n, sign, 1, 2, end);
	return rule;
}

/* ---- anything ------------------------------------------------------------------------------- */

/* Elements or members with commas between, in brackets. */
static void put_list(json_rules *r, uint32_t rule, const char *brackets, uint32_t element)
{
	network *n = r->n;
	uint32_t open = network_add_state(n), first = network_add_state(n),
	         after = network_add_state(n), comma = network_add_state(n),
	         next = network_add_state(n), close = network_add_state(n);

	network_add_bytes(n, start_of(n, rule), (uint8_t)brackets[0], (uint8_t)brackets[0], open);
	network_add_call(n, open, r->blank, first);
	network_add_call(n, first, element, after);
	network_add_empty(n, first, close);
	network_add_bytes(n, after, ',', ',', comma);
	network_add_call(n, comma, r->blank, next);
	network_add_call(n, next, element, after);
	network_add_call(n, after, r->blank, close);
	network_add_bytes(n, close, (uint8_t)brackets[1], (uint8_t)brackets[1], end_of(n, rule));
}

void json_rules_make(json_rules *r, network *n)
{
	uint32_t start, end;

	r->n = n;
	r->blank = add_blank(n);
	r->character = add_character(n);
	r->special = add_special(n);
	r->string = add_string(r);
	r->integer = add_integer(n);
	r->number = add_number(r);
	r->any = network_add_rule(n, NULL, 0);
	r->array = network_add_rule(n, NULL, 0);
	r->object = network_add_rule(n, NULL, 0);
	put_list(r, r->array, "[]", r->any);
	put_list(r, r->object, "{}", json_rules_add_free_member(r, NULL, 0, r->any));
	start = start_of(n, r->any);
	end = end_of(n, r->any);
	network_add_call(n, start, r->string, end);
	network_add_call(n, start, r->number, end);
	network_add_call(n, start, r->array, end);
	network_add_call(n, start, r->object, end);
	network_add_text(n, start, "true", end);
	network_add_text(n, start, "false", end);
	network_add_text(n, start, "null", end);
}

/* ---- keys that are not among others --------------------------------------------------------- */

/* A trie of the keys, by characters. */
typedef struct branch {
	uint32_t c, state;
	size_t child, next; /* 0: none */
	bool is_key;
} branch;

/* Makes the nodes of one key. */
static void insert(network *n, branch *nodes, size_t *used, const json_key *key)
{
	size_t at = 0, node = 0, step, child;

	while (at < key->bytes) {
		uint32_t c = charset_decode(key->text + at, key->bytes - at, &step);

		at += step;
		for (child = nodes[node].child; child && nodes[child].c != c;)
			child = nodes[child].next;
		if (!child) {
			child = (*used)++;
			nodes[child] = (branch){ .c = c,
				                 .state = network_add_state(n),
				                 .next = nodes[node].child };
			nodes[node].child = child;
		}
		node = child;
	}
	nodes[node].is_key = true;
}

static bool is_special(uint32_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}

/* What leaves the trie at a node: any character that no child is. */
static bool put_others(const json_rules *r, const branch *nodes, const branch *node, uint32_t free)
{
	charset others = { NULL, 0, 0 };
	bool done = charset_add(&others, '"', '"') && charset_add(&others, '\\', '\\'), special;
	size_t child;

	special = false;
	for (child = node->child; child; child = nodes[child].next)
		special |= is_special(nodes[child].c);
	if (special)
		charset_free(&others);
	else
		done = done && charset_add(&others, 0, 0x1f) &&
		       charset_add(&others, 0x80, CHARSET_LAST);
	for (child = node->child; child; child = nodes[child].next)
		done = done && charset_add(&others, nodes[child].c, nodes[child].c);
	charset_order(&others);
	done = done && charset_invert(&others);
	charset_put(r->n, node->state, others.ranges, others.n, CHARSET_JSON, free);
	if (!special)
		network_add_call(r->n, node->state, r->special, free);
	charset_free(&others);
	return done;
}

uint32_t json_rules_add_free_member(const json_rules *r, const json_key *keys, size_t n_keys,
                                    uint32_t value)
{
	network *n = r->n;
	uint32_t rule = network_add_rule(n, NULL, 0), free = network_add_state(n),
	         quote = network_add_state(n), colon = network_add_state(n);
	branch *nodes, all = { 0, free, 0, 0, false };
	size_t total = 1, used = 1, i;

	for (i = 0; i < n_keys; i++)
		total += keys[i].bytes;
	nodes = memory_new(total, sizeof *nodes);
	if (!nodes) {
		n->no_memory = true;
		return rule;
	}
	nodes[0].state = network_add_state(n);
	network_add_bytes(n, start_of(n, rule), '"', '"', nodes[0].state);
	for (i = 0; i < n_keys; i++)
		insert(n, nodes, &used, &keys[i]);
	for (i = 0; i < used && !network_is_full(n); i++) {
		if (!put_others(r, nodes, &nodes[i], free))
			n->no_memory = true;
		if (!nodes[i].is_key)
			network_add_bytes(n, nodes[i].state, '"', '"', quote);
	}
	for (i = 0; i < used && !network_is_full(n); i++) {
		size_t child;

		for (child = nodes[i].child; child; child = nodes[child].next)
			charset_put_one(n, nodes[i].state, nodes[child].c, CHARSET_JSON,
			                nodes[child].state);
	}
	memory_free(nodes);
	if (!put_others(r, &all, &all, free))
		n->no_memory = true;
	network_add_bytes(n, free, '"', '"', quote);
	network_add_bytes(n, quote, ':', ':', colon);
	{
		uint32_t before = network_add_state(n);

		json_rules_put_space(n, colon, before);
		network_add_call(n, before, value, end_of(n, rule));
	}
	return rule;
}

brise_status grammar_compile_json(network *n, uint32_t *root, brise_error *err)
{
	json_rules r;
	uint32_t object;

	(void)err;
	json_rules_make(&r, n);
	*root = network_add_rule(n, NULL, 0);
	object = network_add_state(n);
	json_rules_put_space(n, start_of(n, *root), object);
	network_add_call(n, object, r.object, end_of(n, *root));
	return BRISE_OK;
}
