/* tensor.c - names and shapes of tensors */
#include "runtime/model/tensor.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/model/order.h"

void model_tensor_name(char *name, uint32_t kind, uint32_t layer)
{
	static const char *const names[TENSOR_KINDS] = {
		"?",  "embedding", "attention_norm", "wq",    "wk", "wv", "wo", "ffn_norm", "w1",
		"w3", "w2",        "final_norm",     "output"
	};
	const char *base = model_kind_known(kind) ? names[kind] : "?";

	if (order_is_in_layer(kind))
		(void)snprintf(name, 48, "layers.%" PRIu32 ".%s", layer, base);
	else
		(void)snprintf(name, 48, "%s", base);
}

bool model_tensor_shape(const format_config *c, uint32_t kind, uint32_t *rows, uint32_t *cols)
{
	uint32_t queries = c->n_heads * c->head_dim, keys = c->n_kv_heads * c->head_dim;
	const uint32_t shapes[TENSOR_KINDS][2] = {
		[TENSOR_EMBEDDING] = { c->vocab, c->dim },
		[TENSOR_ATTENTION_NORM] = { 1, c->dim },
		[TENSOR_WQ] = { queries, c->dim },
		[TENSOR_WK] = { keys, c->dim },
		[TENSOR_WV] = { keys, c->dim },
		[TENSOR_WO] = { c->dim, queries },
		[TENSOR_FFN_NORM] = { 1, c->dim },
		[TENSOR_W1] = { c->hidden_dim, c->dim },
		[TENSOR_W3] = { c->hidden_dim, c->dim },
		[TENSOR_W2] = { c->dim, c->hidden_dim },
		[TENSOR_FINAL_NORM] = { 1, c->dim },
		[TENSOR_OUTPUT] = { c->vocab, c->dim },
	};

	if (!model_kind_known(kind))
		return false;
	*rows = shapes[kind][0];
	*cols = shapes[kind][1];
	return true;
}
