/* sentencepiece.c - reads SentencePiece's tokenizer.model
 *
 * The file is a protobuf message (github.com/google/sentencepiece, src/sentencepiece_model.proto).
 * Read are the pieces and what decides how text is cut into them; how the model was trained is
 * skipped. What no tokenizer of Mistral's uses (other algorithms than BPE, character maps, other
 * rules for spaces) is refused by name rather than partly supported. Fields that are absent have
 * the defaults of that definition.
 */
#include "convert/tokenizer/sentencepiece.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/formats/protobuf.h"
#include "convert/tokenizer/sentencepiece_fields.h"
#include "convert/tokenizer/tokenizer_checks.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/tokenizer.h"

#define FILE_MAX ((size_t)64 << 20) /* Mistral's have 0.6 MB; one of 2^20 pieces about 20 MB */

static const char *const model_types[] = { NULL, "unigram", "bpe", "word", "char" };

typedef struct span {
	const void *bytes;
	size_t size;
} span;

typedef struct reader {
	const char *name;
	brise_error *err;
	uint64_t model_type;
	bool space_as_suffix, byte_fallback;
	span unk_surface, bos_piece, eos_piece;
	bool charsmap, denormalizer_charsmap; /* there is one */
	bool dummy_prefix, remove_spaces, escape_spaces;
	uint32_t capacity;
	tokenizer_pieces out;
} reader;

static brise_status damaged(const reader *r, const char *message, size_t at)
{
	return error_set(r->err, BRISE_EFORMAT,
	                 "%s: %s, byte %zu: not a protobuf field, or one cut off", r->name, message,
	                 at);
}

/* Fields used must have the wire type the definition gives them. */
static brise_status check_wire(const reader *r, const char *what, const protobuf_field *field,
                               protobuf_wire expected)
{
	if (field->wire == expected)
		return BRISE_OK;
	return error_set(r->err, BRISE_EFORMAT, "%s: %s has wire type %d, expected %d", r->name,
	                 what, (int)field->wire, (int)expected);
}

/* ---- submessages ---------------------------------------------------------------------------- */

typedef enum value_kind { VALUE_BOOL, VALUE_ENUM, VALUE_TEXT, VALUE_PRESENT } value_kind;

/* A field of a submessage and the variable it goes to; VALUE_PRESENT: a bool, true if it holds any
 * bytes. */
typedef struct wanted {
	uint32_t number;
	const char *name;
	value_kind kind;
	void *variable;
} wanted;

static brise_status take_value(const reader *r, const wanted *w, const protobuf_field *field)
{
	bool is_bytes = w->kind == VALUE_TEXT || w->kind == VALUE_PRESENT;
	brise_status status =
	        check_wire(r, w->name, field, is_bytes ? PROTOBUF_BYTES : PROTOBUF_VARINT);

	if (status != BRISE_OK)
		return status;
	switch (w->kind) {
	case VALUE_BOOL:
		*(bool *)w->variable = field->value != 0;
		break;
	case VALUE_ENUM:
		*(uint64_t *)w->variable = field->value;
		break;
	case VALUE_TEXT:
		*(span *)w->variable = (span){ field->bytes, field->size };
		break;
	case VALUE_PRESENT:
		*(bool *)w->variable = field->size != 0;
		break;
	}
	return BRISE_OK;
}

/* Reads the wanted fields of one submessage; a repeated field's last value counts, as protobuf has
 * it. */
static brise_status read_message(const reader *r, const char *message, const protobuf_field *whole,
                                 const wanted *wants, size_t n_wants)
{
	protobuf_reader in = protobuf_open(whole->bytes, whole->size);
	protobuf_field field;
	protobuf_outcome outcome;
	brise_status status = BRISE_OK;
	size_t i;

	while ((outcome = protobuf_next(&in, &field)) == PROTOBUF_FIELD)
		for (i = 0; i < n_wants; i++)
			if (wants[i].number == field.number) {
				status = take_value(r, &wants[i], &field);
				if (status != BRISE_OK)
					return status;
			}
	return outcome == PROTOBUF_END ? BRISE_OK
	                               : damaged(r, message, (size_t)(in.at - whole->bytes));
}

static brise_status read_trainer(reader *r, const protobuf_field *whole)
{
	const wanted wants[] = {
		{ TRAINER_MODEL_TYPE, "trainer_spec.model_type", VALUE_ENUM, &r->model_type },
		{ TRAINER_SPACE_AS_SUFFIX, "trainer_spec.treat_whitespace_as_suffix", VALUE_BOOL,
		  &r->space_as_suffix },
		{ TRAINER_BYTE_FALLBACK, "trainer_spec.byte_fallback", VALUE_BOOL,
		  &r->byte_fallback },
		{ TRAINER_UNK_SURFACE, "trainer_spec.unk_surface", VALUE_TEXT, &r->unk_surface },
		{ TRAINER_BOS_PIECE, "trainer_spec.bos_piece", VALUE_TEXT, &r->bos_piece },
		{ TRAINER_EOS_PIECE, "trainer_spec.eos_piece", VALUE_TEXT, &r->eos_piece },
	};

	return read_message(r, "trainer_spec", whole, wants, sizeof wants / sizeof *wants);
}

static brise_status read_normalizer(reader *r, const protobuf_field *whole)
{
	const wanted wants[] = {
		{ NORMALIZER_CHARSMAP, "normalizer_spec.precompiled_charsmap", VALUE_PRESENT,
		  &r->charsmap },
		{ NORMALIZER_DUMMY_PREFIX, "normalizer_spec.add_dummy_prefix", VALUE_BOOL,
		  &r->dummy_prefix },
		{ NORMALIZER_REMOVE_SPACES, "normalizer_spec.remove_extra_whitespaces", VALUE_BOOL,
		  &r->remove_spaces },
		{ NORMALIZER_ESCAPE_SPACES, "normalizer_spec.escape_whitespaces", VALUE_BOOL,
		  &r->escape_spaces },
	};

	return read_message(r, "normalizer_spec", whole, wants, sizeof wants / sizeof *wants);
}

static brise_status read_denormalizer(reader *r, const protobuf_field *whole)
{
	const wanted wants[] = { { NORMALIZER_CHARSMAP, "denormalizer_spec.precompiled_charsmap",
		                   VALUE_PRESENT, &r->denormalizer_charsmap } };

	return read_message(r, "denormalizer_spec", whole, wants, 1);
}

/* ---- pieces --------------------------------------------------------------------------------- */

static brise_status read_piece(reader *r, const protobuf_field *whole)
{
	protobuf_reader in = protobuf_open(whole->bytes, whole->size);
	uint32_t id = r->out.vocab;
	span text = { "", 0 };
	uint64_t type = PIECE_NORMAL;
	float score = 0;
	protobuf_field field;
	protobuf_outcome outcome;
	brise_status status = BRISE_OK;

	while ((outcome = protobuf_next(&in, &field)) == PROTOBUF_FIELD && status == BRISE_OK) {
		if (field.number == PIECE_TEXT) {
			status = check_wire(r, "a piece's text", &field, PROTOBUF_BYTES);
			text = (span){ field.bytes, field.size };
		} else if (field.number == PIECE_SCORE) {
			status = check_wire(r, "a piece's score", &field, PROTOBUF_FIXED32);
			score = protobuf_float(&field);
		} else if (field.number == PIECE_TYPE) {
			status = check_wire(r, "a piece's type", &field, PROTOBUF_VARINT);
			type = field.value;
		}
	}
	if (status != BRISE_OK)
		return status;
	if (outcome != PROTOBUF_END)
		return damaged(r, "a piece", (size_t)(in.at - whole->bytes));
	if (type < PIECE_NORMAL || type > PIECE_BYTE)
		return error_set(r->err, BRISE_EUNSUPPORTED,
		                 "%s: piece %" PRIu32 " has type %" PRIu64 ", expected 1..6",
		                 r->name, id, type);
	if (text.size > TOKENIZER_PIECE_MAX)
		return tokenizer_refuse_length(r->name, id, text.size, r->err);
	r->out.pieces[r->out.vocab++] =
	        (tokenizer_piece){ text.bytes, (uint32_t)text.size, score, (tokenizer_type)type, 0,
		                   false };
	return tokenizer_check_piece(&r->out, id, r->name, r->err);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Counts the pieces, so that one allocation holds them; the rest is looked at in the second
 * walk. */
static brise_status count_pieces(reader *r, const uint8_t *model, size_t bytes)
{
	protobuf_reader in = protobuf_open(model, bytes);
	protobuf_field field;
	protobuf_outcome outcome;

	while ((outcome = protobuf_next(&in, &field)) == PROTOBUF_FIELD)
		r->capacity += field.number == MODEL_PIECES;
	if (outcome != PROTOBUF_END)
		return damaged(r, "not a SentencePiece model", (size_t)(in.at - model));
	if (r->capacity == 0)
		return error_set(r->err, BRISE_EFORMAT,
		                 "%s: not a SentencePiece model: it has no pieces", r->name);
	if (r->capacity > TOKENIZER_VOCAB_MAX)
		return error_set(r->err, BRISE_EUNSUPPORTED,
		                 "%s: %" PRIu32 " pieces, at most %u are supported", r->name,
		                 r->capacity, TOKENIZER_VOCAB_MAX);
	r->out.pieces = memory_new(r->capacity, sizeof *r->out.pieces);
	if (!r->out.pieces)
		return error_set(r->err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " pieces",
		                 r->name, r->capacity);
	return BRISE_OK;
}

static brise_status read_fields(reader *r, const uint8_t *model, size_t bytes)
{
	static const char *const names[] = { NULL,           "pieces",
		                             "trainer_spec", "normalizer_spec",
		                             NULL,           "denormalizer_spec" };
	protobuf_reader in = protobuf_open(model, bytes);
	protobuf_field field;
	brise_status status = BRISE_OK;

	while (status == BRISE_OK && protobuf_next(&in, &field) == PROTOBUF_FIELD) {
		if (field.number > MODEL_DENORMALIZER || !names[field.number])
			continue;
		status = check_wire(r, names[field.number], &field, PROTOBUF_BYTES);
		if (status != BRISE_OK)
			break;
		if (field.number == MODEL_PIECES)
			status = read_piece(r, &field);
		else if (field.number == MODEL_TRAINER)
			status = read_trainer(r, &field);
		else if (field.number == MODEL_NORMALIZER)
			status = read_normalizer(r, &field);
		else
			status = read_denormalizer(r, &field);
	}
	return status;
}

static brise_status refuse(const reader *r, const char *what)
{
	return error_set(r->err, BRISE_EUNSUPPORTED, "%s: %s; no tokenizer of Mistral's does that",
	                 r->name, what);
}

static brise_status check_rules(const reader *r)
{
	static const char unk_surface[] = " \xe2\x81\x87 ";
	uint64_t type = r->model_type;

	if (type != MODEL_TYPE_BPE)
		return error_set(r->err, BRISE_EUNSUPPORTED,
		                 "%s: trainer_spec.model_type %" PRIu64
		                 " (%s), only bpe is supported",
		                 r->name, type,
		                 type > 0 && type < sizeof model_types / sizeof *model_types
		                         ? model_types[type]
		                         : "unknown");
	if (r->space_as_suffix)
		return refuse(r, "trainer_spec.treat_whitespace_as_suffix is set");
	if (r->charsmap)
		return refuse(r, "normalizer_spec.precompiled_charsmap is not empty");
	if (r->denormalizer_charsmap)
		return refuse(r, "denormalizer_spec.precompiled_charsmap is not empty");
	if (r->remove_spaces)
		return refuse(r, "normalizer_spec.remove_extra_whitespaces is set");
	if (!r->escape_spaces)
		return refuse(r, "normalizer_spec.escape_whitespaces is off");
	if (r->unk_surface.size != sizeof unk_surface - 1 ||
	    memcmp(r->unk_surface.bytes, unk_surface, sizeof unk_surface - 1) != 0)
		return refuse(r, "trainer_spec.unk_surface is not the usual U+2047 between spaces");
	return BRISE_OK;
}

/* added: NULL: none. */
static brise_status read_model(const void *model, size_t model_bytes, const char *name,
                               const added_tokens *added, notes *decisions, void **section,
                               size_t *bytes, brise_error *err)
{
	reader r = { .name = name,
		     .err = err,
		     .model_type = 1,
		     .unk_surface = { " \xe2\x81\x87 ", 5 },
		     .bos_piece = { "<s>", 3 },
		     .eos_piece = { "</s>", 4 },
		     .dummy_prefix = true,
		     .remove_spaces = true,
		     .escape_spaces = true };
	brise_status status;

	*section = NULL;
	*bytes = 0;
	status = count_pieces(&r, model, model_bytes);
	if (status == BRISE_OK)
		status = read_fields(&r, model, model_bytes);
	if (status == BRISE_OK)
		status = check_rules(&r);
	r.out.flags = (r.dummy_prefix ? TOKENIZER_DUMMY_PREFIX : 0) |
	              (r.byte_fallback ? TOKENIZER_BYTE_FALLBACK : 0);
	if (status == BRISE_OK && added)
		status = added_tokens_append(added, &r.out, name, decisions, err);
	if (status == BRISE_OK)
		status = tokenizer_check_pieces(&r.out, name, err);
	if (status == BRISE_OK) {
		/* By text, as in the reference, not by trainer_spec.bos_id, which editing a model
		 * leaves unchanged. */
		r.out.bos = tokenizer_find_control(&r.out, r.bos_piece.bytes, r.bos_piece.size);
		r.out.eos = tokenizer_find_control(&r.out, r.eos_piece.bytes, r.eos_piece.size);
		status = tokenizer_write_section(&r.out, name, section, bytes, err);
	}
	memory_free(r.out.pieces);
	return status;
}

brise_status sentencepiece_read_memory(const void *model, size_t model_bytes, const char *name,
                                       void **section, size_t *bytes, brise_error *err)
{
	return read_model(model, model_bytes, name, NULL, NULL, section, bytes, err);
}

brise_status sentencepiece_read_extended(const char *path, const added_tokens *added,
                                         notes *decisions, void **section, size_t *bytes,
                                         brise_error *err)
{
	char *model;
	size_t model_bytes;
	brise_status status =
	        files_read_whole(path, CONTENTS_BINARY, FILE_MAX, &model, &model_bytes, err);

	*section = NULL;
	*bytes = 0;
	if (status == BRISE_OK)
		status =
		        read_model(model, model_bytes, path, added, decisions, section, bytes, err);
	memory_free(model);
	return status;
}

brise_status sentencepiece_read_model(const char *path, void **section, size_t *bytes,
                                      brise_error *err)
{
	return sentencepiece_read_extended(path, NULL, NULL, section, bytes, err);
}
