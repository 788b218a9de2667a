/* model_source.c - rows of a mapped file as floats: in the file's order */
#include "convert/model_source.h"

#include "runtime/error.h"
#include "runtime/model/model.h"

static const format_tensor *find_tensor(const brise_model *model, uint32_t kind, uint32_t layer,
                                        size_t *index)
{
	if (kind == TENSOR_OUTPUT && model->config.flags & FORMAT_TIED)
		kind = TENSOR_EMBEDDING;
	for (*index = 0; *index < model->n_tensors; ++*index)
		if (model->tensors[*index].kind == kind && model->tensors[*index].layer == layer)
			return &model->tensors[*index];
	return NULL;
}

static brise_status read_rows(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n,
                              float *rows, void *raw, brise_error *err)
{
	const brise_model *model = self;
	brise_status status = BRISE_OK;
	size_t index, i;
	const format_tensor *t = find_tensor(model, kind, layer, &index);

	(void)raw;
	if (!t)
		return error_set(err, BRISE_EINVAL, "%s: no tensor of kind %u in layer %u",
		                 model->name, (unsigned)kind, (unsigned)layer);
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = brise_read_row(model, index, first + (uint32_t)i, rows + i * t->cols, err);
	return status;
}

static const char *name_type(void *self, uint32_t kind, uint32_t layer)
{
	size_t index;
	const format_tensor *t = find_tensor(self, kind, layer, &index);

	return type_name(t ? t->type : 0);
}

brise_status model_source_open(convert_source *source, const char *path, brise_error *err)
{
	brise_model *model;
	brise_status status = brise_open_model(&model, path, NULL, err);

	*source = (convert_source){ .self = NULL };
	if (status == BRISE_OK)
		*source = (convert_source){ .config = model->config,
			                    .windows = model->windows,
			                    .origin = model->origin,
			                    .read = read_rows,
			                    .name_type = name_type,
			                    .self = model };
	return status;
}

void model_source_close(convert_source *source)
{
	brise_close_model(source->self);
	source->self = NULL;
}
