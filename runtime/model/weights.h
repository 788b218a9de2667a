/* weights.h - where each weight is now
 *
 * Code that multiplies with a layer's weights acquires them before and releases them after; their
 * addresses are valid only in between. Today all weights lie in the mapped file and acquiring costs
 * a few additions; pinning, streaming and a memory budget belong here and nowhere else.
 *
 * Releasing reports whether all could be read: if the file became shorter or its disk failed
 * meanwhile, zeros were read instead, and the results must be discarded. Any number of threads may
 * hold weights of one model at once.
 */
#ifndef RUNTIME_WEIGHTS_H
#define RUNTIME_WEIGHTS_H

#include "arch/kernels.h"
#include "runtime/model/model.h"

typedef struct weights_matrix {
	arch_matrix view;
	uint32_t type; /* quant/types.h */
	uint32_t rows, cols;
} weights_matrix;

typedef struct weights_layer {
	const float *attention_norm, *ffn_norm; /* [dim] */
	weights_matrix wq, wk, wv, wo, w1, w3, w2;
} weights_layer;

typedef struct weights_output {
	const float *final_norm; /* [dim] */
	weights_matrix output;
} weights_output;

/* layer < n_layers.
 * Errors: BRISE_EIO an earlier read has failed; nothing has to be released then. */
brise_status weights_acquire_layer(weights_layer *weights, const brise_model *model, uint32_t layer,
                                   brise_error *err);

/* Errors: BRISE_EIO some of the weights could not be read since the model was opened. */
brise_status weights_release_layer(const brise_model *model, uint32_t layer, brise_error *err);

/* The same for the weights after the last layer. */
brise_status weights_acquire_output(weights_output *weights, const brise_model *model,
                                    brise_error *err);
brise_status weights_release_output(const brise_model *model, brise_error *err);

/* Rows tokens [n] of the embedding, into x [n][stride]. Errors: BRISE_EIO. */
brise_status weights_read_embedding(const brise_model *model, const int32_t *tokens, uint32_t n,
                                    float *x, size_t stride, brise_error *err);

/* Row `row` of weights that are held, as floats [cols]. */
void weights_decode_row(const weights_matrix *matrix, uint32_t row, float *out);

/* Row `row` of any tensor of a known kind and type, as floats [cols]. Errors: BRISE_EIO. */
brise_status weights_read_row(const brise_model *model, const format_tensor *tensor, uint32_t row,
                              float *out, brise_error *err);

#endif
