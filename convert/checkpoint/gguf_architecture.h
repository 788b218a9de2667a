/* gguf_architecture.h - a GGUF file's metadata, checked to be Mistral's mathematics */
#ifndef CONVERT_CHECKPOINT_GGUF_ARCHITECTURE_H
#define CONVERT_CHECKPOINT_GGUF_ARCHITECTURE_H

#include "convert/checkpoint/architecture.h"
#include "convert/formats/gguf_reader.h"

/* Fills *a but for a->tied, which follows from the tensors. tensors: of the file, for what metadata
 * may leave out (the vocabulary). name is for messages. Refused by the key's name: whatever changes
 * the mathematics. Each decision becomes a line of *decisions. */
brise_status gguf_read_architecture(architecture *a, const gguf_header *h,
                                    const tensor_list *tensors, const char *name, notes *decisions,
                                    brise_error *err);

#endif
