/* charset.h - sets of Unicode characters as ranges, and their bytes as edges of a network */
#ifndef GRAMMAR_CHARSET_H
#define GRAMMAR_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/grammar/network.h"

#define CHARSET_LAST 0x10ffffu /* the last character of Unicode */

typedef struct charset_range {
	uint32_t low, high;
} charset_range;

/* Ranges in order, apart from each other, once charset_order has been called. */
typedef struct charset {
	charset_range *ranges;
	size_t n, most;
} charset;

void charset_free(charset *s);

/* False: no memory. */
bool charset_add(charset *s, uint32_t low, uint32_t high);
bool charset_add_all(charset *s, const charset *from);
void charset_order(charset *s);

/* Turns an ordered set into all other characters. */
bool charset_invert(charset *s);
bool charset_has(const charset *s, uint32_t c);

/* How characters are written. */
typedef enum charset_form {
	CHARSET_PLAIN, /* as UTF-8 */
	CHARSET_JSON   /* in a JSON string, each in one way: escaped only where it must be */
} charset_form;

/* A character of an ordered set between two states; surrogates are left out. */
void charset_put(network *n, uint32_t from, const charset_range *ranges, size_t n_ranges,
                 charset_form form, uint32_t to);

/* One character, and a text of UTF-8 as a JSON string without quotation marks. */
void charset_put_one(network *n, uint32_t from, uint32_t c, charset_form form, uint32_t to);
void charset_put_text(network *n, uint32_t from, const char *text, size_t bytes, uint32_t to);

/* The character at the start of UTF-8 text, and its bytes in *step. */
uint32_t charset_decode(const char *text, size_t bytes, size_t *step);

#endif
