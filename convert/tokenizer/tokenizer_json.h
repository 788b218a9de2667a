/* tokenizer_json.h - Hugging Face's tokenizer.json, where it holds what SentencePiece made, or
 * Mistral's tekken.json, turned into the file's tokenizer section */
#ifndef CONVERT_TOKENIZER_TOKENIZER_JSON_H
#define CONVERT_TOKENIZER_TOKENIZER_JSON_H

#include "convert/formats/notes.h"
#include "runtime/brise.h"
#include "runtime/os/memory.h"

#define TOKENIZER_JSON_ALL UINT32_MAX

/* Reads the file at `path` and makes a section for brise_open_tokenizer and the file, which encodes
 * as the tokenizer.model that it was made from. A tekken.json is told by its first key
 * (convert/tokenizer/tekken.h).
 *
 * rows: of the model's embedding; added tokens of larger ids, as a "[PAD]" that came after
 *       training, are left out, which becomes a line of *decisions. TOKENIZER_JSON_ALL: none are
 * *section: from memory_new [*bytes], freed by the caller with memory_free. The same file gives the
 * same bytes. Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED (other models, pre-tokenizers,
 * normalizers and decoders, each by its name; merges that scores cannot express), BRISE_ENOMEM. */
brise_status tokenizer_json_read_model(const char *path, uint32_t rows, notes *decisions,
                                       void **section, size_t *bytes, brise_error *err);

/* The same from `size` bytes of JSON in memory; `name` is what messages call the file. */
brise_status tokenizer_json_read_memory(const char *json, size_t size, const char *name,
                                        uint32_t rows, notes *decisions, void **section,
                                        size_t *bytes, brise_error *err);

#endif
