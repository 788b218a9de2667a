/* pattern.h - regular expressions of a small subset, matched in linear time
 *
 * What PEFT's rank_pattern and alpha_pattern are made of: literals, '.', classes [a-z] and [^a-z],
 * \d \w \s and their negations, escaped punctuation, groups (...) and (?:...), '|', the repetitions
 * * + ? {m} {m,} {m,n} {,n} (also lazy ones, which match the same names), and the anchors ^ and $.
 * Syntax is that of Python's re, for ASCII. Everything else is refused by name.
 */
#ifndef CONVERT_CHECKPOINT_PATTERN_H
#define CONVERT_CHECKPOINT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pattern pattern;

/* Compiles text [n]. NULL: *why says what is not supported, a static text. */
pattern *pattern_new(const char *text, size_t n, const char **why);
void pattern_free(pattern *p);

/* As PEFT matches, re.match(rf"(.*\.)?({text})$", name): the pattern fits the name from its
 * beginning or from after a dot to its end. Time is at most the name's length times the pattern's
 * size. */
bool pattern_fits(const pattern *p, const char *name);

#endif
