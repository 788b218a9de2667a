/* model_source.h - a .brise file as a source of weights, decoded row by row */
#ifndef CONVERT_MODEL_SOURCE_H
#define CONVERT_MODEL_SOURCE_H

#include "convert/convert.h"

/* Opens the file at `path` as a source without its tokenizer; what the source points to lives until
 * model_source_close, which also takes a source that failed to open.
 * Errors: those of brise_open_model. */
brise_status model_source_open(convert_source *source, const char *path, brise_error *err);
void model_source_close(convert_source *source);

#endif
