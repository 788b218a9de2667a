/* unused_keys.h - whether an object can have another key
 *
 * Keys that a pattern selects may be used up: of those that ^[ab]$ fits there are two. And where a
 * key has been begun, all that may follow may be keys that are there already. Then a text must not
 * get there.
 */
#ifndef GRAMMAR_UNUSED_KEYS_H
#define GRAMMAR_UNUSED_KEYS_H

#include "runtime/grammar/machine.h"
#include "runtime/grammar/members.h"
#include "runtime/grammar/vocabulary.h"

/* A trie of the keys that are there, from the place on that a text has reached. */
typedef struct key_node {
	uint32_t parent, child, next; /* nodes; 0: none */
	uint32_t state;               /* of the machine */
	uint32_t token;               /* node of the vocabulary; n_nodes: none */
	uint8_t byte;
	bool is_key;  /* it is there already: nothing may end here */
	bool is_open; /* another key can follow */
} key_node;

typedef struct unused_keys {
	key_node *nodes;
	size_t n, most;
} unused_keys;

void unused_keys_free(unused_keys *u);

/* Whether the innermost object may get a key from here on, where it wants one or one is being read.
 * Errors stay in mc->status. */
bool unused_keys_remain(unused_keys *u, machine *mc, const members *m, uint32_t state);

/* Takes tokens out of a mask that lead to where no other key can follow, where one is being read.
 */
void unused_keys_exclude(unused_keys *u, machine *mc, const members *m, uint32_t state,
                         const vocabulary *v, uint32_t *mask);

#endif
