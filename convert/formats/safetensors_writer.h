/* safetensors_writer.h - the header of a safetensors file and the config.json beside it, as Hugging
 * Face's transformers name things */
#ifndef CONVERT_FORMATS_SAFETENSORS_WRITER_H
#define CONVERT_FORMATS_SAFETENSORS_WRITER_H

#include "convert/formats/buffer.h"
#include "convert/formats/export_plan.h"

/* Appends everything before the data, which begins at out->n, a multiple of 8. out->failed: no
 * memory. */
void safetensors_make_header(const export_plan *plan, buffer *out);

/* Appends config.json of model type mistral, from which convert reads exactly the same
 * configuration. */
void safetensors_make_config(const export_plan *plan, buffer *out);

#endif
