/* model.h - an open model: checked tables, and every weight's place in the mapped file */
#ifndef RUNTIME_MODEL_H
#define RUNTIME_MODEL_H

#include "arch/kernels.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"
#include "runtime/os/map.h"

typedef struct model_matrix {
	arch_matrix view;
	uint32_t type; /* quant/types.h */
	uint32_t rows, cols;
} model_matrix;

typedef struct model_layer {
	const float *attention_norm, *ffn_norm; /* [dim] */
	model_matrix wq, wk, wv, wo, w1, w3, w2;
} model_layer;

struct brise_model {
	const uint8_t *bytes;
	size_t size;
	map_file map; /* bytes' own; closed if they are the caller's */
	char *name;
	format_config config;
	const format_tensor *tensors;
	size_t n_tensors;
	model_matrix embedding, output;
	const float *final_norm;
	model_layer *layers;
	brise_tokenizer *tokenizer;
	const format_section *sections; /* [n_sections], entries section_stride apart */
	uint32_t n_sections, section_stride;
	char *origin, *chat_template;
	int32_t *ends; /* [facts.n_ends] */
	brise_model_facts facts;
};

/* "layers.3.wq"; name has at least 48 bytes. */
void model_tensor_name(char *name, uint32_t kind, uint32_t layer);

/* Rows and columns the configuration demands of a kind; false for a kind this version does not
 * know. */
bool model_tensor_shape(const format_config *config, uint32_t kind, uint32_t *rows, uint32_t *cols);

/* False for tensors of later versions, which are carried along but not used. */
static inline bool model_kind_known(uint32_t kind)
{
	return kind > 0 && kind < TENSOR_KINDS;
}

/* Decodes row `row` of a matrix into `out` [cols]. */
void model_decode_row(const model_matrix *matrix, uint32_t row, float *out);

/* Refuses numbers no Mistral model has: zero or absurd dimensions, heads that do not divide, eps or
 * theta not positive. `name` is for the message. */
brise_status model_check_config(const format_config *config, const char *name, brise_error *err);

#endif
