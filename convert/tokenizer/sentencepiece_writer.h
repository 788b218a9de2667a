/* sentencepiece_writer.h - writes a tokenizer as SentencePiece's tokenizer.model */
#ifndef CONVERT_TOKENIZER_SENTENCEPIECE_WRITER_H
#define CONVERT_TOKENIZER_SENTENCEPIECE_WRITER_H

#include "convert/formats/buffer.h"
#include "runtime/brise.h"

/* Appends a model that SentencePiece loads and that encodes and decodes the same;
 * sentencepiece_read_memory makes the same section of it again. How the model was trained is not in
 * a .brise file and so not in this one. out->failed: no memory. */
void sentencepiece_make_model(const brise_tokenizer *tokenizer, buffer *out);

#endif
