/* sentencepiece_writer.c - ModelProto of github.com/google/sentencepiece,
 * src/sentencepiece_model.proto
 *
 * Written is what decides how text is cut: pieces, scores, types, and the rules that differ from
 * SentencePiece's defaults. A field is its number and wire type as one varint, then the value; a
 * submessage is made first, because its length comes before it
 * (protobuf.dev/programming-guides/encoding).
 */
#include "convert/tokenizer/sentencepiece_writer.h"

#include "convert/formats/protobuf.h"
#include "convert/tokenizer/sentencepiece_fields.h"
#include "runtime/text/tokenizer.h"

static void put_varint(buffer *b, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buffer_put_number(b, (value & 0x7f) | 0x80, 1);
	buffer_put_number(b, value, 1);
}

/* Negative int32 values are written as 64 bits, as protobuf does. */
static void put_number(buffer *b, unsigned field, int64_t value)
{
	put_varint(b, field << 3 | PROTOBUF_VARINT);
	put_varint(b, (uint64_t)value);
}

static void put_bytes(buffer *b, unsigned field, const void *data, size_t n)
{
	put_varint(b, field << 3 | PROTOBUF_BYTES);
	put_varint(b, n);
	buffer_put(b, data, n);
}

/* Takes the submessage's bytes away. */
static void put_message(buffer *b, unsigned field, buffer *message)
{
	put_bytes(b, field, message->data, message->n);
	b->failed = b->failed || message->failed;
	buffer_free(message);
}

static void put_piece(const brise_tokenizer *t, uint32_t id, buffer *out)
{
	buffer piece = { NULL, 0, 0, false };

	put_bytes(&piece, PIECE_TEXT, t->text + t->offsets[id], tokenizer_piece_bytes(t, id));
	put_varint(&piece, PIECE_SCORE << 3 | PROTOBUF_FIXED32);
	buffer_put_float(&piece, t->scores[id]);
	if (t->types[id] != PIECE_NORMAL)
		put_number(&piece, PIECE_TYPE, t->types[id]);
	put_message(out, MODEL_PIECES, &piece);
}

/* The piece SentencePiece looks for by its text. Where there is none the default name stays, which
 * no control piece has: else it would have been found. */
static void put_special(const brise_tokenizer *t, int32_t id, unsigned field, buffer *trainer)
{
	if (id >= 0)
		put_bytes(trainer, field, t->text + t->offsets[id],
		          tokenizer_piece_bytes(t, (uint32_t)id));
}

void sentencepiece_make_model(const brise_tokenizer *t, buffer *out)
{
	static const char identity[] = "identity";
	buffer trainer = { NULL, 0, 0, false }, normalizer = { NULL, 0, 0, false };
	uint32_t id;

	for (id = 0; id < t->vocab; id++)
		put_piece(t, id, out);

	put_number(&trainer, TRAINER_MODEL_TYPE, MODEL_TYPE_BPE);
	put_number(&trainer, TRAINER_VOCAB_SIZE, t->vocab);
	put_number(&trainer, TRAINER_BYTE_FALLBACK, t->byte_fallback);
	put_number(&trainer, TRAINER_UNK_ID, t->unk);
	put_number(&trainer, TRAINER_BOS_ID, t->bos);
	put_number(&trainer, TRAINER_EOS_ID, t->eos);
	put_special(t, t->unk, TRAINER_UNK_PIECE, &trainer);
	put_special(t, t->bos, TRAINER_BOS_PIECE, &trainer);
	put_special(t, t->eos, TRAINER_EOS_PIECE, &trainer);
	put_message(out, MODEL_TRAINER, &trainer);

	put_bytes(&normalizer, NORMALIZER_NAME, identity, sizeof identity - 1);
	put_number(&normalizer, NORMALIZER_DUMMY_PREFIX, t->dummy_prefix);
	put_number(&normalizer, NORMALIZER_REMOVE_SPACES, 0);
	put_number(&normalizer, NORMALIZER_ESCAPE_SPACES, 1);
	put_message(out, MODEL_NORMALIZER, &normalizer);
}
