/* vocabulary.h - the bytes of all tokens as a trie, in the order in which a walk meets them */
#ifndef GRAMMAR_VOCABULARY_H
#define GRAMMAR_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

/* Control tokens that a grammar may ask for, as bytes that no UTF-8 has (RFC 3629 ends with f4), so
 * that no text is one of them. Tokens of such bytes, which follow in no text, have none here. */
#define VOCABULARY_CALLS     0xf8 /* [TOOL_CALLS] */
#define VOCABULARY_CALL_ID   0xf9 /* [CALL_ID] */
#define VOCABULARY_ARGUMENTS 0xfa /* [ARGS] */
#define VOCABULARY_MARKS     3

typedef struct vocabulary {
	const brise_tokenizer *tokenizer;
	int32_t marks[VOCABULARY_MARKS]; /* the tokens, from VOCABULARY_CALLS on; -1: none */
	uint32_t rows;                   /* tokens of the model */
	uint32_t words;                  /* of a mask */
	uint32_t n_nodes;                /* parents before children, children by their bytes */
	uint32_t n_tokens;
	uint32_t deepest; /* bytes of the longest token */
	uint8_t *bytes;   /* [nodes] */
	uint16_t *depths; /* [nodes] bytes before this one */
	uint32_t *skips;  /* [nodes] the first node that is not below this one */
	uint32_t *first;  /* [nodes + 1] of its tokens */
	uint32_t *tokens; /* ids, by node */
	uint32_t *quoted; /* [n_quoted] ids of tokens with two quotation marks or more */
	uint32_t n_quoted;
	uint32_t *marked; /* [n_marked] those with a quotation mark or a comma */
	uint32_t n_marked;
	uint32_t space;   /* the node of a space; n_nodes: none */
	bool drops_space; /* decoding drops a space in front of a text */
} vocabulary;

/* The text of a token, as decoding gives it, or a mark's byte: buffer [*bytes], with room for
 * TOKENIZER_PIECE_MAX. False: it has none, as other control tokens. */
bool vocabulary_spell(const vocabulary *v, uint32_t id, char *buffer, size_t *bytes);

/* The vocabulary of a tokenizer, made at its first use on any thread and freed with it. NULL: no
 * memory.
 */
const vocabulary *vocabulary_of(const brise_tokenizer *t);

/* The node of a text that is a node's with one byte more; n_nodes: none. node: n_nodes is the root.
 */
uint32_t vocabulary_step(const vocabulary *v, uint32_t node, uint8_t byte);

/* The node of a text; n_nodes: no token begins with it. bytes > 0. */
uint32_t vocabulary_find(const vocabulary *v, const char *text, size_t bytes);

#endif
