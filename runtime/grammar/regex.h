/* regex.h - regular expressions as JSON schemas have them (ECMA-262), as automata over characters
 *
 * Characters, classes with \d \w \s and their opposites, `.`, groups, alternatives, `*` `+` `?`
 * `{m,n}` (lazy ones describe the same texts), `^` and `$`. Back references, look-around, \b and \p
 * are errors, look-ahead but at the beginning (regex_ahead.h). An expression is searched for: it
 * fits a text that contains it somewhere.
 *
 * The automaton is deterministic and made as a whole; expressions that need too many states, such
 * as (a|b)*a(a|b){20}, are refused.
 */
#ifndef GRAMMAR_REGEX_H
#define GRAMMAR_REGEX_H

#include "runtime/grammar/charset.h"

#define REGEX_STATES_MAX 4096u

typedef struct regex {
	uint32_t *next;   /* [states][classes]; 0: no text leads on from there */
	bool *is_whole;   /* [states] a text may end there */
	uint32_t *begins; /* [classes + 1] the first character of each class, then the end */
	size_t n_states, n_classes;
	uint32_t start;
} regex;

/* Reads an expression, UTF-8 [bytes]. *why: a message on an error, static.
 * work: steps that may be taken, of which those taken are subtracted.
 * Errors: BRISE_EFORMAT it is none, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status regex_compile(regex *r, const char *text, size_t bytes, int64_t *work,
                           const char **why);
void regex_free(regex *r);

/* Makes it fit the texts that it did not. */
void regex_invert(regex *r);

/* Whether it fits UTF-8 text. */
bool regex_fits(const regex *r, const char *text, size_t bytes);

/* The class of a character. */
size_t regex_class(const regex *r, uint32_t c);

#endif
