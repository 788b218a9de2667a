/* decimal.c - see decimal.h */
#include "runtime/grammar/decimal.h"

#include <string.h>

/* The value of an exponent, within what can matter. */
static bool read_exponent(const char *text, size_t bytes, long *exponent)
{
	bool is_negative = bytes > 0 && text[0] == '-';
	size_t i = bytes > 0 && (text[0] == '-' || text[0] == '+');

	for (*exponent = 0; i < bytes; i++) {
		*exponent = *exponent * 10 + (text[i] - '0');
		if (*exponent > 100000)
			return false;
	}
	if (is_negative)
		*exponent = -*exponent;
	return true;
}

/* Digit by digit: digit i of the mantissa has the power point - 1 - i + exponent. */
bool decimal_read(decimal *d, const char *text, size_t bytes)
{
	size_t i, end = bytes, point = 0, seen = 0;
	long exponent = 0, power;
	bool has_point = false;

	memset(d, 0, sizeof *d);
	d->is_negative = bytes > 0 && text[0] == '-';
	for (i = 0; i < bytes; i++) {
		if (text[i] == 'e' || text[i] == 'E') {
			end = i;
			if (!read_exponent(text + i + 1, bytes - i - 1, &exponent))
				return false;
			break;
		}
		has_point |= text[i] == '.';
		point += !has_point && text[i] >= '0' && text[i] <= '9';
	}
	for (i = 0; i < end; i++) {
		if (text[i] < '0' || text[i] > '9')
			continue;
		power = (long)point - 1 - (long)seen++ + exponent;
		if (text[i] == '0')
			continue;
		if (power >= (long)DECIMAL_WHOLE || power < -(long)DECIMAL_FRACTION)
			return false;
		if (power >= 0) {
			/* The first digit that is not zero says how many there are. */
			if (d->n_whole == 0)
				d->n_whole = (unsigned)power + 1;
			d->whole[d->n_whole - 1 - (unsigned)power] = (uint8_t)(text[i] - '0');
		} else {
			d->fraction[-power - 1] = (uint8_t)(text[i] - '0');
			d->n_fraction = (unsigned)-power;
		}
	}
	if (decimal_is_zero(d))
		d->is_negative = false;
	return true;
}

static int compare_magnitudes(const decimal *a, const decimal *b)
{
	int order;

	if (a->n_whole != b->n_whole)
		return a->n_whole < b->n_whole ? -1 : 1;
	order = memcmp(a->whole, b->whole, a->n_whole);
	/* What is behind the last digit is zero. */
	return order ? order : memcmp(a->fraction, b->fraction, DECIMAL_FRACTION);
}

int decimal_compare(const decimal *a, const decimal *b)
{
	if (a->is_negative != b->is_negative)
		return a->is_negative ? -1 : 1;
	return a->is_negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

size_t decimal_write(const decimal *d, char text[DECIMAL_TEXT])
{
	size_t n = 0;
	unsigned i;

	if (d->is_negative)
		text[n++] = '-';
	for (i = 0; i < d->n_whole; i++)
		text[n++] = (char)('0' + d->whole[i]);
	if (d->n_whole == 0)
		text[n++] = '0';
	if (d->n_fraction > 0)
		text[n++] = '.';
	for (i = 0; i < d->n_fraction; i++)
		text[n++] = (char)('0' + d->fraction[i]);
	text[n] = 0;
	return n;
}
