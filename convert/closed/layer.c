/* layer.c - see layer.h */
#include "convert/closed/layer.h"

#include "runtime/model/order.h"

void layer_init(layer_model *m, const format_config *config, const char *name)
{
	*m = (layer_model){
		.model = { .config = *config, .map = MAP_CLOSED, .n_tensors = TENSOR_KINDS - 1 }
	};
	m->model.name = (char *)(uintptr_t)name; /* layer_free leaves it alone */
	m->model.config.n_layers = 1;
}

brise_status layer_set(layer_model *m, const format_tensor *tensors, uint32_t n, uint32_t layer,
                       const uint8_t *bytes, brise_error *err)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		const format_tensor *t = &tensors[i];

		if (order_is_in_layer(t->kind) && t->layer != layer)
			continue;
		m->tensors[t->kind] = *t;
		m->tensors[t->kind].layer = 0;
		m->places.kinds[t->kind] = &m->tensors[t->kind];
	}
	m->model.bytes = bytes;
	m->model.tensors = m->tensors + 1;
	m->model.places = &m->places;
	residency_free(&m->model.residency);
	return residency_make(&m->model.residency, &m->model, UINT64_MAX, err);
}

void layer_free(layer_model *m)
{
	residency_free(&m->model.residency);
}
