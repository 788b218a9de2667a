/* byte_level.h - the pieces of a byte-level tokenizer become a section, whatever file they come
 * from
 */
#ifndef CONVERT_TOKENIZER_BYTE_LEVEL_H
#define CONVERT_TOKENIZER_BYTE_LEVEL_H

#include "convert/tokenizer/tokenizer_writer.h"

/* p: pieces of types normal, control and user-defined, in the order of their ranks; flags of
 * listed ones, and dialect. The rest is filled in here: unk, bos and eos ("<s>" and "</s>", where
 * they are control tokens), flags, rule. Then as tokenizer_write_section.
 * Errors: BRISE_EFORMAT a byte has no piece, a text is there twice; those of
 * tokenizer_write_section. */
brise_status byte_level_write_section(tokenizer_pieces *p, const char *name, void **section,
                                      size_t *bytes, brise_error *err);

#endif
