/* source.h - a checkpoint as a source of rows */
#ifndef CONVERT_SOURCE_H
#define CONVERT_SOURCE_H

#include "convert/checkpoint/checkpoint.h"
#include "convert/checkpoint/lora.h"
#include "convert/convert.h"

typedef struct source {
	convert_source rows; /* without a tokenizer; self is this structure */
	checkpoint *cp;
	lora *adapters;
	char *origin;
} source;

/* Opens the checkpoint at `path` (convert/checkpoint/checkpoint.h) with adapters [n_loras] to merge
 * (convert/checkpoint/lora.h). *out is NULL after an error, which are those of checkpoint_open and
 * lora_open. */
brise_status source_open(source **out, const char *path, const char *const *loras, size_t n_loras,
                         brise_error *err);
void source_close(source *s);

#endif
