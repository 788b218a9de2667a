/* export.c - decodes every tensor, encodes it for the other format, and writes it at its place
 *
 * All sizes are known before the first weight is read: the header is written first, then slices of
 * rows by all threads. The errors of slices are added in order afterwards, so files and figures are
 * the same for any number of threads. Checksums are compared first: a damaged weight would
 * otherwise become part of a valid file.
 */
#include "convert/export.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "arch/float_env.h"
#include "convert/checkpoint/naming.h"
#include "convert/formats/export_plan.h"
#include "convert/formats/files.h"
#include "convert/formats/ggml_encode.h"
#include "convert/formats/gguf_writer.h"
#include "convert/formats/safetensors_writer.h"
#include "convert/slices.h"
#include "convert/tokenizer/sentencepiece_writer.h"
#include "convert/tokenizer/settings_writer.h"
#include "quant/half.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"
#include "runtime/os/target_folder.h"
#include "runtime/text/added.h"
#include "runtime/text/tokenizer.h"

#define SLICE_ROWS 32u

typedef struct row_slice {
	uint32_t tensor, first, n;
	tile_error error;
} row_slice;

/* Buffers of one thread. */
typedef struct export_space {
	float *row;
	uint8_t *out;
} export_space;

typedef struct exporter {
	const export_options *options;
	export_plan plan;
	uint64_t data_bytes, data_start; /* the start is that in the file */
	row_slice *slices;
	size_t n_slices;
	export_space *spaces;
	unsigned threads;
	const target_file *target;
	atomic_uint_fast64_t done;
} exporter;

void export_init_options(export_options *options)
{
	memset(options, 0, sizeof *options);
	options->format = EXPORT_GGUF;
	options->type = GGML_F16;
}

/* ---- plan ----------------------------------------------------------------------------------- */

/* The tensor of that kind in the model's table; of several the last, as the forward pass takes it.
 * Opening checked that there is one. */
static size_t find_index(const brise_model *m, uint32_t kind, uint32_t layer)
{
	size_t i = m->n_tensors;

	while (i-- > 0)
		if (m->tensors[i].kind == kind && m->tensors[i].layer == layer)
			return i;
	return 0;
}

/* True if binary16 holds every value: norms of an fp16 checkpoint then come back in the type they
 * had. */
static bool fits_f16(const brise_model *m, size_t index, float *row)
{
	uint32_t i, cols = m->tensors[index].cols;

	if (brise_read_row(m, index, 0, row, NULL) != BRISE_OK)
		return false;
	for (i = 0; i < cols; i++)
		if (half_to_bits(half_decode(half_encode(row[i]))) != half_to_bits(row[i]))
			return false;
	return true;
}

static void name_tensor(export_tensor *t, const naming *names)
{
	if (names->inside[t->kind])
		(void)snprintf(t->name, sizeof t->name, "%s%" PRIu32 ".%s", names->layer, t->layer,
		               names->inside[t->kind]);
	else
		(void)snprintf(t->name, sizeof t->name, "%s", names->outside[t->kind]);
}

static brise_status plan_tensor(exporter *e, uint32_t kind, uint32_t layer, float *row,
                                brise_error *err)
{
	export_tensor *t = &e->plan.tensors[e->plan.n_tensors++];
	const brise_model *m = e->plan.model;
	bool is_gguf = e->options->format == EXPORT_GGUF;
	char name[48];

	t->kind = kind;
	t->layer = layer;
	t->index = find_index(m, kind, layer);
	t->rows = m->tensors[t->index].rows;
	t->cols = m->tensors[t->index].cols;
	t->is_vector = order_is_vector(kind);
	t->type = !t->is_vector                            ? e->plan.type
	          : !is_gguf && fits_f16(m, t->index, row) ? GGML_F16
	                                                   : GGML_F32;
	name_tensor(t, is_gguf ? &naming_gguf : &naming_hugging_face);
	if (!ggml_encoded_bytes(t->type, t->cols, &t->row_bytes)) {
		model_tensor_name(name, kind, layer);
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: %" PRIu32
		                 " columns are no multiple of 32, which %s needs; export it as f16",
		                 m->name, name, t->cols, ggml_encoded_name(t->type));
	}
	t->bytes = (uint64_t)t->rows * t->row_bytes;
	t->offset = e->data_bytes;
	e->data_bytes += t->bytes;
	if (is_gguf)
		e->data_bytes += (GGUF_ALIGNMENT - e->data_bytes % GGUF_ALIGNMENT) % GGUF_ALIGNMENT;
	e->n_slices += divide_up(t->rows, SLICE_ROWS);
	return BRISE_OK;
}

/* In the order the forward pass reads them. Sizes are bounded by model_check_config: no sum comes
 * near 2^64. */
static brise_status plan_tensors(exporter *e, brise_error *err)
{
	const format_config *c = &e->plan.model->config;
	float *row = memory_new(c->dim, sizeof *row);
	brise_status status = BRISE_OK;
	uint32_t layer, kind;
	size_t i;

	e->plan.tensors = memory_new(order_count(c), sizeof *e->plan.tensors);
	if (!row || !e->plan.tensors)
		status = error_set(err, BRISE_ENOMEM, "no memory for the tensor table");
	for (i = 0; status == BRISE_OK && order_at(c, i, &kind, &layer); i++)
		status = plan_tensor(e, kind, layer, row, err);
	memory_free(row);
	return status;
}

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

static brise_status allocate(exporter *e, brise_error *err)
{
	size_t widest = 1, row_bytes = 1, i;

	for (i = 0; i < e->plan.n_tensors; i++) {
		const export_tensor *t = &e->plan.tensors[i];

		widest = t->cols > widest ? t->cols : widest;
		row_bytes = t->row_bytes > row_bytes ? t->row_bytes : row_bytes;
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
	return BRISE_OK;
}

static void free_exporter(exporter *e)
{
	unsigned i;

	for (i = 0; e->spaces && i < e->threads; i++) {
		memory_free(e->spaces[i].row);
		memory_free(e->spaces[i].out);
	}
	memory_free(e->spaces);
	memory_free(e->slices);
	memory_free(e->plan.tensors);
}

/* ---- data ----------------------------------------------------------------------------------- */

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

static bool is_cancelled(void *user)
{
	const exporter *e = user;

	return e->options->cancel && e->options->cancel(e->options->user);
}

static brise_status ask_cancel(exporter *e, brise_error *err)
{
	return is_cancelled(e)
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

static void join_slices(const exporter *e, export_result *result)
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

static void tell_verified(void *user, uint64_t done, uint64_t total)
{
	const exporter *e = user;

	if (e->options->progress)
		e->options->progress(e->options->user, "checksums", done, total);
}

static void remark(const exporter *e, const char *format, ...) PORTABLE_PRINTF(2, 3);

static void remark(const exporter *e, const char *format, ...)
{
	char line[256];
	va_list args;

	if (!e->options->decision)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof line, format, args);
	va_end(args);
	e->options->decision(e->options->user, line);
}

/* Notes about what the file or the other format lacks. Made only after the target and the model
 * have been checked, so that a refusal is one line. */
/* Rules of added tokens that the other format cannot state. */
static void tell_added(const exporter *e, const struct tokenizer_added *a, bool is_gguf)
{
	uint32_t flags = a->normalized.n > 0 ? ADDED_NORMALIZED : 0;
	size_t i;

	for (i = 0; i < a->plain.n; i++)
		flags |= a->plain.items[i].flags;
	if (is_gguf && a->symbols && (a->rule == ADDED_FIRST || a->rule == ADDED_ALWAYS))
		remark(e, "llama.cpp puts a space in front of every text between added tokens; "
		          "this model was trained otherwise");
	if (!is_gguf && a->symbols && a->rule == ADDED_ALWAYS)
		remark(e, "texts between added tokens that begin with a space get another one "
		          "from readers of tokenizer.model");
	if (is_gguf && a->symbols && flags & ~ADDED_SPECIAL)
		remark(e, "a GGUF cannot say lstrip, rstrip, single_word and normalized of added "
		          "tokens");
}

static void tell_remarks(const exporter *e)
{
	const export_plan *p = &e->plan;
	const format_config *c = &p->model->config;
	bool is_gguf = e->options->format == EXPORT_GGUF;

	if (!p->tokenizer)
		remark(e, "no tokenizer in the file: %s",
		       is_gguf ? "the GGUF takes token ids only" : "the folder gets none");
	else if (p->tokenizer->vocab < c->vocab && is_gguf)
		remark(e,
		       "tokens %" PRIu32 "..%" PRIu32 " have no piece: unused pieces [PAD%" PRIu32
		       "] and so on stand for them",
		       p->tokenizer->vocab, c->vocab - 1, p->tokenizer->vocab);
	if (p->tokenizer)
		tell_added(e, p->tokenizer->added, is_gguf);
	if (is_gguf && p->model->facts.n_ends > 2)
		remark(e, "a GGUF states two end tokens; llama.cpp finds others by their names");
	if (is_gguf && c->window && (c->max_context == 0 || c->max_context > c->window))
		remark(e,
		       "llama.cpp attends to all tokens: its text differs once it is longer than "
		       "the window of %" PRIu32,
		       c->window);
}

/* Header and data into an open target, and its commit; discarded after an error. */
static brise_status fill_target(exporter *e, target_file *target, const buffer *header,
                                export_result *result, brise_error *err)
{
	const slices job = { e->n_slices, e->threads, write_slice, tell_progress, e };
	brise_status status;

	if (header->failed)
		return error_set(err, BRISE_ENOMEM, "no memory for the header of %s", target->name);
	e->target = target;
	e->data_start = header->n;
	atomic_store(&e->done, 0);
	if ((status = target_check_space(target, e->data_start + e->data_bytes, err)) != BRISE_OK ||
	    (status = brise_verify_model(e->plan.model, tell_verified, is_cancelled, e, err)) !=
	            BRISE_OK)
		return status;
	tell_remarks(e);
	if ((status = target_write_at(target, header->data, header->n, 0, err)) != BRISE_OK ||
	    (status = slices_run(&job, err)) != BRISE_OK ||
	    (status = ask_cancel(e, err)) != BRISE_OK)
		return status;
	join_slices(e, result);
	return target_commit(target, err);
}

/* ---- the two forms -------------------------------------------------------------------------- */

static const target_kind gguf_kind = { GGUF_MAGIC, 4, "a GGUF file" };

static brise_status write_gguf(exporter *e, const char *out, export_result *result,
                               brise_error *err)
{
	buffer header = { NULL, 0, 0, false };
	target_file target = { .name = out, .descriptor = -1 };
	brise_status status = target_open(&target, out, &gguf_kind, err);

	if (status == BRISE_OK) {
		gguf_make_header(&e->plan, &header);
		status = fill_target(e, &target, &header, result, err);
	}
	target_discard(&target);
	buffer_free(&header);
	return status;
}

/* A small file of the folder. */
static brise_status write_file(const char *folder, const char *name, const buffer *content,
                               brise_error *err)
{
	char *path = files_join(folder, name);
	target_file target = { .descriptor = -1 };
	brise_status status;

	if (!path || content->failed)
		status = error_set(err, BRISE_ENOMEM, "no memory for %s", name);
	else if ((status = target_open(&target, path, NULL, err)) == BRISE_OK &&
	         (status = target_write_at(&target, content->data, content->n, 0, err)) == BRISE_OK)
		status = target_commit(&target, err);
	target_discard(&target);
	memory_free(path);
	return status;
}

static brise_status write_weights(exporter *e, const char *folder, const char *out,
                                  export_result *result, brise_error *err)
{
	char *path = files_join(folder, "model.safetensors");
	buffer header = { NULL, 0, 0, false };
	target_file target = { .descriptor = -1 };
	brise_status status = path ? target_open(&target, path, NULL, err)
	                           : error_set(err, BRISE_ENOMEM, "no memory for a path");

	if (status == BRISE_OK) {
		target.name = out; /* the name that the user gave */
		safetensors_make_header(&e->plan, &header);
		status = fill_target(e, &target, &header, result, err);
	}
	target_discard(&target);
	buffer_free(&header);
	memory_free(path);
	return status;
}

static brise_status write_safetensors(exporter *e, const char *out, export_result *result,
                                      brise_error *err)
{
	buffer config = { NULL, 0, 0, false }, tokenizer = { NULL, 0, 0, false },
	       settings = { NULL, 0, 0, false }, generation = { NULL, 0, 0, false };
	target_folder folder;
	brise_status status = target_folder_open(&folder, out, err);

	if (status != BRISE_OK)
		return status;
	safetensors_make_config(&e->plan, &config);
	status = write_file(folder.part, "config.json", &config, err);
	if (status == BRISE_OK && e->plan.tokenizer) {
		sentencepiece_make_model(e->plan.tokenizer, &tokenizer);
		status = write_file(folder.part, "tokenizer.model", &tokenizer, err);
	}
	if (status == BRISE_OK && e->plan.tokenizer) {
		settings_make_tokenizer(e->plan.model, e->plan.tokenizer, &settings);
		status = write_file(folder.part, "tokenizer_config.json", &settings, err);
	}
	if (status == BRISE_OK && e->plan.model->facts.n_ends > 0) {
		settings_make_generation(e->plan.model, &generation);
		status = write_file(folder.part, "generation_config.json", &generation, err);
	}
	if (status == BRISE_OK)
		status = write_weights(e, folder.part, out, result, err);
	if (status == BRISE_OK)
		status = target_folder_commit(&folder, err);
	target_folder_discard(&folder);
	buffer_free(&config);
	buffer_free(&tokenizer);
	buffer_free(&settings);
	buffer_free(&generation);
	return status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static brise_status check_options(const exporter *e, brise_error *err)
{
	const export_plan *p = &e->plan;
	bool is_gguf = e->options->format == EXPORT_GGUF;

	if (!(p->type == GGML_F16 || (is_gguf && (p->type == GGML_Q8_0 || p->type == GGML_Q4_0))))
		return error_set(err, BRISE_EINVAL, "%s cannot be written as type %s",
		                 is_gguf ? "a GGUF" : "safetensors", ggml_encoded_name(p->type));
	if (p->tokenizer && p->tokenizer->vocab > p->model->config.vocab)
		return error_set(err, BRISE_EINVAL,
		                 "%s: a tokenizer of %" PRIu32 " pieces for a model of %" PRIu32
		                 " tokens",
		                 p->model->name, p->tokenizer->vocab, p->model->config.vocab);
	return BRISE_OK;
}

static brise_status export(const brise_model *model, const char *out, const export_options *options,
                           export_result *result, brise_error *err)
{
	exporter e = { .options = options,
		       .plan = { .model = model, .name = options->name, .type = options->type } };
	export_result facts = { 0 };
	double start = os_clock();
	brise_status status;

	e.plan.tokenizer = options->tokenizer ? options->tokenizer : model->tokenizer;
	e.threads = options->threads ? options->threads : threads_available();
	e.threads = e.threads > THREADS_MAX ? THREADS_MAX : e.threads;
	if ((status = check_options(&e, err)) != BRISE_OK ||
	    (status = plan_tensors(&e, err)) != BRISE_OK ||
	    (status = allocate(&e, err)) != BRISE_OK)
		goto done;
	plan_slices(&e);
	status = options->format == EXPORT_GGUF ? write_gguf(&e, out, &facts, err)
	                                        : write_safetensors(&e, out, &facts, err);
	facts.seconds = os_clock() - start;
	if (status == BRISE_OK && result)
		*result = facts;
done:
	free_exporter(&e);
	return status;
}

brise_status export_model(const brise_model *model, const char *out, const export_options *options,
                          export_result *result, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = export(model, out, options, result, err);

	float_env_leave(host);
	return status;
}
