/* byte_level_merges.h - the list of merges that other files have for a byte-level tokenizer's ranks
 */
#ifndef CONVERT_TOKENIZER_BYTE_LEVEL_MERGES_H
#define CONVERT_TOKENIZER_BYTE_LEVEL_MERGES_H

#include <stdbool.h>

#include "convert/tokenizer/tokenizer_writer.h"

/* Two texts in the byte alphabet, not terminated. */
typedef struct merge_texts {
	const char *left, *right;
	size_t left_bytes, right_bytes;
} merge_texts;

/* A file's list, first the first to be done. */
typedef struct merge_list {
	const char *what; /* what messages call it: "model.merges" */
	uint64_t n;
	/* The next one, from the first on. False: it is not two texts. */
	bool (*next)(void *user, merge_texts *out);
	void *user;
} merge_list;

/* As byte_level_write_section, for a file that has merges as well: they must say the same as the
 * order of the pieces.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED merges in another order than the ids of what they make,
 * or some of them missing; those of byte_level_write_section. */
brise_status byte_level_write_merged(tokenizer_pieces *p, const merge_list *merges,
                                     const char *name, void **section, size_t *bytes,
                                     brise_error *err);

/* Where token id is cut in two by the merges that make it, in the order of a list: lengths of left
 * parts in cuts [TOKENIZER_PIECE_MAX]. Returns their number; 0 for bytes, control tokens and
 * symbols. */
uint32_t byte_level_list_cuts(const brise_tokenizer *tokenizer, uint32_t id, uint32_t *cuts);

#endif
