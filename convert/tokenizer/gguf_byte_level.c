/* gguf_byte_level.c - see gguf_byte_level.h
 *
 * As llama.cpp's converters write them, from a tekken.json (gguf-py, MistralVocab) or a
 * tokenizer.json: tokens in the order of their ids, the ordinary ones in the byte alphabet, the
 * others as they are; types; merges "left right" as in tokenizer.json. `pre` names the pattern by
 * which text is cut, and that a part which is a token is taken whole. Tokens of type unknown and
 * unused, which no text becomes and which are never shown, are control tokens here: a tekken.json
 * has no other ones.
 */
#include "convert/tokenizer/gguf_byte_level.h"

#include <inttypes.h>
#include <string.h>

#include "convert/formats/gguf.h"
#include "convert/tokenizer/byte_alphabet.h"
#include "convert/tokenizer/byte_level_merges.h"
#include "convert/tokenizer/tokenizer_checks.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define GGUF_TEKKEN_VERSION_MAX 9999 /* as tekken.json's "v9999" */
#define SHOWN(bytes)            ((bytes) > 100 ? 100 : (int)(bytes))

static brise_status check_pre(const gguf_header *h, const char *name, brise_error *err)
{
	const gguf_value *v = gguf_find(h, "tokenizer.ggml.pre");
	size_t at = v ? v->at : 0;
	gguf_text text;

	if (!v || v->is_array || v->type != GGUF_STRING)
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: tokenizer.ggml.model \"gpt2\" without tokenizer.ggml.pre, which "
		        "names the pattern that cuts text; --no-tokenizer converts without a "
		        "tokenizer",
		        name);
	text = gguf_next_text(h, &at);
	if (text.n == 6 && !memcmp(text.bytes, "tekken", 6))
		return BRISE_OK;
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: tokenizer.ggml.pre \"%.*s\" is not supported, only \"tekken\"; "
	                 "--no-tokenizer converts without a tokenizer, for use with token ids",
	                 name, (int)(text.n > 40 ? 40 : text.n), text.bytes);
}

static brise_status read_version(const gguf_header *h, const char *name, uint32_t *version,
                                 brise_error *err)
{
	const gguf_value *v = gguf_find(h, GGUF_TEKKEN_VERSION);
	int64_t value = 0;

	if (v && (v->is_array || !gguf_get_integer(h, v, 0, &value) || value < 1 ||
	          value > GGUF_TEKKEN_VERSION_MAX))
		return error_set(err, BRISE_EFORMAT, "%s: %s is not a number of 1..%d", name,
		                 v->key, GGUF_TEKKEN_VERSION_MAX);
	*version = (uint32_t)value;
	return BRISE_OK;
}

/* An ordinary token's bytes go to `pool`, and their number to *used. */
static brise_status decode_piece(tokenizer_pieces *p, uint32_t id, const char *name, uint8_t *pool,
                                 size_t *used, brise_error *err)
{
	tokenizer_piece *piece = &p->pieces[id];

	*used = 0;
	if (piece->type == PIECE_BYTE)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer.ggml.token_type: token %" PRIu32
		                 " is of type byte, which no byte-level tokenizer has",
		                 name, id);
	if (piece->type != PIECE_NORMAL) {
		if (piece->type != PIECE_USER_DEFINED)
			piece->type = PIECE_CONTROL;
		return tokenizer_check_piece(p, id, name, err);
	}
	if (!byte_alphabet_decode((const char *)piece->text, piece->bytes, pool, used))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer.ggml.tokens: token %" PRIu32
		                 " \"%.*s\" has a character that stands for no byte",
		                 name, id, SHOWN(piece->bytes), (const char *)piece->text);
	if (*used == 0)
		return error_set(err, BRISE_EFORMAT, "%s: token %" PRIu32 " is empty", name, id);
	if (*used > TOKENIZER_PIECE_MAX)
		return tokenizer_refuse_length(name, id, *used, err);
	piece->text = pool;
	piece->bytes = (uint32_t)*used;
	return BRISE_OK;
}

/* *pool: from memory_new, what the pieces' texts are in. */
static brise_status decode_pieces(tokenizer_pieces *p, const char *name, uint8_t **pool,
                                  brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t size = 0, at = 0, used;
	uint32_t i;

	/* texts of the header: together they are as long as it at most */
	for (i = 0; i < p->vocab; i++)
		size += p->pieces[i].bytes;
	if (!(*pool = memory_new(size + 1, 1)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " tokens", name,
		                 p->vocab);
	for (i = 0; i < p->vocab && status == BRISE_OK; i++, at += used)
		status = decode_piece(p, i, name, *pool + at, &used, err);
	return status;
}

typedef struct place {
	const gguf_header *h;
	size_t at; /* of the next merge */
} place;

/* As llama.cpp: the first space that is not the first character. */
static bool next_merge(void *user, merge_texts *out)
{
	place *p = user;
	gguf_text text = gguf_next_text(p->h, &p->at);
	const char *space = text.n > 2 ? memchr(text.bytes + 1, ' ', text.n - 1) : NULL;

	if (!space)
		return false;
	*out = (merge_texts){ text.bytes, space + 1, (size_t)(space - text.bytes), 0 };
	out->right_bytes = text.n - out->left_bytes - 1;
	return out->right_bytes > 0;
}

static void note_tokenizer(const tokenizer_pieces *p, notes *decisions)
{
	uint32_t i, control = 0;

	if (!decisions)
		return;
	for (i = 0; i < p->vocab; i++)
		control += p->pieces[i].type == PIECE_CONTROL;
	if (p->dialect)
		notes_add(decisions,
		          "tekken version v%" PRIu32 ": %" PRIu32 " tokens, %" PRIu32
		          " of them control (" GGUF_TEKKEN_VERSION ")",
		          p->dialect, p->vocab, control);
	else
		notes_add(decisions,
		          "tekken of a version not stated: %" PRIu32 " tokens, %" PRIu32
		          " of them control (tokenizer.ggml.pre)",
		          p->vocab, control);
}

brise_status gguf_read_byte_level(tokenizer_pieces *p, const gguf_header *h, const char *name,
                                  notes *decisions, void **section, size_t *bytes, brise_error *err)
{
	const gguf_value *v = gguf_find(h, "tokenizer.ggml.merges");
	place at = { h, v ? v->at : 0 };
	const merge_list merges = { "tokenizer.ggml.merges", v ? v->n : 0, next_merge, &at };
	uint8_t *pool = NULL;
	brise_status status;

	*section = NULL;
	*bytes = 0;
	if ((status = check_pre(h, name, err)) != BRISE_OK ||
	    (status = read_version(h, name, &p->dialect, err)) != BRISE_OK)
		return status;
	if (!v || !v->is_array || v->type != GGUF_STRING)
		return error_set(err, BRISE_EFORMAT, "%s: no array of strings %s", name,
		                 merges.what);
	status = decode_pieces(p, name, &pool, err);
	if (status == BRISE_OK)
		status = byte_level_write_merged(p, &merges, name, section, bytes, err);
	if (status == BRISE_OK)
		note_tokenizer(p, decisions);
	memory_free(pool);
	return status;
}
