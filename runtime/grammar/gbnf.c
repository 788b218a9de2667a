/* gbnf.c - grammars as llama.cpp writes them (grammars/README.md there describes the language)
 *
 *     root   ::= "yes" | "no" | number unit?      # alternatives, names, a comment
 *     number ::= [0-9]{1,3} ("." [0-9]+)?
 *     unit   ::= [^ \n\x00-\x1f]
 *
 * Characters are Unicode's, `.` is any. A rule ends with its line, unless a parenthesis is open or
 * `|` or `::=` comes last. A rule whose alternative begins with the rule itself is read as a loop;
 * other left recursion is refused when the network is finished. A rule is defined once. Tokens
 * (<name>) are not supported.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/grammar/charset.h"
#include "runtime/grammar/grammar.h"
#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"

#define DEPTH_MAX  100u /* of parentheses */
#define GBNF_BYTES ((size_t)1 << 20)
#define CHAINS     1024u
#define COUNT_MAX  1000000000u
/* Names that all fall into one chain are compared with each other: some 0.2 s for so many. */
#define NAMES_MAX 10000u

typedef struct rule_name {
	const char *text;
	size_t bytes, at; /* of its first use */
	uint32_t rule, next;
	bool is_defined;
} rule_name;

typedef struct reader {
	network *n;
	const char *text, *called;
	size_t bytes, at;
	rule_name *names; /* 0 is none */
	size_t n_names, most_names;
	uint32_t chains[CHAINS];
	uint32_t rule; /* that is being read */
	unsigned depth;
	brise_status status;
	brise_error *err;
} reader;

static bool refuse_at(reader *r, size_t at, brise_status status, const char *what)
{
	size_t line = 1, column = 1, i;

	if (r->status != BRISE_OK)
		return false;
	for (i = 0; i < at && i < r->bytes; i++) {
		column = r->text[i] == '\n' ? 1 : column + 1;
		line += r->text[i] == '\n';
	}
	r->status = error_set(r->err, status, "%s: line %zu, column %zu: %s", r->called, line,
	                      column, what);
	return false;
}

static bool wrong(reader *r, const char *what)
{
	return refuse_at(r, r->at, BRISE_EFORMAT, what);
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

/* White space and comments, line ends too if lines. */
static void skip_space(reader *r, bool lines)
{
	for (;;) {
		int c = ahead(r);

		if (c == '#')
			while (ahead(r) >= 0 && ahead(r) != '\n' && ahead(r) != '\r')
				r->at++;
		else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))
			r->at++;
		else
			return;
	}
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool is_name_character(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* The entry of the name ahead, which is made at its first use; 0: an error. */
static uint32_t take_name(reader *r)
{
	size_t start = r->at, bytes, i;
	uint32_t chain = 0, entry;
	rule_name *moved;

	for (; is_name_character(ahead(r)); r->at++)
		chain = chain * 31 + (uint32_t)ahead(r);
	bytes = r->at - start;
	if (bytes == 0)
		return wrong(r, "a name expected");
	chain %= CHAINS;
	for (entry = r->chains[chain]; entry; entry = r->names[entry].next)
		if (r->names[entry].bytes == bytes &&
		    !memcmp(r->names[entry].text, r->text + start, bytes))
			return entry;
	if (r->n_names == NAMES_MAX)
		return refuse_at(r, start, BRISE_EUNSUPPORTED, "more than 10,000 rules");
	if (r->n_names == r->most_names) {
		moved = memory_resize(r->names, r->most_names * 2 + 64, sizeof *moved);
		if (!moved)
			return refuse_at(r, start, BRISE_ENOMEM, "no memory");
		r->names = moved;
		r->most_names = r->most_names * 2 + 64;
	}
	i = r->n_names ? r->n_names : 1;
	r->names[i] = (rule_name){ .text = r->text + start,
		                   .bytes = bytes,
		                   .at = start,
		                   .rule = network_add_rule(r->n, r->text + start, bytes),
		                   .next = r->chains[chain] };
	r->n_names = i + 1;
	return r->chains[chain] = (uint32_t)i;
}

/* ---- characters ----------------------------------------------------------------------------- */

static bool take_hex(reader *r, unsigned digits, uint32_t *value)
{
	for (*value = 0; digits > 0; digits--, r->at++) {
		int c = ahead(r);

		if (c >= '0' && c <= '9')
			*value = *value * 16 + (uint32_t)c - '0';
		else if (c >= 'a' && c <= 'f')
			*value = *value * 16 + (uint32_t)c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			*value = *value * 16 + (uint32_t)c - 'A' + 10;
		else
			return wrong(r, "hexadecimal digits expected");
	}
	if (*value > CHARSET_LAST || (*value >= 0xd800 && *value <= 0xdfff))
		return wrong(r, "not a character of Unicode");
	return true;
}

static bool take_character(reader *r, uint32_t *c)
{
	size_t step;
	int escape;

	if (ahead(r) < 0)
		return wrong(r, "the text ends within quotation marks or brackets");
	if (!take(r, '\\')) {
		*c = charset_decode(r->text + r->at, r->bytes - r->at, &step);
		r->at += step;
		return true;
	}
	escape = ahead(r);
	r->at++;
	switch (escape) {
	case 'x':
		return take_hex(r, 2, c);
	case 'u':
		return take_hex(r, 4, c);
	case 'U':
		return take_hex(r, 8, c);
	case 't':
		*c = '\t';
		return true;
	case 'r':
		*c = '\r';
		return true;
	case 'n':
		*c = '\n';
		return true;
	case '\\':
	case '"':
	case '[':
	case ']':
	case '-':
	case '^':
		*c = (uint32_t)escape;
		return true;
	default:
		r->at -= 2;
		return wrong(r, "an unknown escape");
	}
}

static void read_literal(reader *r, uint32_t from, uint32_t to)
{
	uint32_t c, next;

	while (r->status == BRISE_OK && ahead(r) != '"') {
		if (!take_character(r, &c))
			return;
		next = network_add_state(r->n);
		charset_put_one(r->n, from, c, CHARSET_PLAIN, next);
		from = next;
	}
	if (!take(r, '"'))
		(void)wrong(r, "a quotation mark expected");
	network_add_empty(r->n, from, to);
}

static void read_class(reader *r, uint32_t from, uint32_t to)
{
	charset set = { NULL, 0, 0 };
	bool inverted = take(r, '^'), done = true;
	uint32_t low, high;

	while (r->status == BRISE_OK && !take(r, ']')) {
		if (!take_character(r, &low))
			break;
		high = low;
		if (ahead(r) == '-' && r->at + 1 < r->bytes && r->text[r->at + 1] != ']') {
			r->at++;
			if (!take_character(r, &high))
				break;
		}
		if (high < low)
			(void)wrong(r, "a range that ends before it begins");
		done = done && charset_add(&set, low, high);
	}
	charset_order(&set);
	done = done && (!inverted || charset_invert(&set));
	if (!done)
		(void)refuse_at(r, r->at, BRISE_ENOMEM, "no memory");
	charset_put(r->n, from, set.ranges, set.n, CHARSET_PLAIN, to);
	charset_free(&set);
}

/* ---- rules ---------------------------------------------------------------------------------- */

static void read_choice(reader *r, uint32_t from, uint32_t to, bool is_top);

/* False: no item is ahead. */
static bool read_item(reader *r, uint32_t from, uint32_t to)
{
	static const charset_range all = { 0, CHARSET_LAST };
	uint32_t entry;

	if (take(r, '"')) {
		read_literal(r, from, to);
	} else if (take(r, '[')) {
		read_class(r, from, to);
	} else if (take(r, '.')) {
		charset_put(r->n, from, &all, 1, CHARSET_PLAIN, to);
	} else if (take(r, '(')) {
		if (++r->depth > DEPTH_MAX)
			return refuse_at(r, r->at, BRISE_EUNSUPPORTED,
			                 "parentheses nested too deeply");
		skip_space(r, true);
		read_choice(r, from, to, false);
		r->depth--;
		if (!take(r, ')'))
			return wrong(r, "a closing parenthesis expected");
	} else if (ahead(r) == '<' || ahead(r) == '!') {
		return refuse_at(r, r->at, BRISE_EUNSUPPORTED, "tokens are not supported");
	} else if (is_name_character(ahead(r))) {
		entry = take_name(r);
		if (r->status == BRISE_OK)
			network_add_call(r->n, from, r->names[entry].rule, to);
	} else {
		return false;
	}
	return r->status == BRISE_OK;
}

static uint32_t take_number(reader *r)
{
	uint32_t n = 0;

	if (ahead(r) < '0' || ahead(r) > '9')
		return wrong(r, "a number expected");
	for (; ahead(r) >= '0' && ahead(r) <= '9'; r->at++) {
		n = n * 10 + (uint32_t)(ahead(r) - '0');
		if (n > COUNT_MAX)
			return refuse_at(r, r->at, BRISE_EUNSUPPORTED, "a count too large");
	}
	return n;
}

static void take_counts(reader *r, uint32_t *least, uint32_t *most)
{
	skip_space(r, r->depth > 0);
	*least = *most = take_number(r);
	skip_space(r, r->depth > 0);
	if (take(r, ',')) {
		skip_space(r, r->depth > 0);
		*most = ahead(r) == '}' ? NETWORK_NO_LIMIT : take_number(r);
		skip_space(r, r->depth > 0);
	}
	if (r->status == BRISE_OK && !take(r, '}'))
		(void)wrong(r, "a closing brace expected");
	if (*least > *most)
		(void)wrong(r, "a count whose end is before its beginning");
}

/* What begin and end enclose becomes a rule, which is repeated. */
static void repeat_counted(reader *r, uint32_t from, uint32_t begin, uint32_t end, uint32_t to)
{
	uint32_t least = 0, most = 0, rule;

	take_counts(r, &least, &most);
	if (r->status != BRISE_OK)
		return;
	rule = network_add_rule(r->n, NULL, 0);
	if (network_is_full(r->n))
		return;
	network_add_empty(r->n, r->n->rules[rule].start, begin);
	network_add_empty(r->n, end, r->n->rules[rule].end);
	network_add_repeat(r->n, from, rule, least, most, to);
}

/* An item and how often it comes. False: none is ahead. */
static bool read_repeated(reader *r, uint32_t from, uint32_t to)
{
	uint32_t begin = network_add_state(r->n), end = network_add_state(r->n);
	network *n = r->n;

	if (!read_item(r, begin, end))
		return false;
	skip_space(r, r->depth > 0);
	if (take(r, '{')) {
		repeat_counted(r, from, begin, end, to);
	} else {
		network_add_empty(n, from, begin);
		network_add_empty(n, end, to);
		if (ahead(r) == '*' || ahead(r) == '?')
			network_add_empty(n, from, to);
		if (ahead(r) == '*' || ahead(r) == '+')
			network_add_empty(n, end, begin);
		if (ahead(r) == '*' || ahead(r) == '?' || ahead(r) == '+')
			r->at++;
	}
	skip_space(r, r->depth > 0);
	if (ahead(r) == '*' || ahead(r) == '+' || ahead(r) == '?' || ahead(r) == '{')
		return refuse_at(r, r->at, BRISE_EUNSUPPORTED,
		                 "repeated twice; put parentheses around the inner part");
	return r->status == BRISE_OK;
}

/* Whether the name of the rule at hand is ahead, as the first of several items: the rest of the
 * alternative then follows any text of the rule. */
static bool take_itself(reader *r)
{
	size_t start = r->at;
	uint32_t entry;

	if (!is_name_character(ahead(r)))
		return false;
	entry = take_name(r);
	skip_space(r, false);
	if (r->status == BRISE_OK && r->names[entry].rule == r->rule && ahead(r) != '*' &&
	    ahead(r) != '+' && ahead(r) != '?' && ahead(r) != '{')
		return true;
	r->at = start;
	return false;
}

static void read_choice(reader *r, uint32_t from, uint32_t to, bool is_top)
{
	do {
		uint32_t at = from, next;

		skip_space(r, true);
		if (is_top && take_itself(r))
			at = to;
		while (r->status == BRISE_OK && !network_is_full(r->n)) {
			next = network_add_state(r->n);
			if (!read_repeated(r, at, next))
				break;
			at = next;
		}
		network_add_empty(r->n, at, to);
	} while (r->status == BRISE_OK && take(r, '|'));
}

static void read_rule(reader *r)
{
	size_t start = r->at;
	uint32_t entry = take_name(r);

	skip_space(r, false);
	if (r->status == BRISE_OK && !(r->bytes - r->at >= 3 && !memcmp(r->text + r->at, "::=", 3)))
		(void)wrong(r, "::= expected");
	if (r->status != BRISE_OK || network_is_full(r->n))
		return;
	if (r->names[entry].is_defined) {
		(void)refuse_at(r, start, BRISE_EFORMAT, "a rule that is defined twice");
		return;
	}
	r->at += 3;
	r->names[entry].is_defined = true;
	r->rule = r->names[entry].rule;
	skip_space(r, true);
	read_choice(r, r->n->rules[r->rule].start, r->n->rules[r->rule].end, true);
	if (r->status == BRISE_OK && ahead(r) >= 0 && ahead(r) != '\n' && ahead(r) != '\r')
		(void)wrong(r, "an item, | or the end of the rule expected");
	skip_space(r, true);
}

static void check_names(reader *r, uint32_t *root)
{
	bool has_root = false;
	char what[100];
	size_t i;

	for (i = 1; i < r->n_names && r->status == BRISE_OK; i++) {
		const rule_name *at = &r->names[i];
		int shown = at->bytes < 60 ? (int)at->bytes : 60;

		if (!at->is_defined) {
			(void)snprintf(what, sizeof what, "no rule is called %.*s", shown,
			               at->text);
			(void)refuse_at(r, at->at, BRISE_EFORMAT, what);
		}
		if (at->bytes == 4 && !memcmp(at->text, "root", 4)) {
			*root = at->rule;
			has_root = true;
		}
	}
	if (!has_root)
		(void)wrong(r, "no rule is called root");
}

static void check_text(reader *r)
{
	int step;

	for (; r->at < r->bytes && r->status == BRISE_OK; r->at += (size_t)step) {
		step = utf8_measure((const uint8_t *)r->text + r->at, r->bytes - r->at);
		if (step <= 0)
			(void)wrong(r, "not UTF-8");
	}
	r->at = 0;
}

brise_status grammar_compile_gbnf(network *n, const char *text, size_t bytes, const char *name,
                                  uint32_t *root, brise_error *err)
{
	reader *r;
	brise_status status;

	if (bytes > GBNF_BYTES)
		return error_set(err, BRISE_EUNSUPPORTED, "%s: %zu bytes, expected at most %zu",
		                 name, bytes, GBNF_BYTES);
	r = memory_new(1, sizeof *r);
	if (!r)
		return error_set(err, BRISE_ENOMEM, "%s: no memory", name);
	*r = (reader){ .n = n, .text = text, .bytes = bytes, .called = name, .err = err };
	check_text(r);
	skip_space(r, true);
	while (r->status == BRISE_OK && !network_is_full(n) && ahead(r) >= 0)
		read_rule(r);
	if (!network_is_full(n))
		check_names(r, root);
	/* Reading ends where there is no more room, amid a rule: network_finish says so. */
	status = network_is_full(n) ? BRISE_OK : r->status;
	memory_free(r->names);
	memory_free(r);
	return status;
}
