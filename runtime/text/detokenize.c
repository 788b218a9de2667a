/* detokenize.c - token ids to text, as they come
 *
 * The concatenated output is what SentencePiece decodes from all ids at once, and is always UTF-8:
 * - U+2581 in pieces becomes a space; the one that encoding put in front of the text is dropped,
 *   once, from the first token that is not control;
 * - byte tokens that follow one another are read as UTF-8, and each that fits into no character
 *   becomes U+FFFD. Up to three are held back until the next token decides; any other token, even a
 *   control token, ends the run. All pieces of byte-level tokenizers are such bytes, and U+FFFD
 * stands for as many as begin a character;
 * - control tokens and rows without a piece give nothing, the unknown token gives U+2047 between
 *   spaces.
 */
#include "runtime/text/tokenizer.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"

/* SentencePiece's default; the converter refuses another one */
#define UNKNOWN_SURFACE " \xe2\x81\x87 "

#define HELD_ROOM 4 /* the longest character: three bytes are held back, the fourth decides */

struct brise_decoder {
	const brise_tokenizer *t;
	bool at_start;           /* nothing but control tokens so far */
	uint8_t held[HELD_ROOM]; /* bytes that are the beginning of a character */
	size_t n_held;
	size_t n;
	char text[]; /* room for what one token can give */
};

/* In a damaged file a piece may not be UTF-8: each of its bytes, and each byte held, may become
 * U+FFFD. */
static size_t text_room(const brise_tokenizer *t)
{
	return UTF8_REPLACEMENT_BYTES * ((size_t)t->longest + HELD_ROOM) + sizeof UNKNOWN_SURFACE;
}

brise_status brise_new_decoder(brise_decoder **out, const brise_tokenizer *tokenizer,
                               brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(tokenizer) };
	brise_status status = error_check_pointers(err, "brise_new_decoder", needed, 2);
	brise_decoder *d;

	if (out)
		*out = NULL;
	if (status != BRISE_OK)
		return status;
	*out = d = memory_new(1, sizeof *d + text_room(tokenizer));
	if (!d)
		return error_set(err, BRISE_ENOMEM, "no memory for a decoder");
	d->t = tokenizer;
	d->at_start = true;
	return BRISE_OK;
}

void tokenizer_count_decoder(const brise_tokenizer *t, uint64_t *needed)
{
	memory_count(needed, 1, sizeof(brise_decoder) + text_room(t));
}

void brise_free_decoder(brise_decoder *decoder)
{
	memory_free(decoder);
}

static void append(brise_decoder *d, const void *text, size_t bytes)
{
	memcpy(d->text + d->n, text, bytes);
	d->n += bytes;
}

/* Gives out the characters held, and what cannot become one; with `all` also what still could. */
static void release_held(brise_decoder *d, bool all)
{
	size_t from = 0;

	while (from < d->n_held) {
		int step = utf8_measure(d->held + from, d->n_held - from);

		if (step == 0 && !all)
			break;
		if (step > 0) {
			append(d, d->held + from, (size_t)step);
			from += (size_t)step;
		} else {
			append(d, UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES);
			from += d->t->kind->measure_broken(d->held + from, d->n_held - from);
		}
	}
	d->n_held -= from;
	memmove(d->held, d->held + from, d->n_held);
}

/* A byte of a character that other tokens may continue. */
static void hold(brise_decoder *d, uint8_t byte)
{
	d->held[d->n_held++] = byte;
	release_held(d, false);
}

static void append_piece(brise_decoder *d, const uint8_t *piece, size_t bytes)
{
	size_t at = 0;

	if (d->at_start && d->t->dummy_prefix && bytes >= TOKENIZER_SPACE_BYTES &&
	    memcmp(piece, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES) == 0)
		at = TOKENIZER_SPACE_BYTES;
	while (at < bytes) {
		int step = utf8_measure(piece + at, bytes - at);

		if (step <= 0) {
			append(d, UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES);
			step = 1;
		} else if (step == TOKENIZER_SPACE_BYTES &&
		           memcmp(piece + at, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES) == 0) {
			append(d, " ", 1);
		} else {
			append(d, piece + at, (size_t)step);
		}
		at += (size_t)step;
	}
}

brise_status brise_decode_token(brise_decoder *decoder, int32_t id, const char **text,
                                size_t *bytes, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(decoder), ERROR_ARGUMENT(text),
		                          ERROR_ARGUMENT(bytes) };
	brise_decoder *d = decoder;
	const char *stored;
	size_t stored_bytes, i;
	unsigned type;
	brise_status status = error_check_pointers(err, "brise_decode_token", needed, 3);

	if (status != BRISE_OK)
		return status;
	*text = d->text;
	*bytes = d->n = 0;
	status = brise_get_piece(d->t, id, &stored, &stored_bytes, err);
	if (status != BRISE_OK)
		return status;
	type = (uint32_t)id < d->t->vocab ? d->t->types[id] : PIECE_CONTROL;
	if (type == PIECE_BYTE) {
		hold(d, (uint8_t)tokenizer_parse_byte((const uint8_t *)stored, stored_bytes));
	} else if (type != PIECE_CONTROL && d->t->kind->byte_level) {
		for (i = 0; i < stored_bytes; i++)
			hold(d, (uint8_t)stored[i]);
	} else {
		release_held(d, true);
		if (type == PIECE_UNKNOWN)
			append(d, UNKNOWN_SURFACE, sizeof UNKNOWN_SURFACE - 1);
		else if (type != PIECE_CONTROL)
			append_piece(d, (const uint8_t *)stored, stored_bytes);
	}
	if (type != PIECE_CONTROL)
		d->at_start = false;
	*bytes = d->n;
	return BRISE_OK;
}

brise_status brise_finish_decoder(brise_decoder *decoder, const char **text, size_t *bytes,
                                  brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(decoder), ERROR_ARGUMENT(text),
		                          ERROR_ARGUMENT(bytes) };
	brise_status status = error_check_pointers(err, "brise_finish_decoder", needed, 3);

	if (status != BRISE_OK)
		return status;
	decoder->n = 0;
	release_held(decoder, true);
	decoder->at_start = true;
	*text = decoder->text;
	*bytes = decoder->n;
	return BRISE_OK;
}
