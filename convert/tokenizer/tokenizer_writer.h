/* tokenizer_writer.h - writes pieces as the tokenizer section (runtime/text/tokenizer_section.h)
 */
#ifndef CONVERT_TOKENIZER_TOKENIZER_WRITER_H
#define CONVERT_TOKENIZER_TOKENIZER_WRITER_H

#include <stdbool.h>

#include "runtime/brise.h"
#include "runtime/text/added_section.h"
#include "runtime/text/tokenizer_section.h"

typedef struct tokenizer_piece {
	const uint8_t *text;
	uint32_t bytes; /* 1..TOKENIZER_PIECE_MAX */
	float score;
	tokenizer_type type;
	/* ADDED_SPECIAL and so on of a listed added token. Others: special if control or unknown */
	uint32_t flags;
	bool listed;
} tokenizer_piece;

typedef struct tokenizer_pieces {
	tokenizer_piece *pieces; /* [vocab], no text twice */
	uint32_t vocab;
	int32_t unk, bos, eos;
	/* TOKENIZER_DUMMY_PREFIX; TOKENIZER_BYTE_FALLBACK and TOKENIZER_BYTE_LEVEL: then every byte
	 * has its piece. The rest follows from the pieces */
	uint32_t flags;
	/* how text is cut beside control tokens and symbols (added_rule); 0: as SentencePiece
	 * does */
	uint32_t rule;
	uint32_t dialect; /* tokenizer_section.h */
} tokenizer_pieces;

/* By bytes, a prefix first; -1, 0 or 1. */
int tokenizer_compare_pieces(const tokenizer_piece *a, const tokenizer_piece *b);

/* *section: from memory_new [*bytes], freed by the caller; with a rule the section of added tokens
 * follows that of the tokenizer, as brise_open_tokenizer takes them. `name` is for messages.
 * Errors: BRISE_ENOMEM, BRISE_EUNSUPPORTED (text or hash table too large). */
brise_status tokenizer_write_section(const tokenizer_pieces *p, const char *name, void **section,
                                     size_t *bytes, brise_error *err);

#endif
