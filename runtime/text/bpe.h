/* bpe.h - merging one normalised text into pieces */
#ifndef RUNTIME_BPE_H
#define RUNTIME_BPE_H

#include "runtime/text/merge_queue.h"
#include "runtime/text/tokenizer.h"

/* Token ids that grow. */
typedef struct bpe_ids {
	int32_t *items;
	size_t n, room;
} bpe_ids;

/* Appends one id; false: no memory. */
bool bpe_add_id(bpe_ids *ids, int32_t id);

/* Whether bit `id` of a set of ids is set; NULL: an empty set. */
static inline bool bpe_has_id(const uint32_t *set, uint32_t id)
{
	return set && (set[id / 32] >> id % 32 & 1);
}

/* Takes memory for n ids. False: no memory. */
bool bpe_reserve_ids(bpe_ids *ids, size_t n);

/* Memory that one text after another works in. Zero-initialised; freed with bpe_free_space. */
typedef struct bpe_space {
	struct bpe_symbol *symbols;
	merge *entries;
	uint32_t *cuts; /* [vocab], only where there are unused pieces */
	size_t room;    /* characters there is room for */
} bpe_space;

/* Takes memory for a text of n characters, or bytes with a byte-level tokenizer. False: no memory.
 */
bool bpe_reserve(bpe_space *space, const brise_tokenizer *t, size_t n);
void bpe_count(const brise_tokenizer *t, size_t n, uint64_t *needed); /* what that takes */
void bpe_free_space(bpe_space *space);

/* Appends the ids of text [bytes], which is normalised: UTF-8, U+2581 for every space; with a
 * byte-level tokenizer, one part of a text that its pattern cut. `symbols`: user-defined symbols
 * are cut out of it; else they have been, and are not found. `reserved`: a bit for each id that
 * must not come out (NULL: none); its text is then cut into characters and merged as any other.
 * bytes < 2^32. False: no memory. */
bool bpe_encode(const brise_tokenizer *t, const uint8_t *text, size_t bytes, bool symbols,
                const uint32_t *reserved, bpe_space *space, bpe_ids *ids);

#endif
