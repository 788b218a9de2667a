/* grammar_cache.h - compiled grammars, kept by their text
 *
 * Clients send the same schema with every request. An entry is used by any number of jobs, and
 * lives until the last of them has released it and the cache has dropped it for others.
 */
#ifndef SERVE_GRAMMAR_CACHE_H
#define SERVE_GRAMMAR_CACHE_H

#include "runtime/brise.h"

typedef struct grammar_cache grammar_cache;
typedef struct grammar_entry grammar_entry;

/* NULL: no memory. */
grammar_cache *grammar_cache_new(void);

/* Entries that are still in use live on. NULL is allowed. */
void grammar_cache_free(grammar_cache *cache);

/* The grammar that options describe, compiled if need be; cache NULL: always. Owners have theirs
 * apart: the time that compiling takes would tell one what another asked for. *out is released once
 * by grammar_entry_release. Errors: of brise_new_grammar. */
brise_status grammar_cache_take(grammar_cache *cache, size_t owner,
                                const brise_tokenizer *tokenizer,
                                const brise_grammar_options *options, grammar_entry **out,
                                brise_error *err);

/* One more release is due. */
void grammar_entry_keep(grammar_entry *entry);
void grammar_entry_release(void *entry);

/* Two entries, or one and NULL, that one job holds: keeps both. NULL: no memory. */
void *grammar_pair_keep(grammar_entry *first, grammar_entry *second);
void grammar_pair_release(void *pair);

const brise_grammar *grammar_entry_get(const grammar_entry *entry);

#endif
