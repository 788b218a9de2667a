/* tensor.h - kinds and shapes of tensors, of any model; their types: quant/types.h */
#ifndef RUNTIME_TENSOR_H
#define RUNTIME_TENSOR_H

#include <stdbool.h>

#include "runtime/model/format.h"

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

#endif
