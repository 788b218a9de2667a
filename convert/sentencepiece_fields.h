/* sentencepiece_fields.h - numbers of the fields of tokenizer.model that decide how text is cut: github.com/google/sentencepiece,
 * src/sentencepiece_model.proto, message ModelProto and its submessages
 */
#ifndef CONVERT_SENTENCEPIECE_FIELDS_H
#define CONVERT_SENTENCEPIECE_FIELDS_H

enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3, MODEL_DENORMALIZER = 5 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum {
	TRAINER_MODEL_TYPE = 3,
	TRAINER_VOCAB_SIZE = 4,
	TRAINER_SPACE_AS_SUFFIX = 24,
	TRAINER_BYTE_FALLBACK = 35,
	TRAINER_UNK_ID = 40,
	TRAINER_BOS_ID = 41,
	TRAINER_EOS_ID = 42,
	TRAINER_UNK_SURFACE = 44,
	TRAINER_UNK_PIECE = 45,
	TRAINER_BOS_PIECE = 46,
	TRAINER_EOS_PIECE = 47
};
enum { NORMALIZER_NAME = 1, NORMALIZER_CHARSMAP = 2, NORMALIZER_DUMMY_PREFIX = 3, NORMALIZER_REMOVE_SPACES = 4, NORMALIZER_ESCAPE_SPACES = 5 };

/* Value of TRAINER_MODEL_TYPE. */
#define MODEL_TYPE_BPE 2

#endif
