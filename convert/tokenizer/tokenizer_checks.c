/* tokenizer_checks.c - see tokenizer_checks.h
 *
 * What SentencePiece refuses (empty and repeated pieces, none or several unknown pieces, missing or
 * odd byte pieces) is refused here as well. Beyond that a text that is at once a normal piece and a
 * control, unknown or byte piece is refused: with SentencePiece text could then encode to a control
 * token.
 */
#include "convert/tokenizer/tokenizer_checks.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"

brise_status tokenizer_refuse_length(const char *name, uint32_t id, size_t bytes, brise_error *err)
{
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: piece %" PRIu32 " has %zu bytes, at most %u are supported", name, id,
	                 bytes, TOKENIZER_PIECE_MAX);
}

brise_status tokenizer_check_piece(const tokenizer_pieces *p, uint32_t id, const char *name,
                                   brise_error *err)
{
	const tokenizer_piece *piece = &p->pieces[id];
	size_t at;
	int step;

	if (!isfinite(piece->score))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: the score of piece %" PRIu32 " is not a finite number", name,
		                 id);
	if (piece->bytes == 0)
		return error_set(err, BRISE_EFORMAT, "%s: piece %" PRIu32 " is empty", name, id);
	if (piece->bytes > TOKENIZER_PIECE_MAX)
		return tokenizer_refuse_length(name, id, piece->bytes, err);
	for (at = 0; at < piece->bytes; at += (size_t)step) {
		step = utf8_measure(piece->text + at, piece->bytes - at);
		if (step <= 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: piece %" PRIu32 " is not UTF-8 at its byte %zu", name,
			                 id, at);
	}
	/* SentencePiece keeps user-defined symbols in a trie of C strings and would cut this one
	 * off. */
	if (piece->type == PIECE_USER_DEFINED && memchr(piece->text, 0, piece->bytes))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: user-defined piece %" PRIu32 " holds a NUL byte", name, id);
	return BRISE_OK;
}

static brise_status check_types(tokenizer_pieces *p, const char *name, brise_error *err)
{
	bool fallback = p->flags & TOKENIZER_BYTE_FALLBACK, found[256] = { false };
	uint32_t id, n_found = 0;

	p->unk = -1;
	for (id = 0; id < p->vocab; id++) {
		const tokenizer_piece *piece = &p->pieces[id];
		int byte = tokenizer_parse_byte(piece->text, piece->bytes);

		if (piece->type == PIECE_UNKNOWN && p->unk >= 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: pieces %" PRId32 " and %" PRIu32
			                 " are both of type unknown",
			                 name, p->unk, id);
		if (piece->type == PIECE_UNKNOWN)
			p->unk = (int32_t)id;
		if (piece->type != PIECE_BYTE)
			continue;
		if (!fallback)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: piece %" PRIu32
			                 " is of type byte, but byte_fallback is off",
			                 name, id);
		if (byte < 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: piece %" PRIu32
			                 " is of type byte, but not <0x00>..<0xFF>",
			                 name, id);
		n_found += !found[byte];
		found[byte] = true;
	}
	if (p->unk < 0)
		return error_set(err, BRISE_EFORMAT, "%s: no piece is of type unknown", name);
	if (fallback && n_found != 256)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: characters without a piece become bytes, but only %" PRIu32
		                 " bytes have a piece",
		                 name, n_found);
	return BRISE_OK;
}

static int compare_pointers(const void *a, const void *b)
{
	const tokenizer_piece *x = *(const tokenizer_piece *const *)a,
	                      *y = *(const tokenizer_piece *const *)b;
	int order = tokenizer_compare_pieces(x, y);

	return order != 0 ? order : x < y ? -1 : x > y;
}

static bool is_reserved(const tokenizer_piece *piece)
{
	return piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN ||
	       piece->type == PIECE_BYTE;
}

static brise_status check_repeats(const tokenizer_pieces *p, const char *name, brise_error *err)
{
	const tokenizer_piece **sorted = memory_new(p->vocab, sizeof *sorted);
	brise_status status = BRISE_OK;
	uint32_t i;

	if (!sorted)
		return error_set(err, BRISE_ENOMEM, "%s: no memory to sort %" PRIu32 " pieces",
		                 name, p->vocab);
	for (i = 0; i < p->vocab; i++)
		sorted[i] = &p->pieces[i];
	qsort(sorted, p->vocab, sizeof *sorted, compare_pointers);
	for (i = 1; i < p->vocab && status == BRISE_OK; i++) {
		const tokenizer_piece *a = sorted[i - 1], *b = sorted[i];
		bool mixed = is_reserved(a) != is_reserved(b);

		if (tokenizer_compare_pieces(a, b) == 0)
			status = error_set(err, mixed ? BRISE_EUNSUPPORTED : BRISE_EFORMAT,
			                   "%s: pieces %td and %td are both \"%.*s\"%s", name,
			                   a - p->pieces, b - p->pieces,
			                   a->bytes > 100 ? 100 : (int)a->bytes,
			                   (const char *)a->text,
			                   mixed ? ", one for text and one not: text could spell a "
			                           "control token"
			                         : "");
	}
	memory_free(sorted);
	return status;
}

brise_status tokenizer_check_pieces(tokenizer_pieces *p, const char *name, brise_error *err)
{
	brise_status status = check_types(p, name, err);

	return status == BRISE_OK ? check_repeats(p, name, err) : status;
}

int32_t tokenizer_find_control(const tokenizer_pieces *p, const void *text, size_t bytes)
{
	uint32_t id;

	for (id = 0; id < p->vocab; id++) {
		const tokenizer_piece *piece = &p->pieces[id];

		if (piece->type == PIECE_CONTROL && piece->bytes == bytes &&
		    memcmp(piece->text, text, bytes) == 0)
			return (int32_t)id;
	}
	return -1;
}
