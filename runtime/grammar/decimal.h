/* decimal.h - decimal numbers of any length, exactly */
#ifndef GRAMMAR_DECIMAL_H
#define GRAMMAR_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_WHOLE    40u /* digits before the point, at most */
#define DECIMAL_FRACTION 40u /* and behind it */

typedef struct decimal {
	bool is_negative;
	uint8_t whole[DECIMAL_WHOLE];       /* [n_whole] digits, none of them a leading zero */
	uint8_t fraction[DECIMAL_FRACTION]; /* [n_fraction] digits, none a trailing zero */
	unsigned n_whole, n_fraction;
} decimal;

/* A number as JSON has it. False: it has more digits than there is room for. */
bool decimal_read(decimal *d, const char *text, size_t bytes);

/* Below 0, 0, or above 0, as a is less than b, equal or greater. */
int decimal_compare(const decimal *a, const decimal *b);

static inline bool decimal_is_zero(const decimal *d)
{
	return d->n_whole == 0 && d->n_fraction == 0;
}

/* Its text, without exponent, as short as it can be; returns its length. */
#define DECIMAL_TEXT (DECIMAL_WHOLE + DECIMAL_FRACTION + 4)
size_t decimal_write(const decimal *d, char text[DECIMAL_TEXT]);

#endif
