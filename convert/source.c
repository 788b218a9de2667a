/* source.c - a checkpoint, with adapters merged into it, as a source: rows as floats, in the file's
 * order of q and k */
#include "convert/source.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "arch/float_env.h"
#include "convert/formats/elements.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

static brise_status read_raw(const checkpoint *cp, const checkpoint_tensor *t, bool interleaved,
                             uint32_t first, uint32_t n, void *raw, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint64_t row_bytes = 0;
	uint32_t i;

	if (!interleaved)
		return checkpoint_read_rows(cp, t, first, n, raw, err);
	(void)elements_measure(t->dtype, t->cols, &row_bytes);
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = checkpoint_read_rows(
		        cp, t, checkpoint_interleaved_row(first + i, cp->config.head_dim), 1,
		        (uint8_t *)raw + i * row_bytes, err);
	return status;
}

static brise_status read_rows(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n,
                              float *rows, void *raw, brise_error *err)
{
	const source *s = self;
	const checkpoint *cp = s->cp;
	const checkpoint_tensor *t = &cp->tensors[layer][kind];
	bool interleaved =
	        cp->rope == CHECKPOINT_INTERLEAVED && (kind == TENSOR_WQ || kind == TENSOR_WK);
	brise_status status = read_raw(cp, t, interleaved, first, n, raw, err);
	size_t i, n_weights = (size_t)n * t->cols;
	bool finite;

	if (status != BRISE_OK)
		return status;
	finite = elements_decode(rows, raw, t->dtype, n_weights);
	for (i = 0; t->dtype == ELEMENTS_F8_E4M3 && i < n_weights; i++) {
		rows[i] *= t->scale; /* the product may be beyond float */
		finite = finite && isfinite(rows[i]);
	}
	if (!finite)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor %s: a weight in rows %" PRIu32 "..%" PRIu32
		                 " is infinite or not a number",
		                 cp->files[t->file].path, t->name, first, first + n - 1);
	return lora_apply_rows(s->adapters, kind, layer, first, n, t->cols, rows, err);
}

static const char *name_type(void *self, uint32_t kind, uint32_t layer)
{
	const source *s = self;

	return elements_name(s->cp->tensors[layer][kind].dtype);
}

/* Opens the adapters, and puts what was decided about them after the checkpoint's decisions. */
static brise_status open_adapters(source *s, const char *const *loras, size_t n_loras,
                                  brise_error *err)
{
	bool tied = s->cp->config.flags & FORMAT_TIED;
	notes lines = { NULL, 0, false };
	brise_status status =
	        lora_open(&s->adapters, loras, n_loras, &s->cp->config, tied, &lines, err);
	size_t bytes = strlen(s->cp->decisions);

	if (status == BRISE_OK && !lines.failed)
		s->origin = memory_new(bytes + lines.bytes + 1, 1);
	if (status == BRISE_OK && !s->origin)
		status = error_set(err, BRISE_ENOMEM, "no memory for notes");
	if (status == BRISE_OK) {
		memcpy(s->origin, s->cp->decisions, bytes);
		memcpy(s->origin + bytes, lines.text ? lines.text : "", lines.bytes + 1);
	}
	memory_free(lines.text);
	return status;
}

brise_status source_open(source **out, const char *path, const char *const *loras, size_t n_loras,
                         brise_error *err)
{
	source *s = memory_new(1, sizeof *s);
	brise_status status = s ? checkpoint_open(&s->cp, path, err)
	                        : error_set(err, BRISE_ENOMEM, "%s: no memory to open it", path);

	*out = NULL;
	if (status == BRISE_OK)
		status = open_adapters(s, loras, n_loras, err);
	if (status != BRISE_OK) {
		source_close(s);
		return status;
	}
	s->rows = (convert_source){ .config = s->cp->config,
		                    .windows = s->cp->windows,
		                    .origin = s->origin,
		                    .read = read_rows,
		                    .name_type = name_type,
		                    .self = s };
	*out = s;
	return BRISE_OK;
}

void source_close(source *s)
{
	if (!s)
		return;
	lora_close(s->adapters);
	checkpoint_close(s->cp);
	memory_free(s->origin);
	memory_free(s);
}

static brise_status open_source(convert_source *rows, const char *path, brise_error *err)
{
	source *s;
	brise_status status = source_open(&s, path, NULL, 0, err);

	*rows = status == BRISE_OK ? s->rows : (convert_source){ .self = NULL };
	return status;
}

brise_status convert_open_source(convert_source *rows, const char *path, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = open_source(rows, path, err);

	float_env_leave(host);
	return status;
}

void convert_close_source(convert_source *rows)
{
	source_close(rows->self);
	rows->self = NULL;
}
