/* scales.c - FP8: weight = code * scale
 *
 * The scale is a multiplier in both forms, in spite of one of its names: "X.weight_scale_inv"
 * beside "X.weight" (transformers), "X.qscale_weight" (Mistral's own). It is one number, of shape
 * [] as published. Codes have 4 significant bits and BF16 scales 8, so their product is exact in
 * float.
 */
#include "convert/checkpoint/scales.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/formats/names.h"
#include "runtime/error.h"

#define NAME_BYTES 512u

static const char *const weight_scales[] = { "weight_scale_inv", "qscale_weight", NULL };

/* The part of a name before its last dot, with `end` behind it; NULL: no dot, or too long. */
static const char *with_end(char text[NAME_BYTES], const char *name, const char *end)
{
	const char *dot = strrchr(name, '.');
	int n = dot ? snprintf(text, NAME_BYTES, "%.*s%s", (int)(dot + 1 - name), name, end) : -1;

	return n >= 0 && n < (int)NAME_BYTES ? text : NULL;
}

static brise_status read_scale(const opened *o, const named_tensor *t, float *scale)
{
	const checkpoint_file *file = &o->cp.files[t->file];
	named_tensor squeezed = *t;
	uint32_t raw = 0;
	brise_status status;

	tensors_squeeze(&squeezed, 0);
	if (squeezed.n_dims != 0 ||
	    (t->dtype != ELEMENTS_BF16 && t->dtype != ELEMENTS_F16 && t->dtype != ELEMENTS_F32))
		return error_set(o->err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: one number of type BF16, F16 or F32 expected; "
		                 "scales for parts of a matrix are not supported",
		                 file->path, t->name);
	status = files_read_at(file->descriptor, &raw, (size_t)t->bytes, t->offset, file->path,
	                       o->err);
	if (status != BRISE_OK)
		return status;
	if (!elements_decode(scale, &raw, t->dtype, 1) || !(*scale > 0))
		return error_set(o->err, BRISE_EFORMAT,
		                 "%s: tensor %s: a scale that is not a positive number", file->path,
		                 t->name);
	return BRISE_OK;
}

brise_status scales_find(const opened *o, const named_tensor *matrix, float *scale)
{
	char text[NAME_BYTES];
	size_t i;

	*scale = 1;
	if (matrix->dtype != ELEMENTS_F8_E4M3)
		return BRISE_OK;
	for (i = 0; weight_scales[i]; i++) {
		const char *name = with_end(text, matrix->name, weight_scales[i]);
		const named_tensor *t = name ? tensors_find(&o->list, name) : NULL;

		if (t)
			return read_scale(o, t, scale);
	}
	return error_set(o->err, BRISE_EFORMAT,
	                 "%s: tensor %s: %s, but no scale beside it (%s or %s)",
	                 o->cp.files[matrix->file].path, matrix->name, elements_name(matrix->dtype),
	                 weight_scales[0], weight_scales[1]);
}

/* Whether a matrix of the model lies beside the name, and of which type. */
static bool is_beside_matrix(const opened *o, const char *name, bool in_8_bits)
{
	char text[NAME_BYTES];
	const char *weight = with_end(text, name, "weight");
	const named_tensor *t = weight ? tensors_find(&o->list, weight) : NULL;
	uint32_t layer;

	return t && naming_find_kind(o->names, t->name, o->arch.config.n_layers, &layer) != 0 &&
	       (!in_8_bits || t->dtype == ELEMENTS_F8_E4M3);
}

bool scales_is_weight_scale(const opened *o, const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && names_contain(weight_scales, dot + 1) && is_beside_matrix(o, name, true);
}

/* "layers.3.attention.kv_fake_quantizer.qscale_act" */
static bool is_fake_quantizer(const opened *o, const char *name)
{
	static const char *const ends[] = { "kv", "q", "k", "v" };
	char end[64], text[NAME_BYTES];
	uint32_t layer;
	size_t i;

	for (i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(end, sizeof end, ".attention.%s_fake_quantizer.qscale_act", ends[i]);
		if (!names_end_with(name, end))
			continue;
		/* in a layer of the model, as its norm is */
		(void)snprintf(text, sizeof text, "%.*s.%s", (int)(strlen(name) - strlen(end)),
		               name, naming_mistral.inside[TENSOR_ATTENTION_NORM]);
		return naming_find_kind(&naming_mistral, text, o->arch.config.n_layers, &layer) !=
		       0;
	}
	return false;
}

bool scales_is_activation_scale(const opened *o, const char *name)
{
	static const char *const ends[] = { "activation_scale", "qscale_act", NULL };
	const char *dot = strrchr(name, '.');

	return dot && names_contain(ends, dot + 1) &&
	       (is_beside_matrix(o, name, false) || is_fake_quantizer(o, name));
}
