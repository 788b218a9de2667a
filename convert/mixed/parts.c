/* parts.c - see parts.h */
#include "convert/mixed/parts.h"

#include "runtime/model/order.h"

bool parts_is_wanted(const format_tensor *t)
{
	return t->type == 0;
}

/* Both are wanted, and in the same layer. */
static bool is_together(const format_tensor *a, const format_tensor *b)
{
	return parts_is_wanted(a) && parts_is_wanted(b) && order_is_in_layer(a->kind) &&
	       order_is_in_layer(b->kind) && a->layer == b->layer;
}

bool parts_begin(const file_plan *plan, bool by_layer, uint32_t index)
{
	const format_tensor *tensors = plan->tensors;
	uint32_t i;

	for (i = 0; by_layer && i < index; i++)
		if (is_together(&tensors[i], &tensors[index]))
			return false;
	return parts_is_wanted(&tensors[index]);
}

size_t parts_count(const file_plan *plan, bool by_layer)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < plan->n_tensors; i++)
		n += parts_begin(plan, by_layer, i);
	return n;
}

void parts_set_loss(const file_plan *plan, bool by_layer, uint32_t first, double loss,
                    double *losses)
{
	const format_tensor *tensors = plan->tensors;
	double sum = 0;
	uint32_t i;

	if (!by_layer || !order_is_in_layer(tensors[first].kind)) {
		losses[first] = loss;
		return;
	}
	for (i = first; i < plan->n_tensors; i++)
		if (is_together(&tensors[first], &tensors[i]))
			sum += losses[i];
	for (i = first; i < plan->n_tensors; i++)
		if (is_together(&tensors[first], &tensors[i]))
			losses[i] = sum > 0 ? loss * losses[i] / sum : 0;
}
