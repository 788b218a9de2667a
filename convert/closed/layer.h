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

/* Takes the tensors of a layer, and those outside the layers, out of a table [n]; offsets are from
 * `bytes`, where the weights lie as in a file. Those of the embedding and of the output need not
 * be there. Errors: BRISE_ENOMEM. */
brise_status layer_set(layer_model *m, const format_tensor *tensors, uint32_t n, uint32_t layer,
                       const uint8_t *bytes, brise_error *err);
void layer_free(layer_model *m);

#endif
