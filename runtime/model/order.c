/* order.c - kind and layer of each tensor, in order of use */
#include "runtime/model/order.h"

#define FIRST    TENSOR_ATTENTION_NORM
#define IN_LAYER (TENSOR_W2 - TENSOR_ATTENTION_NORM + 1u)

size_t order_count(const format_config *config)
{
	return (config->flags & FORMAT_TIED ? 2 : 3) + (size_t)IN_LAYER * config->n_layers;
}

bool order_at(const format_config *config, size_t index, uint32_t *kind, uint32_t *layer)
{
	size_t inside = (size_t)IN_LAYER * config->n_layers;

	*layer = 0;
	if (index == 0) {
		*kind = TENSOR_EMBEDDING;
	} else if (index <= inside) {
		*layer = (uint32_t)((index - 1) / IN_LAYER);
		*kind = (uint32_t)(FIRST + (index - 1) % IN_LAYER);
	} else {
		*kind = index == inside + 1 ? TENSOR_FINAL_NORM : TENSOR_OUTPUT;
	}
	return index < order_count(config);
}
