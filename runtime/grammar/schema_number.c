/* schema_number.c - numbers: bounds and multiples, exactly
 *
 * Without them a number is what JSON has. With them it is written without an exponent, and an
 * automaton compares it with the bounds digit by digit: whether the digits so far are those of the
 * lower and of the upper bound, and what they leave over when divided.
 */
#include <string.h>

#include "runtime/grammar/schema.h"
#include "runtime/os/memory.h"

#define DIVISOR_MAX   2000u
#define MULTIPLES_MAX 4u
#define PLACES_MAX    60000u
#define PLACE_SLOTS   262144u

/* ---- what the keywords say ------------------------------------------------------------------ */

static bool read_number(const schema_builder *b, uint32_t value, decimal *d)
{
	const document_value *v = &b->d->values[value];

	return value && decimal_read(d, b->d->text + v->at, v->bytes);
}

static void narrow(const schema_builder *b, uint32_t value, bool is_upper, bool is_open,
                   decimal *bound, bool *bound_is_open, bool *has_bound)
{
	decimal d;
	int order;

	if (!read_number(b, value, &d))
		return;
	order = *has_bound ? decimal_compare(&d, bound) : is_upper ? -1 : 1;
	if (is_upper ? order < 0 : order > 0) {
		*bound = d;
		*bound_is_open = is_open;
	} else if (order == 0) {
		*bound_is_open = *bound_is_open || is_open;
	}
	*has_bound = true;
}

bool schema_find_bound(const schema_merged *m, bool is_upper, decimal *bound, bool *is_open)
{
	bool has_bound = false;
	size_t i;

	*is_open = false;
	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(m->b, m->parts[i]);

		uint32_t value = schema_value_of(m->parts[i]);
		schema_kind kind = schema_kind_of(m->parts[i]);

		if (kind == (is_upper ? SCHEMA_BELOW : SCHEMA_ABOVE) ||
		    kind == (is_upper ? SCHEMA_AT_MOST : SCHEMA_AT_LEAST))
			narrow(m->b, value, is_upper, kind == SCHEMA_BELOW || kind == SCHEMA_ABOVE,
			       bound, is_open, &has_bound);
		narrow(m->b, is_upper ? f->maximum : f->minimum, is_upper, false, bound, is_open,
		       &has_bound);
		narrow(m->b, is_upper ? f->below : f->above, is_upper, true, bound, is_open,
		       &has_bound);
	}
	return has_bound;
}

/* A divisor as an integer over a power of ten. False: too large, or not above zero. */
typedef struct divisor {
	uint32_t n;
	unsigned places;
} divisor;

static bool make_divisor(const decimal *d, divisor *out)
{
	unsigned i;

	out->n = 0;
	out->places = d->n_fraction;
	if (d->is_negative)
		return false;
	for (i = 0; i < d->n_whole + d->n_fraction && out->n <= DIVISOR_MAX; i++)
		out->n = out->n * 10 + (i < d->n_whole ? d->whole[i] : d->fraction[i - d->n_whole]);
	return out->n > 0 && out->n <= DIVISOR_MAX;
}

static uint32_t next_rest(const divisor *d, uint32_t rest, unsigned digit)
{
	return (rest * 10 + digit) % d->n;
}

bool schema_is_multiple(const decimal *number, const decimal *of)
{
	uint32_t rest = 0;
	divisor d;
	unsigned i;

	if (!make_divisor(of, &d) || number->n_fraction > d.places)
		return false;
	for (i = 0; i < number->n_whole; i++)
		rest = next_rest(&d, rest, number->whole[i]);
	for (i = 0; i < d.places; i++)
		rest = next_rest(&d, rest, number->fraction[i]);
	return rest == 0;
}

/* ---- the automaton -------------------------------------------------------------------------- */

/* The magnitude of numbers of one sign. */
typedef struct magnitudes {
	decimal low, high;
	bool low_is_open, high_is_open, has_high;
	bool is_integer, is_broken; /* integers only; none of them */
	divisor multiples[MULTIPLES_MAX];
	size_t n_multiples;
} magnitudes;

typedef struct place {
	uint32_t rests[MULTIPLES_MAX];
	uint8_t digits; /* whole ones that are still to come */
	uint8_t done;   /* digits of this part */
	bool is_fraction;
	bool is_low, is_high; /* all digits so far are those of the bound */
	bool is_broken;       /* a digit behind the point is not zero */
	uint8_t unused[2];    /* zero: places are compared as bytes */
} place;

typedef struct walker {
	schema_builder *b;
	const magnitudes *m;
	place *places;    /* [n] */
	uint32_t *states; /* [n] of the network */
	uint32_t *slots;
	size_t n;
	uint32_t end;
} walker;

static uint32_t find_state(walker *w, const place *p)
{
	uint32_t hash = 0, words[sizeof *p / sizeof(uint32_t)];
	size_t at, i;

	memcpy(words, p, sizeof words);
	for (i = 0; i < sizeof words / sizeof *words; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b1u;
		hash ^= hash >> 15;
	}
	for (at = hash % PLACE_SLOTS; w->slots[at]; at = (at + 1) % PLACE_SLOTS)
		if (!memcmp(&w->places[w->slots[at] - 1], p, sizeof *p))
			return w->states[w->slots[at] - 1];
	if (w->n == PLACES_MAX)
		return 0;
	w->places[w->n] = *p;
	w->states[w->n] = network_add_state(w->b->n);
	w->slots[at] = (uint32_t)++w->n;
	return w->states[w->n - 1];
}

static unsigned digit_of(const decimal *d, const place *p)
{
	if (p->is_fraction)
		return p->done < d->n_fraction ? d->fraction[p->done] : 0;
	return p->done < d->n_whole ? d->whole[p->done] : 0;
}

/* Whether digits of a bound that are not zero come behind this place. */
static bool has_more(const decimal *d, const place *p)
{
	return d->n_fraction > (p->is_fraction ? p->done : 0u);
}

/* Whether a number may end here. */
static bool may_end(const magnitudes *m, const place *p)
{
	size_t i;
	unsigned k;

	if (p->digits > 0 || (p->is_fraction && p->done == 0) || (m->is_broken && !p->is_broken))
		return false;
	if (p->is_low && (has_more(&m->low, p) || m->low_is_open))
		return false;
	if (p->is_high && !has_more(&m->high, p) && m->high_is_open)
		return false;
	for (i = 0; i < m->n_multiples; i++) {
		uint32_t rest = p->rests[i];

		for (k = p->is_fraction ? p->done : 0; k < m->multiples[i].places; k++)
			rest = next_rest(&m->multiples[i], rest, 0);
		if (rest != 0)
			return false;
	}
	return true;
}

/* The place behind a digit; false: it is beyond a bound, or more digits than a multiple has. */
static bool add_digit(const magnitudes *m, const place *from, unsigned digit, place *to)
{
	size_t i;

	*to = *from;
	if (from->is_low && digit < digit_of(&m->low, from))
		return false;
	if (from->is_high && digit > digit_of(&m->high, from))
		return false;
	to->is_low = from->is_low && digit == digit_of(&m->low, from);
	to->is_high = from->is_high && digit == digit_of(&m->high, from);
	for (i = 0; i < m->n_multiples; i++) {
		if (from->is_fraction && from->done >= m->multiples[i].places)
			return false;
		to->rests[i] = next_rest(&m->multiples[i], from->rests[i], digit);
	}
	if (!from->is_fraction)
		to->digits--;
	to->done++;
	to->is_broken = m->is_broken && (from->is_broken || (from->is_fraction && digit > 0));
	/* Where no bound is near, the place among the whole digits does not matter. */
	if (!to->is_fraction && !to->is_low && !to->is_high)
		to->done = 1;
	return true;
}

static bool put_digits(walker *w, const place *from, uint32_t state, unsigned first)
{
	unsigned digit;
	uint32_t target;
	place to;

	for (digit = first; digit <= 9; digit++) {
		if (!add_digit(w->m, from, digit, &to))
			continue;
		target = find_state(w, &to);
		if (!target)
			return false;
		network_add_bytes(w->b->n, state, '0' + digit, '0' + digit, target);
	}
	return true;
}

static bool put_place(walker *w, size_t which)
{
	const place p = w->places[which];
	uint32_t state = w->states[which], target;
	place point = p;

	if (may_end(w->m, &p))
		network_add_empty(w->b->n, state, w->end);
	if (p.digits > 0)
		return put_digits(w, &p, state, p.done == 0 && p.digits > 1);
	if (!p.is_fraction && !w->m->is_integer) {
		point.is_fraction = true;
		point.done = 0;
		target = find_state(w, &point);
		network_add_bytes(w->b->n, state, '.', '.', target);
		return target != 0;
	}
	if (p.is_fraction && p.done < JSON_DIGITS_MAX)
		return put_digits(w, &p, state, 0);
	return true;
}

/* Numbers of each count of whole digits that the bounds leave; "0" is one digit. */
static bool begin_places(walker *w, uint32_t from)
{
	const magnitudes *m = w->m;
	unsigned low = m->low.n_whole ? m->low.n_whole : 1,
	         high = m->has_high ? m->high.n_whole ? m->high.n_whole : 1 : JSON_DIGITS_MAX,
	         digits;
	uint32_t state;
	place p;

	if (high > JSON_DIGITS_MAX)
		high = JSON_DIGITS_MAX;
	for (digits = low; digits <= high; digits++) {
		memset(&p, 0, sizeof p);
		p.digits = (uint8_t)digits;
		p.is_low = digits == low;
		p.is_high = m->has_high && digits == (m->high.n_whole ? m->high.n_whole : 1);
		state = find_state(w, &p);
		if (!state)
			return false;
		network_add_empty(w->b->n, from, state);
	}
	return true;
}

static void put_magnitudes(schema_builder *b, const magnitudes *m, uint32_t value, uint32_t from,
                           uint32_t to)
{
	walker w = { .b = b, .m = m, .end = to };
	bool done;
	size_t i;

	w.places = memory_new(PLACES_MAX, sizeof *w.places);
	w.states = memory_new(PLACES_MAX, sizeof *w.states);
	w.slots = memory_new(PLACE_SLOTS, sizeof *w.slots);
	if (!w.places || !w.states || !w.slots) {
		(void)schema_no_memory(b);
	} else {
		done = begin_places(&w, from);
		for (i = 0; i < w.n && done && !network_is_full(b->n); i++)
			done = put_place(&w, i);
		if (!done)
			(void)schema_refuse(b, value, BRISE_EUNSUPPORTED,
			                    "bounds and multiples that are too large together");
	}
	memory_free(w.places);
	memory_free(w.states);
	memory_free(w.slots);
}

/* ---- both signs ----------------------------------------------------------------------------- */

/* False: there are none, or an error. */
static bool find_multiples(schema_builder *b, const schema_merged *m, magnitudes *out)
{
	decimal d;
	size_t i;

	for (i = 0; i < m->n; i++) {
		const schema_facts *f = schema_get(b, m->parts[i]);

		if (!read_number(b, f->multiple, &d))
			continue;
		if (out->n_multiples == MULTIPLES_MAX)
			return schema_refuse(b, f->multiple, BRISE_EUNSUPPORTED,
			                     "too many multipleOf that hold together");
		if (!make_divisor(&d, &out->multiples[out->n_multiples++]))
			return schema_refuse(b, f->multiple, BRISE_EUNSUPPORTED,
			                     "a number with digits above 0 and up to 2000 "
			                     "expected");
	}
	return out->n_multiples > 0;
}

static bool check_digits(schema_builder *b, const schema_merged *m, const decimal *d)
{
	if (d->n_fraction <= JSON_DIGITS_MAX && d->n_whole <= JSON_DIGITS_MAX)
		return true;
	return schema_refuse(b, m->value, BRISE_EUNSUPPORTED,
	                     "bounds with more than 20 digits before or behind the point");
}

static void put_bounded(schema_builder *b, const schema_merged *m, magnitudes *all,
                        const decimal *low, bool low_is_open, const decimal *high,
                        bool high_is_open, uint32_t from, uint32_t to)
{
	const decimal zero = { .n_whole = 0 };
	magnitudes positive = *all, negative = *all;
	uint32_t minus = network_add_state(b->n);

	/* From zero up. */
	positive.low = low && !low->is_negative ? *low : zero;
	positive.low_is_open = low && !low->is_negative && low_is_open;
	positive.has_high = high != NULL;
	positive.high = high ? *high : zero;
	positive.high_is_open = high_is_open;
	if (!high || !high->is_negative)
		put_magnitudes(b, &positive, m->value, from, to);
	/* Below zero: bounds change places. */
	negative.low = high && high->is_negative ? *high : zero;
	negative.low_is_open = high && high->is_negative ? high_is_open : true;
	negative.has_high = low != NULL;
	negative.high = low ? *low : zero;
	negative.high_is_open = low_is_open;
	if (low && !low->is_negative)
		return;
	network_add_bytes(b->n, from, '-', '-', minus);
	put_magnitudes(b, &negative, m->value, minus, to);
}

void schema_put_number(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	magnitudes all = { .is_integer = !(m->types & SCHEMA_FRACTION),
		           .is_broken = !(m->types & SCHEMA_INTEGER) };
	bool low_is_open, high_is_open, has_low, has_high, has_multiples;
	decimal low, high;

	has_low = schema_find_bound(m, false, &low, &low_is_open);
	has_high = schema_find_bound(m, true, &high, &high_is_open);
	has_multiples = find_multiples(b, m, &all);
	if (b->status != BRISE_OK || (has_low && has_high && decimal_compare(&low, &high) > 0))
		return;
	if (!has_low && !has_high && !has_multiples && !all.is_broken) {
		network_add_call(b->n, from, all.is_integer ? b->rules.integer : b->rules.number,
		                 to);
		return;
	}
	if ((!has_low || check_digits(b, m, &low)) && (!has_high || check_digits(b, m, &high)))
		put_bounded(b, m, &all, has_low ? &low : NULL, low_is_open, has_high ? &high : NULL,
		            high_is_open, from, to);
}
