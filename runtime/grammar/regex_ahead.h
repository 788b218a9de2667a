/* regex_ahead.h - look-ahead at the beginning of an expression, such as ^(?!\.)(?=.{3})[a-z.]+$ */
#ifndef GRAMMAR_REGEX_AHEAD_H
#define GRAMMAR_REGEX_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

/* A group of an expression. */
typedef struct regex_ahead {
	size_t begin, end; /* of what it looks for, in the text */
	bool is_negative;
} regex_ahead;

/* The look-ahead at text[at]; false: there is none, or it has no end. Behind it comes
 * text[group->end + 1]. */
bool regex_find_ahead(const char *text, size_t bytes, size_t at, regex_ahead *group);

/* Whether an expression begins with `^` and a look-ahead that holds for all of it. */
bool regex_begins_ahead(const char *text, size_t bytes);

#endif
