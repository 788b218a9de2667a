/* network.h - a grammar as rules of states and edges (a recursive transition network)
 *
 * Woods, "Transition Network Grammars for Natural Language Analysis", CACM 1970. A rule has one
 * start and one end. An edge takes a byte, or nothing, or a whole text of a rule, or several texts
 * of it in a row, counted. Built once by what reads schemas and grammars, then finished, which
 * removes all that no text can pass, so that every path leads to the end of a text.
 *
 * Adding never fails on its own: what has no room is left out, and network_finish says so.
 */
#ifndef GRAMMAR_NETWORK_H
#define GRAMMAR_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

#define NETWORK_STATES_MAX (1u << 19)
#define NETWORK_EDGES_MAX  (1u << 20)
#define NETWORK_NO_LIMIT   UINT32_MAX

typedef enum network_kind {
	NETWORK_BYTES, /* a byte in [low, high] */
	NETWORK_EMPTY,
	NETWORK_CALL,  /* a text of rule `what` */
	NETWORK_REPEAT /* texts of a rule, counted: repeat `what` */
} network_kind;

typedef struct network_edge {
	uint32_t target, what;
	uint32_t next; /* edge of the same state while it is built; 0: none */
	uint8_t kind, low, high;
} network_edge;

typedef struct network_state {
	uint32_t first; /* edge: of a list while it is built, then of an array */
	uint32_t n_edges;
	uint32_t n_bytes; /* edges that take a byte; they come first */
	bool is_end;      /* of its rule */
	bool is_live;     /* the end can be reached */
} network_state;

typedef struct network_rule {
	uint32_t start, end;
	bool may_be_empty;
	uint32_t name; /* offset into names; 0: none */
} network_rule;

typedef struct network_repeat {
	uint32_t rule, least, most, target;
} network_repeat;

typedef struct network {
	network_state *states; /* 0 is none */
	network_edge *edges;   /* 0 is none */
	network_rule *rules;
	network_repeat *repeats;
	char *names;
	size_t n_states, n_edges, n_rules, n_repeats, n_names;
	size_t most_states, most_edges, most_rules, most_repeats, most_names;
	bool no_memory, too_large;
	/* When it is finished: bytes that no edge tells apart form a class. */
	uint32_t root;
	unsigned n_classes;
	uint8_t classes[256], bytes[256]; /* of each byte; one byte of each class */
} network;

bool network_begin(network *n);
void network_free(network *n);

/* Whether nothing more has room. */
static inline bool network_is_full(const network *n)
{
	return n->no_memory || n->too_large;
}

uint32_t network_add_state(network *n);

/* name: for messages; NULL: none. */
uint32_t network_add_rule(network *n, const char *name, size_t bytes);
void network_add_bytes(network *n, uint32_t from, unsigned low, unsigned high, uint32_t to);
void network_add_empty(network *n, uint32_t from, uint32_t to);
void network_add_call(network *n, uint32_t from, uint32_t rule, uint32_t to);

/* `least` to `most` (NETWORK_NO_LIMIT) texts of a rule in a row. */
void network_add_repeat(network *n, uint32_t from, uint32_t rule, uint32_t least, uint32_t most,
                        uint32_t to);

/* A text, byte by byte; NUL-terminated, and of any bytes. */
void network_add_text(network *n, uint32_t from, const char *text, uint32_t to);
void network_add_string(network *n, uint32_t from, const char *text, size_t bytes, uint32_t to);

/* Ends building: text is what rule `root` describes. name: of the grammar in messages.
 * Errors: BRISE_EUNSUPPORTED too large, a rule that begins with itself, no text at all;
 * BRISE_ENOMEM. */
brise_status network_finish(network *n, uint32_t root, const char *name, brise_error *err);

#endif
