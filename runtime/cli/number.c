/* number.c - numbers read strictly: strtoul and strtod accept blanks, signs, hexadecimal and
 * trailing text */
#include "runtime/cli/number.h"

#include <math.h>
#include <stdlib.h>

bool number_read_whole(const char *text, size_t length, uint64_t most, uint64_t *value)
{
	uint64_t sum = 0;
	size_t i;

	if (length == 0)
		return false;
	for (i = 0; i < length; i++) {
		uint64_t digit;

		if (text[i] < '0' || text[i] > '9')
			return false;
		digit = (uint64_t)(text[i] - '0');
		if (digit > most || sum > (most - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return true;
}

static const char *skip_digits(const char *text)
{
	while (*text >= '0' && *text <= '9')
		text++;
	return text;
}

static bool looks_real(const char *text)
{
	const char *start, *end;
	bool digits;

	if (*text == '-' || *text == '+')
		text++;
	start = text;
	end = skip_digits(start);
	digits = end > start;
	if (*end == '.') {
		start = end + 1;
		end = skip_digits(start);
		digits = digits || end > start;
	}
	if (!digits)
		return false;
	if (*end == 'e' || *end == 'E') {
		start = end + 1;
		if (*start == '-' || *start == '+')
			start++;
		end = skip_digits(start);
		if (end == start)
			return false;
	}
	return *end == '\0';
}

bool number_read_real(const char *text, double *value)
{
	double number;

	if (!looks_real(text))
		return false;
	number = strtod(text, NULL);
	if (!isfinite(number))
		return false;
	*value = number;
	return true;
}
