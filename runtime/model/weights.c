/* weights.c - units in the mapped file, in memory, or in a stream */
#include "runtime/model/weights.h"

#include "quant/types.h"
#include "runtime/error.h"
#include "runtime/model/limit.h"
#include "runtime/model/stream.h"
#include "runtime/os/memory.h"

struct weights_reader {
	const brise_model *model;
	unsigned since; /* map_enter's */
	stream *stream; /* NULL: nothing is streamed */
};

static brise_status check(const weights_reader *r, brise_error *err)
{
	return map_leave(&r->model->map, r->model->name, r->since, err);
}

brise_status weights_new_reader(weights_reader **out, const brise_model *model, brise_error *err)
{
	weights_reader *r = *out = memory_new(1, sizeof *r);
	brise_status status = BRISE_OK;

	if (!r)
		return error_set(err, BRISE_ENOMEM, "no memory for a reader of weights");
	r->model = model;
	(void)map_enter(&model->map, model->name, &r->since, NULL);
	if (model->residency.streamed_bytes > 0)
		status = stream_new(&r->stream, model, err);
	if (status != BRISE_OK) {
		weights_free_reader(r);
		*out = NULL;
	}
	return status;
}

void weights_count(uint64_t *needed)
{
	memory_count(needed, 1, sizeof(weights_reader));
}

void weights_free_reader(weights_reader *r)
{
	if (r)
		stream_free(r->stream);
	memory_free(r);
}

brise_status weights_begin_pass(weights_reader *r, bool output, brise_error *err)
{
	if (r->stream)
		stream_begin_pass(r->stream, output);
	return map_enter(&r->model->map, r->model->name, &r->since, err);
}

/* Opening has checked place and shape. */
static weights_matrix matrix_at(const format_tensor *t, const uint8_t *bytes)
{
	return (weights_matrix){ { bytes, (size_t)(t->bytes / tile_count(t->rows)),
		                   tile_blocks(t->cols) },
		                 t->type,
		                 t->rows,
		                 t->cols };
}

static bool is_streamed(const weights_reader *r, uint32_t index)
{
	return r->stream && !r->model->residency.units[index].kept;
}

brise_status weights_acquire(weights_reader *r, uint32_t layer, residency_part part,
                             weights_unit *unit, brise_error *err)
{
	const brise_model *model = r->model;
	const uint8_t *bytes = model->kept_weights;
	const residency_unit *planned;
	uint32_t i;

	unit->index = residency_index(layer, part);
	unit->streamed = is_streamed(r, unit->index);
	planned = &model->residency.units[unit->index];
	bytes = bytes ? bytes + planned->at : NULL;
	unit->n_matrices = planned->n_matrices;
	for (i = 0; i < planned->n_matrices; i++) {
		const format_tensor *t = planned->matrices[i];

		unit->matrices[i] = matrix_at(t, unit->streamed ? NULL
		                                 : bytes        ? bytes
		                                                : model->bytes + t->offset);
		bytes = bytes ? bytes + round_up(t->bytes, FORMAT_PAGE) : NULL;
	}
	return check(r, err);
}

brise_status weights_release(weights_reader *r, brise_error *err)
{
	return check(r, err);
}

brise_status weights_acquire_piece(weights_reader *r, const weights_unit *unit, uint32_t matrix,
                                   size_t first, weights_piece *piece, brise_error *err)
{
	stream_piece got;
	brise_status status = stream_acquire(r->stream, unit->index, matrix, first, &got, err);

	if (status != BRISE_OK)
		return status;
	piece->matrix = unit->matrices[matrix];
	piece->matrix.view.tiles = got.bytes;
	piece->matrix.rows = (uint32_t)((got.end - got.first) * TILE_ROWS);
	piece->first = first;
	return BRISE_OK;
}

void weights_release_piece(weights_reader *r)
{
	stream_release(r->stream);
}

uint64_t weights_bytes_read(weights_reader *r)
{
	return r->stream ? stream_bytes_read(r->stream) : 0;
}

const float *weights_norm(const brise_model *model, uint32_t kind, uint32_t layer)
{
	const format_tensor *t = model->places[layer].kinds[kind];

	if (model->kept_weights)
		return (const float *)(const void *)(model->kept_weights +
		                                     limit_vector_at(model, kind, layer));
	return (const float *)(const void *)(model->bytes + t->offset);
}

static void decode_row(uint32_t id, const uint8_t *tiles, uint32_t cols, uint32_t row, float *out)
{
	const type_row *type = type_find(id);

	type->decode_row(out, tiles + row / type->tile_rows * type->tile_bytes(cols),
	                 row % type->tile_rows, cols);
}

brise_status weights_read_row(const brise_model *model, const format_tensor *tensor, uint32_t row,
                              float *out, brise_error *err)
{
	unsigned since;
	brise_status status = map_enter(&model->map, model->name, &since, err);

	if (status != BRISE_OK)
		return status;
	decode_row(tensor->type, model->bytes + tensor->offset, tensor->cols, row, out);
	return map_leave(&model->map, model->name, since, err);
}

brise_status weights_read_embedding(weights_reader *r, const int32_t *tokens, uint32_t n, float *x,
                                    size_t stride, brise_error *err)
{
	const format_tensor *place = r->model->places[0].kinds[TENSOR_EMBEDDING];
	uint32_t i;

	for (i = 0; i < n; i++)
		decode_row(place->type, r->model->bytes + place->offset, place->cols,
		           (uint32_t)tokens[i], x + i * stride);
	return check(r, err);
}
