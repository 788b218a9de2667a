/* gguf_tokenizer.c - reads tokenizer.ggml.* metadata
 *
 * "gpt2" is a byte-level BPE, of which Mistral's alone is read (gguf_byte_level.c). "llama" is
 * SentencePiece's BPE: its pieces, scores and types are in three arrays, in order of id (types have
 * the numbers of SentencePiece's own format). What writers of such files add or change, and what is
 * done about it:
 *
 *   - vocabularies smaller than the model's matrix are filled up with unused tokens "[PADn]":
 *     dropped from the end, as tokenizer.model has none;
 *   - vocabularies that went through Hugging Face's classes have <unk> as a control token and the
 *     same score everywhere. The former is corrected with unknown_token_id; without scores nothing
 *     says which merge comes first, so the latter is refused;
 *   - the rules that a tokenizer.model states (byte fallback, no folding of spaces) follow from the
 *     model "llama" and from the pieces.
 */
#include "convert/tokenizer/gguf_tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/gguf.h"
#include "convert/tokenizer/gguf_byte_level.h"
#include "convert/tokenizer/tokenizer_checks.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/tokenizer.h"

typedef struct reading {
	const gguf_header *h;
	const char *name;
	brise_error *err;
	tokenizer_pieces out;
} reading;

static brise_status read_model(const reading *r, bool *byte_level)
{
	const gguf_value *v = gguf_find(r->h, "tokenizer.ggml.model");
	size_t at;
	gguf_text text;

	if (!v || v->is_array || v->type != GGUF_STRING)
		return error_set(r->err, BRISE_EFORMAT,
		                 "%s: no tokenizer.ggml.model; --no-tokenizer converts without one",
		                 r->name);
	at = v->at;
	text = gguf_next_text(r->h, &at);
	*byte_level = text.n == 4 && !memcmp(text.bytes, "gpt2", 4);
	if (*byte_level || (text.n == 5 && !memcmp(text.bytes, "llama", 5)))
		return BRISE_OK;
	return error_set(r->err, BRISE_EUNSUPPORTED,
	                 "%s: tokenizer.ggml.model \"%.*s\" is not supported, only \"llama\" "
	                 "(SentencePiece's BPE) and \"gpt2\" with pre \"tekken\"; --no-tokenizer "
	                 "converts without one, for use with token ids",
	                 r->name, (int)(text.n > 40 ? 40 : text.n), text.bytes);
}

/* An array of one entry for each token. */
static brise_status find_array(const reading *r, const char *key, const gguf_value **array)
{
	const gguf_value *v = *array = gguf_find(r->h, key);

	if (!v || !v->is_array)
		return error_set(r->err, BRISE_EFORMAT, "%s: no array %s", r->name, key);
	if (r->out.vocab > 0 && v->n != r->out.vocab)
		return error_set(r->err, BRISE_EFORMAT,
		                 "%s: %s has %" PRIu64 " entries for %" PRIu32 " tokens", r->name,
		                 key, v->n, r->out.vocab);
	return BRISE_OK;
}

/* most: bytes of a text. */
static brise_status read_texts(reading *r, size_t most)
{
	const gguf_value *tokens;
	brise_status status = find_array(r, "tokenizer.ggml.tokens", &tokens);
	size_t at;
	uint32_t i;

	if (status != BRISE_OK)
		return status;
	if (tokens->type != GGUF_STRING || tokens->n == 0)
		return error_set(r->err, BRISE_EFORMAT,
		                 "%s: tokenizer.ggml.tokens holds no strings", r->name);
	if (tokens->n > TOKENIZER_VOCAB_MAX)
		return error_set(r->err, BRISE_EUNSUPPORTED,
		                 "%s: tokenizer.ggml.tokens: %" PRIu64
		                 " tokens, at most %u are supported",
		                 r->name, tokens->n, TOKENIZER_VOCAB_MAX);
	r->out.pieces = memory_new((size_t)tokens->n, sizeof *r->out.pieces);
	if (!r->out.pieces)
		return error_set(r->err, BRISE_ENOMEM, "%s: no memory for %" PRIu64 " tokens",
		                 r->name, tokens->n);
	r->out.vocab = (uint32_t)tokens->n;
	for (i = 0, at = tokens->at; i < r->out.vocab; i++) {
		gguf_text text = gguf_next_text(r->h, &at);

		if (text.n > most)
			return tokenizer_refuse_length(r->name, i, text.n, r->err);
		r->out.pieces[i].text = (const uint8_t *)text.bytes;
		r->out.pieces[i].bytes = (uint32_t)text.n;
	}
	return BRISE_OK;
}

static brise_status read_types(reading *r)
{
	const gguf_value *types;
	brise_status status = find_array(r, "tokenizer.ggml.token_type", &types);
	int64_t type;
	uint32_t i;

	for (i = 0; i < r->out.vocab && status == BRISE_OK; i++) {
		if (!gguf_get_integer(r->h, types, i, &type) || type < PIECE_NORMAL ||
		    type > PIECE_BYTE)
			return error_set(r->err, BRISE_EFORMAT,
			                 "%s: tokenizer.ggml.token_type: token %" PRIu32
			                 " has none of the types 1..6",
			                 r->name, i);
		r->out.pieces[i].type = (tokenizer_type)type;
		if (type == PIECE_BYTE)
			r->out.flags |= TOKENIZER_BYTE_FALLBACK;
	}
	return status;
}

static brise_status read_scores(reading *r)
{
	const gguf_value *scores;
	brise_status status = find_array(r, "tokenizer.ggml.scores", &scores);
	double score;
	uint32_t i;

	for (i = 0; i < r->out.vocab && status == BRISE_OK; i++) {
		if (!gguf_get_number(r->h, scores, i, &score))
			return error_set(r->err, BRISE_EFORMAT,
			                 "%s: tokenizer.ggml.scores are no numbers", r->name);
		r->out.pieces[i].score = (float)score;
	}
	return status;
}

static void drop_padding(reading *r)
{
	char padding[24];

	while (r->out.vocab > 1) {
		const tokenizer_piece *last = &r->out.pieces[r->out.vocab - 1];
		int n = snprintf(padding, sizeof padding, "[PAD%" PRIu32 "]", r->out.vocab - 1);

		if (last->type != PIECE_UNUSED || last->bytes != (uint32_t)n ||
		    memcmp(last->text, padding, last->bytes) != 0)
			return;
		r->out.vocab--;
	}
}

/* A token id of the metadata. As in llama.cpp, `fallback` holds where there is none, or one that no
 * token has. */
static brise_status read_id(const reading *r, const char *key, int32_t fallback, int32_t *id)
{
	const gguf_value *v = gguf_find(r->h, key);
	int64_t value = -1;

	*id = fallback;
	if (v && (v->is_array || !gguf_get_integer(r->h, v, 0, &value)))
		return error_set(r->err, BRISE_EFORMAT, "%s: %s is not a token id", r->name, key);
	if (value >= 0 && value < r->out.vocab)
		*id = (int32_t)value;
	return BRISE_OK;
}

static brise_status mend_unknown(reading *r)
{
	int32_t id;
	brise_status status = read_id(r, "tokenizer.ggml.unknown_token_id", 0, &id);
	uint32_t i;

	for (i = 0; i < r->out.vocab; i++)
		if (r->out.pieces[i].type == PIECE_UNKNOWN)
			return status;
	if (status == BRISE_OK && r->out.pieces[id].type == PIECE_CONTROL)
		r->out.pieces[id].type = PIECE_UNKNOWN;
	return status;
}

static brise_status check_scores(const reading *r)
{
	const tokenizer_piece *first = NULL;
	uint32_t i, n = 0;

	for (i = 0; i < r->out.vocab; i++) {
		const tokenizer_piece *piece = &r->out.pieces[i];

		if (piece->type != PIECE_NORMAL)
			continue;
		if (first && piece->score != first->score)
			return BRISE_OK;
		first = piece;
		n++;
	}
	if (n < 2)
		return BRISE_OK;
	return error_set(
	        r->err, BRISE_EUNSUPPORTED,
	        "%s: tokenizer.ggml.scores are all the same, so nothing says how words are cut; "
	        "convert the original checkpoint, or --no-tokenizer for use with token ids",
	        r->name);
}

/* A flag of the metadata. */
static brise_status read_flag(const reading *r, const char *key, bool *flag)
{
	const gguf_value *v = gguf_find(r->h, key);

	if (v && (v->is_array || !gguf_get_bool(r->h, v, 0, flag)))
		return error_set(r->err, BRISE_EFORMAT, "%s: %s is not a boolean", r->name, key);
	return BRISE_OK;
}

static brise_status read_rules(reading *r)
{
	static const char charsmap[] = "tokenizer.ggml.precompiled_charsmap",
	                  fold[] = "tokenizer.ggml.remove_extra_whitespaces";
	bool prefix = true, folds = false;
	const gguf_value *v = gguf_find(r->h, charsmap);
	brise_status status;

	if ((status = read_flag(r, "tokenizer.ggml.add_space_prefix", &prefix)) != BRISE_OK ||
	    (status = read_flag(r, fold, &folds)) != BRISE_OK)
		return status;
	if (folds || (v && v->n > 0))
		return error_set(r->err, BRISE_EUNSUPPORTED,
		                 "%s: %s is set; no tokenizer of Mistral's does that", r->name,
		                 folds ? fold : charsmap);
	r->out.flags |= prefix ? TOKENIZER_DUMMY_PREFIX : 0;
	return BRISE_OK;
}

/* By text, as the reference finds them in a tokenizer.model; where a file has other ones, by id. */
static brise_status find_ends(reading *r)
{
	int32_t bos, eos;
	brise_status status;

	if ((status = read_id(r, "tokenizer.ggml.bos_token_id", 1, &bos)) != BRISE_OK ||
	    (status = read_id(r, "tokenizer.ggml.eos_token_id", 2, &eos)) != BRISE_OK)
		return status;
	r->out.bos = tokenizer_find_control(&r->out, "<s>", 3);
	r->out.eos = tokenizer_find_control(&r->out, "</s>", 4);
	if (r->out.bos < 0 && (uint32_t)bos < r->out.vocab &&
	    r->out.pieces[bos].type == PIECE_CONTROL)
		r->out.bos = bos;
	if (r->out.eos < 0 && (uint32_t)eos < r->out.vocab &&
	    r->out.pieces[eos].type == PIECE_CONTROL)
		r->out.eos = eos;
	return BRISE_OK;
}

static brise_status read_pieces(reading *r)
{
	brise_status status;
	uint32_t i;

	if ((status = read_texts(r, TOKENIZER_PIECE_MAX)) != BRISE_OK ||
	    (status = read_scores(r)) != BRISE_OK || (status = read_types(r)) != BRISE_OK)
		return status;
	drop_padding(r);
	if ((status = mend_unknown(r)) != BRISE_OK || (status = check_scores(r)) != BRISE_OK ||
	    (status = read_rules(r)) != BRISE_OK)
		return status;
	for (i = 0; i < r->out.vocab; i++)
		if ((status = tokenizer_check_piece(&r->out, i, r->name, r->err)) != BRISE_OK)
			return status;
	if ((status = tokenizer_check_pieces(&r->out, r->name, r->err)) != BRISE_OK)
		return status;
	for (i = 0; i < r->out.vocab; i++)
		if (r->out.pieces[i].type == PIECE_USER_DEFINED)
			r->out.rule = ADDED_GGML;
	return find_ends(r);
}

static brise_status read_sentencepiece(reading *r, void **section, size_t *bytes)
{
	brise_status status = read_pieces(r);

	return status == BRISE_OK
	               ? tokenizer_write_section(&r->out, r->name, section, bytes, r->err)
	               : status;
}

static brise_status read_byte_level(reading *r, notes *decisions, void **section, size_t *bytes)
{
	brise_status status;

	/* a byte has two bytes in the alphabet at most */
	if ((status = read_texts(r, 2 * (size_t)TOKENIZER_PIECE_MAX)) != BRISE_OK ||
	    (status = read_types(r)) != BRISE_OK)
		return status;
	drop_padding(r);
	return gguf_read_byte_level(&r->out, r->h, r->name, decisions, section, bytes, r->err);
}

brise_status gguf_read_tokenizer(const gguf_header *h, const char *name, notes *decisions,
                                 void **section, size_t *bytes, brise_error *err)
{
	reading r = { .h = h, .name = name, .err = err, .out = { .bos = -1, .eos = -1 } };
	bool byte_level = false;
	brise_status status = read_model(&r, &byte_level);

	*section = NULL;
	*bytes = 0;
	if (status == BRISE_OK)
		status = byte_level ? read_byte_level(&r, decisions, section, bytes)
		                    : read_sentencepiece(&r, section, bytes);
	memory_free(r.out.pieces);
	return status;
}

/* ---- end tokens ----------------------------------------------------------------------------- */

/* As llama.cpp: a value that is no id of the vocabulary is ignored. */
static void add_end(const gguf_header *h, const char *key, const char *source, end_tokens *ends)
{
	const gguf_value *v = gguf_find(h, key);
	uint64_t i, n = v ? (v->is_array ? v->n : 1) : 0;
	int64_t id;

	for (i = 0; i < n && i < FORMAT_ENDS_MAX; i++)
		if (gguf_get_integer(h, v, i, &id))
			end_tokens_add(ends, id, source);
}

static bool find_text(const gguf_header *h, const char *key, gguf_text *text)
{
	const gguf_value *v = gguf_find(h, key);
	size_t at;

	if (!v || v->is_array || v->type != GGUF_STRING)
		return false;
	at = v->at;
	*text = gguf_next_text(h, &at);
	return true;
}

brise_status gguf_read_settings(const gguf_header *h, const char *name, text_settings *out,
                                notes *decisions, brise_error *err)
{
	static const char *const keys[][2] = {
		{ "tokenizer.ggml.eos_token_id", "eos_token_id" },
		{ "tokenizer.ggml.eos_token_ids", "eos_token_ids" },
		{ "tokenizer.ggml.eot_token_id", "eot_token_id" },
		{ "tokenizer.ggml.eom_token_id", "eom_token_id" },
		{ "tokenizer.ggml.fim_pad_token_id", "fim_pad_token_id" },
		{ "tokenizer.ggml.fim_rep_token_id", "fim_rep_token_id" },
		{ "tokenizer.ggml.fim_sep_token_id", "fim_sep_token_id" },
	};
	gguf_text text;
	brise_status status = BRISE_OK;
	size_t i;

	(void)name;
	memset(out, 0, sizeof *out);
	for (i = 0; i < sizeof keys / sizeof *keys; i++)
		add_end(h, keys[i][0], keys[i][1], &out->ends);
	if (find_text(h, "tokenizer.chat_template", &text))
		status = text_settings_keep_template(out, text.bytes, text.n,
		                                     "tokenizer.chat_template", decisions, err);
	if (status == BRISE_OK && find_text(h, CHAT_KEY_GGUF, &text))
		status = text_settings_keep_format(out, text.bytes, text.n, CHAT_KEY_GGUF, err);
	return status;
}
