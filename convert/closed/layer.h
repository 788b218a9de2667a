/* layer.h - one layer of a model in memory, as a model of one layer that an engine can run */
#ifndef CONVERT_CLOSED_LAYER_H
#define CONVERT_CLOSED_LAYER_H

#include "runtime/model/model.h"

typedef struct layer_model {
	brise_model model;
	model_places places;
	format_tensor tensors[TENSOR_KINDS]; /* by kind, in layer 0 */
} layer_model;

/* A model of that configuration but for its number of layers; `name`, which must outlive it, is
 * for messages. Nothing is in it yet. */
void layer_init(layer_model *m, const format_config *config, const char *name);

#define LAYER_TENSORS (TENSOR_KINDS - 1)

/* Plans tensors [LAYER_TENSORS] of a layer and those outside the layers: matrices as q8, which
 * stands for the original with half the room of f16, several times as fast, and as good. Those that
 * `has` names lie behind one another and take *bytes; the others have no place. Errors:
 * BRISE_EINVAL. */
typedef bool layer_has_fn(uint32_t kind);
brise_status layer_plan_original(format_tensor *tensors, const format_config *config,
                                 uint32_t layer, layer_has_fn *has, uint64_t *bytes,
                                 brise_error *err);

/* Takes the tensors of a layer, and those outside the layers, out of a table [n]; offsets are from
 * `bytes`, where the weights lie as in a file. Those of the embedding and of the output need not
 * be there. Errors: BRISE_ENOMEM. */
brise_status layer_set(layer_model *m, const format_tensor *tensors, uint32_t n, uint32_t layer,
                       const uint8_t *bytes, brise_error *err);
void layer_free(layer_model *m);

/* Gives a sequence of a layer_model, which has room for the largest window, that of a layer.
 * windows [n_layers]; NULL: all have the configuration's. */
void layer_set_window(brise_sequence *s, const uint32_t *windows, uint32_t layer);

#endif
