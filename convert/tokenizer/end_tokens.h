/* end_tokens.h - the tokens that end a generation, and where a checkpoint says so */
#ifndef CONVERT_TOKENIZER_END_TOKENS_H
#define CONVERT_TOKENIZER_END_TOKENS_H

#include "convert/formats/notes.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"

typedef struct end_tokens {
	int32_t ids[FORMAT_ENDS_MAX];         /* each once, in the order they were found */
	const char *sources[FORMAT_ENDS_MAX]; /* "config.json", static storage */
	size_t n;
	size_t n_dropped; /* beyond FORMAT_ENDS_MAX */
} end_tokens;

/* Adds an id that is not in the list yet; negative ones mean none and are left out. */
void end_tokens_add(end_tokens *list, int64_t id, const char *source);

/* Adds the tokens with which chat formats end turns, such as <|im_end|>, found by their texts. */
void end_tokens_add_known(end_tokens *list, const brise_tokenizer *tokenizer);

/* Takes ids outside the vocabulary out, and says in lines of *decisions which tokens end a
 * generation and where each was found. tokenizer NULL: their texts are not known. */
void end_tokens_settle(end_tokens *list, const brise_tokenizer *tokenizer, uint32_t vocab,
                       notes *decisions);

#endif
