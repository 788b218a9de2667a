/* byte_level.c - see byte_level.h
 *
 * A control token may have the text of a piece: text only ever becomes the piece.
 */
#include "convert/tokenizer/byte_level.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/tokenizer_checks.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

static brise_status check_bytes(const tokenizer_pieces *p, const char *name, brise_error *err)
{
	bool found[256] = { false };
	uint32_t id, byte;

	for (id = 0; id < p->vocab; id++)
		if (p->pieces[id].type == PIECE_NORMAL && p->pieces[id].bytes == 1)
			found[p->pieces[id].text[0]] = true;
	for (byte = 0; byte < 256; byte++)
		if (!found[byte])
			return error_set(err, BRISE_EFORMAT,
			                 "%s: no token is the byte 0x%02" PRIx32
			                 "; a byte-level vocabulary has all 256",
			                 name, byte);
	return BRISE_OK;
}

/* Control tokens behind all others. */
static int compare_pointers(const void *a, const void *b)
{
	const tokenizer_piece *x = *(const tokenizer_piece *const *)a,
	                      *y = *(const tokenizer_piece *const *)b;
	int order = (x->type == PIECE_CONTROL) - (y->type == PIECE_CONTROL);

	if (order == 0)
		order = tokenizer_compare_pieces(x, y);
	return order != 0 ? order : x < y ? -1 : x > y;
}

static brise_status check_repeats(const tokenizer_pieces *p, const char *name, brise_error *err)
{
	const tokenizer_piece **sorted = memory_new(p->vocab, sizeof *sorted);
	brise_status status = BRISE_OK;
	uint32_t i;

	if (!sorted)
		return error_set(err, BRISE_ENOMEM, "%s: no memory to sort %" PRIu32 " tokens",
		                 name, p->vocab);
	for (i = 0; i < p->vocab; i++)
		sorted[i] = &p->pieces[i];
	qsort(sorted, p->vocab, sizeof *sorted, compare_pointers);
	for (i = 1; i < p->vocab && status == BRISE_OK; i++)
		if ((sorted[i - 1]->type == PIECE_CONTROL) == (sorted[i]->type == PIECE_CONTROL) &&
		    tokenizer_compare_pieces(sorted[i - 1], sorted[i]) == 0)
			status = error_set(err, BRISE_EFORMAT,
			                   "%s: tokens %td and %td are the same %" PRIu32 " bytes",
			                   name, sorted[i - 1] - p->pieces, sorted[i] - p->pieces,
			                   sorted[i]->bytes);
	memory_free(sorted);
	return status;
}

brise_status byte_level_write_section(tokenizer_pieces *p, const char *name, void **section,
                                      size_t *bytes, brise_error *err)
{
	brise_status status = check_bytes(p, name, err);

	*section = NULL;
	*bytes = 0;
	if (status == BRISE_OK)
		status = check_repeats(p, name, err);
	if (status != BRISE_OK)
		return status;
	p->flags = TOKENIZER_BYTE_LEVEL;
	p->rule = ADDED_EVERY;
	p->unk = -1;
	p->bos = tokenizer_find_control(p, "<s>", 3);
	p->eos = tokenizer_find_control(p, "</s>", 4);
	return tokenizer_write_section(p, name, section, bytes, err);
}
