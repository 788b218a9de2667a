/* gguf_scaling.h - rope.scaling.* and attention.temperature_scale of a GGUF file */
#ifndef CONVERT_CHECKPOINT_GGUF_SCALING_H
#define CONVERT_CHECKPOINT_GGUF_SCALING_H

#include "convert/formats/gguf_values.h"
#include "convert/formats/notes.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"

/* The architecture whose queries llama.cpp multiplies by a factor of their position. */
#define GGUF_MINISTRAL "mistral3."

/* Fills the scaling of frequencies and the factor of queries of *config, whose max_context is
 * known. prefix: of the keys, as "llama.". name is for messages. Each decision becomes a line.
 * Errors: BRISE_EFORMAT; BRISE_EUNSUPPORTED a type other than none, linear and yarn, or one of
 * their values. */
brise_status gguf_read_scaling(format_config *config, const gguf_header *h, const char *prefix,
                               const char *name, notes *decisions, brise_error *err);

#endif
