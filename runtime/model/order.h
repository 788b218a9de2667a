/* order.h - the tensors of a model, in the order in which the forward pass uses them
 *
 * Files hold them in this order, and whatever goes through all tensors does so in it: planning,
 * comparing, exporting, calibrating.
 */
#ifndef RUNTIME_ORDER_H
#define RUNTIME_ORDER_H

#include <stddef.h>

#include "runtime/model/format.h"

/* How many there are: embedding, nine a layer, final norm, output unless it is the embedding. */
size_t order_count(const format_config *config);

/* Kind and layer of the index-th; false past the end. */
bool order_at(const format_config *config, size_t index, uint32_t *kind, uint32_t *layer);

/* True for the kinds that every layer has one of. */
static inline bool order_is_in_layer(uint32_t kind)
{
	return kind >= TENSOR_ATTENTION_NORM && kind <= TENSOR_W2;
}

/* True for the norms' weights, which are vectors of floats; all others are matrices. */
static inline bool order_is_vector(uint32_t kind)
{
	return kind == TENSOR_ATTENTION_NORM || kind == TENSOR_FFN_NORM ||
	       kind == TENSOR_FINAL_NORM;
}

#endif
