/* gguf_writer.h - the header of a GGUF file: metadata and tensor table */
#ifndef CONVERT_FORMATS_GGUF_WRITER_H
#define CONVERT_FORMATS_GGUF_WRITER_H

#include "convert/formats/buffer.h"
#include "convert/formats/export_plan.h"
#include "convert/formats/gguf_pairs.h"

/* Where row `row` of q or k is in the file: GGUF's architecture llama interleaves the pairs
 * that RoPE turns, (2i, 2i + 1) for the .brise file's (i, i + head_dim / 2). */
uint32_t gguf_source_row(uint32_t row, uint32_t head_dim);

/* Appends everything before the data, which begins at out->n, a multiple of GGUF_ALIGNMENT.
 * tokenizer: its pairs, which follow those of the model
 * (convert/tokenizer/gguf_tokenizer_writer.h). out->failed: no memory. */
void gguf_make_header(const export_plan *plan, const gguf_pairs *tokenizer, buffer *out);

#endif
