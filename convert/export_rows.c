/* export_rows.c - slices of rows on all threads: decoded, encoded, and written at their place
 *
 * The errors of slices are added in order afterwards, so files and figures are the same for any
 * number of threads.
 */
#include "convert/export_rows.h"

#include <inttypes.h>

#include "convert/formats/ggml_encode.h"
#include "convert/formats/gguf_writer.h"
#include "convert/slices.h"
#include "quant/half.h"
#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/model/tensor.h"
#include "runtime/os/memory.h"

#define SLICE_ROWS 32u

static void plan_slices(exporter *e)
{
	row_slice *p = e->slices;
	uint32_t i, first;

	for (i = 0; i < e->plan.n_tensors; i++) {
		uint32_t rows = e->plan.tensors[i].rows;

		for (first = 0; first < rows; first += SLICE_ROWS)
			*p++ = (row_slice){ .tensor = i,
				            .first = first,
				            .n = rows - first < SLICE_ROWS ? rows - first
				                                           : SLICE_ROWS };
	}
}

brise_status export_prepare_rows(exporter *e, brise_error *err)
{
	size_t widest = 1, row_bytes = 1, i;

	for (i = 0; i < e->plan.n_tensors; i++) {
		const export_tensor *t = &e->plan.tensors[i];

		widest = t->cols > widest ? t->cols : widest;
		row_bytes = t->row_bytes > row_bytes ? t->row_bytes : row_bytes;
		e->n_slices += divide_up(t->rows, SLICE_ROWS);
	}
	e->slices = memory_new(e->n_slices, sizeof *e->slices);
	e->spaces = memory_new(e->threads, sizeof *e->spaces);
	if (!e->slices || !e->spaces)
		return error_set(err, BRISE_ENOMEM, "no memory to plan %zu slices", e->n_slices);
	for (i = 0; i < e->threads; i++) {
		e->spaces[i].row = memory_new(widest, sizeof(float));
		e->spaces[i].out = memory_new(row_bytes * SLICE_ROWS, 1);
		if (!e->spaces[i].row || !e->spaces[i].out)
			return error_set(err, BRISE_ENOMEM,
			                 "no memory for %u threads with rows of %zu", e->threads,
			                 widest);
	}
	plan_slices(e);
	return BRISE_OK;
}

void export_free_rows(exporter *e)
{
	unsigned i;

	for (i = 0; e->spaces && i < e->threads; i++) {
		memory_free(e->spaces[i].row);
		memory_free(e->spaces[i].out);
	}
	memory_free(e->spaces);
	memory_free(e->slices);
}

/* Infinity and NaN have all exponent bits set; a file's row scale may be either. */
static bool is_finite_row(const float *row, size_t n)
{
	bool finite = true;
	size_t i;

	for (i = 0; i < n; i++)
		finite = finite && (half_to_bits(row[i]) & 0x7f800000) != 0x7f800000;
	return finite;
}

static brise_status encode_row(const exporter *e, const export_tensor *t, uint32_t row,
                               const export_space *space, uint8_t *out, tile_error *sum,
                               brise_error *err)
{
	const brise_model *m = e->plan.model;
	bool turned =
	        e->options->format == EXPORT_GGUF && (t->kind == TENSOR_WQ || t->kind == TENSOR_WK);
	uint32_t source = turned ? gguf_source_row(row, m->config.head_dim) : row;
	brise_status status = brise_read_row(m, t->index, source, space->row, err);
	char name[48];

	if (status != BRISE_OK)
		return status;
	model_tensor_name(name, t->kind, t->layer);
	if (!is_finite_row(space->row, t->cols))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor %s: a weight in row %" PRIu32
		                 " is infinite or not a number",
		                 m->name, name, source);
	if (!ggml_encode_row(t->type, out, space->row, t->cols, sum))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: a weight in row %" PRIu32 " is too large for %s",
		                 m->name, name, source, ggml_encoded_name(t->type));
	return BRISE_OK;
}

static brise_status write_slice(void *self, unsigned worker, size_t index, brise_error *err)
{
	exporter *e = self;
	row_slice *p = &e->slices[index];
	const export_tensor *t = &e->plan.tensors[p->tensor];
	const export_space *space = &e->spaces[worker];
	tile_error norms = { 0, 0 };
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < p->n && status == BRISE_OK; i++)
		status = encode_row(e, t, p->first + i, space, space->out + i * t->row_bytes,
		                    t->is_vector ? &norms : &p->error, err);
	if (status != BRISE_OK)
		return status;
	atomic_fetch_add(&e->done, p->n * t->row_bytes);
	return target_write_at(e->target, space->out, p->n * t->row_bytes,
	                       e->data_start + t->offset + p->first * t->row_bytes, err);
}

bool export_is_cancelled(void *user)
{
	const exporter *e = user;

	return e->options->cancel && e->options->cancel(e->options->user);
}

static brise_status ask_cancel(exporter *e, brise_error *err)
{
	return export_is_cancelled(e)
	               ? error_set(err, BRISE_ECANCELED, "export cancelled; nothing was written")
	               : BRISE_OK;
}

static brise_status tell_progress(void *self, size_t index, brise_error *err)
{
	exporter *e = self;
	const export_tensor *t = &e->plan.tensors[e->slices[index].tensor];
	char name[48];

	model_tensor_name(name, t->kind, t->layer);
	if (e->options->progress)
		e->options->progress(e->options->user, name, atomic_load(&e->done), e->data_bytes);
	return ask_cancel(e, err);
}

brise_status export_write_rows(exporter *e, brise_error *err)
{
	const slices job = { e->n_slices, e->threads, write_slice, tell_progress, e };
	brise_status status;

	atomic_store(&e->done, 0);
	status = slices_run(&job, err);
	return status == BRISE_OK ? ask_cancel(e, err) : status;
}

void export_join_rows(const exporter *e, export_result *result)
{
	const brise_model *m = e->plan.model;
	tile_error all = { 0, 0 };
	double source = 0;
	size_t tensor, i = 0;

	for (tensor = 0; tensor < e->plan.n_tensors; tensor++) {
		const export_tensor *t = &e->plan.tensors[tensor];
		tile_error sum = { 0, 0 };

		for (; i < e->n_slices && e->slices[i].tensor == tensor; i++) {
			tile_add_error(&sum, &e->slices[i].error);
		}
		tile_add_error(&all, &sum);
		source += sum.norm * (double)m->tensors[t->index].relative_error;
		result->weights += t->is_vector ? 0 : (uint64_t)t->rows * t->cols;
		if (tile_relative_error(&sum) > result->worst_error) {
			result->worst_error = tile_relative_error(&sum);
			model_tensor_name(result->worst_name, t->kind, t->layer);
		}
	}
	result->relative_error = tile_relative_error(&all);
	result->source_error = all.norm > 0 ? source / all.norm : 0;
	result->file_bytes = e->data_start + e->data_bytes;
	result->bits_per_weight = 8.0 * (double)result->file_bytes / (double)result->weights;
}
