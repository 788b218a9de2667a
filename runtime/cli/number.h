/* number.h - numbers from the command line and from ids files, read strictly
 *
 * A number is the whole text: no blanks, no trailing letters, no hexadecimal. Nothing in this
 * program calls setlocale, so the decimal sign is a full stop everywhere, in reading and in
 * printing.
 */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only, at most `most`. *value is left alone when false. */
bool number_read_whole(const char *text, size_t length, uint64_t most, uint64_t *value);

/* [-+]digits[.digits][e[-+]digits], finite. */
bool number_read_real(const char *text, double *value);

#endif
