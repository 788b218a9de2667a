/* writer.c - the file writer: plans all offsets, lets every thread read, encode and write pieces of
 * matrices, renames at the end
 *
 * A piece is a run of row tiles of one tensor. Its bytes depend on nothing else, and checksums and
 * errors of pieces are joined in order afterwards, so the file is the same for any number of
 * threads. Each thread reads what it encodes: while one waits for the disk, another computes.
 */
#include "convert/convert.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/float_env.h"
#include "arch/tools/tools.h"
#include "convert/blocks.h"
#include "convert/calibration/calibration.h"
#include "convert/calibration/factor.h"
#include "convert/sample.h"
#include "convert/types.h"
#include "quant/checked.h"
#include "quant/encode/encoders.h"
#include "runtime/eval/engine.h"
#include "runtime/model/crc32.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"
#include "runtime/os/threads.h"

#define PIECE_TILES 8u
#define SECTIONS    7u

typedef struct piece {
	uint32_t tensor, first_tile, n_tiles;
	uint32_t crc;
	tile_error error;
} piece;

/* What one thread works with. */
typedef struct worker_space {
	float *rows, *scratch;
	uint8_t *raw, *tiles;
} worker_space;

typedef struct writer {
	const convert_source *source;
	const convert_options *options;
	target_file target;
	blocks *blocks; /* what goes to the target */
	format_tensor *tensors;
	uint32_t n_tensors;
	piece *pieces;
	size_t n_pieces;
	worker_space *spaces;
	unsigned threads;
	arch_tools tools;
	calibration *calibration; /* NULL: none */
	q4_feedback feedback;     /* factors of the tensor under way, of input `factored` */
	uint32_t factored;
	size_t first_piece;                /* item 0 of the loop under way */
	format_section sections[SECTIONS]; /* without empty ones */
	const void *contents[SECTIONS];
	uint32_t n_sections;
	uint64_t file_bytes, source_bytes;
	atomic_uint_fast64_t done;
	atomic_bool stopped;
	brise_status *statuses; /* first failure of each thread */
	brise_error *errors;
} writer;

/* ---- plan ----------------------------------------------------------------------------------- */

static void plan_tensors(writer *w)
{
	const format_config *config = &w->source->config;
	uint32_t kind, layer;
	size_t i;

	for (i = 0; order_at(config, i, &kind, &layer); i++) {
		format_tensor *t = &w->tensors[i];

		*t = (format_tensor){ .kind = kind,
			              .layer = layer,
			              .type = order_is_vector(kind) ? TYPE_F32 : w->options->type };
		model_tensor_shape(config, kind, &t->rows, &t->cols);
	}
	w->n_tensors = (uint32_t)i;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static void plan_section(writer *w, uint32_t kind, uint32_t flags, const void *contents,
                         uint64_t bytes)
{
	if (bytes == 0)
		return;
	w->contents[w->n_sections] = contents;
	w->sections[w->n_sections++] =
	        (format_section){ .kind = kind, .flags = flags, .bytes = bytes };
}

/* Offsets of the sections; returns where they end. */
static uint64_t plan_sections(writer *w)
{
	const convert_source *s = w->source;
	uint64_t at;
	uint32_t i;

	plan_section(w, SECTION_CONFIG, SECTION_REQUIRED, &s->config, sizeof s->config);
	plan_section(w, SECTION_TENSORS, SECTION_REQUIRED, w->tensors,
	             (uint64_t)w->n_tensors * sizeof(format_tensor));
	plan_section(w, SECTION_TOKENIZER, 0, s->tokenizer, s->tokenizer_bytes);
	plan_section(w, SECTION_ORIGIN, 0, s->origin, s->origin ? strlen(s->origin) : 0);
	plan_section(w, SECTION_ENDS, 0, s->ends, s->n_ends * sizeof *s->ends);
	plan_section(w, SECTION_ADDED, 0, s->added, s->added_bytes);
	plan_section(w, SECTION_TEMPLATE, 0, s->chat_template,
	             s->chat_template ? strlen(s->chat_template) : 0);
	at = sizeof(format_header) + w->n_sections * sizeof(format_section);
	for (i = 0; i < w->n_sections; i++) {
		w->sections[i].offset = at = round_up(at, 64);
		at += w->sections[i].bytes;
	}
	return at;
}

/* Offsets of the tensors, behind `at`. Sizes are bounded by model_check_config: no sum comes near
 * 2^64. */
static brise_status plan_offsets(writer *w, uint64_t at, brise_error *err)
{
	uint32_t i;

	w->source_bytes = 0;
	w->n_pieces = 0;
	for (i = 0; i < w->n_tensors; i++) {
		format_tensor *t = &w->tensors[i];

		if (!type_tensor_bytes(t->type, t->rows, t->cols, &t->bytes))
			return error_set(err, BRISE_EINVAL,
			                 "%s: tensor %" PRIu32 " of %" PRIu32 " x %" PRIu32
			                 " cannot be stored",
			                 w->target.name, i, t->rows, t->cols);
		t->offset = at = round_up(at, FORMAT_PAGE);
		at += t->bytes;
		w->source_bytes += (uint64_t)t->rows * t->cols * 2;
		w->n_pieces += (tile_count(t->rows) + PIECE_TILES - 1) / PIECE_TILES;
	}
	w->file_bytes = at;
	return BRISE_OK;
}

/* Types and places of all tensors: first as the type says, then with the room that is left spent,
 * then as rules say. */
static brise_status plan(writer *w, brise_error *err)
{
	const convert_options *o = w->options;
	sample s = { w->source, w->calibration, w->tools.q4_errors };
	uint64_t at;
	brise_status status;

	plan_tensors(w);
	at = plan_sections(w);
	status = plan_offsets(w, at, err);
	if (status == BRISE_OK && o->bits > 0 && o->type == TYPE_Q4)
		status = types_spend(w->tensors, w->n_tensors, w->source->config.n_layers,
		                     w->file_bytes, o->bits, sample_measure, &s, err);
	if (status == BRISE_OK)
		status = types_apply(w->tensors, w->n_tensors, o->tensor_types, o->n_tensor_types,
		                     err);
	return status == BRISE_OK ? plan_offsets(w, at, err) : status;
}

static void plan_pieces(writer *w)
{
	piece *p = w->pieces;
	uint32_t i, tile;

	for (i = 0; i < w->n_tensors; i++) {
		uint32_t tiles = (uint32_t)tile_count(w->tensors[i].rows);

		for (tile = 0; tile < tiles; tile += PIECE_TILES)
			*p++ = (piece){ .tensor = i,
				        .first_tile = tile,
				        .n_tiles = tiles - tile < PIECE_TILES ? tiles - tile
				                                              : PIECE_TILES };
	}
}

/* ---- pieces --------------------------------------------------------------------------------- */

/* Rows of one tile, encoded. */
static brise_status encode_tile(const writer *w, const format_tensor *t, const worker_space *space,
                                uint32_t row, uint8_t *out, tile_error *sum, brise_error *err)
{
	uint32_t n = t->rows - row < TILE_ROWS ? t->rows - row : TILE_ROWS;
	brise_status status = w->source->read(w->source->self, t->kind, t->layer, row, n,
	                                      space->rows, space->raw, err);
	uint32_t input = w->calibration ? calibration_index(&w->source->config, t->kind, t->layer)
	                                : UINT32_MAX;
	q4_encoding how;
	char name[48];

	if (status != BRISE_OK)
		return status;
	how = (q4_encoding){ .effort = w->options->effort,
		             .importance = input != UINT32_MAX
		                                   ? calibration_squares(w->calibration, input)
		                                   : NULL,
		             .feedback = input != UINT32_MAX && w->feedback.span > 0 ? &w->feedback
		                                                                     : NULL,
		             .errors = w->tools.q4_errors };
	if (encoder_find(t->type)(out, space->rows, n, t->cols, &how, space->scratch, sum))
		return BRISE_OK;
	model_tensor_name(name, t->kind, t->layer);
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: a weight in rows %" PRIu32 "..%" PRIu32
	                 " is too large for %s; use q8 or q4",
	                 name, row, row + n - 1, type_name(t->type));
}

static brise_status do_piece(const writer *w, piece *p, const worker_space *space, brise_error *err)
{
	const format_tensor *t = &w->tensors[p->tensor];
	uint64_t tile_bytes = t->bytes / tile_count(t->rows);
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < p->n_tiles && status == BRISE_OK; i++)
		status = encode_tile(w, t, space, (p->first_tile + i) * TILE_ROWS,
		                     space->tiles + i * tile_bytes, &p->error, err);
	if (status != BRISE_OK)
		return status;
	p->crc = crc32_update(0, space->tiles, (size_t)(p->n_tiles * tile_bytes));
	return blocks_add(w->blocks, space->tiles, (size_t)(p->n_tiles * tile_bytes),
	                  t->offset + p->first_tile * tile_bytes, err);
}

static brise_status say_cancelled(const writer *w, brise_error *err)
{
	return error_set(err, BRISE_ECANCELED, "%s: conversion cancelled; nothing was written",
	                 w->target.name);
}

static brise_status ask_cancel(const writer *w, brise_error *err)
{
	return w->options->cancel && w->options->cancel(w->options->user) ? say_cancelled(w, err)
	                                                                  : BRISE_OK;
}

/* Callbacks are the caller's: only its own thread, worker 0, calls them. */
static void tell_progress(writer *w, const piece *p, unsigned worker)
{
	const format_tensor *t = &w->tensors[p->tensor];
	uint64_t rows = t->rows - p->first_tile * TILE_ROWS < p->n_tiles * TILE_ROWS
	                        ? t->rows - p->first_tile * TILE_ROWS
	                        : p->n_tiles * TILE_ROWS;
	uint64_t bytes = rows * t->cols * 2, done = atomic_fetch_add(&w->done, bytes) + bytes;
	char name[48];

	if (worker != 0)
		return;
	model_tensor_name(name, t->kind, t->layer);
	if (w->options->progress)
		w->options->progress(w->options->user, name, done, w->source_bytes);
	w->statuses[0] = ask_cancel(w, &w->errors[0]);
	if (w->statuses[0] != BRISE_OK)
		atomic_store(&w->stopped, true);
}

static void run_pieces(void *job, unsigned worker, size_t first, size_t end)
{
	writer *w = job;

	first += w->first_piece;
	end += w->first_piece;
	for (; first < end && !atomic_load(&w->stopped); first++) {
		w->statuses[worker] =
		        do_piece(w, &w->pieces[first], &w->spaces[worker], &w->errors[worker]);
		if (w->statuses[worker] != BRISE_OK)
			atomic_store(&w->stopped, true);
		else
			tell_progress(w, &w->pieces[first], worker);
	}
}

static void join_pieces(writer *w, convert_result *result)
{
	tile_error all = { 0, 0 };
	uint32_t tensor;
	size_t i = 0;

	for (tensor = 0; tensor < w->n_tensors; tensor++) {
		format_tensor *t = &w->tensors[tensor];
		uint64_t tile_bytes = t->bytes / tile_count(t->rows);
		tile_error sum = { 0, 0 };

		for (; i < w->n_pieces && w->pieces[i].tensor == tensor; i++) {
			t->crc = crc32_combine(t->crc, w->pieces[i].crc,
			                       w->pieces[i].n_tiles * tile_bytes);
			sum.error += w->pieces[i].error.error;
			sum.norm += w->pieces[i].error.norm;
		}
		t->relative_error = sum.norm > 0 ? (float)(sum.error / sum.norm) : 0;
		all.error += sum.error;
		all.norm += sum.norm;
		if (!order_is_vector(t->kind))
			result->weights += (uint64_t)t->rows * t->cols;
	}
	result->relative_error = all.norm > 0 ? all.error / all.norm : 0;
	result->file_bytes = w->file_bytes;
	result->source_bytes = w->source_bytes;
	result->bits_per_weight = 8.0 * (double)w->file_bytes / (double)result->weights;
}

static void tell_losses(const writer *w)
{
	uint32_t i;

	for (i = 0; w->options->loss && i < w->n_tensors; i++)
		if (!order_is_vector(w->tensors[i].kind))
			w->options->loss(w->options->user, w->tensors[i].kind, w->tensors[i].layer,
			                 (double)w->tensors[i].relative_error);
}

/* ---- memory --------------------------------------------------------------------------------- */

static brise_status allocate_spaces(writer *w, brise_error *err)
{
	uint32_t widest = 1, i;
	uint64_t tile_bytes = 0;

	for (i = 0; i < w->n_tensors; i++) {
		const format_tensor *t = &w->tensors[i];

		widest = t->cols > widest ? t->cols : widest;
		if (t->bytes / tile_count(t->rows) > tile_bytes)
			tile_bytes = t->bytes / tile_count(t->rows);
	}
	w->spaces = calloc(w->threads, sizeof *w->spaces);
	w->statuses = calloc(w->threads, sizeof *w->statuses);
	w->errors = calloc(w->threads, sizeof *w->errors);
	w->pieces = calloc(w->n_pieces, sizeof *w->pieces);
	if (!w->spaces || !w->statuses || !w->errors || !w->pieces)
		return error_set(err, BRISE_ENOMEM, "no memory to plan %zu pieces", w->n_pieces);
	for (i = 0; i < w->threads; i++) {
		worker_space *s = &w->spaces[i];

		s->rows = malloc((size_t)widest * TILE_ROWS * sizeof(float));
		s->raw = malloc((size_t)widest * TILE_ROWS * sizeof(float));
		s->scratch = malloc(encoder_scratch(widest, w->feedback.span > 0) * sizeof(float));
		s->tiles = malloc((size_t)tile_bytes * PIECE_TILES);
		if (!s->rows || !s->raw || !s->scratch || !s->tiles)
			return error_set(err, BRISE_ENOMEM,
			                 "no memory for %u threads with rows of %" PRIu32,
			                 w->threads, widest);
	}
	return BRISE_OK;
}

static void free_writer(writer *w)
{
	unsigned i;

	for (i = 0; w->spaces && i < w->threads; i++) {
		free(w->spaces[i].rows);
		free(w->spaces[i].raw);
		free(w->spaces[i].scratch);
		free(w->spaces[i].tiles);
	}
	blocks_free(w->blocks);
	factor_free(&w->feedback);
	calibration_close(w->calibration);
	free(w->spaces);
	free(w->statuses);
	free(w->errors);
	free(w->pieces);
	free(w->tensors);
}

/* ---- the file ------------------------------------------------------------------------------- */

static brise_status write_block(void *user, const void *bytes, size_t n, uint64_t offset,
                                brise_error *err)
{
	return target_write_at(user, bytes, n, offset, err);
}

/* After all blocks, the first of which has zeros where the tables go. */
static brise_status write_tables(writer *w, brise_error *err)
{
	format_header header = { .version = FORMAT_VERSION,
		                 .section_bytes = sizeof(format_section),
		                 .file_bytes = w->file_bytes,
		                 .n_sections = w->n_sections };
	brise_status status = BRISE_OK;
	unsigned i;

	for (i = 0; i < w->n_sections && status == BRISE_OK; i++) {
		format_section *s = &w->sections[i];

		s->crc = crc32_update(0, w->contents[i], (size_t)s->bytes);
		status = target_write_at(&w->target, w->contents[i], (size_t)s->bytes, s->offset,
		                         err);
	}
	memcpy(header.magic, FORMAT_MAGIC, sizeof header.magic);
	header.sections_crc = crc32_update(0, w->sections, w->n_sections * sizeof *w->sections);
	header.header_crc = crc32_update(0, &header, sizeof header - sizeof header.header_crc);
	if (status == BRISE_OK)
		status = target_write_at(&w->target, w->sections,
		                         w->n_sections * sizeof *w->sections, sizeof header, err);
	if (status == BRISE_OK)
		status = target_write_at(&w->target, &header, sizeof header, 0, err);
	return status;
}

/* All of it, before any work: a damaged file shows now and not in half an hour. */
static brise_status verify_calibration(const writer *w, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < w->calibration->header.n_inputs && status == BRISE_OK; i++)
		if ((status = ask_cancel(w, err)) == BRISE_OK)
			status = calibration_verify_input(w->calibration, i, err);
	return status;
}

static brise_status open_calibration(writer *w, brise_error *err)
{
	brise_status status;

	if (!w->options->calibration)
		return BRISE_OK;
	status = calibration_open(&w->calibration, w->options->calibration, err);
	if (status == BRISE_OK)
		status =
		        calibration_fits(w->calibration, &w->source->config, "the checkpoint", err);
	if (status == BRISE_OK)
		status = verify_calibration(w, err);
	if (status != BRISE_OK || w->options->effort != Q4_HIGH || w->calibration->header.span == 0)
		return status;
	w->factored = UINT32_MAX;
	w->feedback.span = w->calibration->header.span;
	return BRISE_OK;
}

/* Feedback goes tensor by tensor: all its tiles share the factors of its input. */
static brise_status prepare_feedback(writer *w, const format_tensor *t, pool *threads,
                                     brise_error *err)
{
	uint32_t input = calibration_index(&w->source->config, t->kind, t->layer);
	brise_status status;

	if (t->type != TYPE_Q4 || input == UINT32_MAX || input == w->factored)
		return BRISE_OK;
	factor_free(&w->feedback);
	status = factor_new(&w->feedback, t->cols, w->calibration->header.span, err);
	if (status == BRISE_OK)
		status = factor_input(&w->feedback, w->calibration, input, threads,
		                      w->options->cancel, w->options->user, err);
	if (status == BRISE_ECANCELED)
		status = say_cancelled(w, err);
	w->factored = input;
	return status;
}

static brise_status encode_with_feedback(writer *w, pool *threads, brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t end;

	for (; w->first_piece < w->n_pieces && status == BRISE_OK && !atomic_load(&w->stopped);
	     w->first_piece = end) {
		const format_tensor *t = &w->tensors[w->pieces[w->first_piece].tensor];

		for (end = w->first_piece;
		     end < w->n_pieces &&
		     w->pieces[end].tensor == w->pieces[w->first_piece].tensor;)
			end++;
		status = prepare_feedback(w, t, threads, err);
		if (status == BRISE_OK)
			pool_run(threads, run_pieces, w, end - w->first_piece, 1);
	}
	return status;
}

static brise_status encode_all(writer *w, brise_error *err)
{
	brise_status status;
	pool *threads;
	unsigned i;

	status = pool_new(&threads, w->threads, err);
	if (status != BRISE_OK)
		return status;
	if (w->feedback.span > 0)
		status = encode_with_feedback(w, threads, err);
	else
		pool_run(threads, run_pieces, w, w->n_pieces, 1);
	pool_free(threads);
	for (i = 0; i < w->threads && status == BRISE_OK; i++)
		if ((status = w->statuses[i]) != BRISE_OK && err)
			*err = w->errors[i];
	if (status == BRISE_OK && w->calibration)
		status = calibration_check_read(w->calibration, err);
	return status == BRISE_OK ? ask_cancel(w, err)
	                          : status; /* of few pieces, worker 0 may have had none */
}

/* Short rows take more than 4.25 bits, and rules may spend what they like. */
static void tell_excess(const writer *w)
{
	double weights = 0, bits;
	char line[128];
	uint32_t i;

	for (i = 0; i < w->n_tensors; i++)
		weights += !order_is_vector(w->tensors[i].kind)
		                   ? (double)w->tensors[i].rows * w->tensors[i].cols
		                   : 0;
	bits = 8 * (double)w->file_bytes / weights;
	if (!w->options->decision || !(w->options->bits > 0) || bits <= w->options->bits)
		return;
	(void)snprintf(line, sizeof line,
	               "%.3f bits per weight, all told, are more than the %g asked for", bits,
	               w->options->bits);
	w->options->decision(w->options->user, line);
}

/* The origin, line by line: only now, so that a refusal is one line. */
static void tell_decisions(const writer *w)
{
	const char *at = w->source->origin, *end;
	char line[512]; /* the longest that notes.h makes */

	for (; at && *at && w->options->decision; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		(void)snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
		if (*line)
			w->options->decision(w->options->user, line);
	}
	tell_excess(w);
}

static brise_status write_model(const convert_source *source, const char *out,
                                const convert_options *options, convert_result *result,
                                brise_error *err)
{
	writer w = { .source = source,
		     .options = options,
		     .target = { .name = out, .descriptor = -1 } };
	convert_result facts = { 0 };
	arch_kernels kernels;
	double start = os_clock();
	brise_status status;

	if (!format_is_native())
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: brise files are little-endian and so must the processor be "
		                 "that writes them",
		                 out);
	status = model_check_config(&source->config, out, err);
	if (status != BRISE_OK)
		return status;
	w.threads = options->threads ? options->threads : threads_available();
	w.threads = w.threads > THREADS_MAX ? THREADS_MAX : w.threads;
	w.tensors = calloc(order_count(&source->config), sizeof *w.tensors);
	if (!w.tensors) {
		status = error_set(err, BRISE_ENOMEM, "no memory for the tensor table");
		goto done;
	}
	if ((status = engine_choose_kernels(&kernels, options->arch, err)) != BRISE_OK)
		goto done;
	arch_find_tools(&w.tools, kernels.name);
	if ((status = open_calibration(&w, err)) != BRISE_OK ||
	    (status = plan(&w, err)) != BRISE_OK || (status = allocate_spaces(&w, err)) != BRISE_OK)
		goto done;
	plan_pieces(&w);
	if ((status = target_check_kind(out, FORMAT_MAGIC, sizeof FORMAT_MAGIC - 1, "a .brise file",
	                                err)) != BRISE_OK ||
	    (status = target_open(&w.target, out, err)) != BRISE_OK ||
	    (status = target_check_space(&w.target, w.file_bytes, err)) != BRISE_OK ||
	    (status = blocks_new(&w.blocks, w.tensors, w.n_tensors, write_block, &w.target, err)) !=
	            BRISE_OK)
		goto done;
	tell_decisions(&w);
	if ((status = encode_all(&w, err)) != BRISE_OK)
		goto done;
	join_pieces(&w, &facts);
	if ((status = write_tables(&w, err)) == BRISE_OK)
		status = target_commit(&w.target, err);
	facts.seconds = os_clock() - start;
	if (status == BRISE_OK)
		tell_losses(&w);
	if (status == BRISE_OK && result)
		*result = facts;
done:
	target_discard(&w.target);
	free_writer(&w);
	return status;
}

brise_status convert_write(const convert_source *source, const char *out,
                           const convert_options *options, convert_result *result, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = write_model(source, out, options, result, err);

	float_env_leave(host);
	return status;
}
