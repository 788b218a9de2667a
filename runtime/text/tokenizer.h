/* tokenizer.h - an open tokenizer: the section's tables, checked */
#ifndef RUNTIME_TOKENIZER_H
#define RUNTIME_TOKENIZER_H

#include <stdatomic.h>
#include <string.h>

#include "runtime/brise.h"
#include "runtime/text/tokenizer_section.h"

#define TOKENIZER_SPACE       "\xe2\x96\x81" /* U+2581, what stands for a space in pieces */
#define TOKENIZER_SPACE_BYTES 3

/* What others make of a tokenizer once and keep with it, as grammars their trie of all tokens: set
 * by compare and exchange, as threads share a tokenizer. */
typedef struct tokenizer_kept {
	void (*free)(struct tokenizer_kept *kept);
} tokenizer_kept;

/* What differs between SentencePiece's tokenizers and byte-level ones (runtime/text/kinds.c). */
struct bpe_space;
struct bpe_ids;
typedef struct tokenizer_kind {
	bool byte_level;
	bool marks_spaces; /* pieces have U+2581 for a space */
	/* bytes of text [bytes], where no character is, that become one U+FFFD */
	size_t (*measure_broken)(const uint8_t *text, size_t bytes);
	/* appends the ids of normalised text (runtime/text/bpe.h, bpe_encode) */
	bool (*encode)(const brise_tokenizer *t, const uint8_t *text, size_t bytes, bool symbols,
	               const uint32_t *reserved, struct bpe_space *space, struct bpe_ids *ids);
} tokenizer_kind;

extern const tokenizer_kind tokenizer_sentencepiece, tokenizer_byte_level;

struct brise_tokenizer {
	const tokenizer_kind *kind;
	uint32_t vocab, longest, slots, n_user;
	/* of the model's embedding, at least vocab: ids from vocab on have no piece */
	uint32_t rows;
	unsigned slot_bits;
	uint32_t dialect; /* tokenizer_section.h */
	int32_t unk, bos, eos;
	bool dummy_prefix, byte_fallback, cuts_words;
	/* some piece is of type unused: encoding must be able to take merges back */
	bool has_unused;
	const uint32_t *offsets;  /* [vocab + 1] */
	const float *scores;      /* [vocab], NULL if byte-level: the lower id comes first */
	const uint8_t *types;     /* [vocab] */
	const uint32_t *byte_ids; /* [256], NULL where bytes have no tokens */
	const uint32_t *hash;     /* [slots] */
	const uint32_t *user;     /* [n_user] */
	const uint8_t *text;
	bool begins_user[256];         /* some user-defined symbol begins with that byte */
	struct tokenizer_added *added; /* what is cut out of a text first (runtime/text/added.h) */
	_Atomic(tokenizer_kept *) *kept; /* own_kept, where the tokenizer itself is const */
	_Atomic(tokenizer_kept *) own_kept;
};

static inline uint32_t tokenizer_piece_bytes(const brise_tokenizer *t, uint32_t id)
{
	return t->offsets[id + 1] - t->offsets[id];
}

/* True if a space is at text[at] and none before it; at > 0. */
static inline bool tokenizer_begins_word(const uint8_t *text, size_t at, size_t bytes)
{
	return text[at] == (uint8_t)TOKENIZER_SPACE[0] && bytes - at >= TOKENIZER_SPACE_BYTES &&
	       memcmp(text + at, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES) == 0 &&
	       (at < TOKENIZER_SPACE_BYTES || memcmp(text + at - TOKENIZER_SPACE_BYTES,
	                                             TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES) != 0);
}

/* Looks at a tokenizer section, and the section of added tokens that a model has for it (NULL:
 * none), without taking memory: fills *t and *added as far as the counts below need it, adds what
 * the tokenizer will take to *needed. data: as of brise_open_tokenizer.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED. */
brise_status tokenizer_count(brise_tokenizer *t, struct tokenizer_added *added, const void *data,
                             size_t size, const void *added_section, size_t added_bytes,
                             const char *name, uint64_t *needed, brise_error *err);

/* Longest text of an encoder: what it takes is then counted without overflow. */
#define ENCODER_MOST ((size_t)1 << 24)

/* What a decoder takes, and an encoder for texts of `bytes` bytes. */
void tokenizer_count_decoder(const brise_tokenizer *t, uint64_t *needed);
void tokenizer_count_encoder(const brise_tokenizer *t, size_t bytes, uint64_t *needed);

/* The bytes of a token's text, as decoding gives it: all of `text` (piece_bytes at most, room for 1
 * at least) or none, for control and unknown tokens and ids without a piece. */
size_t tokenizer_spell(const brise_tokenizer *t, uint32_t id, char *text);

/* The piece text may be cut into, with exactly these bytes, or -1. Control, unknown and byte tokens
 * are never found. */
int32_t tokenizer_find_piece(const brise_tokenizer *t, const uint8_t *text, size_t bytes);

/* Length of the longest user-defined symbol that text begins with, 0: none. */
size_t tokenizer_match_user(const brise_tokenizer *t, const uint8_t *text, size_t bytes);

/* The byte that a piece of type byte stands for ("<0x0A>"), or -1 if it is not of that form. */
int tokenizer_parse_byte(const uint8_t *piece, size_t bytes);

#endif
