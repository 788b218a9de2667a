/* layer.c - see layer.h */
#include "convert/closed/layer.h"

#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/eval/sequence.h"
#include "runtime/model/order.h"

void layer_init(layer_model *m, const format_config *config, const char *name)
{
	*m = (layer_model){
		.model = { .config = *config, .map = MAP_CLOSED, .n_tensors = TENSOR_KINDS - 1 }
	};
	m->model.name = (char *)(uintptr_t)name; /* layer_free leaves it alone */
	m->model.config.n_layers = 1;
}

brise_status layer_plan_original(format_tensor *tensors, const format_config *config,
                                 uint32_t layer, layer_has_fn *has, uint64_t *bytes,
                                 brise_error *err)
{
	uint32_t kind, rows, cols;

	*bytes = 0;
	for (kind = 1; kind < TENSOR_KINDS; kind++) {
		format_tensor *t = &tensors[kind - 1];

		(void)model_tensor_shape(config, kind, &rows, &cols);
		*t = (format_tensor){ .kind = kind,
			              .layer = order_is_in_layer(kind) ? layer : 0,
			              .type = order_is_vector(kind) ? TYPE_F32 : TYPE_Q8,
			              .rows = rows,
			              .cols = cols,
			              .offset = *bytes };
		if (!type_tensor_bytes(t->type, rows, cols, &t->bytes))
			return error_set(err, BRISE_EINVAL, "a layer that cannot be stored");
		if (has(kind))
			*bytes += round_up(t->bytes, FORMAT_PAGE);
	}
	return BRISE_OK;
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
	if (m->model.config.flags & FORMAT_TIED && !m->places.kinds[TENSOR_OUTPUT])
		m->places.kinds[TENSOR_OUTPUT] = m->places.kinds[TENSOR_EMBEDDING];
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

void layer_set_window(brise_sequence *s, const uint32_t *windows, uint32_t layer)
{
	if (windows)
		s->window = windows[layer] > 0 ? windows[layer] : UINT64_MAX;
}
