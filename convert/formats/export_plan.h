/* export_plan.h - what export.c passes to the writers of headers */
#ifndef CONVERT_FORMATS_EXPORT_PLAN_H
#define CONVERT_FORMATS_EXPORT_PLAN_H

#include "convert/formats/gguf.h"
#include "runtime/model/model.h"

typedef struct export_tensor {
	char name[GGUF_NAME_MAX + 1]; /* in the format written */
	uint32_t kind, layer;
	size_t index; /* in the model */
	uint32_t rows, cols;
	bool is_vector; /* one dimension; rows is 1 */
	enum ggml_type type;
	size_t row_bytes;
	uint64_t offset, bytes; /* from the start of the data */
} export_tensor;

typedef struct export_plan {
	const brise_model *model;
	const brise_tokenizer *tokenizer; /* NULL: none */
	const char *name;                 /* NULL: none */
	enum ggml_type type;
	/* in the order the forward pass reads them, one after another at multiples of the format's
	 * alignment */
	export_tensor *tensors;
	size_t n_tensors;
} export_plan;

#endif
