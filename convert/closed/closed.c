/* closed.c - the layers in order: each part is measured with both streams, then its matrices are
 * corrected and rounded */
#include "convert/closed/closed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/closed/input.h"
#include "convert/closed/loop_file.h"
#include "convert/closed/rounding.h"
#include "convert/closed/streams.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/model/crc32.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"

typedef struct closed {
	const encode_job *job;
	const format_config *config;
	streams streams;
	pool *threads; /* of the streams */
	loop_file store;
	format_tensor original[LAYER_TENSORS]; /* of the original layer */
	uint8_t *storage;                      /* their bytes */
	uint64_t original_bytes;
	tile_error all;
	closed_input input; /* the current one */
	/* progress, in source bytes: a matrix counts one half while its input is measured, and one
	 * while it is encoded */
	double done, doing;
	char name[48];
	brise_error *err;
} closed;

/* ---- progress ------------------------------------------------------------------------------- */

/* What the unfinished file, which stays, is good for. */
static void describe_done(const closed *c, char *line, size_t size)
{
	const loop_header *h = &c->store.header;

	(void)snprintf(
	        line, size,
	        "%s: %" PRIu32 " of %" PRIu32 " layers are done; the same command resumes there",
	        c->store.file.path, h->done > h->n_layers ? h->n_layers : h->done - 1, h->n_layers);
}

static brise_status say_cancelled(const closed *c, brise_error *err)
{
	char line[sizeof err->message];

	if (c->store.header.done == 0)
		return error_set(err, BRISE_ECANCELED,
		                 "%s: conversion cancelled; nothing was written", c->job->name);
	describe_done(c, line, sizeof line);
	return error_set(err, BRISE_ECANCELED, "%s", line);
}

/* share: of what is being done */
static brise_status report(const closed *c, double share, brise_error *err)
{
	const convert_options *o = c->job->options;

	if (o->progress)
		o->progress(o->user, c->name, (uint64_t)(c->done + share * c->doing),
		            c->job->plan->source_bytes);
	return o->cancel && o->cancel(o->user) ? say_cancelled(c, err) : BRISE_OK;
}

static void begin_work(closed *c, double bytes)
{
	c->doing = bytes;
}

static void end_work(closed *c)
{
	c->done += c->doing;
	c->doing = 0;
}

static brise_status tell_share(void *user, double share, brise_error *err)
{
	return report(user, share, err);
}

/* ---- tensors -------------------------------------------------------------------------------- */

static format_tensor *find_tensor(const closed *c, uint32_t kind, uint32_t layer)
{
	file_plan *plan = c->job->plan;
	uint32_t i;

	for (i = 0; i < plan->n_tensors; i++)
		if (plan->tensors[i].kind == kind && plan->tensors[i].layer == layer)
			return &plan->tensors[i];
	return NULL;
}

static double source_bytes(const format_tensor *t)
{
	return 2.0 * t->rows * t->cols;
}

/* Encodes a tensor of the file. measured: its input has been */
static brise_status encode(closed *c, uint32_t kind, uint32_t layer, bool measured)
{
	format_tensor *t = find_tensor(c, kind, layer);
	uint8_t *bytes = loop_bytes(&c->store) + t->offset;
	rounding r = { .job = c->job,
		       .feedback = measured ? &c->input.feedback : NULL,
		       .correction = measured ? &c->input.correction : NULL,
		       .tell = tell_share,
		       .user = c,
		       .source = &c->store.sources[t - c->job->plan->tensors] };
	brise_status status;
	tile_error sum;

	model_tensor_name(c->name, kind, layer);
	begin_work(c, source_bytes(t) * (measured ? 0.5 : 1));
	status = rounding_encode(&r, t, bytes, &sum, c->threads, c->err);
	end_work(c);
	if (status != BRISE_OK)
		return status;
	t->crc = crc32_update(0, bytes, (size_t)t->bytes);
	t->relative_error = (float)tile_relative_error(&sum);
	tile_add_error(&c->all, &sum);
	return BRISE_OK;
}

/* Source bytes of what an earlier run has done. */
static double count_done(const closed *c)
{
	const file_plan *plan = c->job->plan;
	double bytes = 0;
	uint32_t i;

	for (i = 0; i < plan->n_tensors; i++)
		bytes += plan->tensors[i].crc != 0 ? source_bytes(&plan->tensors[i]) : 0;
	return bytes;
}

/* ---- the original layer --------------------------------------------------------------------- */

static bool has_room(uint32_t kind)
{
	return order_is_in_layer(kind) || order_is_vector(kind);
}

static brise_status plan_original(closed *c)
{
	brise_status status = layer_plan_original(c->original, c->config, 0, has_room,
	                                          &c->original_bytes, c->err);
	size_t size;

	if (status != BRISE_OK)
		return status;
	c->storage = checked_size(c->original_bytes, &size) ? memory_new_aligned(size, 1) : NULL;
	return c->storage ? BRISE_OK
	                  : error_set(c->err, BRISE_ENOMEM, "no memory for a layer as q8");
}

static brise_status encode_original(closed *c, uint32_t layer, bool inside)
{
	rounding r = { .job = c->job, .tell = tell_share, .user = c };
	brise_status status = BRISE_OK;
	tile_error sum;
	uint32_t i;

	for (i = 0; i < LAYER_TENSORS && status == BRISE_OK; i++) {
		format_tensor *t = &c->original[i];

		if (order_is_in_layer(t->kind) != inside || (!inside && !order_is_vector(t->kind)))
			continue;
		t->layer = inside ? layer : 0;
		status = rounding_encode(&r, t, c->storage + t->offset, &sum, c->threads, c->err);
	}
	return status;
}

/* Both models get the layer. */
static brise_status set_layers(closed *c, uint32_t layer)
{
	unsigned i;
	brise_status status = layer_set(&c->streams.layers[STREAM_ORIGINAL], c->original,
	                                LAYER_TENSORS, layer, c->storage, c->err);

	if (status == BRISE_OK)
		status = layer_set(&c->streams.layers[STREAM_QUANTIZED], c->job->plan->tensors,
		                   c->job->plan->n_tensors, layer, loop_bytes(&c->store), c->err);
	for (i = 0; i < STREAMS; i++)
		layer_set_window(c->streams.sequences[i], c->job->plan->source->windows, layer);
	return status;
}

/* ---- measuring ------------------------------------------------------------------------------ */

static brise_status add_rows(void *user, const correction_rows *rows, size_t done, brise_error *err)
{
	closed *c = user;

	if (rows->x)
		input_add(&c->input, rows, c->job->tools, c->threads);
	return report(c, (double)done / (double)c->streams.n, err);
}

static brise_status measure_part(closed *c, uint32_t part)
{
	static const streams_step steps[] = {
		[RESIDENCY_QKV] = { 0, RESIDENCY_QKV, false, -1, RESIDENCY_QKV },
		[RESIDENCY_O] = { 0, RESIDENCY_O, false, -1, RESIDENCY_O },
		[RESIDENCY_UP] = { 0, RESIDENCY_UP, false, 1, RESIDENCY_UP },
		[RESIDENCY_DOWN] = { RESIDENCY_UP, RESIDENCY_DOWN, true, -1, RESIDENCY_DOWN },
		[RESIDENCY_PARTS] = { 0, 0, false, -1, RESIDENCY_PARTS },
	};
	bool residual = part == RESIDENCY_O || part == RESIDENCY_DOWN;
	brise_status status;

	if ((status = input_new(&c->input, streams_columns(c->config, part),
	                        residual ? c->config->dim : 0, pool_threads(c->threads), c->err)) !=
	            BRISE_OK ||
	    (status = streams_run(&c->streams, &steps[part], add_rows, c, c->err)) != BRISE_OK)
		return status;
	status = input_finish(&c->input, c->streams.n, c->job, c->threads, c->err);
	return status == BRISE_ECANCELED ? say_cancelled(c, c->err) : status;
}

/* ---- the layers ----------------------------------------------------------------------------- */

/* Kinds of the matrices of a part; 0 ends the list. */
static const uint32_t parts[][3] = {
	[RESIDENCY_QKV] = { TENSOR_WQ, TENSOR_WK, TENSOR_WV },
	[RESIDENCY_O] = { TENSOR_WO },
	[RESIDENCY_UP] = { TENSOR_W1, TENSOR_W3 },
	[RESIDENCY_DOWN] = { TENSOR_W2 },
	[RESIDENCY_PARTS] = { TENSOR_OUTPUT },
};

static brise_status run_part(closed *c, uint32_t layer, uint32_t part)
{
	double bytes = 0;
	brise_status status;
	unsigned i;

	for (i = 0; i < 3 && parts[part][i]; i++)
		bytes += source_bytes(find_tensor(c, parts[part][i], layer));
	model_tensor_name(c->name, parts[part][0], layer);
	begin_work(c, bytes / 2);
	status = measure_part(c, part);
	end_work(c);
	for (i = 0; i < 3 && parts[part][i] && status == BRISE_OK; i++)
		status = encode(c, parts[part][i], layer, true);
	input_free(&c->input);
	return status;
}

/* The streams' states, and where the next ones go. */
static void set_states(closed *c, uint32_t done)
{
	unsigned i;

	for (i = 0; i < STREAMS; i++) {
		c->streams.states[i][0] = loop_states(&c->store, i, done);
		c->streams.states[i][1] = loop_states(&c->store, i, done + 1);
	}
}

static brise_status run_layer(closed *c, uint32_t layer)
{
	const streams_step leave = { RESIDENCY_UP, RESIDENCY_PARTS, true, 1, -1 };
	brise_status status;
	unsigned part;

	set_states(c, layer + 1);
	if ((status = encode_original(c, layer, true)) != BRISE_OK ||
	    (status = encode(c, TENSOR_ATTENTION_NORM, layer, false)) != BRISE_OK ||
	    (status = encode(c, TENSOR_FFN_NORM, layer, false)) != BRISE_OK ||
	    (status = set_layers(c, layer)) != BRISE_OK)
		return status;
	for (part = 0; part < RESIDENCY_PARTS && status == BRISE_OK; part++)
		status = run_part(c, layer, part);
	return status == BRISE_OK ? streams_run(&c->streams, &leave, add_rows, c, c->err) : status;
}

/* The first states: rows of the embedding as they are, and as the file has them. */
static brise_status embed(closed *c)
{
	const convert_source *source = c->job->plan->source;
	const format_tensor *t = find_tensor(c, TENSOR_EMBEDDING, 0);
	const type_row *type = type_find(t->type);
	const uint8_t *tiles = loop_bytes(&c->store) + t->offset;
	size_t stride = engine_stride(c->config->dim), i;
	float *raw = memory_new(t->cols, sizeof(float));
	brise_status status = raw ? encode(c, TENSOR_EMBEDDING, 0, false)
	                          : error_set(c->err, BRISE_ENOMEM, "no memory for a row");

	for (i = 0; i < c->streams.n && status == BRISE_OK; i++) {
		uint32_t row = (uint32_t)c->streams.ids[i];

		status = source->read(source->self, TENSOR_EMBEDDING, 0, row, 1,
		                      loop_states(&c->store, STREAM_ORIGINAL, 1) + i * stride, raw,
		                      c->err);
		type->decode_row(loop_states(&c->store, STREAM_QUANTIZED, 1) + i * stride,
		                 tiles + row / type->tile_rows * type->tile_bytes(t->cols),
		                 row % type->tile_rows, t->cols);
	}
	memory_free(raw);
	return status;
}

static brise_status run_output(closed *c)
{
	brise_status status;

	set_states(c, c->config->n_layers + 1);
	if ((status = encode_original(c, 0, false)) != BRISE_OK ||
	    (status = encode(c, TENSOR_FINAL_NORM, 0, false)) != BRISE_OK ||
	    (status = set_layers(c, 0)) != BRISE_OK)
		return status;
	/* Of tied matrices the output is the embedding, which the first states are made of. */
	return c->config->flags & FORMAT_TIED ? BRISE_OK : run_part(c, 0, RESIDENCY_PARTS);
}

/* Steps are the embedding, each layer, and the output. */
static brise_status run_steps(closed *c)
{
	uint32_t n_layers = c->config->n_layers, step = c->store.header.done;
	brise_status status = BRISE_OK;

	c->all = (tile_error){ c->store.header.error, c->store.header.norm };
	c->done = count_done(c);
	for (; step < n_layers + 2 && status == BRISE_OK; step++) {
		status = step == 0          ? embed(c)
		         : step <= n_layers ? run_layer(c, step - 1)
		                            : run_output(c);
		if (status == BRISE_OK)
			status = loop_save(&c->store, step + 1, &c->all, c->err);
	}
	return status;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* What must be equal for an interrupted run to be resumed, besides the weights of what is done. */
static uint32_t take_fingerprint(const closed *c)
{
	const file_plan *plan = c->job->plan;
	const uint32_t *windows = plan->source->windows;
	uint32_t crc = crc32_update(0, c->config, config_bytes(c->config));

	if (windows)
		crc = crc32_update(crc, windows, c->config->n_layers * sizeof *windows);
	crc = crc32_update(crc, c->streams.ids, c->streams.n * sizeof *c->streams.ids);
	return crc32_update(crc, plan->tensors, plan->n_tensors * sizeof *plan->tensors);
}

/* Whether the weights of all that an earlier run has done are still the same. */
static brise_status check_sources(closed *c, bool *same)
{
	const file_plan *plan = c->job->plan;
	brise_status status = BRISE_OK;
	uint32_t i;

	*same = true;
	for (i = 0; i < plan->n_tensors && *same && status == BRISE_OK; i++) {
		uint32_t source = 0;
		const rounding r = {
			.job = c->job, .tell = tell_share, .user = c, .source = &source
		};

		if (plan->tensors[i].crc == 0)
			continue;
		model_tensor_name(c->name, plan->tensors[i].kind, plan->tensors[i].layer);
		status = rounding_read(&r, &plan->tensors[i], c->threads, c->err);
		*same = source == c->store.sources[i];
	}
	return status;
}

/* Opens the unfinished file, and begins it anew where it is of no use. */
static brise_status open_store(closed *c)
{
	const convert_options *o = c->job->options;
	brise_status status = loop_open(&c->store, o->decision, o->cancel, o->user, c->err);
	bool same = true;

	if (status == BRISE_OK && c->store.header.done > 0)
		status = check_sources(c, &same);
	if (status == BRISE_OK && !same)
		status = loop_restart(&c->store, "was of other weights", o->decision, o->user,
		                      c->err);
	return status;
}

static uint64_t count_memory(const closed *c)
{
	const format_config *f = c->config;
	uint32_t cols = f->hidden_dim > f->dim ? f->hidden_dim : f->dim;

	return input_bytes(cols, f->dim) + pool_threads(c->threads) * rounding_bytes(cols) +
	       c->original_bytes + 2 * c->streams.engines[0]->facts.work_bytes;
}

static void tell_needs(const closed *c)
{
	const convert_options *o = c->job->options;
	uint32_t done = c->store.header.done;
	char line[160];

	if (!o->decision)
		return;
	(void)snprintf(line, sizeof line,
	               "closed loop over %zu tokens: %.0f MB of memory; %.0f MB on the disk until "
	               "it is done",
	               c->streams.n, (double)count_memory(c) / 1e6, (double)c->store.size / 1e6);
	o->decision(o->user, line);
	if (done == 0)
		return;
	(void)snprintf(line, sizeof line, "resumed after layer %" PRIu32 " of an interrupted run",
	               done > c->config->n_layers ? c->config->n_layers : done - 1);
	o->decision(o->user, line);
}

/* After an error, such as a damaged weight, which the user may repair and then resume. */
static void tell_done(const closed *c)
{
	const convert_options *o = c->job->options;
	char line[512];

	if (!o->decision || c->store.header.done == 0)
		return;
	describe_done(c, line, sizeof line);
	o->decision(o->user, line);
}

static brise_status run(closed *c)
{
	brise_status status;

	if ((status = loop_plan(&c->store, c->job->name, c->job->plan, c->streams.n,
	                        take_fingerprint(c), c->err)) != BRISE_OK ||
	    (status = plan_original(c)) != BRISE_OK || (status = open_store(c)) != BRISE_OK)
		return status;
	tell_needs(c);
	if ((status = run_steps(c)) == BRISE_OK)
		status = loop_finish(&c->store, c->err);
	if (status != BRISE_OK && status != BRISE_ECANCELED)
		tell_done(c);
	return status;
}

static size_t count_tokens(const encode_job *job)
{
	uint64_t n = job->calibration->header.tokens;

	return (size_t)(n < CLOSED_TOKENS ? n : CLOSED_TOKENS);
}

brise_status closed_check(const encode_job *job, brise_error *err)
{
	loop_file store;
	brise_status status = loop_plan(&store, job->name, job->plan, count_tokens(job), 0, err);

	if (status == BRISE_OK)
		status = loop_check(&store, err);
	loop_close(&store);
	return status;
}

brise_status closed_write(const encode_job *job, tile_error *all, brise_error *err)
{
	closed c = { .job = job,
		     .config = &job->plan->source->config,
		     .store = { .file = { .descriptor = -1 } },
		     .err = err };
	const int32_t *ids;
	brise_status status = calibration_take_ids(job->calibration, c.config->vocab, &ids, err);

	if (status == BRISE_OK)
		status = streams_new(&c.streams, c.config, job->name, ids, count_tokens(job),
		                     job->threads, job->options->arch, err);
	if (status == BRISE_OK) {
		c.threads = c.streams.engines[0]->pool;
		status = run(&c);
	}
	*all = c.all;
	input_free(&c.input);
	memory_free_aligned(c.storage);
	streams_free(&c.streams);
	loop_close(&c.store);
	return status;
}
