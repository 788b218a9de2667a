/* settings_writer.h - tokenizer_config.json and generation_config.json of an exported model */
#ifndef CONVERT_TOKENIZER_SETTINGS_WRITER_H
#define CONVERT_TOKENIZER_SETTINGS_WRITER_H

#include "convert/formats/buffer.h"
#include "runtime/brise.h"

/* Appends tokenizer_config.json: begin and end token, added tokens with their flags, the rule for
 * text between them as "legacy", the chat template. out->failed: no memory. */
void settings_make_tokenizer(const brise_model *model, const brise_tokenizer *tokenizer,
                             buffer *out);

/* Appends generation_config.json, which names every end token. */
void settings_make_generation(const brise_model *model, buffer *out);

#endif
