/* plan.c - types, sizes and offsets of all tensors and sections */
#include "convert/plan.h"

#include <inttypes.h>
#include <string.h>

#include "convert/encode.h"
#include "convert/mixed/choice.h"
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

	p->n_sections = 0;
	plan_section(p, SECTION_CONFIG, SECTION_REQUIRED, &s->config,
	             plan_version(s) == 1 ? FORMAT_CONFIG_1 : sizeof s->config);
	plan_section(p, SECTION_TENSORS, SECTION_REQUIRED, p->tensors,
	             (uint64_t)p->n_tensors * sizeof(format_tensor));
	plan_section(p, SECTION_WINDOWS, SECTION_REQUIRED, s->windows,
	             s->windows ? s->config.n_layers * sizeof *s->windows : 0);
	plan_section(p, SECTION_TOKENIZER, 0, s->tokenizer, s->tokenizer_bytes);
	plan_section(p, SECTION_ORIGIN, 0, p->origin, p->origin ? strlen(p->origin) : 0);
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

/* Sections and tensors, with the types as they are. */
static brise_status place_all(file_plan *p, const char *name, brise_error *err)
{
	return plan_offsets(p, plan_sections(p), name, err);
}

/* The origin becomes the source's with the lines of the choice behind it. */
static brise_status write_origin(file_plan *p, bool chosen, brise_error *err)
{
	const char *before = p->source->origin ? p->source->origin : "";
	notes lines = { NULL, 0, false };

	memory_free(p->origin);
	p->origin = NULL;
	if (chosen)
		choice_describe(p->choice, &lines);
	p->origin = memory_new(strlen(before) + lines.bytes + 1, 1);
	if (p->origin && !lines.failed) {
		strcpy(p->origin, before);
		strcat(p->origin, lines.text ? lines.text : "");
	}
	memory_free(lines.text);
	return p->origin && !lines.failed ? BRISE_OK
	                                  : error_set(err, BRISE_ENOMEM, "no memory for notes");
}

/* Types for `room` bytes more than if all were q3, and what follows from them. */
static brise_status spend(file_plan *p, uint64_t room, brise_error *err)
{
	brise_status status = choice_spend(p->choice, room, err);

	if (status == BRISE_OK && (status = write_origin(p, true, err)) == BRISE_OK)
		status = place_all(p, p->choice->job->name, err);
	return status;
}

/* The largest types within the budget. Lines that describe the choice take room themselves, and how
 * much is known only afterwards: what was too much is left out the next time. */
static brise_status choose(file_plan *p, brise_error *err)
{
	uint64_t most = p->choice->most, least;
	brise_status status = spend(p, 0, err);

	least = p->file_bytes;
	while (status == BRISE_OK && most > least) {
		if ((status = spend(p, most - least, err)) != BRISE_OK ||
		    p->file_bytes <= p->choice->most)
			break;
		most -= p->file_bytes - p->choice->most;
	}
	if (status == BRISE_OK && most <= least)
		status = spend(p, 0, err);
	return status == BRISE_OK ? choice_check(p->choice, err) : status;
}

brise_status plan_make(file_plan *p, const convert_source *source, const encode_job *job,
                       brise_error *err)
{
	const convert_options *o = job->options;
	bool mixed = o->bits > 0 || o->memory > 0;
	brise_status status;

	*p = (file_plan){ .source = source };
	p->tensors = memory_new(order_count(&source->config), sizeof *p->tensors);
	if (!p->tensors)
		return error_set(err, BRISE_ENOMEM, "no memory for the tensor table");
	plan_tensors(p, mixed ? 0 : o->type);
	if ((status = types_apply(p->tensors, p->n_tensors, o->tensor_types, o->n_tensor_types,
	                          err)) != BRISE_OK)
		return status;
	if (mixed)
		return (status = choice_new(&p->choice, job, err)) == BRISE_OK ? choose(p, err)
		                                                               : status;
	status = write_origin(p, false, err);
	return status == BRISE_OK ? place_all(p, job->name, err) : status;
}

brise_status plan_measure(file_plan *p, brise_error *err)
{
	brise_status status;

	if (!p->choice || !choice_can_measure(p->choice))
		return BRISE_OK;
	status = choice_measure(p->choice, err);
	return status == BRISE_OK ? choose(p, err) : status;
}

void plan_free(file_plan *p)
{
	choice_free(p->choice);
	memory_free(p->tensors);
	memory_free(p->origin);
	p->choice = NULL;
	p->tensors = NULL;
	p->origin = NULL;
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
