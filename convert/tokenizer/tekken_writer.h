/* tekken_writer.h - a byte-level tokenizer as the tekken.json that Mistral's programs read */
#ifndef CONVERT_TOKENIZER_TEKKEN_WRITER_H
#define CONVERT_TOKENIZER_TEKKEN_WRITER_H

#include <stdbool.h>

#include "convert/formats/buffer.h"
#include "runtime/brise.h"

/* Whether it can be one: all control tokens first, no user-defined symbols. */
bool tekken_can_hold(const brise_tokenizer *tokenizer);

/* Appends the file to `out`; tekken_read_memory makes the same section of it again. Its version is
 * the tokenizer's dialect, else that of chat_format (NULL: not recorded), else v3. */
void tekken_make_json(const brise_tokenizer *tokenizer, const char *chat_format, buffer *out);

#endif
