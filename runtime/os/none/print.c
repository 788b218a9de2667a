/* print.c - snprintf for messages, without libc: what runtime/os/none/strings.c says holds here too
 *
 * Conversions: %s with a precision, %d, %i, %u, %x, %c, %zu, the lengths l, ll and z, a width, with
 * zeros or spaces in front, and %g of six digits. What is longer than the buffer is cut.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct output {
	char *text; /* [size] */
	size_t size, n;
} output;

static void put(output *out, char c)
{
	if (out->n + 1 < out->size)
		out->text[out->n] = c;
	out->n++;
}

static void put_text(output *out, const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		put(out, text[i]);
}

static void put_number(output *out, uint64_t value, unsigned base, bool negative, int width,
                       bool zeros)
{
	char digits[24];
	int n = 0, i;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while ((value /= base) > 0);
	for (i = n + negative; i < width && !zeros; i++)
		put(out, ' ');
	if (negative)
		put(out, '-');
	for (i = n + negative; i < width && zeros; i++)
		put(out, '0');
	while (n > 0)
		put(out, digits[--n]);
}

/* Six digits of a positive number, and its decimal exponent. */
static uint32_t round_to_digits(double value, int *exponent)
{
	double scale = 1, rest;
	uint32_t digits;
	int e = 0;

	while (value / scale >= 10)
		scale *= 10, e++;
	while (value / scale < 1)
		value *= 10, e--;
	value = value / scale * 1e5;
	digits = (uint32_t)value;
	rest = value - digits;
	digits += rest > 0.5 || (rest == 0.5 && digits % 2 == 1);
	if (digits > 999999)
		digits /= 10, e++;
	*exponent = e;
	return digits;
}

/* As %g does: an exponent below 1e-4 and from 1e6 on, no zeros at the end. */
static void put_double(output *out, double value)
{
	char digits[6];
	uint32_t left;
	int exponent, n = 6, at, i;

	if (value != value) {
		put_text(out, "nan", 3);
		return;
	}
	if (value < 0) {
		put(out, '-');
		value = -value;
	}
	if (value == 0 || value > 1.7976931348623157e308) {
		put_text(out, value == 0 ? "0" : "inf", value == 0 ? 1 : 3);
		return;
	}
	left = round_to_digits(value, &exponent);
	for (i = 6; i > 0; left /= 10)
		digits[--i] = (char)('0' + left % 10);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	at = exponent >= -4 && exponent < 6 ? exponent : 0; /* digits before the point, less one */
	for (i = at; i < 0; i++)
		put_text(out, i == at ? "0." : "0", i == at ? 2 : 1);
	for (i = 0; i < n || i <= at; i++) {
		if (i == at + 1 && at >= 0)
			put(out, '.');
		put(out, i < n ? digits[i] : '0');
	}
	if (at != exponent) {
		put(out, 'e');
		put(out, exponent < 0 ? '-' : '+');
		put_number(out, (uint64_t)(exponent < 0 ? -exponent : exponent), 10, false, 2,
		           true);
	}
}

/* What stands between % and the conversion. */
typedef struct directive {
	bool zeros;
	int width, precision; /* precision -1: none */
	int longs;            /* l, ll */
	bool size;            /* z */
} directive;

static int read_number(const char **format)
{
	int n = 0;

	for (; **format >= '0' && **format <= '9' && n < 10000; ++*format)
		n = 10 * n + (**format - '0');
	return n;
}

static uint64_t take_unsigned(const directive *d, va_list *args)
{
	if (d->size)
		return va_arg(*args, size_t);
	if (d->longs > 1)
		return va_arg(*args, unsigned long long);
	return d->longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

static int64_t take_signed(const directive *d, va_list *args)
{
	if (d->size)
		return va_arg(*args, ptrdiff_t);
	if (d->longs > 1)
		return va_arg(*args, long long);
	return d->longs ? va_arg(*args, long) : va_arg(*args, int);
}

static void put_string(output *out, const char *text, int precision)
{
	size_t n = 0;

	while ((precision < 0 || n < (size_t)precision) && text[n])
		n++;
	put_text(out, text, n);
}

static void convert(output *out, char conversion, const directive *d, va_list *args)
{
	int64_t value;

	switch (conversion) {
	case 's':
		put_string(out, va_arg(*args, const char *), d->precision);
		break;
	case 'c':
		put(out, (char)va_arg(*args, int));
		break;
	case 'd':
	case 'i':
		value = take_signed(d, args);
		put_number(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0,
		           d->width, d->zeros);
		break;
	case 'u':
	case 'x':
		put_number(out, take_unsigned(d, args), conversion == 'x' ? 16 : 10, false,
		           d->width, d->zeros);
		break;
	case 'g':
		put_double(out, va_arg(*args, double));
		break;
	default: /* % itself, and what the library does not use */
		put(out, conversion);
	}
}

static directive read_directive(const char **format, va_list *args)
{
	directive d = { .precision = -1 };

	for (; **format == '0'; ++*format)
		d.zeros = true;
	d.width = read_number(format);
	if (**format == '.') {
		++*format;
		if (**format == '*') {
			++*format;
			d.precision = va_arg(*args, int);
		} else {
			d.precision = read_number(format);
		}
	}
	for (; **format == 'l'; ++*format)
		d.longs++;
	for (; **format == 'z'; ++*format)
		d.size = true;
	return d;
}

int vsnprintf(char *text, size_t size, const char *format, va_list arguments)
{
	output out = { text, size, 0 };
	va_list args;

	va_copy(args, arguments);
	for (; *format; format++) {
		directive d;

		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		format++;
		d = read_directive(&format, &args);
		if (!*format)
			break;
		convert(&out, *format, &d, &args);
	}
	va_end(args);
	if (size > 0)
		text[out.n < size ? out.n : size - 1] = 0;
	return (int)out.n;
}

int snprintf(char *text, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, size, format, args);
	va_end(args);
	return n;
}
