/* gguf_tokenizer_writer.c - metadata from which llama.cpp and gguf_tokenizer.c make the tokenizer
 *
 * SentencePiece's is model "llama", with a score for each token; Mistral's byte-level one is "gpt2"
 * with pre "tekken", with merges. Without a tokenizer the model is "none", and begin and end come
 * from the configuration: the file then works with programs that pass token ids.
 */
#include "convert/tokenizer/gguf_tokenizer_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/tokenizer/byte_alphabet.h"
#include "convert/tokenizer/byte_level_merges.h"
#include "convert/tokenizer/gguf_byte_level.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/tokenizer.h"

/* The score that llama.cpp's converter gives to tokens that never come from text. */
#define PADDING_SCORE (-1000.0f)

/* Rows of the embedding beyond the tokenizer's pieces are tokens too, and need a text. */
static void put_padding(buffer *b, uint32_t id)
{
	char text[24];

	(void)snprintf(text, sizeof text, "[PAD%" PRIu32 "]", id);
	pairs_put_string(b, text, strlen(text));
}

/* Ordinary tokens of a byte-level tokenizer in the byte alphabet, others as they are. */
static void put_token(buffer *b, const brise_tokenizer *t, uint32_t id)
{
	const uint8_t *text = t->text + t->offsets[id];
	uint32_t bytes = tokenizer_piece_bytes(t, id);
	char encoded[BYTE_ALPHABET_ROOM(TOKENIZER_PIECE_MAX)];

	if (t->kind->byte_level && t->types[id] == PIECE_NORMAL)
		pairs_put_string(b, encoded, byte_alphabet_encode(text, bytes, encoded));
	else
		pairs_put_string(b, text, bytes);
}

static void put_tokens(const brise_tokenizer *t, uint32_t vocab, gguf_pairs *p)
{
	uint32_t id;

	pairs_put_array(p, "tokenizer.ggml.tokens", GGUF_STRING, vocab);
	for (id = 0; id < vocab; id++)
		if (id < t->vocab)
			put_token(&p->data, t, id);
		else
			put_padding(&p->data, id);
}

/* Both sides number types as SentencePiece does. */
static void put_types(const brise_tokenizer *t, uint32_t vocab, gguf_pairs *p)
{
	uint32_t id;

	pairs_put_array(p, "tokenizer.ggml.token_type", GGUF_I32, vocab);
	for (id = 0; id < vocab; id++)
		buffer_put_number(&p->data, id < t->vocab ? t->types[id] : GGUF_TOKEN_UNUSED, 4);
}

static void put_scores(const brise_tokenizer *t, uint32_t vocab, gguf_pairs *p)
{
	uint32_t id;

	pairs_put_array(p, "tokenizer.ggml.scores", GGUF_F32, vocab);
	for (id = 0; id < vocab; id++)
		buffer_put_float(&p->data, id < t->vocab ? t->scores[id] : PADDING_SCORE);
}

/* "left right" of the token whose left part has `left` bytes. */
static void put_merge(buffer *b, const brise_tokenizer *t, uint32_t id, uint32_t left)
{
	const uint8_t *text = t->text + t->offsets[id];
	char both[BYTE_ALPHABET_ROOM(TOKENIZER_PIECE_MAX) + 1];
	size_t n = byte_alphabet_encode(text, left, both);

	both[n++] = ' ';
	n += byte_alphabet_encode(text + left, tokenizer_piece_bytes(t, id) - left, both + n);
	pairs_put_string(b, both, n);
}

static void put_merges(const brise_tokenizer *t, gguf_pairs *p)
{
	uint32_t cuts[TOKENIZER_PIECE_MAX], id, i, n;
	uint64_t all = 0;

	for (id = 0; id < t->vocab; id++)
		all += byte_level_list_cuts(t, id, cuts);
	pairs_put_array(p, "tokenizer.ggml.merges", GGUF_STRING, all);
	for (id = 0; id < t->vocab; id++) {
		n = byte_level_list_cuts(t, id, cuts);
		for (i = 0; i < n; i++)
			put_merge(&p->data, t, id, cuts[i]);
	}
}

static void put_pieces(const brise_tokenizer *t, uint32_t vocab, gguf_pairs *p)
{
	bool byte_level = t->kind->byte_level;

	pairs_put_text(p, "tokenizer.ggml.model", byte_level ? "gpt2" : "llama");
	pairs_put_text(p, "tokenizer.ggml.pre", byte_level ? "tekken" : "default");
	put_tokens(t, vocab, p);
	if (!byte_level)
		put_scores(t, vocab, p);
	put_types(t, vocab, p);
	if (byte_level)
		put_merges(t, p);
	if (byte_level && t->dialect > 0 && t->dialect <= GGUF_TEKKEN_VERSION_MAX)
		pairs_put_u32(p, GGUF_TEKKEN_VERSION, t->dialect);
}

static void put_id(gguf_pairs *p, const char *key, int32_t id)
{
	if (id >= 0)
		pairs_put_u32(p, key, (uint32_t)id);
}

static bool is_named(const brise_tokenizer *t, int32_t id, const char *text)
{
	return t && (uint32_t)id < t->vocab &&
	       tokenizer_piece_bytes(t, (uint32_t)id) == strlen(text) &&
	       !memcmp(t->text + t->offsets[id], text, strlen(text));
}

/* Two more of the end tokens have keys: those of a turn and of a message. */
static void put_turn_ends(const brise_tokenizer *t, const brise_model_facts *f, int32_t eos,
                          gguf_pairs *p)
{
	int32_t turn = -1, message = -1;
	size_t i;

	for (i = 0; i < f->n_ends; i++) {
		int32_t id = f->ends[i];

		if (id == eos)
			continue;
		if (is_named(t, id, "<|eom_id|>"))
			message = id;
		else if (turn < 0 || is_named(t, turn, "</s>"))
			turn = id;
	}
	put_id(p, "tokenizer.ggml.eot_token_id", turn);
	put_id(p, "tokenizer.ggml.eom_token_id", message);
}

void gguf_put_tokenizer(gguf_pairs *p, const brise_tokenizer *t, const brise_model *model)
{
	const format_config *c = &model->config;
	int32_t bos = c->bos < 0 && t ? t->bos : c->bos, eos = c->eos < 0 && t ? t->eos : c->eos;

	if (t)
		put_pieces(t, c->vocab, p);
	else
		pairs_put_text(p, "tokenizer.ggml.model", "none");
	put_id(p, "tokenizer.ggml.bos_token_id", bos);
	put_id(p, "tokenizer.ggml.eos_token_id", eos);
	put_turn_ends(t, &model->facts, eos, p);
	if (model->facts.chat_template)
		pairs_put_text(p, "tokenizer.chat_template", model->facts.chat_template);
	if (model->facts.chat_format && strcmp(model->facts.chat_format, CHAT_UNKNOWN) != 0)
		pairs_put_text(p, CHAT_KEY_GGUF, model->facts.chat_format);
	if (t) {
		put_id(p, "tokenizer.ggml.unknown_token_id", t->unk);
		pairs_put_bool(p, "tokenizer.ggml.add_bos_token", c->bos >= 0);
		pairs_put_bool(p, "tokenizer.ggml.add_eos_token", false);
		pairs_put_bool(p, "tokenizer.ggml.add_space_prefix", t->dummy_prefix);
	}
}
