/* gguf_tokenizer.h - the tokenizer in a GGUF file's metadata (tokenizer.ggml.*) turned into the
 * file's tokenizer section */
#ifndef CONVERT_TOKENIZER_GGUF_TOKENIZER_H
#define CONVERT_TOKENIZER_GGUF_TOKENIZER_H

#include "convert/formats/gguf_reader.h"
#include "convert/formats/notes.h"
#include "convert/tokenizer/text_settings.h"
#include "runtime/os/memory.h"

/* Makes a section from tokens, types, and scores or merges: for an unedited file the same bytes
 * that the model's tokenizer.model or tokenizer.json gives, and that its tekken.json gives where
 * the file says which version that has.
 *
 * *section: from memory_new [*bytes], freed by the caller with memory_free. name is for messages.
 * *decisions (NULL: not wanted): a line about a byte-level tokenizer.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED (another model than "llama", and than "gpt2" with pre
 * "tekken", by name; rules Mistral does not use), BRISE_ENOMEM. */
brise_status gguf_read_tokenizer(const gguf_header *h, const char *name, notes *decisions,
                                 void **section, size_t *bytes, brise_error *err);

/* The end tokens and the chat template of the metadata. *out must be freed with text_settings_free,
 * also after an error. Errors: BRISE_EFORMAT, BRISE_ENOMEM. */
brise_status gguf_read_settings(const gguf_header *h, const char *name, text_settings *out,
                                notes *decisions, brise_error *err);

#endif
