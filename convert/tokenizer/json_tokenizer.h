/* json_tokenizer.h - the contents of a tokenizer.json whose pipeline is SentencePiece's, or the
 * byte-level one of Mistral's tekken tokenizers */
#ifndef CONVERT_TOKENIZER_JSON_TOKENIZER_H
#define CONVERT_TOKENIZER_JSON_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"
#include "runtime/text/added_section.h"
#include "runtime/text/json.h"

typedef enum token_origin { FROM_VOCABULARY, FROM_ADDED, FROM_SPECIAL } token_origin;

/* One entry of model.vocab or added_tokens; a token may be in both. */
typedef struct json_token {
	size_t at;          /* of its text in the pool */
	uint32_t bytes, id; /* 1..TOKENIZER_PIECE_MAX; below TOKENIZER_VOCAB_MAX */
	token_origin origin;
	uint32_t flags; /* of added ones: ADDED_SPECIAL and so on */
} json_token;

typedef struct json_merge {
	size_t at; /* of both texts, one after the other */
	uint32_t left_bytes, right_bytes;
} json_merge;

typedef struct json_tokenizer {
	char *pool; /* texts, without ends */
	size_t pool_bytes;
	json_token *tokens; /* in the file's order */
	uint32_t n_tokens;
	json_merge *merges; /* first the first to be done */
	uint32_t n_merges;
	char unk[64];       /* text of the unknown token */
	bool byte_fallback; /* characters without a token become bytes */
	bool byte_level; /* texts are bytes (convert/tokenizer/byte_alphabet.h), cut by a pattern */
	bool prefix;     /* a text gets a space in front */
	bool splits;     /* words are merged each on its own */
	added_rule rule; /* how text between added tokens is treated */
} json_tokenizer;

/* One entry of added_tokens, or of a tokenizer_config.json's added_tokens_decoder, which has no
 * ids. */
typedef struct json_added_token {
	char *text; /* from memory_new; NULL: none */
	size_t bytes;
	int64_t id;            /* -1: none */
	uint32_t flags;        /* ADDED_SPECIAL and so on */
	bool tells_normalized; /* has the field "normalized" */
} json_added_token;

/* *token: its text must be freed, also after an error. */
bool json_read_added_token(json_reader *r, json_added_token *token);

/* Reads json [size] of the file `name`, refusing all that means something else than SentencePiece's
 * normalization, BPE and decoding, or tekken's, by its name. *out must be freed with
 * json_free_tokenizer, also after an error. Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED,
 * BRISE_ENOMEM. */
brise_status json_read_tokenizer(json_tokenizer *out, const char *json, size_t size,
                                 const char *name, brise_error *err);
void json_free_tokenizer(json_tokenizer *tokenizer);

#endif
