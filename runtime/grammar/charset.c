/* charset.c - see charset.h */
#include "runtime/grammar/charset.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"

void charset_free(charset *s)
{
	memory_free(s->ranges);
	memset(s, 0, sizeof *s);
}

bool charset_add(charset *s, uint32_t low, uint32_t high)
{
	charset_range *moved;

	if (s->n == s->most) {
		moved = memory_resize(s->ranges, s->most * 2 + 8, sizeof *moved);
		if (!moved)
			return false;
		s->ranges = moved;
		s->most = s->most * 2 + 8;
	}
	s->ranges[s->n++] = (charset_range){ low, high };
	return true;
}

bool charset_add_all(charset *s, const charset *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		if (!charset_add(s, from->ranges[i].low, from->ranges[i].high))
			return false;
	return true;
}

static int compare_ranges(const void *a, const void *b)
{
	const charset_range *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

void charset_order(charset *s)
{
	size_t i, n = 0;

	if (s->n == 0)
		return;
	qsort(s->ranges, s->n, sizeof *s->ranges, compare_ranges);
	for (i = 1; i < s->n; i++) {
		if (s->ranges[i].low <= s->ranges[n].high ||
		    s->ranges[i].low == s->ranges[n].high + 1) {
			if (s->ranges[i].high > s->ranges[n].high)
				s->ranges[n].high = s->ranges[i].high;
		} else {
			s->ranges[++n] = s->ranges[i];
		}
	}
	s->n = n + 1;
}

bool charset_invert(charset *s)
{
	charset others = { NULL, 0, 0 };
	uint32_t low = 0;
	bool done = true;
	size_t i;

	for (i = 0; i < s->n && done; i++) {
		if (s->ranges[i].low > low)
			done = charset_add(&others, low, s->ranges[i].low - 1);
		low = s->ranges[i].high + 1;
	}
	if (done && low <= CHARSET_LAST)
		done = charset_add(&others, low, CHARSET_LAST);
	charset_free(s);
	*s = others;
	return done;
}

bool charset_has(const charset *s, uint32_t c)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c < s->ranges[middle].low)
			high = middle;
		else if (c > s->ranges[middle].high)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

/* Where characters go, and the states before it from which any one or two more continuation bytes
 * lead there. */
typedef struct put {
	network *n;
	uint32_t from, to;
	uint32_t tails[3];
} put;

static uint32_t tail(put *p, unsigned bytes)
{
	if (bytes == 0)
		return p->to;
	if (!p->tails[bytes - 1]) {
		p->tails[bytes - 1] = network_add_state(p->n);
		network_add_bytes(p->n, p->tails[bytes - 1], 0x80, 0xbf, tail(p, bytes - 1));
	}
	return p->tails[bytes - 1];
}

static unsigned encode(uint32_t c, uint8_t *out)
{
	unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

	for (i = n; i-- > 1; c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 63));
	out[0] = (uint8_t)(n == 1 ? c : (0xf00u >> n & 0xf0u) | c);
	return n;
}

/* Characters whose bytes vary independently of each other. */
static void put_box(put *p, uint32_t low, uint32_t high)
{
	uint8_t first[4], last[4];
	unsigned n = encode(low, first), i, k;
	uint32_t state = p->from, next;

	(void)encode(high, last);
	for (i = 0; i < n; i++) {
		for (k = i + 1; k < n && first[k] == 0x80 && last[k] == 0xbf; k++)
			;
		next = k == n ? tail(p, n - 1 - i) : network_add_state(p->n);
		network_add_bytes(p->n, state, first[i], last[i], next);
		if (k == n)
			return;
		state = next;
	}
}

static void put_range(put *p, uint32_t low, uint32_t high)
{
	static const uint32_t last[] = { 0x7f, 0x7ff, 0xd7ff, 0xdfff, 0xffff, CHARSET_LAST };
	uint32_t rest;
	unsigned i;

	if (low > high || network_is_full(p->n))
		return;
	for (i = 0; i < sizeof last / sizeof *last; i++)
		if (low <= last[i] && high > last[i]) {
			put_range(p, low, last[i]);
			put_range(p, last[i] + 1, high);
			return;
		}
	if (low >= 0xd800 && high <= 0xdfff)
		return;
	for (i = 1; i < 4 && low >= 0x80; i++) {
		rest = (UINT32_C(1) << 6 * i) - 1;
		if ((low & ~rest) == (high & ~rest))
			break;
		if (low & rest) {
			put_range(p, low, low | rest);
			put_range(p, (low | rest) + 1, high);
			return;
		}
		if ((high & rest) != rest) {
			put_range(p, low, (high & ~rest) - 1);
			put_range(p, high & ~rest, high);
			return;
		}
	}
	put_box(p, low, high);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static const char escaped[] = "\b\t\n\f\r", escapes[] = "btnfr";

/* Control characters, a bit each, by their short escape or as \u00xx. */
static void put_controls(put *p, uint32_t backslash, uint32_t controls)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t zeros = 0, half[2] = { 0, 0 };
	unsigned c;
	const char *found;

	for (c = 0; c < 32; c++) {
		if (!(controls >> c & 1))
			continue;
		found = c ? strchr(escaped, (int)c) : NULL;
		if (found) {
			uint8_t letter = (uint8_t)escapes[found - escaped];

			network_add_bytes(p->n, backslash, letter, letter, p->to);
			continue;
		}
		if (!zeros) {
			zeros = network_add_state(p->n);
			network_add_text(p->n, backslash, "u00", zeros);
		}
		if (!half[c / 16]) {
			half[c / 16] = network_add_state(p->n);
			network_add_bytes(p->n, zeros, '0' + c / 16, '0' + c / 16, half[c / 16]);
		}
		network_add_bytes(p->n, half[c / 16], (uint8_t)hex[c % 16], (uint8_t)hex[c % 16],
		                  p->to);
	}
}

static bool in_range(const charset_range *r, uint32_t c)
{
	return r->low <= c && c <= r->high;
}

static void put_json(put *p, const charset_range *ranges, size_t n)
{
	bool quote = false, slash = false;
	uint32_t controls = 0, c, backslash;
	size_t i;

	for (i = 0; i < n; i++) {
		for (c = 0; c < 32; c++)
			controls |= (uint32_t)in_range(&ranges[i], c) << c;
		quote |= in_range(&ranges[i], '"');
		slash |= in_range(&ranges[i], '\\');
		put_range(p, ranges[i].low > 0x20 ? ranges[i].low : 0x20,
		          ranges[i].high < 0x21 ? ranges[i].high : 0x21);
		put_range(p, ranges[i].low > 0x23 ? ranges[i].low : 0x23,
		          ranges[i].high < 0x5b ? ranges[i].high : 0x5b);
		put_range(p, ranges[i].low > 0x5d ? ranges[i].low : 0x5d, ranges[i].high);
	}
	if (!controls && !quote && !slash)
		return;
	backslash = network_add_state(p->n);
	network_add_bytes(p->n, p->from, '\\', '\\', backslash);
	if (quote)
		network_add_bytes(p->n, backslash, '"', '"', p->to);
	if (slash)
		network_add_bytes(p->n, backslash, '\\', '\\', p->to);
	put_controls(p, backslash, controls);
}

void charset_put(network *n, uint32_t from, const charset_range *ranges, size_t n_ranges,
                 charset_form form, uint32_t to)
{
	put p = { .n = n, .from = from, .to = to };
	size_t i;

	if (form == CHARSET_JSON) {
		put_json(&p, ranges, n_ranges);
		return;
	}
	for (i = 0; i < n_ranges; i++)
		put_range(&p, ranges[i].low, ranges[i].high);
}

void charset_put_one(network *n, uint32_t from, uint32_t c, charset_form form, uint32_t to)
{
	const charset_range one = { c, c };

	charset_put(n, from, &one, 1, form, to);
}

uint32_t charset_decode(const char *text, size_t bytes, size_t *step)
{
	const uint8_t *t = (const uint8_t *)text;
	int n = utf8_measure(t, bytes), i;
	uint32_t c = t[0];

	*step = n > 0 ? (size_t)n : 1;
	if (n <= 1)
		return n == 1 ? c : 0xfffd;
	c &= 0x7fu >> n;
	for (i = 1; i < n; i++)
		c = c << 6 | (t[i] & 63u);
	return c;
}

void charset_put_text(network *n, uint32_t from, const char *text, size_t bytes, uint32_t to)
{
	size_t at = 0, step;

	if (bytes == 0)
		network_add_empty(n, from, to);
	while (at < bytes) {
		uint32_t c = charset_decode(text + at, bytes - at, &step);
		uint32_t next = at + step < bytes ? network_add_state(n) : to;

		charset_put_one(n, from, c, CHARSET_JSON, next);
		from = next;
		at += step;
	}
}
