/* encode.h - encoding beyond brise_encode_text: texts that a format and a user wrote together */
#ifndef RUNTIME_ENCODE_H
#define RUNTIME_ENCODE_H

#include "runtime/text/added.h"
#include "runtime/text/bpe.h"

typedef struct encode_request {
	const char *text; /* [bytes] */
	size_t bytes;
	/* [bytes] not 0 where the format wrote the text: added tokens whose bytes all are such are
	 * recognised, special ones too; elsewhere none that is special or reserved. NULL: 0
	 * everywhere */
	const uint8_t *placed;
	/* a bit for each id of the vocabulary: never made of text that is not placed */
	const uint32_t *reserved;
	/* instead of those that the tokenizer looks for in text as it is; NULL: those */
	const added_set *tokens;
	/* as SentencePiece does, whatever the file says: a space in front of the whole, no other
	 * tokens than user-defined symbols; `placed` and `tokens` have no effect */
	bool sentencepiece;
} encode_request;

/* Appends the ids of a text to *ids, which the caller frees (memory_free of its items).
 * Errors: BRISE_EINVAL a text too long to encode at once, BRISE_ENOMEM. */
brise_status encode_append(const brise_tokenizer *tokenizer, const encode_request *request,
                           bpe_ids *ids, brise_error *err);

#endif
