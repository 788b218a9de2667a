/* kinds.c - the two kinds of tokenizers, and the text of a token
 *
 * SentencePiece's: U+2581 for a space, characters are merged, every byte that is no character
 * becomes U+FFFD. Byte-level ones, Mistral's tekken: the text as it is, cut by a pattern, bytes are
 * merged, every maximal beginning of a character becomes one U+FFFD.
 */
#include <string.h>

#include "runtime/text/bpe.h"
#include "runtime/text/split.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"

static size_t measure_one(const uint8_t *text, size_t bytes)
{
	(void)text, (void)bytes;
	return 1;
}

const tokenizer_kind tokenizer_sentencepiece = { false, true, measure_one, bpe_encode };

/* A part that is a piece as a whole is not merged: its merges need not lead to it. User-defined
 * symbols are cut out of a text before; what is left of them is left on purpose. */
static bool encode_parts(const brise_tokenizer *t, const uint8_t *text, size_t bytes, bool symbols,
                         const uint32_t *reserved, bpe_space *space, bpe_ids *ids)
{
	size_t at, n;
	int32_t id;
	bool done = true;

	for (at = 0; at < bytes && done; at += n) {
		n = split_next(text + at, bytes - at);
		id = tokenizer_find_piece(t, text + at, n);
		if (id >= 0 && t->types[id] == PIECE_NORMAL && !bpe_has_id(reserved, (uint32_t)id))
			done = bpe_add_id(ids, id);
		else
			done = bpe_encode(t, text + at, n, symbols, reserved, space, ids);
	}
	return done;
}

const tokenizer_kind tokenizer_byte_level = { true, false, utf8_measure_broken, encode_parts };

size_t tokenizer_spell(const brise_tokenizer *t, uint32_t id, char *text)
{
	const uint8_t *piece;
	size_t bytes, at, n = 0;

	if (id >= t->vocab || t->types[id] == PIECE_CONTROL || t->types[id] == PIECE_UNKNOWN)
		return 0;
	piece = t->text + t->offsets[id];
	bytes = tokenizer_piece_bytes(t, id);
	if (t->types[id] == PIECE_BYTE) {
		*text = (char)tokenizer_parse_byte(piece, bytes);
		return 1;
	}
	for (at = 0; at < bytes;) {
		bool space = t->kind->marks_spaces && bytes - at >= TOKENIZER_SPACE_BYTES &&
		             !memcmp(piece + at, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES);

		text[n++] = space ? ' ' : (char)piece[at];
		at += space ? TOKENIZER_SPACE_BYTES : 1;
	}
	return n;
}
