/* tokenizer_checks.h - checks of pieces before they become a section, for every source */
#ifndef CONVERT_TOKENIZER_TOKENIZER_CHECKS_H
#define CONVERT_TOKENIZER_TOKENIZER_CHECKS_H

#include "convert/tokenizer/tokenizer_writer.h"

/* One piece: its text UTF-8 of 1 to TOKENIZER_PIECE_MAX bytes, its score finite.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED. */
brise_status tokenizer_check_piece(const tokenizer_pieces *p, uint32_t id, const char *name,
                                   brise_error *err);

/* The refusal of a text longer than TOKENIZER_PIECE_MAX, for lengths a piece cannot hold. */
brise_status tokenizer_refuse_length(const char *name, uint32_t id, size_t bytes, brise_error *err);

/* All together: exactly one unknown piece, which becomes p->unk; with TOKENIZER_BYTE_FALLBACK in
 * p->flags a piece for every byte, without it none; no text twice.
 * Errors: as above and BRISE_ENOMEM. */
brise_status tokenizer_check_pieces(tokenizer_pieces *p, const char *name, brise_error *err);

/* The control piece of that text, or -1. */
int32_t tokenizer_find_control(const tokenizer_pieces *p, const void *text, size_t bytes);

#endif
