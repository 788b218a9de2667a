/* plan.c - types, sizes and offsets of all tensors and sections */
#include "convert/plan.h"

#include <inttypes.h>
#include <string.h>

#include "convert/sample.h"
#include "convert/types.h"
#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"

#define SECTION_ALIGN 64u

static void plan_tensors(file_plan *p, uint32_t type)
{
	const format_config *config = &p->source->config;
	uint32_t kind, layer;
	size_t i;

	for (i = 0; order_at(config, i, &kind, &layer); i++) {
		format_tensor *t = &p->tensors[i];

		*t = (format_tensor){ .kind = kind,
			              .layer = layer,
			              .type = order_is_vector(kind) ? TYPE_F32 : type };
		model_tensor_shape(config, kind, &t->rows, &t->cols);
	}
	p->n_tensors = (uint32_t)i;
}

static void plan_section(file_plan *p, uint32_t kind, uint32_t flags, const void *contents,
                         uint64_t bytes)
{
	if (bytes == 0)
		return;
	p->contents[p->n_sections] = contents;
	p->sections[p->n_sections++] =
	        (format_section){ .kind = kind, .flags = flags, .bytes = bytes };
}

uint32_t plan_version(const convert_source *s)
{
	return config_bytes(&s->config) > FORMAT_CONFIG_1 || s->windows ? 2 : 1;
}

/* Offsets of the sections; returns where they end. */
static uint64_t plan_sections(file_plan *p)
{
	const convert_source *s = p->source;
	uint64_t at;
	uint32_t i;

	plan_section(p, SECTION_CONFIG, SECTION_REQUIRED, &s->config,
	             plan_version(s) == 1 ? FORMAT_CONFIG_1 : sizeof s->config);
	plan_section(p, SECTION_TENSORS, SECTION_REQUIRED, p->tensors,
	             (uint64_t)p->n_tensors * sizeof(format_tensor));
	plan_section(p, SECTION_WINDOWS, SECTION_REQUIRED, s->windows,
	             s->windows ? s->config.n_layers * sizeof *s->windows : 0);
	plan_section(p, SECTION_TOKENIZER, 0, s->tokenizer, s->tokenizer_bytes);
	plan_section(p, SECTION_ORIGIN, 0, s->origin, s->origin ? strlen(s->origin) : 0);
	plan_section(p, SECTION_ENDS, 0, s->ends, s->n_ends * sizeof *s->ends);
	plan_section(p, SECTION_ADDED, 0, s->added, s->added_bytes);
	plan_section(p, SECTION_TEMPLATE, 0, s->chat_template,
	             s->chat_template ? strlen(s->chat_template) : 0);
	plan_section(p, SECTION_CHAT, 0, s->chat_format,
	             s->chat_format ? strlen(s->chat_format) : 0);
	at = sizeof(format_header) + p->n_sections * sizeof(format_section);
	for (i = 0; i < p->n_sections; i++) {
		p->sections[i].offset = at = round_up(at, SECTION_ALIGN);
		at += p->sections[i].bytes;
	}
	return at;
}

/* Offsets of the tensors, after `at`. Sizes are bounded by model_check_config: no sum comes near
 * 2^64. */
static brise_status plan_offsets(file_plan *p, uint64_t at, const char *name, brise_error *err)
{
	uint32_t i;

	p->source_bytes = 0;
	for (i = 0; i < p->n_tensors; i++) {
		format_tensor *t = &p->tensors[i];

		if (!type_tensor_bytes(t->type, t->rows, t->cols, &t->bytes))
			return error_set(err, BRISE_EINVAL,
			                 "%s: tensor %" PRIu32 " of %" PRIu32 " x %" PRIu32
			                 " cannot be stored",
			                 name, i, t->rows, t->cols);
		t->offset = at = round_up(at, FORMAT_PAGE);
		at += t->bytes;
		p->source_bytes += (uint64_t)t->rows * t->cols * 2;
	}
	p->file_bytes = at;
	return BRISE_OK;
}

brise_status plan_make(file_plan *p, const convert_source *source, const convert_options *o,
                       const calibration *inputs, book_errors_fn *errors, const char *name,
                       brise_error *err)
{
	sample s = { source, inputs, errors };
	brise_status status;
	uint64_t at;

	*p = (file_plan){ .source = source };
	p->tensors = memory_new(order_count(&source->config), sizeof *p->tensors);
	if (!p->tensors)
		return error_set(err, BRISE_ENOMEM, "no memory for the tensor table");
	plan_tensors(p, o->type);
	at = plan_sections(p);
	status = plan_offsets(p, at, name, err);
	if (status == BRISE_OK && o->bits > 0 && o->type == TYPE_Q4)
		status = types_spend(p->tensors, p->n_tensors, source->config.n_layers,
		                     p->file_bytes, o->bits, sample_measure, &s, err);
	if (status == BRISE_OK)
		status = types_apply(p->tensors, p->n_tensors, o->tensor_types, o->n_tensor_types,
		                     err);
	return status == BRISE_OK ? plan_offsets(p, at, name, err) : status;
}

void plan_free(file_plan *p)
{
	memory_free(p->tensors);
	p->tensors = NULL;
}

uint64_t plan_weights(const file_plan *p)
{
	uint64_t weights = 0;
	uint32_t i;

	for (i = 0; i < p->n_tensors; i++)
		if (!order_is_vector(p->tensors[i].kind))
			weights += (uint64_t)p->tensors[i].rows * p->tensors[i].cols;
	return weights;
}
