/* cache_entry.h - what the name of a file in the prompt cache says
 *
 * All numbers are hexadecimal, of fixed widths, in this order, with "-" between:
 *
 *     tokens 8, uses 6, hour of the last use 8, bytes 12, rewind_from 12, hash of all tokens 16,
 *     hashes of the first 32, 64, 128 and so on, as many as there are, 8 each
 *
 * Hashes depend on the model and on how the sequence was made, so texts of different models share
 * the folder and no prefix. The entry lies in a folder named by the first two digits of the hash of
 * its first 32 tokens.
 */
#ifndef RUNTIME_SESSION_CACHE_ENTRY_H
#define RUNTIME_SESSION_CACHE_ENTRY_H

#include "runtime/brise.h"

#define ENTRY_LEAST  32u /* the length of the first level */
#define ENTRY_LEVELS 16u
#define ENTRY_NAME   256u /* bytes of a name and its end */

typedef struct cache_entry {
	uint32_t n, uses, hour, n_levels;
	uint64_t bytes, rewind_from, hash;
	uint32_t levels[ENTRY_LEVELS];
} cache_entry;

/* Hashes of all prefixes of a text. */
typedef struct entry_hashes {
	uint64_t *of; /* [n + 1] of the first i tokens */
	size_t n;
} entry_hashes;

/* seed: what prefixes depend on beside their tokens. False: no memory. */
bool entry_hash(entry_hashes *hashes, uint64_t seed, const int32_t *tokens, size_t n);
void entry_free_hashes(entry_hashes *hashes);

/* Adds a number to a hash. */
uint64_t entry_mix(uint64_t hash, uint64_t value);

/* An entry of the text; uses, hour, bytes and rewind_from are 0. */
cache_entry entry_of(const entry_hashes *hashes);

/* The first of the levels of a text: it decides on the folder. The text has ENTRY_LEAST tokens. */
uint32_t entry_bucket(const entry_hashes *hashes);

/* name [ENTRY_NAME]. */
void entry_print(const cache_entry *entry, char *name);

/* False: not the name of an entry. */
bool entry_parse(cache_entry *entry, const char *name);

/* Tokens that the entry shares with the text at its beginning: this many at least. *all: they are
 * all of the entry's. */
uint32_t entry_share(const cache_entry *entry, const entry_hashes *hashes, bool *all);

/* How useful an entry is in an hour: what it saves, each time it is used, for its bytes. A week
 * without use halves it. */
double entry_score(const cache_entry *entry, uint32_t hour);

#endif
