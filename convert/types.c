/* types.c - rules that name matrices by pattern, and a budget of bits for the matrices that need
 * them most
 *
 * How much the errors of a kind of matrix cost was measured: the small model breeze in q4, one kind
 * at a time in q8, and by how much the divergence from f16 fell (mean of the Kullback-Leibler
 * divergence, over 13,417 tokens; all of it is 0.0087). Errors of the output matrix reach the
 * logits directly; those of one layer are one contribution of many, so a kind's share is divided by
 * the layers.
 */
#include "convert/types.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"

#define PATTERN_MAX 128

static bool matches(const char *pattern, const format_tensor *t)
{
	const char *last;
	char name[48];

	model_tensor_name(name, t->kind, t->layer);
	last = strrchr(name, '.');
	return fnmatch(pattern, name, 0) == 0 || (last && fnmatch(pattern, last + 1, 0) == 0);
}

static brise_status apply(format_tensor *tensors, uint32_t n_tensors, const char *spec,
                          brise_error *err)
{
	const char *equals = strrchr(spec, '=');
	uint32_t type = equals ? type_of_matrices(equals + 1) : 0, i, found = 0;
	char pattern[PATTERN_MAX];

	if (type == 0 || equals - spec >= PATTERN_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "tensor type \"%.60s\": PATTERN=q4, =q3, =q8 or =f16 expected",
		                 spec);
	(void)snprintf(pattern, sizeof pattern, "%.*s", (int)(equals - spec), spec);
	for (i = 0; i < n_tensors; i++)
		if (!order_is_vector(tensors[i].kind) && matches(pattern, &tensors[i])) {
			tensors[i].type = type;
			found++;
		}
	if (found == 0)
		return error_set(
		        err, BRISE_EINVAL,
		        "tensor type \"%.60s\": no matrix has that name; there are embedding, "
		        "output, and layers.0.wq, wk, wv, wo, w1, w3, w2 and so on",
		        spec);
	return BRISE_OK;
}

brise_status types_apply(format_tensor *tensors, uint32_t n_tensors, const char *const *specs,
                         size_t n, brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t i;

	for (i = 0; i < n && status == BRISE_OK; i++)
		status = apply(tensors, n_tensors, specs[i], err);
	return status;
}

/* Divergence caused by all matrices of a kind together, at a relative squared error of 0.0047. */
static const double costs[TENSOR_KINDS] = {
	[TENSOR_EMBEDDING] = 0.00055, [TENSOR_WQ] = 0.00022, [TENSOR_WK] = 0.00027,
	[TENSOR_WV] = 0.00023,        [TENSOR_WO] = 0.00024, [TENSOR_W1] = 0.00116,
	[TENSOR_W3] = 0.00074,        [TENSOR_W2] = 0.00185, [TENSOR_OUTPUT] = 0.00333
};

typedef struct candidate {
	uint32_t tensor;
	uint64_t bytes; /* more in q8 than in q4 */
	double worth;   /* per byte */
} candidate;

static int compare_candidates(const void *a, const void *b)
{
	const candidate *x = a, *y = b;

	if (x->worth != y->worth)
		return x->worth > y->worth ? -1 : 1;
	return x->tensor < y->tensor ? -1 : 1;
}

static brise_status make_candidate(candidate *w, const format_tensor *t, uint32_t n_layers,
                                   types_measure_fn *measure, void *user, brise_error *err)
{
	double error, cost = costs[t->kind] / (order_is_in_layer(t->kind) ? n_layers : 1);
	uint64_t q4 = 0, q8 = 0;
	brise_status status = measure(user, t, &error, err);

	(void)type_tensor_bytes(TYPE_Q4, t->rows, t->cols, &q4);
	(void)type_tensor_bytes(TYPE_Q8, t->rows, t->cols, &q8);
	w->bytes = round_up(q8, FORMAT_PAGE) - q4 / FORMAT_PAGE * FORMAT_PAGE;
	if (status == BRISE_OK)
		w->worth = cost * error / (double)w->bytes;
	return status;
}

brise_status types_spend(format_tensor *tensors, uint32_t n_tensors, uint32_t n_layers,
                         uint64_t file_bytes, double bits, types_measure_fn *measure, void *user,
                         brise_error *err)
{
	candidate *candidates = memory_new(n_tensors, sizeof *candidates);
	brise_status status =
	        candidates ? BRISE_OK : error_set(err, BRISE_ENOMEM, "no memory to choose types");
	double weights = 0, room;
	uint32_t i, n = 0;

	for (i = 0; i < n_tensors && status == BRISE_OK; i++) {
		weights += !order_is_vector(tensors[i].kind)
		                   ? (double)tensors[i].rows * tensors[i].cols
		                   : 0;
		if (tensors[i].type != TYPE_Q4)
			continue;
		candidates[n].tensor = i;
		status =
		        make_candidate(&candidates[n++], &tensors[i], n_layers, measure, user, err);
	}
	room = bits * weights / 8 - (double)file_bytes;
	if (status == BRISE_OK)
		qsort(candidates, n, sizeof *candidates, compare_candidates);
	for (i = 0; i < n && status == BRISE_OK; i++)
		if ((double)candidates[i].bytes <= room) {
			room -= (double)candidates[i].bytes;
			tensors[candidates[i].tensor].type = TYPE_Q8;
		}
	memory_free(candidates);
	return status;
}
