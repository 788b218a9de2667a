/* encode.c - slices of matrices: each thread reads, encodes and writes them
 *
 * A slice is a run of row tiles of one tensor. Its bytes depend on nothing else, and checksums and
 * errors of slices are joined in order afterwards, so the file is the same for any number of
 * threads. Each thread reads what it encodes: while one waits for the disk, another computes.
 */
#include "convert/encode.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "convert/blocks.h"
#include "convert/calibration/factor.h"
#include "convert/slices.h"
#include "quant/encode/encoders.h"
#include "runtime/error.h"
#include "runtime/model/crc32.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"

#define SLICE_TILES 8u

typedef struct tile_slice {
	uint32_t tensor, first_tile, n_tiles;
	uint32_t crc;
	tile_error error;
} tile_slice;

/* Buffers of one thread. */
typedef struct encode_space {
	float *rows, *scratch;
	uint8_t *raw, *tiles;
} encode_space;

typedef struct encode_run {
	const encode_job *job;
	file_plan *plan;
	blocks *blocks; /* what goes to the target */
	tile_slice *slices;
	size_t n_slices;
	size_t first; /* slice 0 of the current loop */
	encode_space *spaces;
	book_feedback
	        feedback; /* factors of the current tensor, of input `factored`; span 0: none */
	uint32_t factored;
	atomic_uint_fast64_t done; /* source bytes */
} encode_run;

/* ---- slices --------------------------------------------------------------------------------- */

static size_t count_slices(const file_plan *plan)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < plan->n_tensors; i++)
		n += divide_up(tile_count(plan->tensors[i].rows), SLICE_TILES);
	return n;
}

static void fill_slices(tile_slice *p, const file_plan *plan)
{
	uint32_t i, tile;

	for (i = 0; i < plan->n_tensors; i++) {
		uint32_t tiles = (uint32_t)tile_count(plan->tensors[i].rows);

		for (tile = 0; tile < tiles; tile += SLICE_TILES)
			*p++ = (tile_slice){ .tensor = i,
				             .first_tile = tile,
				             .n_tiles = tiles - tile < SLICE_TILES ? tiles - tile
				                                                   : SLICE_TILES };
	}
}

static uint64_t tile_bytes_of(const format_tensor *t)
{
	return t->bytes / tile_count(t->rows);
}

/* Rows of one tile, encoded. */
static brise_status encode_tile(const encode_run *r, const format_tensor *t,
                                const encode_space *space, uint32_t row, uint8_t *out,
                                tile_error *sum, brise_error *err)
{
	const encode_job *job = r->job;
	const convert_source *source = r->plan->source;
	uint32_t n = t->rows - row < TILE_ROWS ? t->rows - row : TILE_ROWS;
	uint32_t input = job->calibration ? calibration_index(&source->config, t->kind, t->layer)
	                                  : UINT32_MAX;
	bool calibrated = input != UINT32_MAX;
	const book_encoding how = {
		.effort = job->options->effort,
		.importance = calibrated ? calibration_squares(job->calibration, input) : NULL,
		.feedback = calibrated && r->feedback.span > 0 ? &r->feedback : NULL,
		.errors = job->tools->book_errors
	};
	brise_status status =
	        source->read(source->self, t->kind, t->layer, row, n, space->rows, space->raw, err);
	char name[48];

	if (status != BRISE_OK)
		return status;
	if (encoder_find(t->type)(out, space->rows, n, t->cols, &how, space->scratch, sum))
		return BRISE_OK;
	model_tensor_name(name, t->kind, t->layer);
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: a weight in rows %" PRIu32 "..%" PRIu32
	                 " is too large for %s; use q8, q4 or q3",
	                 name, row, row + n - 1, type_name(t->type));
}

static uint64_t source_bytes_of(const tile_slice *p, const format_tensor *t)
{
	uint64_t left = t->rows - p->first_tile * TILE_ROWS, rows = p->n_tiles * TILE_ROWS;

	return (left < rows ? left : rows) * t->cols * 2;
}

static brise_status encode_slice(void *self, unsigned worker, size_t index, brise_error *err)
{
	encode_run *r = self;
	tile_slice *p = &r->slices[r->first + index];
	const encode_space *space = &r->spaces[worker];
	const format_tensor *t = &r->plan->tensors[p->tensor];
	uint64_t tile_bytes = tile_bytes_of(t);
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < p->n_tiles && status == BRISE_OK; i++)
		status = encode_tile(r, t, space, (p->first_tile + i) * TILE_ROWS,
		                     space->tiles + i * tile_bytes, &p->error, err);
	if (status != BRISE_OK)
		return status;
	p->crc = crc32_update(0, space->tiles, (size_t)(p->n_tiles * tile_bytes));
	status = blocks_add(r->blocks, space->tiles, (size_t)(p->n_tiles * tile_bytes),
	                    t->offset + p->first_tile * tile_bytes, err);
	if (status == BRISE_OK)
		atomic_fetch_add(&r->done, source_bytes_of(p, t));
	return status;
}

brise_status encode_say_cancelled(const char *name, brise_error *err)
{
	return error_set(err, BRISE_ECANCELED, "%s: conversion cancelled; nothing was written",
	                 name);
}

brise_status encode_ask_cancel(const convert_options *options, const char *name, brise_error *err)
{
	return options->cancel && options->cancel(options->user) ? encode_say_cancelled(name, err)
	                                                         : BRISE_OK;
}

static brise_status tell_progress(void *self, size_t index, brise_error *err)
{
	encode_run *r = self;
	const convert_options *o = r->job->options;
	const format_tensor *t = &r->plan->tensors[r->slices[r->first + index].tensor];
	char name[48];

	model_tensor_name(name, t->kind, t->layer);
	if (o->progress)
		o->progress(o->user, name, atomic_load(&r->done), r->plan->source_bytes);
	return encode_ask_cancel(o, r->job->name, err);
}

/* Checksums and errors of the slices become those of their tensors, and of all. */
static void join_slices(encode_run *r, tile_error *all)
{
	uint32_t tensor;
	size_t i = 0;

	*all = (tile_error){ 0, 0 };
	for (tensor = 0; tensor < r->plan->n_tensors; tensor++) {
		format_tensor *t = &r->plan->tensors[tensor];
		tile_error sum = { 0, 0 };

		for (; i < r->n_slices && r->slices[i].tensor == tensor; i++) {
			t->crc = crc32_combine(t->crc, r->slices[i].crc,
			                       r->slices[i].n_tiles * tile_bytes_of(t));
			tile_add_error(&sum, &r->slices[i].error);
		}
		t->relative_error = (float)tile_relative_error(&sum);
		tile_add_error(all, &sum);
	}
}

/* ---- memory --------------------------------------------------------------------------------- */

static brise_status allocate_spaces(encode_run *r, brise_error *err)
{
	unsigned threads = r->job->threads;
	uint32_t widest = 1, i;
	uint64_t tile_bytes = 0;

	for (i = 0; i < r->plan->n_tensors; i++) {
		const format_tensor *t = &r->plan->tensors[i];

		widest = t->cols > widest ? t->cols : widest;
		tile_bytes = tile_bytes_of(t) > tile_bytes ? tile_bytes_of(t) : tile_bytes;
	}
	r->n_slices = count_slices(r->plan);
	r->slices = memory_new(r->n_slices, sizeof *r->slices);
	r->spaces = memory_new(threads, sizeof *r->spaces);
	if (!r->spaces || !r->slices)
		return error_set(err, BRISE_ENOMEM, "no memory to plan %zu slices", r->n_slices);
	for (i = 0; i < threads; i++) {
		encode_space *s = &r->spaces[i];

		s->rows = memory_new((size_t)widest * TILE_ROWS, sizeof(float));
		s->raw = memory_new((size_t)widest * TILE_ROWS, sizeof(float));
		s->scratch =
		        memory_new(encoder_scratch(widest, r->feedback.span > 0), sizeof(float));
		s->tiles = memory_new((size_t)tile_bytes * SLICE_TILES, 1);
		if (!s->rows || !s->raw || !s->scratch || !s->tiles)
			return error_set(err, BRISE_ENOMEM,
			                 "no memory for %u threads with rows of %" PRIu32, threads,
			                 widest);
	}
	return BRISE_OK;
}

static void free_run(encode_run *r)
{
	unsigned i;

	for (i = 0; r->spaces && i < r->job->threads; i++) {
		memory_free(r->spaces[i].rows);
		memory_free(r->spaces[i].raw);
		memory_free(r->spaces[i].scratch);
		memory_free(r->spaces[i].tiles);
	}
	blocks_free(r->blocks);
	factor_free(&r->feedback);
	memory_free(r->spaces);
	memory_free(r->slices);
}

/* ---- all tensors ---------------------------------------------------------------------------- */

/* Feedback goes tensor by tensor: all its tiles share the factors of its input. */
static brise_status prepare_feedback(encode_run *r, const format_tensor *t, pool *threads,
                                     brise_error *err)
{
	const encode_job *job = r->job;
	uint32_t input = calibration_index(&r->plan->source->config, t->kind, t->layer);
	brise_status status;

	if (!type_book(t->type) || input == UINT32_MAX || input == r->factored)
		return BRISE_OK;
	factor_free(&r->feedback);
	status = factor_new(&r->feedback, t->cols, job->calibration->header.span, false,
	                    job->tools->add_products, err);
	if (status == BRISE_OK)
		status = factor_input(&r->feedback, job->calibration, input, threads,
		                      job->options->cancel, job->options->user, err);
	if (status == BRISE_ECANCELED)
		status = encode_say_cancelled(job->name, err);
	r->factored = input;
	return status;
}

static brise_status encode_with_feedback(encode_run *r, pool *threads, slices loop,
                                         brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t end;

	for (; r->first < r->n_slices && status == BRISE_OK; r->first = end) {
		uint32_t tensor = r->slices[r->first].tensor;

		for (end = r->first; end < r->n_slices && r->slices[end].tensor == tensor;)
			end++;
		loop.n = end - r->first;
		status = prepare_feedback(r, &r->plan->tensors[tensor], threads, err);
		if (status == BRISE_OK)
			status = slices_run_on(&loop, threads, err);
	}
	return status;
}

static brise_status write_block(void *user, const void *bytes, size_t n, uint64_t offset,
                                brise_error *err)
{
	return target_write_at(user, bytes, n, offset, err);
}

brise_status encode_tensors(const encode_job *job, target_file *target, tile_error *all,
                            brise_error *err)
{
	encode_run r = { .job = job, .plan = job->plan, .factored = UINT32_MAX };
	slices loop = { 0, job->threads, encode_slice, tell_progress, &r };
	brise_status status;
	pool *threads = NULL;

	if (job->calibration && job->options->effort == EFFORT_HIGH)
		r.feedback.span = job->calibration->header.span;
	if ((status = allocate_spaces(&r, err)) != BRISE_OK ||
	    (status = blocks_new(&r.blocks, job->plan->tensors, job->plan->n_tensors, write_block,
	                         target, err)) != BRISE_OK ||
	    (status = pool_new(&threads, job->threads, err)) != BRISE_OK)
		goto done;
	fill_slices(r.slices, r.plan);
	loop.n = r.n_slices;
	status = r.feedback.span > 0 ? encode_with_feedback(&r, threads, loop, err)
	                             : slices_run_on(&loop, threads, err);
	if (status == BRISE_OK && job->calibration)
		status = calibration_check_read(job->calibration, err);
	if (status == BRISE_OK) /* of few slices, the caller's thread may have had none */
		status = encode_ask_cancel(job->options, job->name, err);
	if (status == BRISE_OK)
		join_slices(&r, all);
done:
	pool_free(threads);
	free_run(&r);
	return status;
}
