/* gguf_byte_level.h - Mistral's byte-level tokenizers in a GGUF file's metadata: model "gpt2" with
 * pre "tekken"
 */
#ifndef CONVERT_TOKENIZER_GGUF_BYTE_LEVEL_H
#define CONVERT_TOKENIZER_GGUF_BYTE_LEVEL_H

#include "convert/formats/gguf_values.h"
#include "convert/formats/notes.h"
#include "convert/tokenizer/tokenizer_writer.h"

/* Of brise's own, u32: the version of the tekken.json, for which there is no key of llama.cpp's. */
#define GGUF_TEKKEN_VERSION     "brise.tekken_version"
#define GGUF_TEKKEN_VERSION_MAX 9999 /* as a tekken.json's "v9999" */

/* Makes a section as gguf_read_tokenizer does. p: texts and types as the file has them, without
 * padding; the pieces are changed.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED another pre, by its name, merges that do not go with
 * the order of the tokens; BRISE_ENOMEM. */
brise_status gguf_read_byte_level(tokenizer_pieces *p, const gguf_header *h, const char *name,
                                  notes *decisions, void **section, size_t *bytes,
                                  brise_error *err);

#endif
