/* added_tokens.h - tokens that a fine-tune adds to the vocabulary of its tokenizer.model
 *
 * Such checkpoints hold the base's tokenizer.model as it was; what was added, as ChatML's
 * <|im_start|>, is beside it in tokenizer.json, or in tokenizer_config.json, or in the older
 * added_tokens.json, and has rows of its own after the base's.
 */
#ifndef CONVERT_TOKENIZER_ADDED_TOKENS_H
#define CONVERT_TOKENIZER_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/formats/notes.h"
#include "convert/tokenizer/tokenizer_writer.h"

typedef struct added_token {
	char *text;
	size_t bytes;
	uint32_t id;
	/* ADDED_SPECIAL, a control token, and so on; the others are user-defined symbols */
	uint32_t flags;
} added_token;

typedef struct added_tokens {
	added_token *items; /* by id, each once */
	size_t n, room;
	char *path; /* the file they are from; NULL: none beside the model */
	/* how text is treated between them: what tokenizer.json says, else tokenizer_config.json's
	 * "legacy"; 0: neither says anything */
	uint32_t rule;
} added_tokens;

/* ADDED_SPECIALS adds nothing: it says which of ADDED_PLAIN's are special. */
typedef enum added_form { ADDED_TOKENIZER, ADDED_CONFIG, ADDED_PLAIN, ADDED_SPECIALS } added_form;

/* Reads what the files in the folder of model_path, a tokenizer.model, add: the first of
 * tokenizer.json, tokenizer_config.json (if it says anything about it) and added_tokens.json (with
 * special_tokens_map.json).
 * Tokens whose ids are `rows` or more have none in the embedding and are left out; that becomes a
 * line of *decisions. *out must be freed with added_tokens_free, also after an error.
 * Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status added_tokens_read(added_tokens *out, const char *model_path, uint32_t rows,
                               notes *decisions, brise_error *err);

/* The same from json [size] of the file out->path, which the caller has set to a name from
 * memory_new. *any: it has a place for added tokens. */
brise_status added_tokens_read_memory(added_tokens *out, added_form form, const char *json,
                                      size_t size, uint32_t rows, bool *any, notes *decisions,
                                      brise_error *err);
void added_tokens_free(added_tokens *tokens);

/* Puts tokens after the base's pieces, whose texts must be those of the tokens below p->vocab, but
 * for reserved ones; p->pieces is reallocated, and points to texts of *tokens then. What is added,
 * and what differs, becomes a line of *decisions.
 * Errors: BRISE_EFORMAT contradictions and gaps; BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status added_tokens_append(const added_tokens *tokens, tokenizer_pieces *p,
                                 const char *model_path, notes *decisions, brise_error *err);

#endif
