/* sentencepiece.h - SentencePiece's tokenizer.model (a protobuf) turned into the file's tokenizer
 * section */
#ifndef CONVERT_TOKENIZER_SENTENCEPIECE_H
#define CONVERT_TOKENIZER_SENTENCEPIECE_H

#include "convert/tokenizer/added_tokens.h"
#include "runtime/brise.h"
#include "runtime/os/memory.h"

/* Reads the model at `path` and makes a section for brise_open_tokenizer and the file.
 *
 * *section: from memory_new [*bytes], freed by the caller with memory_free. The same model gives
 * the same bytes. Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED (not BPE, a character map,
 * whitespace rules Mistral does not use), BRISE_ENOMEM. */
brise_status sentencepiece_read_model(const char *path, void **section, size_t *bytes,
                                      brise_error *err);

/* The same from a model of model_bytes in memory; `name` is what messages call the file. */
brise_status sentencepiece_read_memory(const void *model, size_t model_bytes, const char *name,
                                       void **section, size_t *bytes, brise_error *err);

/* The model at `path` with the added tokens after its pieces (convert/tokenizer/added_tokens.h).
 * Errors: those of added_tokens_append as well. */
brise_status sentencepiece_read_extended(const char *path, const added_tokens *added,
                                         notes *decisions, void **section, size_t *bytes,
                                         brise_error *err);

#endif
