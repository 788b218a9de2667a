/* model.h - breeze's shape, its parameters as one array, and its files
 *
 * All parameters are float32 in one array, so that gradients, the optimiser's averages and
 * checkpoints are arrays of the same size. Within a layer q, k, v follow each other, as do gate and
 * up: each group is one matrix to the forward pass.
 */
#ifndef BREEZE_CHAT_MODEL_H
#define BREEZE_CHAT_MODEL_H

#include <stdbool.h>
#include <stddef.h>

enum {
	DIM = 512,
	N_LAYERS = 5,
	N_HEADS = 4,
	N_KV_HEADS = 2,
	HEAD_DIM = 128,
	HIDDEN_DIM = 1024,
	WINDOW = 256,
	VOCAB = 4096,
	Q_DIM = N_HEADS * HEAD_DIM,
	KV_DIM = N_KV_HEADS * HEAD_DIM,
	QKV_DIM = Q_DIM + 2 * KV_DIM,

	/* parameters, by where they begin in the array */
	AT_EMBEDDING = 0,
	AT_LAYERS = AT_EMBEDDING + VOCAB * DIM,
	/* within a layer */
	AT_ATTENTION_NORM = 0,
	AT_QKV = AT_ATTENTION_NORM + DIM,
	AT_OUT = AT_QKV + QKV_DIM * DIM,
	AT_FFN_NORM = AT_OUT + DIM * Q_DIM,
	AT_GATE_UP = AT_FFN_NORM + DIM,
	AT_DOWN = AT_GATE_UP + 2 * HIDDEN_DIM * DIM,
	LAYER_SIZE = AT_DOWN + DIM * HIDDEN_DIM,
	AT_NORM = AT_LAYERS + N_LAYERS * LAYER_SIZE,
	AT_HEAD = AT_NORM + DIM,
	N_PARAMETERS = AT_HEAD + VOCAB * DIM
};

#define NORM_EPS   1e-5f
#define ROPE_THETA 10000.0

typedef struct tensor {
	char name[64];            /* Hugging Face's */
	size_t at, rows, columns; /* columns 0: a vector of `rows` */
} tensor;

#define N_TENSORS (3 + 9 * N_LAYERS)
void model_list_tensors(tensor list[N_TENSORS]);

size_t model_tensor_size(const tensor *t);

/* Reads the F16 weights of a folder: model.safetensors, or two shards. */
bool model_read_folder(const char *folder, float *parameters);

/* Writes all weights as F16, rounded to nearest, beside `path` and renames. Both print what is
 * wrong and return false. */
bool model_write(const char *path, const float *parameters);

#endif
