/* rounding.c - groups of tiles, which share the time in which factors are read from memory */
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
	size_t group;       /* tiles that a thread works on at once */
	atomic_size_t done; /* groups */
} run;

static size_t count_tiles(const format_tensor *t)
{
	return divide_up(t->rows, type_find(t->type)->tile_rows);
}

static size_t count_groups(const run *e)
{
	return divide_up(count_tiles(e->tensor), e->group);
}

/* Enough groups for threads to finish together. */
static size_t choose_group(const format_tensor *t, unsigned threads)
{
	size_t most = count_tiles(t) / (4 * (size_t)threads);

	return most < 1 ? 1 : most < ENCODER_TILES ? most : ENCODER_TILES;
}

/* The rows of a group. */
typedef struct rows {
	size_t tile; /* the first */
	uint32_t first, n;
} rows;

static rows find_rows(const run *e, size_t group)
{
	const format_tensor *t = e->tensor;
	uint32_t in_tile = type_find(t->type)->tile_rows, most = in_tile * (uint32_t)e->group,
	         first = (uint32_t)group * most;

	return (rows){ group * e->group, first, t->rows - first < most ? t->rows - first : most };
}

static brise_status read_group(void *self, unsigned worker, size_t group, brise_error *err)
{
	run *e = self;
	const format_tensor *t = e->tensor;
	const convert_source *source = e->r->job->plan->source;
	const space *s = &e->spaces[worker];
	const rows all = find_rows(e, group);
	uint32_t in_tile = type_find(t->type)->tile_rows, done, n;
	brise_status status = source->read(source->self, t->kind, t->layer, all.first, all.n,
	                                   s->rows, s->raw, err);

	for (done = 0; done < all.n && status == BRISE_OK && e->r->source; done += n) {
		n = all.n - done < in_tile ? all.n - done : in_tile;
		e->checksums[all.tile + done / in_tile] = crc32_update(
		        0, s->rows + (size_t)done * t->cols, (size_t)n * t->cols * sizeof *s->rows);
	}
	return status;
}

static brise_status encode_group(void *self, unsigned worker, size_t group, brise_error *err)
{
	run *e = self;
	const rounding *r = e->r;
	const format_tensor *t = e->tensor;
	const space *s = &e->spaces[worker];
	const book_encoding how = { .effort = r->job->options->effort,
		                    .feedback = r->feedback,
		                    .errors = r->job->tools->book_errors };
	const rows all = find_rows(e, group);
	brise_status status = read_group(self, worker, group, err);
	char name[48];

	if (status != BRISE_OK)
		return status;
	if (r->correction)
		correction_apply(r->correction, s->rows, all.n, all.first, s->columns,
		                 r->job->tools);
	if (!encoder_run(t->type, e->bytes + all.tile * type_find(t->type)->tile_bytes(t->cols),
	                 s->rows, all.n, t->cols, &how, s->scratch, &e->errors[all.tile])) {
		model_tensor_name(name, t->kind, t->layer);
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: a weight in rows %" PRIu32 "..%" PRIu32
		                 " is too large for %s; use q8, q4 or q3",
		                 name, all.first, all.first + all.n - 1, type_name(t->type));
	}
	atomic_fetch_add(&e->done, 1);
	return BRISE_OK;
}

static brise_status tell(void *self, size_t group, brise_error *err)
{
	const run *e = self;

	(void)group;
	return e->r->tell ? e->r->tell(e->r->user,
	                               (double)atomic_load(&e->done) / (double)count_groups(e), err)
	                  : BRISE_OK;
}

uint64_t rounding_bytes(uint32_t cols)
{
	return sizeof(float) * ENCODER_TILES *
	       (2 * (uint64_t)TILE_ROWS * cols + encoder_scratch(cols, true) +
	        TILE_ROWS * tile_padded(cols));
}

static brise_status allocate(run *e, unsigned threads, brise_error *err)
{
	const format_tensor *t = e->tensor;
	size_t floats = (size_t)t->cols * TILE_ROWS * e->group;
	bool complete;
	unsigned i;

	e->errors = memory_new(count_tiles(t), sizeof *e->errors);
	e->checksums = memory_new(count_tiles(t), sizeof *e->checksums);
	e->spaces = memory_new(threads, sizeof *e->spaces);
	complete = e->errors && e->checksums && e->spaces;
	for (i = 0; i < threads && complete; i++) {
		space *s = &e->spaces[i];

		s->rows = memory_new(floats, sizeof(float));
		s->raw = memory_new(floats, sizeof(float));
		s->scratch = memory_new(e->group * encoder_scratch(t->cols, e->r->feedback != NULL),
		                        sizeof(float));
		s->columns = memory_new_aligned(
		        e->r->correction ? tile_padded(t->cols) * TILE_ROWS * e->group : 1,
		        sizeof(float));
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

typedef brise_status group_fn(void *self, unsigned worker, size_t group, brise_error *err);

static brise_status go_through(run *e, group_fn *work, tile_error *sum, pool *threads,
                               brise_error *err)
{
	slices loop = { .threads = pool_threads(threads), .work = work, .tell = tell, .self = e };
	size_t tiles = count_tiles(e->tensor), i;
	brise_status status;

	e->group = choose_group(e->tensor, loop.threads);
	loop.n = count_groups(e);
	status = allocate(e, loop.threads, err);
	*sum = (tile_error){ 0, 0 };
	if (status == BRISE_OK)
		status = slices_run_on(&loop, threads, err);
	for (i = 0; i < tiles && status == BRISE_OK; i++)
		tile_add_error(sum, &e->errors[i]);
	if (status == BRISE_OK && e->r->source)
		*e->r->source = crc32_update(0, e->checksums, tiles * sizeof *e->checksums);
	release(e, loop.threads);
	return status;
}

brise_status rounding_encode(const rounding *r, const format_tensor *t, uint8_t *bytes,
                             tile_error *sum, pool *threads, brise_error *err)
{
	run e = { .r = r, .tensor = t, .bytes = bytes };

	return go_through(&e, encode_group, sum, threads, err);
}

brise_status rounding_read(const rounding *r, const format_tensor *t, pool *threads,
                           brise_error *err)
{
	run e = { .r = r, .tensor = t };
	tile_error none;

	return go_through(&e, read_group, &none, threads, err);
}
