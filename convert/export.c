/* export.c - decodes every tensor, encodes it for the other format, and writes it at its place
 *
 * All sizes are known before the first weight is read: the header is written first, then the rows
 * (export_rows.c). Checksums are compared first: a damaged weight would otherwise become part of a
 * valid file.
 */
#include "convert/export.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/float_env.h"
#include "convert/checkpoint/naming.h"
#include "convert/export_rows.h"
#include "convert/formats/files.h"
#include "convert/formats/ggml_encode.h"
#include "convert/formats/gguf_writer.h"
#include "convert/formats/safetensors_writer.h"
#include "convert/tokenizer/gguf_tokenizer_writer.h"
#include "convert/tokenizer/sentencepiece_writer.h"
#include "convert/tokenizer/settings_writer.h"
#include "convert/tokenizer/tekken_writer.h"
#include "quant/half.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"
#include "runtime/os/target_folder.h"
#include "runtime/os/threads.h"
#include "runtime/text/added.h"
#include "runtime/text/tokenizer.h"

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

/* ---- remarks and data
 * ----------------------------------------------------------------------------------- */

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

/* 0: no layer has one. */
static uint32_t shortest_window(const brise_model *m)
{
	uint32_t layer, window, shortest = 0;

	for (layer = 0; layer < m->config.n_layers; layer++) {
		window = model_window(m, layer);
		if (window > 0 && (shortest == 0 || window < shortest))
			shortest = window;
	}
	return shortest;
}

/* Notes about what the file or the other format lacks. Made only after the target and the model
 * have been checked, so that a refusal is one line. */
static void tell_remarks(const exporter *e)
{
	const export_plan *p = &e->plan;
	const format_config *c = &p->model->config;
	bool is_gguf = e->options->format == EXPORT_GGUF;
	uint32_t shortest;

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
	shortest = shortest_window(p->model);
	if (is_gguf && shortest && (c->max_context == 0 || c->max_context > shortest))
		remark(e,
		       "llama.cpp attends to all tokens: its text differs once it is longer than "
		       "the window of %" PRIu32,
		       shortest);
}

/* Header and data into an open target, and its commit; discarded after an error. */
static brise_status fill_target(exporter *e, target_file *target, const buffer *header,
                                export_result *result, brise_error *err)
{
	brise_status status;

	if (header->failed)
		return error_set(err, BRISE_ENOMEM, "no memory for the header of %s", target->name);
	e->target = target;
	e->data_start = header->n;
	if ((status = target_check_space(target, e->data_start + e->data_bytes, err)) != BRISE_OK ||
	    (status = brise_verify_model(e->plan.model, tell_verified, export_is_cancelled, e,
	                                 err)) != BRISE_OK)
		return status;
	tell_remarks(e);
	if ((status = target_write_at(target, header->data, header->n, 0, err)) != BRISE_OK ||
	    (status = export_write_rows(e, err)) != BRISE_OK)
		return status;
	export_join_rows(e, result);
	return target_commit(target, err);
}

/* ---- the two forms -------------------------------------------------------------------------- */

static const target_kind gguf_kind = { GGUF_MAGIC, 4, "a GGUF file", false };

static brise_status write_gguf(exporter *e, const char *out, export_result *result,
                               brise_error *err)
{
	gguf_pairs tokenizer = { .n = 0 };
	buffer header = { NULL, 0, 0, false };
	target_file target = { .name = out, .descriptor = -1 };
	brise_status status = target_open(&target, out, &gguf_kind, err);

	if (status == BRISE_OK) {
		gguf_put_tokenizer(&tokenizer, e->plan.tokenizer, e->plan.model);
		gguf_make_header(&e->plan, &tokenizer, &header);
		status = fill_target(e, &target, &header, result, err);
	}
	target_discard(&target);
	buffer_free(&tokenizer.data);
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
		bool byte_level = e->plan.tokenizer->kind->byte_level;

		if (byte_level)
			tekken_make_json(e->plan.tokenizer, e->plan.model->facts.chat_format,
			                 &tokenizer);
		else
			sentencepiece_make_model(e->plan.tokenizer, &tokenizer);
		status = write_file(folder.part, byte_level ? "tekken.json" : "tokenizer.model",
		                    &tokenizer, err);
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

/* What the other format cannot say. */
static brise_status check_mathematics(const brise_model *m, bool is_gguf, brise_error *err)
{
	const format_config *c = &m->config;

	if (m->windows && !is_gguf)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: windows that differ between layers cannot be in a "
		                 "config.json; export it to GGUF",
		                 m->name);
	if (c->query_beta > 0 && c->rope_scaling == ROPE_YARN &&
	    c->query_original != c->rope_original)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: yarn from %" PRIu32 " positions on and a factor of queries "
		                 "from %" PRIu32 ": %s has one number for both",
		                 m->name, c->rope_original, c->query_original,
		                 is_gguf ? "a GGUF" : "a config.json");
	return BRISE_OK;
}

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
	if (!is_gguf && p->tokenizer && p->tokenizer->kind->byte_level &&
	    !tekken_can_hold(p->tokenizer))
		return error_set(
		        err, BRISE_EUNSUPPORTED,
		        "%s: a byte-level tokenizer with symbols of text among its control "
		        "tokens cannot be a tekken.json; export it to GGUF",
		        p->model->name);
	return check_mathematics(p->model, is_gguf, err);
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
	    (status = export_prepare_rows(&e, err)) != BRISE_OK)
		goto done;
	status = options->format == EXPORT_GGUF ? write_gguf(&e, out, &facts, err)
	                                        : write_safetensors(&e, out, &facts, err);
	facts.seconds = os_clock() - start;
	if (status == BRISE_OK && result)
		*result = facts;
done:
	export_free_rows(&e);
	memory_free(e.plan.tensors);
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
