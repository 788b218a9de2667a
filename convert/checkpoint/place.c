/* place.c - matches names and shapes, and ignores or refuses all other tensors */
#include "convert/checkpoint/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/checkpoint/scales.h"
#include "convert/formats/elements.h"
#include "convert/formats/files.h"
#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"

static brise_status no_memory(const opened *o)
{
	return error_set(o->err, BRISE_ENOMEM, "%s: no memory to open it", o->folder);
}

static const char *path_of(const opened *o, const named_tensor *t)
{
	return o->cp.files[t->file].path;
}

brise_status place_sort(opened *o)
{
	const named_tensor *t = o->list.items;
	size_t i;

	tensors_order(&o->list);
	for (i = 1; i < o->list.n; i++) {
		if (strcmp(t[i - 1].name, t[i].name) != 0)
			continue;
		if (t[i - 1].file == t[i].file)
			return error_set(o->err, BRISE_EFORMAT, "%s: tensor %s appears twice",
			                 path_of(o, &t[i]), t[i].name);
		return error_set(o->err, BRISE_EFORMAT, "tensor %s appears twice, in %s and in %s",
		                 t[i].name, path_of(o, &t[i - 1]), path_of(o, &t[i]));
	}
	return BRISE_OK;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static brise_status check_shape(const opened *o, const named_tensor *t, uint32_t kind)
{
	named_tensor squeezed = *t, expected = { .n_dims = 2 };
	bool vector = order_is_vector(kind);
	const char *assumed = o->arch.assumed;
	char shape[TENSORS_SHAPE_MAX], wanted[TENSORS_SHAPE_MAX];
	uint32_t rows, cols;

	model_tensor_shape(&o->arch.config, kind, &rows, &cols);
	expected.shape[0] = rows;
	expected.shape[1] = cols;
	tensors_squeeze(&expected, vector ? 1 : 2);
	tensors_squeeze(&squeezed, expected.n_dims);
	if (t->dtype == 0 || (vector && t->dtype == ELEMENTS_F8_E4M3))
		return error_set(o->err, BRISE_EUNSUPPORTED, "%s: tensor %s is neither %sF32",
		                 path_of(o, t), t->name,
		                 vector ? "F16, BF16 nor " : "F16, BF16, F8_E4M3 nor ");
	if (squeezed.n_dims != expected.n_dims ||
	    memcmp(squeezed.shape, expected.shape, expected.n_dims * sizeof *expected.shape) != 0)
		return error_set(o->err, BRISE_EFORMAT,
		                 "%s: tensor %s: shape %s expected from the configuration, found "
		                 "%s%s%s%s",
		                 path_of(o, t), t->name, tensors_shape_text(wanted, &expected),
		                 tensors_shape_text(shape, t),
		                 *assumed ? " (config.json does not say " : "", assumed,
		                 *assumed ? ")" : "");
	return BRISE_OK;
}

/* ---- what is no weight ---------------------------------------------------------------------- */

/* Whether all elements, of F32, F16 or BF16, are `value`. */
static brise_status compare_elements(const opened *o, const named_tensor *t, float value,
                                     bool *equal)
{
	const checkpoint_file *file = &o->cp.files[t->file];
	uint32_t raw[256];
	float decoded[512];
	uint64_t at, n, each = t->dtype == ELEMENTS_F32 ? 4 : 2, i;
	brise_status status = BRISE_OK;

	*equal = t->dtype == ELEMENTS_F32 || t->dtype == ELEMENTS_F16 || t->dtype == ELEMENTS_BF16;
	for (at = 0; at < t->bytes && *equal && status == BRISE_OK; at += n) {
		n = t->bytes - at < sizeof raw ? t->bytes - at : sizeof raw;
		status = files_read_at(file->descriptor, raw, (size_t)n, t->offset + at, file->path,
		                       o->err);
		*equal = status == BRISE_OK &&
		         elements_decode(decoded, raw, t->dtype, (size_t)(n / each));
		for (i = 0; i < n / each && *equal; i++)
			*equal = decoded[i] == value;
	}
	return status;
}

/* GGUF files may hold a factor for each rotary frequency (Llama 3.1); Mistral's models have none
 * but ones. */
static brise_status check_rope_factors(const opened *o, const named_tensor *t)
{
	bool ones;
	brise_status status = compare_elements(o, t, 1, &ones);

	if (status == BRISE_OK && !ones)
		return error_set(o->err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: rotary frequencies with factors other than 1 are "
		                 "not supported",
		                 path_of(o, t), t->name);
	return status;
}

/* The kind of the matrix or vector that a bias is added after; 0: not a bias. */
static uint32_t find_biased(const opened *o, const char *name)
{
	size_t stem = strlen(name) - strlen(".bias");
	char weight[160];
	uint32_t layer;

	if (!names_end_with(name, ".bias") || stem > sizeof weight - sizeof ".weight")
		return 0;
	(void)snprintf(weight, sizeof weight, "%.*s.weight", (int)stem, name);
	return naming_find_kind(o->names, weight, o->arch.config.n_layers, &layer);
}

/* A bias that is all zero adds nothing. */
static brise_status check_bias(const opened *o, const named_tensor *t)
{
	bool zero;
	brise_status status = compare_elements(o, t, 0, &zero);

	if (status == BRISE_OK && !zero)
		return error_set(o->err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: biases are not supported unless all are zero",
		                 path_of(o, t), t->name);
	return status;
}

/* How many tensors of each kind were ignored. */
typedef struct passed {
	unsigned buffers, biases, scales;
} passed;

static brise_status pass_over(const opened *o, const named_tensor *t, passed *counts)
{
	if (naming_is_buffer(t->name)) {
		counts->buffers++;
		return BRISE_OK;
	}
	if (scales_is_weight_scale(o, t->name))
		return BRISE_OK;
	if (scales_is_activation_scale(o, t->name)) {
		counts->scales++;
		return BRISE_OK;
	}
	if (o->cp.gguf && !strcmp(t->name, "rope_freqs.weight"))
		return check_rope_factors(o, t);
	if (find_biased(o, t->name) != 0) {
		counts->biases++;
		return check_bias(o, t);
	}
	return error_set(o->err, BRISE_EUNSUPPORTED,
	                 "%s: tensor %s is not part of a Mistral model of %" PRIu32 " layers",
	                 path_of(o, t), t->name, o->arch.config.n_layers);
}

static void note_passed(opened *o, const passed *counts)
{
	if (counts->buffers > 0)
		notes_add(&o->decisions,
		          "%u buffers ignored, such as tables of rotary frequencies, which "
		          "follow from rope theta",
		          counts->buffers);
	if (counts->scales > 0)
		notes_add(&o->decisions,
		          "%u scales of activations ignored: activations are quantized as they "
		          "come",
		          counts->scales);
	if (counts->biases > 0)
		notes_add(&o->decisions, "%u biases ignored: all are zero", counts->biases);
}

/* ---- places --------------------------------------------------------------------------------- */

static brise_status place_tensor(opened *o, const named_tensor *t, passed *counts)
{
	checkpoint_tensor *place;
	uint32_t layer, kind = naming_find_kind(o->names, t->name, o->arch.config.n_layers, &layer);
	brise_status status;

	if (kind == 0)
		return pass_over(o, t, counts);
	if ((status = check_shape(o, t, kind)) != BRISE_OK)
		return status;
	place = &o->cp.tensors[layer][kind];
	model_tensor_shape(&o->arch.config, kind, &place->rows, &place->cols);
	place->name = t->name;
	place->dtype = (elements_type)t->dtype;
	place->file = t->file;
	place->offset = t->offset;
	return scales_find(o, t, &place->scale);
}

/* The output matrix may be the embedding, if the configuration says so. */
static void tie_output(opened *o)
{
	checkpoint_tensor *outside = o->cp.tensors[0];

	if (!o->arch.tied)
		return;
	o->arch.config.flags |= FORMAT_TIED;
	notes_add(&o->decisions, "output matrix: the embedding%s (%s)",
	          outside[TENSOR_OUTPUT].name ? "; the file's own is ignored" : "",
	          o->cp.gguf ? "no output.weight" : "configuration: tied embeddings");
	outside[TENSOR_OUTPUT] = outside[TENSOR_EMBEDDING];
}

static brise_status find_missing(const opened *o)
{
	uint32_t layer, kind;

	for (layer = 0; layer < o->arch.config.n_layers; layer++)
		for (kind = 1; kind < TENSOR_KINDS; kind++) {
			if ((layer > 0 && !order_is_in_layer(kind)) ||
			    o->cp.tensors[layer][kind].name)
				continue;
			if (order_is_in_layer(kind))
				return error_set(o->err, BRISE_EFORMAT,
				                 "%s: tensor %s%" PRIu32 ".%s is missing",
				                 o->folder, o->names->layer, layer,
				                 o->names->inside[kind]);
			return error_set(o->err, BRISE_EFORMAT, "%s: tensor %s is missing",
			                 o->folder, o->names->outside[kind]);
		}
	return BRISE_OK;
}

brise_status place_tensors(opened *o)
{
	brise_status status = BRISE_OK;
	passed counts = { 0, 0, 0 };
	size_t i;

	o->cp.tensors = memory_new(o->arch.config.n_layers, sizeof *o->cp.tensors);
	if (!o->cp.tensors)
		return no_memory(o);
	for (i = 0; i < o->list.n && status == BRISE_OK; i++)
		status = place_tensor(o, &o->list.items[i], &counts);
	if (status != BRISE_OK)
		return status;
	note_passed(o, &counts);
	tie_output(o);
	return find_missing(o);
}
