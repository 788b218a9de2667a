/* residency.c - the plan: a pure function of the file's tables and the budget */
#include "runtime/model/residency.h"

#include <inttypes.h>

#include "quant/tile.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"

/* Kinds of the matrices of a unit, in order of use; 0 ends the list. */
static const uint32_t parts[RESIDENCY_PARTS][RESIDENCY_MATRICES] = {
	[RESIDENCY_QKV] = { TENSOR_WQ, TENSOR_WK, TENSOR_WV },
	[RESIDENCY_O] = { TENSOR_WO },
	[RESIDENCY_UP] = { TENSOR_W1, TENSOR_W3 },
	[RESIDENCY_DOWN] = { TENSOR_W2 },
};

static void add_matrix(residency_unit *unit, const format_tensor *t)
{
	unit->matrices[unit->n_matrices++] = t;
	unit->bytes += round_up(t->bytes, FORMAT_PAGE);
}

static void fill_units(residency_plan *plan, const brise_model *model)
{
	uint32_t layer, part, i;

	for (layer = 0; layer < model->config.n_layers; layer++)
		for (part = 0; part < RESIDENCY_PARTS; part++)
			for (i = 0; i < RESIDENCY_MATRICES && parts[part][i]; i++)
				add_matrix(&plan->units[residency_index(layer, part)],
				           model->places[layer].kinds[parts[part][i]]);
	add_matrix(&plan->units[plan->n_units - 1], model->places[0].kinds[TENSOR_OUTPUT]);
}

size_t residency_piece_tiles(const format_tensor *t)
{
	uint64_t tile_bytes = t->bytes / tile_count(t->rows);

	return tile_bytes < RESIDENCY_PIECE ? (size_t)(RESIDENCY_PIECE / tile_bytes) : 1;
}

/* The largest piece of any matrix. It begins anywhere in a page and is read in whole pages. */
static uint64_t slot_bytes(const residency_plan *plan)
{
	uint64_t largest = 0, piece;
	uint32_t i, m;

	for (i = 0; i < plan->n_units; i++)
		for (m = 0; m < plan->units[i].n_matrices; m++) {
			const format_tensor *t = plan->units[i].matrices[m];
			uint64_t tiles = tile_count(t->rows), most = residency_piece_tiles(t);

			piece = t->bytes / tiles * (most < tiles ? most : tiles);
			largest = piece > largest ? piece : largest;
		}
	return round_up(largest, FORMAT_PAGE) + FORMAT_PAGE;
}

static uint64_t count_vectors(const brise_model *model)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < model->n_tensors; i++)
		if (model_kind_known(model->tensors[i].kind) &&
		    order_is_vector(model->tensors[i].kind))
			bytes += round_up(model->tensors[i].bytes, 64);
	return bytes;
}

static void keep_unit(residency_plan *plan, residency_unit *unit)
{
	unit->kept = true;
	plan->kept_bytes += unit->bytes;
}

/* Keeps units of `room` bytes together, of `total`. The output first: it is multiplied with a few
 * rows at a time, and so would be read several times in a pass that wants many logits. Then each
 * unit as soon as the share kept of what was passed falls behind room / total, as in drawing a line
 * by points. */
static void spread(residency_plan *plan, uint64_t room, uint64_t total)
{
	const uint32_t last = plan->n_units - 1;
	uint64_t passed = 0, kept = 0, output = plan->units[last].bytes;
	double share;
	uint32_t i;

	if (output <= room) {
		keep_unit(plan, &plan->units[last]);
		room -= output;
	}
	total -= output;
	share = total > 0 ? (double)room / (double)total : 0;
	for (i = 0; i < last; i++) {
		residency_unit *unit = &plan->units[i];

		passed += unit->bytes;
		if ((double)kept + 0.5 * (double)unit->bytes > share * (double)passed ||
		    unit->bytes > room - kept)
			continue;
		keep_unit(plan, unit);
		kept += unit->bytes;
	}
	for (i = 0; i < last; i++) /* what is left takes what fits */
		if (!plan->units[i].kept && plan->units[i].bytes <= room - kept) {
			keep_unit(plan, &plan->units[i]);
			kept += plan->units[i].bytes;
		}
}

static void place_kept(residency_plan *plan)
{
	uint64_t at = 0;
	uint32_t i;

	for (i = 0; i < plan->n_units; i++)
		if (plan->units[i].kept) {
			plan->units[i].at = at;
			at += plan->units[i].bytes;
		}
}

brise_status residency_make(residency_plan *plan, const brise_model *model, uint64_t budget,
                            brise_error *err)
{
	uint64_t total = 0, ring;
	uint32_t i;

	*plan = (residency_plan){ .n_units = residency_index(model->config.n_layers, 0) + 1,
		                  .budget = budget };
	if (!(plan->units = memory_new(plan->n_units, sizeof *plan->units)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory to plan %" PRIu32 " units",
		                 model->name, plan->n_units);
	fill_units(plan, model);
	for (i = 0; i < plan->n_units; i++)
		total += plan->units[i].bytes;
	plan->vector_bytes = count_vectors(model);
	plan->slot_bytes = slot_bytes(plan);
	ring = RESIDENCY_SLOTS * plan->slot_bytes;
	plan->least = plan->vector_bytes + (ring < total ? ring : total);
	if (budget < plan->least) {
		brise_status status = error_set(err, BRISE_EINVAL,
		                                "%s: a budget of %" PRIu64
		                                " bytes for weights, expected at least %" PRIu64,
		                                model->name, budget, plan->least);

		residency_free(plan);
		return status;
	}
	budget -= plan->vector_bytes;
	spread(plan, budget >= total ? total : budget - ring, total);
	plan->streamed_bytes = total - plan->kept_bytes;
	plan->ring_bytes = plan->streamed_bytes > 0 ? ring : 0;
	place_kept(plan);
	return BRISE_OK;
}

void residency_free(residency_plan *plan)
{
	memory_free(plan->units);
	*plan = (residency_plan){ 0 };
}
