/* schema_product.h - strings by several automata and a count of characters at the same time
 *
 * The product of the automata becomes states of the network. Each character is written in one way.
 */
#ifndef GRAMMAR_SCHEMA_PRODUCT_H
#define GRAMMAR_SCHEMA_PRODUCT_H

#include "runtime/grammar/schema_pattern.h"

typedef struct product_key {
	uint32_t states[AUTOMATA_MAX];
	uint32_t count;
} product_key;

typedef struct product {
	schema_builder *b;
	const automata *a;
	uint32_t least, most; /* characters */
	uint32_t value;       /* for messages */
	/* Where a text leads behind its quotation mark, by the groups that it fits: bit g - 1 of
	 * marks is group g. 0: nowhere. */
	uint32_t (*end)(void *user, unsigned marks);
	void *user;
	/* Filled by product_put. */
	uint32_t columns;  /* the last count that is told apart */
	product_key *keys; /* [n] */
	uint32_t *places;  /* [n] states of the network */
	uint32_t *slots;
	size_t n;
	charset borders; /* pieces that no automaton tells apart within */
} product;

/* Adds the characters and the closing quotation mark from a state on. Needs product_free in any
 * case. False: an error. */
bool product_put(product *p, uint32_t from);
void product_free(product *p);

/* Whether there are so many different texts. False: an error. */
bool product_has_texts(product *p, uint32_t least, bool *has);

#endif
