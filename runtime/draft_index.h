/* draft_index.h - finds where the last tokens of a text stood before, in constant memory */
#ifndef RUNTIME_DRAFT_INDEX_H
#define RUNTIME_DRAFT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/* Tokens kept, a power of two: more than the windows and most contexts of Mistral models. A token
 * takes 20 bytes of the index, 640 KB in all. */
#define DRAFT_HISTORY 32768u

/* Shortest and longest run of tokens that are looked for. Two tokens are the least that say
 * something about the third; what follows five is seldom other than what follows their last four.
 */
#define DRAFT_SHORTEST 2u
#define DRAFT_LONGEST  4u

typedef struct draft_index {
	uint64_t n;      /* tokens added so far; the next one has this position */
	int32_t *tokens; /* [DRAFT_HISTORY] position p in place p mod DRAFT_HISTORY */
	uint32_t *slots; /* see draft_index.c */
} draft_index;

/* An empty index, with all its memory in use from the start. False: no memory. */
bool draft_index_new(draft_index *index);
void draft_index_free(draft_index *index); /* all zero allowed */

/* Takes constant time. */
void draft_index_add(draft_index *index, int32_t token);

/* The token at a position in [n - DRAFT_HISTORY, n). */
int32_t draft_index_get(const draft_index *index, uint64_t position);

/* Looks for the last 4 tokens, else the last 3, else the last 2, where they stood before. *source:
 * the position of the token that followed them there; the latest one. False: they are not found.
 * Takes constant time: what the index has lost to collisions of hashes is not searched for. */
bool draft_index_find(const draft_index *index, uint64_t *source);

/* How many tokens before position `source` and before the text's end are the same, at most
 * `most`. */
unsigned draft_index_measure(const draft_index *index, uint64_t source, unsigned most);

#endif
