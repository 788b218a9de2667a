/* types.c - rules that name matrices by pattern, and a budget of bytes for the matrices whose
 * errors cost most
 *
 * Where losses cannot be measured (convert/mixed/losses.h), a table of kinds stands for them. It
 * was measured: the small model breeze in q4, one kind at a time in q8, and by how much the
 * divergence from f16 fell (mean of the Kullback-Leibler divergence, over 13,417 tokens; all of it
 * is 0.0087). Errors of the output matrix reach the logits directly; those of one layer are one
 * contribution of many, so a kind's share is divided by the layers.
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

static bool is_tied(const format_tensor *tensors, uint32_t n_tensors)
{
	uint32_t i;

	for (i = 0; i < n_tensors; i++)
		if (tensors[i].kind == TENSOR_OUTPUT)
			return false;
	return true;
}

/* tied: the embedding is the output as well. */
static bool matches(const char *pattern, const format_tensor *t, bool tied)
{
	const char *last;
	char name[48];

	model_tensor_name(name, t->kind, t->layer);
	last = strrchr(name, '.');
	return fnmatch(pattern, name, 0) == 0 || (last && fnmatch(pattern, last + 1, 0) == 0) ||
	       (tied && t->kind == TENSOR_EMBEDDING && fnmatch(pattern, "output", 0) == 0);
}

static brise_status apply(format_tensor *tensors, uint32_t n_tensors, const char *spec,
                          brise_error *err)
{
	const char *equals = strrchr(spec, '=');
	uint32_t type = equals ? type_of_matrices(equals + 1) : 0, i, found = 0;
	bool tied = is_tied(tensors, n_tensors);
	char pattern[PATTERN_MAX];

	if (type == 0 || equals - spec >= PATTERN_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "tensor type \"%.60s\": PATTERN=q4, =q3, =q8 or =f16 expected",
		                 spec);
	(void)snprintf(pattern, sizeof pattern, "%.*s", (int)(equals - spec), spec);
	for (i = 0; i < n_tensors; i++)
		if (!order_is_vector(tensors[i].kind) && matches(pattern, &tensors[i], tied)) {
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

#define COST_ERROR 0.0047

/* Divergence caused by all matrices of a kind together, at a relative squared error of COST_ERROR.
 */
static const double costs[TENSOR_KINDS] = {
	[TENSOR_EMBEDDING] = 0.00055, [TENSOR_WQ] = 0.00022, [TENSOR_WK] = 0.00027,
	[TENSOR_WV] = 0.00023,        [TENSOR_WO] = 0.00024, [TENSOR_W1] = 0.00116,
	[TENSOR_W3] = 0.00074,        [TENSOR_W2] = 0.00185, [TENSOR_OUTPUT] = 0.00333
};

double types_guess_loss(const format_config *config, uint32_t kind, double relative_error)
{
	double cost = costs[kind];

	if (kind == TENSOR_EMBEDDING && config->flags & FORMAT_TIED)
		cost += costs[TENSOR_OUTPUT];
	return cost * relative_error / COST_ERROR /
	       (order_is_in_layer(kind) ? config->n_layers : 1);
}

/* A matrix made larger. */
typedef struct candidate {
	uint32_t tensor, from, to; /* types */
	uint64_t bytes;            /* more, in whole pages */
	double saved, worth;       /* divergence; per byte */
} candidate;

/* Best first; of a matrix, q4 before q8. */
static int compare_candidates(const void *a, const void *b)
{
	const candidate *x = a, *y = b;

	if (x->worth != y->worth)
		return x->worth > y->worth ? -1 : 1;
	if (x->tensor != y->tensor)
		return x->tensor < y->tensor ? -1 : 1;
	return x->from == TYPE_Q3 ? -1 : 1;
}

static candidate make_candidate(const format_tensor *t, uint32_t index, uint32_t from, uint32_t to,
                                double saved)
{
	candidate c = { .tensor = index, .from = from, .to = to, .saved = saved };
	uint64_t before = 0, after = 0;

	(void)type_tensor_bytes(from, t->rows, t->cols, &before);
	(void)type_tensor_bytes(to, t->rows, t->cols, &after);
	c.bytes = round_up(after, FORMAT_PAGE) - round_up(before, FORMAT_PAGE);
	c.worth = saved / (double)(c.bytes > 0 ? c.bytes : 1);
	return c;
}

/* The ways to make a matrix larger, in falling worth; returns how many. What q8 loses counts
 * nothing: it is less than a hundredth of q4's. */
static uint32_t add_candidates(candidate *out, const format_tensor *t, uint32_t index,
                               const types_loss *loss)
{
	out[0] = make_candidate(t, index, TYPE_Q3, TYPE_Q4, loss->q3 - loss->q4);
	out[1] = make_candidate(t, index, TYPE_Q4, TYPE_Q8, loss->q4);
	if (out[1].worth <= out[0].worth)
		return 2;
	out[0] = make_candidate(t, index, TYPE_Q3, TYPE_Q8, loss->q3);
	return 1;
}

/* Takes candidates [n] in order as they fit, `first` before all others; n: none. Returns what is
 * saved, in all. */
static double take(format_tensor *tensors, const candidate *candidates, uint32_t n, uint32_t first,
                   uint64_t room)
{
	double saved = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		if (candidates[i].from == TYPE_Q3)
			tensors[candidates[i].tensor].type = TYPE_Q3;
	for (i = 0; i <= n; i++) {
		const candidate *c = &candidates[i == 0 ? first : i - 1];

		if ((i == 0 && first == n) || c->bytes > room || tensors[c->tensor].type != c->from)
			continue;
		room -= c->bytes;
		saved += c->saved;
		tensors[c->tensor].type = c->to;
	}
	return saved;
}

/* A matrix that takes much of the room may be worth more than the several before it in order
 * between which it does not fit: each is tried as the first. */
brise_status types_spend(format_tensor *tensors, uint32_t n_tensors, const types_loss *losses,
                         uint64_t room, brise_error *err)
{
	candidate *candidates = memory_new(2 * (size_t)n_tensors, sizeof *candidates);
	uint32_t i, n = 0, best;
	double most, saved;

	if (!candidates)
		return error_set(err, BRISE_ENOMEM, "no memory to choose types");
	for (i = 0; i < n_tensors; i++)
		if (losses[i].open)
			n += add_candidates(candidates + n, &tensors[i], i, &losses[i]);
	qsort(candidates, n, sizeof *candidates, compare_candidates);
	best = n;
	most = take(tensors, candidates, n, best, room);
	for (i = 0; i < n; i++)
		if ((saved = take(tensors, candidates, n, i, room)) > most) {
			most = saved;
			best = i;
		}
	(void)take(tensors, candidates, n, best, room);
	memory_free(candidates);
	return BRISE_OK;
}
