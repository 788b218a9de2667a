/* regex_tree.c - reading a regular expression */
#include "runtime/grammar/regex_tree.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"

#define DEPTH_MAX 50u /* of groups in groups */
#define COUNT_MAX 100000u
#define NODES_MAX 250000u /* automata have no more than 60,000 edges */

typedef struct reader {
	regex_tree *tree;
	const char *text;
	size_t bytes, at;
	unsigned depth;
	brise_status status;
	const char **why;
} reader;

static uint32_t fail(reader *r, brise_status status, const char *why)
{
	if (r->status == BRISE_OK) {
		r->status = status;
		*r->why = why;
	}
	return 0;
}

static uint32_t wrong(reader *r, const char *why)
{
	return fail(r, BRISE_EFORMAT, why);
}

static uint32_t unsupported(reader *r, const char *why)
{
	return fail(r, BRISE_EUNSUPPORTED, why);
}

static uint32_t add_node(reader *r, regex_kind kind)
{
	regex_tree *t = r->tree;
	regex_node *moved;

	if (t->n_nodes == NODES_MAX)
		return unsupported(r, "too large");
	if (t->n_nodes == t->most_nodes) {
		moved = memory_resize(t->nodes, t->most_nodes * 2 + 32, sizeof *moved);
		if (!moved)
			return fail(r, BRISE_ENOMEM, "no memory");
		t->nodes = moved;
		t->most_nodes = t->most_nodes * 2 + 32;
	}
	if (t->n_nodes == 0)
		memset(&t->nodes[t->n_nodes++], 0, sizeof *moved);
	memset(&t->nodes[t->n_nodes], 0, sizeof *moved);
	t->nodes[t->n_nodes].kind = kind;
	return (uint32_t)t->n_nodes++;
}

/* Takes over the set. */
static uint32_t add_set(reader *r, charset *set)
{
	regex_tree *t = r->tree;
	uint32_t node = add_node(r, REGEX_SET);
	charset *moved;

	if (node && t->n_sets == t->most_sets) {
		moved = memory_resize(t->sets, t->most_sets * 2 + 16, sizeof *moved);
		if (!moved)
			node = fail(r, BRISE_ENOMEM, "no memory");
		else
			t->sets = moved, t->most_sets = t->most_sets * 2 + 16;
	}
	if (!node) {
		charset_free(set);
		return 0;
	}
	charset_order(set);
	t->nodes[node].set = (uint32_t)t->n_sets;
	t->sets[t->n_sets++] = *set;
	return node;
}

static int ahead(const reader *r)
{
	return r->at < r->bytes ? (unsigned char)r->text[r->at] : -1;
}

static bool take(reader *r, char c)
{
	if (ahead(r) != (unsigned char)c)
		return false;
	r->at++;
	return true;
}

static uint32_t take_character(reader *r)
{
	size_t step;
	uint32_t c = charset_decode(r->text + r->at, r->bytes - r->at, &step);

	r->at += step;
	return c;
}

/* ---- characters and classes ----------------------------------------------------------------- */

static void add(reader *r, charset *set, uint32_t low, uint32_t high)
{
	if (!charset_add(set, low, high))
		(void)fail(r, BRISE_ENOMEM, "no memory");
}

/* What \d, \w and \s are; their opposites in capitals. */
static bool add_class(reader *r, charset *to, int letter)
{
	static const charset_range spaces[] = { { 9, 13 },          { 32, 32 },
		                                { 0xa0, 0xa0 },     { 0x1680, 0x1680 },
		                                { 0x2000, 0x200a }, { 0x2028, 0x2029 },
		                                { 0x202f, 0x202f }, { 0x205f, 0x205f },
		                                { 0x3000, 0x3000 }, { 0xfeff, 0xfeff } };
	charset set = { NULL, 0, 0 };
	size_t i;

	switch (letter) {
	case 'w':
	case 'W':
		add(r, &set, 'A', 'Z');
		add(r, &set, '_', '_');
		add(r, &set, 'a', 'z');
		add(r, &set, '0', '9');
		break;
	case 'd':
	case 'D':
		add(r, &set, '0', '9');
		break;
	case 's':
	case 'S':
		for (i = 0; i < sizeof spaces / sizeof *spaces; i++)
			add(r, &set, spaces[i].low, spaces[i].high);
		break;
	default:
		return false;
	}
	charset_order(&set);
	if ((letter < 'a' && !charset_invert(&set)) || !charset_add_all(to, &set))
		(void)fail(r, BRISE_ENOMEM, "no memory");
	charset_free(&set);
	return true;
}

static uint32_t take_hex(reader *r, unsigned digits)
{
	uint32_t value = 0;

	for (; digits > 0; digits--) {
		int c = ahead(r);

		if (c >= '0' && c <= '9')
			value = value * 16 + (uint32_t)c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (uint32_t)c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (uint32_t)c - 'A' + 10;
		else
			return wrong(r, "hexadecimal digits expected");
		r->at++;
	}
	return value;
}

static uint32_t take_unicode(reader *r)
{
	uint32_t c, low;

	if (take(r, '{')) {
		for (c = 0; ahead(r) != '}' && r->status == BRISE_OK && c <= CHARSET_LAST;)
			c = c * 16 + take_hex(r, 1);
		if (!take(r, '}') || c > CHARSET_LAST)
			return wrong(r, "no character behind \\u");
		return c;
	}
	c = take_hex(r, 4);
	if (c >= 0xd800 && c < 0xdc00 && r->bytes - r->at >= 6 && r->text[r->at] == '\\' &&
	    r->text[r->at + 1] == 'u') {
		r->at += 2;
		low = take_hex(r, 4);
		if (low < 0xdc00 || low > 0xdfff)
			return wrong(r, "half a character behind \\u");
		return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return c;
}

/* The character that an escape stands for, behind the backslash. */
static uint32_t take_escape(reader *r)
{
	static const char letters[] = "tnvfr", meanings[] = "\t\n\v\f\r";
	int c = ahead(r);
	const char *found = c > 0 ? strchr(letters, c) : NULL;

	if (c < 0)
		return wrong(r, "a backslash at the end");
	if (c >= 0x80)
		return take_character(r);
	r->at++;
	if (found)
		return (uint32_t)meanings[found - letters];
	switch (c) {
	case 'x':
		return take_hex(r, 2);
	case 'u':
		return take_unicode(r);
	case 'c':
		c = ahead(r);
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			return wrong(r, "a letter expected behind \\c");
		r->at++;
		return (uint32_t)c & 31;
	case '0':
		if (ahead(r) >= '0' && ahead(r) <= '9')
			return wrong(r, "digits behind \\0");
		return 0;
	case 'b':
	case 'B':
		return unsupported(r, "\\b and \\B are not supported");
	case 'p':
	case 'P':
		return unsupported(r, "\\p and \\P are not supported");
	case 'k':
		return unsupported(r, "references to groups are not supported");
	default:
		if (c >= '1' && c <= '9')
			return unsupported(r, "references to groups are not supported");
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			return wrong(r, "an unknown escape");
		return (uint32_t)c;
	}
}

/* A character of a class in brackets; false: it was a class such as \d. */
static bool take_class_character(reader *r, charset *set, uint32_t *c)
{
	if (!take(r, '\\')) {
		*c = take_character(r);
		return true;
	}
	if (ahead(r) > 0 && ahead(r) < 0x80 && add_class(r, set, ahead(r))) {
		r->at++;
		return false;
	}
	if (take(r, 'b')) {
		*c = '\b';
		return true;
	}
	*c = take_escape(r);
	return true;
}

static uint32_t parse_brackets(reader *r)
{
	charset set = { NULL, 0, 0 };
	bool inverted = take(r, '^');
	uint32_t low, high;

	while (r->status == BRISE_OK && !take(r, ']')) {
		if (ahead(r) < 0) {
			(void)wrong(r, "a class without end");
			break;
		}
		if (!take_class_character(r, &set, &low))
			continue;
		high = low;
		if (ahead(r) == '-' && r->at + 1 < r->bytes && r->text[r->at + 1] != ']') {
			r->at++;
			if (!take_class_character(r, &set, &high)) {
				add(r, &set, '-', '-');
				high = low;
			}
			if (high < low)
				(void)wrong(r, "a range that ends before it begins");
		}
		add(r, &set, low, high);
	}
	charset_order(&set);
	if (inverted && !charset_invert(&set))
		(void)fail(r, BRISE_ENOMEM, "no memory");
	if (r->status == BRISE_OK)
		return add_set(r, &set);
	charset_free(&set);
	return 0;
}

static uint32_t parse_dot(reader *r)
{
	charset set = { NULL, 0, 0 };

	add(r, &set, 0, 9);
	add(r, &set, 11, 12);
	add(r, &set, 14, 0x2027);
	add(r, &set, 0x202a, CHARSET_LAST);
	return add_set(r, &set);
}

static uint32_t one_character(reader *r, uint32_t c)
{
	charset set = { NULL, 0, 0 };

	add(r, &set, c, c);
	return add_set(r, &set);
}

/* ---- the expression ------------------------------------------------------------------------- */

static uint32_t parse_choice(reader *r);

static uint32_t parse_group(reader *r)
{
	uint32_t node;

	if (r->depth == DEPTH_MAX)
		return unsupported(r, "groups nested too deeply");
	if (take(r, '?')) {
		if (take(r, '<')) {
			if (ahead(r) == '=' || ahead(r) == '!')
				return unsupported(r, "look-behind is not supported");
			while (ahead(r) > 0 && ahead(r) != '>')
				r->at++;
			if (!take(r, '>'))
				return wrong(r, "a name of a group without end");
		} else if (ahead(r) == '=' || ahead(r) == '!') {
			return unsupported(r, "look-ahead is not supported");
		} else if (!take(r, ':')) {
			return wrong(r, "an unknown kind of group");
		}
	}
	r->depth++;
	node = parse_choice(r);
	r->depth--;
	return take(r, ')') ? node : wrong(r, "a group without end");
}

static uint32_t parse_backslash(reader *r)
{
	charset set = { NULL, 0, 0 };

	if (ahead(r) > 0 && ahead(r) < 0x80 && add_class(r, &set, ahead(r))) {
		r->at++;
		return add_set(r, &set);
	}
	return one_character(r, take_escape(r));
}

static uint32_t parse_atom(reader *r)
{
	int c = ahead(r);

	if (c >= 0x80)
		return one_character(r, take_character(r));
	r->at++;
	switch (c) {
	case '(':
		return parse_group(r);
	case '[':
		return parse_brackets(r);
	case '.':
		return parse_dot(r);
	case '^':
		return add_node(r, REGEX_BEGIN);
	case '$':
		return add_node(r, REGEX_END);
	case '\\':
		return parse_backslash(r);
	case '*':
	case '+':
	case '?':
		return wrong(r, "nothing to repeat");
	default:
		return one_character(r, (uint32_t)c);
	}
}

static uint32_t take_count(reader *r)
{
	uint32_t n = 0;

	while (ahead(r) >= '0' && ahead(r) <= '9') {
		n = n * 10 + (uint32_t)(ahead(r) - '0');
		r->at++;
		if (n > COUNT_MAX)
			return unsupported(r, "a count above 100,000");
	}
	return n;
}

/* {m}, {m,} or {m,n}; otherwise the brace is a character. */
static bool take_counts(reader *r, uint32_t *least, uint32_t *most)
{
	size_t start = r->at;

	if (!take(r, '{') || ahead(r) < '0' || ahead(r) > '9') {
		r->at = start;
		return false;
	}
	*least = *most = take_count(r);
	if (take(r, ',')) {
		*most = REGEX_NO_LIMIT;
		if (ahead(r) >= '0' && ahead(r) <= '9')
			*most = take_count(r);
	}
	if (!take(r, '}')) {
		r->at = start;
		return false;
	}
	if (*least > *most)
		(void)wrong(r, "a count whose end is before its beginning");
	return true;
}

static uint32_t parse_repeat(reader *r)
{
	uint32_t atom = parse_atom(r), least = 0, most = REGEX_NO_LIMIT, node;

	if (r->status != BRISE_OK)
		return 0;
	if (take(r, '+'))
		least = 1;
	else if (take(r, '?'))
		most = 1;
	else if (!take(r, '*') && !take_counts(r, &least, &most))
		return atom;
	(void)take(r, '?');
	if (r->status == BRISE_OK && ahead(r) > 0 && strchr("*+?", ahead(r)))
		return wrong(r, "nothing to repeat");
	node = add_node(r, REGEX_REPEAT);
	if (!node)
		return 0;
	if (r->tree->nodes[atom].kind == REGEX_BEGIN || r->tree->nodes[atom].kind == REGEX_END)
		return wrong(r, "^ and $ cannot be repeated");
	r->tree->nodes[node].child = atom;
	r->tree->nodes[node].least = least;
	r->tree->nodes[node].most = most;
	return node;
}

/* Puts a part behind the last of a node's, 0: its first. */
static void add_part(reader *r, uint32_t node, uint32_t last, uint32_t part)
{
	if (last)
		r->tree->nodes[last].next = part;
	else
		r->tree->nodes[node].child = part;
}

static uint32_t parse_sequence(reader *r)
{
	uint32_t node = add_node(r, REGEX_SEQUENCE), last = 0, part;

	while (r->status == BRISE_OK && ahead(r) >= 0 && ahead(r) != '|' && ahead(r) != ')') {
		part = parse_repeat(r);
		if (r->status != BRISE_OK)
			return 0;
		add_part(r, node, last, part);
		last = part;
	}
	return node;
}

static uint32_t parse_choice(reader *r)
{
	uint32_t node = add_node(r, REGEX_CHOICE), last = 0, part;

	do {
		part = parse_sequence(r);
		if (r->status != BRISE_OK)
			return 0;
		add_part(r, node, last, part);
		last = part;
	} while (take(r, '|'));
	return node;
}

brise_status regex_parse(regex_tree *t, const char *text, size_t bytes, const char **why)
{
	reader r = { .tree = t, .text = text, .bytes = bytes, .why = why };
	size_t at = 0;
	int step;

	memset(t, 0, sizeof *t);
	for (; at < bytes; at += (size_t)step) {
		step = utf8_measure((const uint8_t *)text + at, bytes - at);
		if (step <= 0)
			return wrong(&r, "not UTF-8"), r.status;
	}
	t->root = parse_choice(&r);
	if (r.status == BRISE_OK && r.at < bytes)
		(void)wrong(&r, "a parenthesis that closes nothing");
	return r.status;
}

void regex_tree_free(regex_tree *t)
{
	size_t i;

	for (i = 0; i < t->n_sets; i++)
		charset_free(&t->sets[i]);
	memory_free(t->sets);
	memory_free(t->nodes);
	memset(t, 0, sizeof *t);
}
