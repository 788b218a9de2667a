/* gguf_tokenizer_writer.h - the tokenizer and what goes with text as a GGUF file's metadata */
#ifndef CONVERT_TOKENIZER_GGUF_TOKENIZER_WRITER_H
#define CONVERT_TOKENIZER_GGUF_TOKENIZER_WRITER_H

#include "convert/formats/gguf_pairs.h"
#include "runtime/model/model.h"

/* Appends tokenizer.* and brise's own keys. Of model: configuration and facts. t NULL: there is no
 * tokenizer. gguf_read_tokenizer makes the same section of it again, but for rules of added tokens
 * that a GGUF cannot say. */
void gguf_put_tokenizer(gguf_pairs *p, const brise_tokenizer *t, const brise_model *model);

#endif
