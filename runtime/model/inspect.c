/* inspect.c - an open model for tools: its tensors, their rows, whether the file is intact
 */
#include "runtime/model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/float_env.h"
#include "quant/types.h"
#include "runtime/error.h"
#include "runtime/model/crc32.h"
#include "runtime/model/weights.h"
#include "runtime/sized.h"

size_t brise_get_tensor_count(const brise_model *model)
{
	return model ? model->n_tensors : 0;
}

brise_status brise_get_tensor_facts(const brise_model *model, size_t index,
                                    brise_tensor_facts *facts, size_t size, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(model), ERROR_ARGUMENT(facts) };
	brise_tensor_facts known;
	const format_tensor *t;
	brise_status status = error_check_pointers(err, "brise_get_tensor_facts", needed, 2);

	if (status != BRISE_OK)
		return status;
	if (index >= model->n_tensors)
		return error_set(err, BRISE_EINVAL, "tensor %zu: the model has %zu", index,
		                 model->n_tensors);
	t = &model->tensors[index];
	memset(&known, 0, sizeof known);
	model_tensor_name(known.name, t->kind, t->layer);
	known.type = type_name(t->type);
	known.rows = t->rows;
	known.cols = t->cols;
	known.offset = t->offset;
	known.bytes = t->bytes;
	known.relative_error = t->relative_error;
	sized_fill(facts, size, &known, sizeof known);
	return BRISE_OK;
}

static brise_status read_row(const brise_model *model, size_t index, uint32_t row_index, float *row,
                             brise_error *err)
{
	const format_tensor *t;

	if (index >= model->n_tensors)
		return error_set(err, BRISE_EINVAL, "tensor %zu: the model has %zu", index,
		                 model->n_tensors);
	t = &model->tensors[index];
	if (!model_kind_known(t->kind))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %zu is of a kind this version does not know",
		                 model->name, index);
	if (row_index >= t->rows)
		return error_set(err, BRISE_EINVAL, "row %" PRIu32 ": the tensor has %" PRIu32,
		                 row_index, t->rows);
	if (!type_find(t->type))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %zu is of a type this version does not know",
		                 model->name, index);
	return weights_read_row(model, t, row_index, row, err);
}

brise_status brise_read_row(const brise_model *model, size_t index, uint32_t row_index, float *row,
                            brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(model), ERROR_ARGUMENT(row) };
	brise_status status = error_check_pointers(err, "brise_read_row", needed, 2);
	float_env host;

	if (status != BRISE_OK)
		return status;
	host = float_env_enter();
	status = read_row(model, index, row_index, row, err);

	float_env_leave(host);
	return status;
}

static brise_status verify_range(const brise_model *model, unsigned since, crc32_watch *watch,
                                 const char *what, uint64_t offset, uint64_t bytes,
                                 uint32_t expected, brise_error *err)
{
	uint32_t crc = 0;

	if (!crc32_watched(&crc, model->bytes + offset, bytes, watch))
		return error_set(err, BRISE_ECANCELED, "%s: verification cancelled", model->name);
	if (map_leave(&model->map, model->name, since, err) != BRISE_OK)
		return BRISE_EIO;
	if (crc != expected)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: %s, bytes %" PRIu64 "..+%" PRIu64 ": checksum %08" PRIx32
		                 ", expected %08" PRIx32,
		                 model->name, what, offset, bytes, crc, expected);
	return BRISE_OK;
}

static format_section section_at(const brise_model *model, size_t index)
{
	format_section section;

	memcpy(&section, (const uint8_t *)model->sections + index * model->section_stride,
	       sizeof section);
	return section;
}

brise_status brise_verify_model(const brise_model *model, brise_progress_fn *progress,
                                brise_cancel_fn *cancel, void *user, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(model) };
	crc32_watch watch = { progress, cancel, user, 0, 0 };
	brise_status status = error_check_pointers(err, "brise_verify_model", needed, 1);
	unsigned since;
	char name[64];
	size_t i;

	if (status != BRISE_OK ||
	    (status = map_enter(&model->map, model->name, &since, err)) != BRISE_OK)
		return status;
	for (i = 0; i < model->n_tensors; i++)
		watch.total += model->tensors[i].bytes;
	for (i = 0; i < model->n_sections; i++)
		watch.total += section_at(model, i).bytes;
	for (i = 0; i < model->n_sections && status == BRISE_OK; i++) {
		format_section section = section_at(model, i);

		(void)snprintf(name, sizeof name, "section %zu (kind %" PRIu32 ")", i,
		               section.kind);
		status = verify_range(model, since, &watch, name, section.offset, section.bytes,
		                      section.crc, err);
	}
	for (i = 0; i < model->n_tensors && status == BRISE_OK; i++) {
		const format_tensor *t = &model->tensors[i];

		model_tensor_name(name, t->kind, t->layer);
		status = verify_range(model, since, &watch, name, t->offset, t->bytes, t->crc, err);
	}
	return status;
}
