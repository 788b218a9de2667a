/* merges.h - scores of pieces with which SentencePiece's merging is equivalent to a ranked list of
 * merges */
#ifndef CONVERT_TOKENIZER_MERGES_H
#define CONVERT_TOKENIZER_MERGES_H

#include "convert/tokenizer/tokenizer_writer.h"

/* One line of a list of merges: two pieces and the one their texts make together. Its rank is its
 * place in the list, 0 the first to be merged. */
typedef struct merges_pair {
	uint32_t left, right, made;
} merges_pair;

/* Finds p->pieces[].score, so that the section of *p encodes every text as the n pairs do, or
 * refuses.
 *
 * pairs: ids below p->vocab, all of type normal; the text of `made` is that of left and right.
 * p->unk must be set.
 * Errors: BRISE_EFORMAT a pair twice; BRISE_EUNSUPPORTED no scores are equivalent, or the pieces
 * are too long together; BRISE_ENOMEM; those of tokenizer_write_section. */
brise_status merges_find_scores(tokenizer_pieces *p, const merges_pair *pairs, uint32_t n,
                                const char *name, brise_error *err);

#endif
