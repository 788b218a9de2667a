/* exaggerated.c - see exaggerated.h */
#include "convert/mixed/exaggerated.h"

#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/model/tensor.h"
#include "runtime/os/memory.h"

typedef struct buffers {
	float *row, *scratch;
	uint8_t *tile;
} buffers;

static void exaggerate(const exaggerated *e, const buffers *b, const book_encoding *how,
                       float *rows, uint32_t n, uint32_t cols)
{
	const type_row *type = type_find(e->type);
	tile_error unused = { 0, 0 };
	uint32_t r, c;

	book_encode_tile(type->book, b->tile, rows, n, cols, how, b->scratch, &unused);
	for (r = 0; r < n; r++) {
		float *w = rows + (size_t)r * cols;

		type->decode_row(b->row, b->tile, r, cols);
		for (c = 0; c < cols; c++)
			w[c] += e->factor * (b->row[c] - w[c]);
	}
}

static brise_status read_rows(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n,
                              float *rows, void *raw, brise_error *err)
{
	const exaggerated *e = self;
	const convert_source *source = e->source;
	uint32_t n_rows, cols, done,
	        input = e->calibration ? calibration_index(&source->config, kind, layer)
	                               : UINT32_MAX;
	const book_encoding how = { .effort = EFFORT_FAST,
		                    .importance =
		                            input != UINT32_MAX
		                                    ? calibration_squares(e->calibration, input)
		                                    : NULL,
		                    .feedback = e->feedback,
		                    .errors = e->errors };
	brise_status status = source->read(source->self, kind, layer, first, n, rows, raw, err);
	buffers b;

	if (status != BRISE_OK || order_is_vector(kind))
		return status;
	model_tensor_shape(&source->config, kind, &n_rows, &cols);
	b = (buffers){ memory_new(cols, sizeof *b.row),
		       memory_new(book_scratch(cols, e->feedback != NULL), sizeof *b.scratch),
		       memory_new(type_find(e->type)->tile_bytes(cols), 1) };
	if (!b.row || !b.scratch || !b.tile)
		status = error_set(err, BRISE_ENOMEM, "no memory to measure rows of %u", cols);
	for (done = 0; done < n && status == BRISE_OK; done += TILE_ROWS)
		exaggerate(e, &b, &how, rows + (size_t)done * cols,
		           n - done < TILE_ROWS ? n - done : TILE_ROWS, cols);
	memory_free(b.row);
	memory_free(b.scratch);
	memory_free(b.tile);
	return status;
}

convert_source exaggerated_source(exaggerated *e)
{
	convert_source source = *e->source;

	source.read = read_rows;
	source.self = e;
	return source;
}
