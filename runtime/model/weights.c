/* weights.c - all weights in the mapped file */
#include "runtime/model/weights.h"

#include "quant/types.h"

/* Opening has checked place and shape. */
static weights_matrix matrix_at(const brise_model *model, const format_tensor *t)
{
	return (weights_matrix){ { model->bytes + t->offset,
		                   (size_t)(t->bytes / tile_count(t->rows)), tile_blocks(t->cols) },
		                 t->type,
		                 t->rows,
		                 t->cols };
}

static const float *vector_at(const brise_model *model, const format_tensor *t)
{
	return (const float *)(const void *)(model->bytes + t->offset);
}

static brise_status check(const brise_model *model, brise_error *err)
{
	return map_check(&model->map, model->name, err);
}

brise_status weights_acquire_layer(weights_layer *weights, const brise_model *model, uint32_t layer,
                                   brise_error *err)
{
	const format_tensor *const *place = model->places[layer].kinds;

	weights->attention_norm = vector_at(model, place[TENSOR_ATTENTION_NORM]);
	weights->ffn_norm = vector_at(model, place[TENSOR_FFN_NORM]);
	weights->wq = matrix_at(model, place[TENSOR_WQ]);
	weights->wk = matrix_at(model, place[TENSOR_WK]);
	weights->wv = matrix_at(model, place[TENSOR_WV]);
	weights->wo = matrix_at(model, place[TENSOR_WO]);
	weights->w1 = matrix_at(model, place[TENSOR_W1]);
	weights->w3 = matrix_at(model, place[TENSOR_W3]);
	weights->w2 = matrix_at(model, place[TENSOR_W2]);
	return check(model, err);
}

brise_status weights_release_layer(const brise_model *model, uint32_t layer, brise_error *err)
{
	(void)layer;
	return check(model, err);
}

brise_status weights_acquire_output(weights_output *weights, const brise_model *model,
                                    brise_error *err)
{
	weights->final_norm = vector_at(model, model->places[0].kinds[TENSOR_FINAL_NORM]);
	weights->output = matrix_at(model, model->places[0].kinds[TENSOR_OUTPUT]);
	return check(model, err);
}

brise_status weights_release_output(const brise_model *model, brise_error *err)
{
	return check(model, err);
}

static void decode_row(uint32_t id, const uint8_t *tiles, uint32_t cols, uint32_t row, float *out)
{
	const type_row *type = type_find(id);

	type->decode_row(out, tiles + row / type->tile_rows * type->tile_bytes(cols),
	                 row % type->tile_rows, cols);
}

void weights_decode_row(const weights_matrix *matrix, uint32_t row, float *out)
{
	decode_row(matrix->type, matrix->view.tiles, matrix->cols, row, out);
}

brise_status weights_read_row(const brise_model *model, const format_tensor *tensor, uint32_t row,
                              float *out, brise_error *err)
{
	decode_row(tensor->type, model->bytes + tensor->offset, tensor->cols, row, out);
	return check(model, err);
}

brise_status weights_read_embedding(const brise_model *model, const int32_t *tokens, uint32_t n,
                                    float *x, size_t stride, brise_error *err)
{
	const format_tensor *place = model->places[0].kinds[TENSOR_EMBEDDING];
	uint32_t i;

	for (i = 0; i < n; i++)
		decode_row(place->type, model->bytes + place->offset, place->cols,
		           (uint32_t)tokens[i], x + i * stride);
	return check(model, err);
}
