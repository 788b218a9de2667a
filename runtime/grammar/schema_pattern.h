/* schema_pattern.h - the automata that a text must follow at the same time, in groups
 *
 * Those of group 0 must fit. Every other group is a mark: whether all of its automata fit is known
 * where the text ends.
 */
#ifndef GRAMMAR_SCHEMA_PATTERN_H
#define GRAMMAR_SCHEMA_PATTERN_H

#include "runtime/grammar/schema.h"

#define AUTOMATA_MAX 12u

typedef struct automata {
	const regex *r[AUTOMATA_MAX];
	uint8_t groups[AUTOMATA_MAX];
	size_t n;
} automata;

/* Adds an expression; value: of the document, for messages. False: an error. */
bool automata_add(schema_builder *b, automata *a, unsigned group, const char *text, size_t bytes,
                  uint32_t value);

/* Adds what the strings of a set must fit, to group 0. */
bool automata_add_strings(schema_builder *b, automata *a, const schema_merged *m);

/* Whether a text fits all of a group. */
bool automata_fit(const automata *a, unsigned group, const char *text, size_t bytes);

/* Texts of which one must be the whole text, or none of which may be. */
typedef struct alternatives {
	char *text; /* of an expression */
	size_t bytes, most, n;
} alternatives;

bool alternatives_add(schema_builder *b, alternatives *list, const char *text, size_t bytes);

/* Adds these to group 0, and frees the list; an empty list adds nothing. */
bool automata_add_list(schema_builder *b, automata *a, alternatives *list, bool is_excluded,
                       uint32_t value);

#endif
