/* source.h - a checkpoint as a source of rows */
#ifndef CONVERT_SOURCE_H
#define CONVERT_SOURCE_H

#include "convert/checkpoint.h"
#include "convert/convert.h"
#include "convert/lora.h"

typedef struct source {
	convert_source rows; /* without a tokenizer; self is this structure */
	checkpoint *cp;
	lora *adapters;
	char *origin;
} source;

/* Opens the checkpoint at `path` (convert/checkpoint.h) with adapters [n_loras] to merge (convert/lora.h). *out is NULL after an error, which are those of
 * checkpoint_open and lora_open. */
brise_status source_open(source **out, const char *path, const char *const *loras, size_t n_loras, brise_error *err);
void source_close(source *s);

#endif
