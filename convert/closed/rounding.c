/* rounding.c - see rounding.h */
#include "convert/closed/rounding.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "convert/slices.h"
#include "quant/encode/encoders.h"
#include "runtime/error.h"
#include "runtime/model/crc32.h"
#include "runtime/model/tensor.h"
#include "runtime/os/memory.h"

/* Buffers of one thread. */
typedef struct space {
	float *rows, *raw, *scratch, *columns;
} space;

typedef struct run {
	const rounding *r;
	const format_tensor *tensor;
	uint8_t *bytes;
	tile_error *errors;  /* [tiles] */
	uint32_t *checksums; /* [tiles] of the weights */
	space *spaces;
	atomic_size_t done; /* tiles */
} run;

static size_t count_tiles(const format_tensor *t)
{
	return divide_up(t->rows, type_find(t->type)->tile_rows);
}

static uint32_t count_rows(const format_tensor *t, size_t tile)
{
	uint32_t most = type_find(t->type)->tile_rows, first = (uint32_t)tile * most;

	return t->rows - first < most ? t->rows - first : most;
}

static brise_status read_tile(void *self, unsigned worker, size_t tile, brise_error *err)
{
	run *e = self;
	const format_tensor *t = e->tensor;
	const convert_source *source = e->r->job->plan->source;
	const space *s = &e->spaces[worker];
	uint32_t n = count_rows(t, tile);
	brise_status status = source->read(source->self, t->kind, t->layer,
	                                   (uint32_t)tile * type_find(t->type)->tile_rows, n,
	                                   s->rows, s->raw, err);

	if (status == BRISE_OK && e->r->source)
		e->checksums[tile] =
		        crc32_update(0, s->rows, (size_t)n * t->cols * sizeof *s->rows);
	return status;
}

static brise_status encode_tile(void *self, unsigned worker, size_t tile, brise_error *err)
{
	run *e = self;
	const rounding *r = e->r;
	const format_tensor *t = e->tensor;
	const space *s = &e->spaces[worker];
	const book_encoding how = { .effort = r->job->options->effort,
		                    .feedback = r->feedback,
		                    .errors = r->job->tools->book_errors };
	uint32_t first = (uint32_t)tile * type_find(t->type)->tile_rows, n = count_rows(t, tile);
	brise_status status = read_tile(self, worker, tile, err);
	char name[48];

	if (status != BRISE_OK)
		return status;
	if (r->correction)
		correction_apply(r->correction, s->rows, n, first, s->columns, r->job->tools);
	if (!encoder_find(t->type)(e->bytes + tile * type_find(t->type)->tile_bytes(t->cols),
	                           s->rows, n, t->cols, &how, s->scratch, &e->errors[tile])) {
		model_tensor_name(name, t->kind, t->layer);
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: a weight in rows %" PRIu32 "..%" PRIu32
		                 " is too large for %s; use q8, q4 or q3",
		                 name, first, first + n - 1, type_name(t->type));
	}
	atomic_fetch_add(&e->done, 1);
	return BRISE_OK;
}

static brise_status tell(void *self, size_t tile, brise_error *err)
{
	const run *e = self;

	(void)tile;
	return e->r->tell
	               ? e->r->tell(e->r->user,
	                            (double)atomic_load(&e->done) / (double)count_tiles(e->tensor),
	                            err)
	               : BRISE_OK;
}

static brise_status allocate(run *e, unsigned threads, brise_error *err)
{
	const format_tensor *t = e->tensor;
	bool complete;
	unsigned i;

	e->errors = memory_new(count_tiles(t), sizeof *e->errors);
	e->checksums = memory_new(count_tiles(t), sizeof *e->checksums);
	e->spaces = memory_new(threads, sizeof *e->spaces);
	complete = e->errors && e->checksums && e->spaces;
	for (i = 0; i < threads && complete; i++) {
		space *s = &e->spaces[i];

		s->rows = memory_new((size_t)t->cols * TILE_ROWS, sizeof(float));
		s->raw = memory_new((size_t)t->cols * TILE_ROWS, sizeof(float));
		s->scratch =
		        memory_new(encoder_scratch(t->cols, e->r->feedback != NULL), sizeof(float));
		s->columns = memory_new_aligned(tile_padded(t->cols) * TILE_ROWS, sizeof(float));
		complete = s->rows && s->raw && s->scratch && s->columns;
	}
	return complete ? BRISE_OK
	                : error_set(err, BRISE_ENOMEM,
	                            "no memory for %u threads with rows of %" PRIu32, threads,
	                            t->cols);
}

static void release(run *e, unsigned threads)
{
	unsigned i;

	for (i = 0; e->spaces && i < threads; i++) {
		memory_free(e->spaces[i].rows);
		memory_free(e->spaces[i].raw);
		memory_free(e->spaces[i].scratch);
		memory_free_aligned(e->spaces[i].columns);
	}
	memory_free(e->spaces);
	memory_free(e->checksums);
	memory_free(e->errors);
}

typedef brise_status tile_fn(void *self, unsigned worker, size_t tile, brise_error *err);

static brise_status go_through(run *e, tile_fn *work, tile_error *sum, pool *threads,
                               brise_error *err)
{
	slices loop = { count_tiles(e->tensor), pool_threads(threads), work, tell, e };
	brise_status status = allocate(e, loop.threads, err);
	size_t i;

	*sum = (tile_error){ 0, 0 };
	if (status == BRISE_OK)
		status = slices_run_on(&loop, threads, err);
	for (i = 0; i < loop.n && status == BRISE_OK; i++)
		tile_add_error(sum, &e->errors[i]);
	if (status == BRISE_OK && e->r->source)
		*e->r->source = crc32_update(0, e->checksums, loop.n * sizeof *e->checksums);
	release(e, loop.threads);
	return status;
}

brise_status rounding_encode(const rounding *r, const format_tensor *t, uint8_t *bytes,
                             tile_error *sum, pool *threads, brise_error *err)
{
	run e = { .r = r, .tensor = t, .bytes = bytes };

	return go_through(&e, encode_tile, sum, threads, err);
}

brise_status rounding_read(const rounding *r, const format_tensor *t, pool *threads,
                           brise_error *err)
{
	run e = { .r = r, .tensor = t };
	tile_error none;

	return go_through(&e, read_tile, &none, threads, err);
}
