/* sample.c - tiles at even distances, encoded and compared */
#include "convert/sample.h"

#include "runtime/error.h"
#include "runtime/os/memory.h"

#define TILES 8u /* 128 rows give the mean error of a matrix's rows within some percent */

typedef struct buffers {
	float *rows, *raw, *row, *scratch;
	uint8_t *tile;
} buffers;

static void add_errors(const buffers *b, const format_tensor *t, uint32_t n,
                       const float *importance, tile_error *sum)
{
	uint32_t cols = t->cols, r, c;

	for (r = 0; r < n; r++) {
		type_find(t->type)->decode_row(b->row, b->tile, r, cols);
		for (c = 0; c < cols; c++) {
			double h = importance ? (double)importance[c] : 1,
			       w = (double)b->rows[(size_t)r * cols + c],
			       rest = w - (double)b->row[c];

			sum->error += h * rest * rest;
			sum->norm += h * w * w;
		}
	}
}

static brise_status measure_tiles(const sample *s, const format_tensor *t, const buffers *b,
                                  tile_error *sum, brise_error *err)
{
	uint32_t input = s->calibration ? calibration_index(&s->source->config, t->kind, t->layer)
	                                : UINT32_MAX;
	book_encoding how = { .effort = EFFORT_FAST,
		              .importance = input != UINT32_MAX
		                                    ? calibration_squares(s->calibration, input)
		                                    : NULL,
		              .errors = s->errors };
	uint32_t tiles = (uint32_t)tile_count(t->rows), n_tiles = tiles < TILES ? tiles : TILES, i;
	brise_status status = BRISE_OK;
	tile_error plain = { 0, 0 };

	for (i = 0; i < n_tiles && status == BRISE_OK; i++) {
		uint32_t first = (uint32_t)((uint64_t)i * tiles / n_tiles) * TILE_ROWS,
		         n = t->rows - first < TILE_ROWS ? t->rows - first : TILE_ROWS;

		status = s->source->read(s->source->self, t->kind, t->layer, first, n, b->rows,
		                         b->raw, err);
		if (status != BRISE_OK)
			break;
		book_encode_tile(type_book(t->type), b->tile, b->rows, n, t->cols, &how, b->scratch,
		                 &plain);
		add_errors(b, t, n, how.importance, sum);
	}
	return status;
}

brise_status sample_measure(const sample *s, const format_tensor *t, double *relative_error,
                            brise_error *err)
{
	size_t floats = (size_t)t->cols * TILE_ROWS;
	buffers b = { memory_new(floats, sizeof(float)), memory_new(floats, sizeof(float)),
		      memory_new(t->cols, sizeof(float)),
		      memory_new(book_scratch(t->cols, false), sizeof(float)),
		      memory_new(type_find(t->type)->tile_bytes(t->cols), 1) };
	brise_status status = BRISE_OK;
	tile_error sum = { 0, 0 };

	if (b.rows && b.raw && b.row && b.scratch && b.tile)
		status = measure_tiles(s, t, &b, &sum, err);
	else
		status = error_set(err, BRISE_ENOMEM, "no memory to measure rows of %u", t->cols);
	*relative_error = tile_relative_error(&sum);
	memory_free(b.rows);
	memory_free(b.raw);
	memory_free(b.row);
	memory_free(b.scratch);
	memory_free(b.tile);
	return status;
}
