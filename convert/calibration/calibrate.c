/* calibrate.c - all tokens through one layer, then the next: memory holds the moments of one layer
 * only, and an interrupted run loses one layer at most */
#include "convert/calibration/calibrate.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "arch/float_env.h"
#include "convert/calibration/calibration.h"
#include "convert/calibration/moments.h"
#include "convert/calibration/unfinished.h"
#include "runtime/error.h"
#include "runtime/eval/attention.h"
#include "runtime/eval/forward.h"
#include "runtime/model/crc32.h"
#include "runtime/os/os.h"

#define SPAN_DEFAULT 4096u

typedef struct calibrating {
	const brise_model *model;
	const int32_t *ids;
	size_t n;
	const calibrate_options *options;
	unfinished file;
	brise_engine *engine;
	brise_sequence *sequence;
	arch_tools tools;
	/* of the current layer; the first also of the output's */
	moments sums[CALIBRATION_PER_LAYER];
	uint32_t states_crc; /* of the states that the current step has written so far */
	brise_error *err;
} calibrating;

void calibrate_init_options(calibrate_options *options)
{
	memset(options, 0, sizeof *options);
	options->span = SPAN_DEFAULT;
}

/* What must be equal for an interrupted run to be resumed. */
static uint32_t take_fingerprint(const calibrating *c)
{
	const brise_model *m = c->model;
	uint32_t crc = crc32_update(0, &m->config, config_bytes(&m->config));

	crc = crc32_update(crc, m->tensors, m->n_tensors * sizeof *m->tensors);
	crc = crc32_update(crc, &c->options->span, sizeof c->options->span);
	return crc32_update(crc, c->ids, c->n * sizeof *c->ids);
}

/* ---- the layers ------------------------------------------------------------------------------ */

static void add_inputs(void *user, uint32_t kind, uint32_t layer, const float *rows, size_t stride,
                       uint32_t n)
{
	calibrating *c = user;

	(void)layer;
	moments_add(
	        &c->sums[kind == TENSOR_OUTPUT ? 0 : calibration_index(&c->model->config, kind, 0)],
	        rows, stride, n, &c->tools, c->engine->pool);
}

static brise_status store_input(calibrating *c, uint32_t index, const moments *m)
{
	calibration_input *in = &c->file.inputs[index];
	uint32_t i;

	for (i = 0; i < in->cols && m->squares[i] / (double)c->n <= (double)FLT_MAX; i++)
		;
	if (i < in->cols && index == c->model->config.n_layers * CALIBRATION_PER_LAYER)
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: what the output matrix multiplies is not finite",
		                 c->model->name);
	if (i < in->cols)
		return error_set(c->err, BRISE_EFORMAT,
		                 "%s: what the matrices of layer %" PRIu32
		                 " multiply is not finite",
		                 c->model->name, in->layer);
	moments_store(m, c->n, c->file.file.bytes + in->offset, c->engine->pool);
	in->crc = crc32_update(0, c->file.file.bytes + in->offset, (size_t)in->bytes);
	return BRISE_OK;
}

typedef brise_status step_fn(calibrating *c, uint32_t layer, size_t first, uint32_t n);

static size_t state_bytes(const calibrating *c, size_t tokens)
{
	return tokens * engine_stride(c->model->config.dim) * sizeof(float);
}

static float *states_of(const calibrating *c, uint32_t layer, size_t first)
{
	return unfinished_states(&c->file, layer) + first * engine_stride(c->model->config.dim);
}

static void keep_states(calibrating *c, uint32_t layer, size_t first, uint32_t n)
{
	memcpy(states_of(c, layer, first), c->engine->x, state_bytes(c, n));
	c->states_crc = crc32_update(c->states_crc, c->engine->x, state_bytes(c, n));
}

static brise_status embed_step(calibrating *c, uint32_t layer, size_t first, uint32_t n)
{
	brise_status status;

	(void)first;
	status = forward_embed(c->engine, &c->engine->pass, c->err);
	keep_states(c, layer, first, n);
	return status;
}

static brise_status layer_step(calibrating *c, uint32_t layer, size_t first, uint32_t n)
{
	brise_status status;

	memcpy(c->engine->x, states_of(c, layer, first), state_bytes(c, n));
	forward_angles(c->engine, &c->engine->pass);
	pass_begin(&c->engine->pass);
	status = forward_layer(c->engine, &c->engine->pass, layer,
	                       (forward_observer){ add_inputs, c }, c->err);
	pass_end(&c->engine->pass);
	keep_states(c, layer + 1, first, n);
	return status;
}

static brise_status output_step(calibrating *c, uint32_t layer, size_t first, uint32_t n)
{
	memcpy(c->engine->x, states_of(c, layer, first), state_bytes(c, n));
	forward_show_output(c->engine, n, (forward_observer){ add_inputs, c });
	return BRISE_OK;
}

static brise_status say_cancelled(const calibrating *c)
{
	const calibration_header *h = &c->file.header;

	if (h->done == 0)
		return error_set(
		        c->err, BRISE_ECANCELED,
		        "%s: cancelled before its first layer was done; nothing was written",
		        c->file.file.out);
	return error_set(c->err, BRISE_ECANCELED,
	                 "%s: %" PRIu32 " of %" PRIu32
	                 " layers are done; the same command resumes there",
	                 c->file.file.path, h->done, h->n_layers);
}

/* All tokens through one step. */
static brise_status run_step(calibrating *c, step_fn *step, uint32_t layer)
{
	const calibrate_options *o = c->options;
	uint32_t rows = c->engine->facts.rows, n;
	brise_status status = brise_rewind_sequence(c->sequence, 0, c->err);
	size_t first;

	c->states_crc = 0;
	for (first = 0; first < c->n && status == BRISE_OK; first += rows) {
		if (o->cancel && o->cancel(o->user))
			return say_cancelled(c);
		if (o->progress)
			o->progress(o->user, layer, c->model->config.n_layers, first, c->n);
		n = c->n - first < rows ? (uint32_t)(c->n - first) : rows;
		pass_plan_run(&c->engine->pass, c->sequence, c->ids + first, n,
		              attention_block_rows(&c->model->config));
		status = step(c, layer, first, n);
	}
	return status;
}

static brise_status run_layer(calibrating *c, uint32_t layer)
{
	brise_status status;
	unsigned i;

	for (i = 0; i < CALIBRATION_PER_LAYER; i++)
		moments_clear(&c->sums[i]);
	if ((status = run_step(c, layer_step, layer)) != BRISE_OK)
		return status;
	for (i = 0; i < CALIBRATION_PER_LAYER && status == BRISE_OK; i++)
		status = store_input(c, layer * CALIBRATION_PER_LAYER + i, &c->sums[i]);
	return status == BRISE_OK ? unfinished_save(&c->file, layer + 1, c->states_crc, c->err)
	                          : status;
}

static brise_status run_layers(calibrating *c)
{
	uint32_t n_layers = c->model->config.n_layers, layer = c->file.header.done;
	brise_status status = layer > 0 ? BRISE_OK : run_step(c, embed_step, 0);

	if (layer > n_layers) /* only its name was missing */
		return BRISE_OK;
	for (; layer < n_layers && status == BRISE_OK; layer++)
		status = run_layer(c, layer);
	if (status != BRISE_OK)
		return status;
	moments_clear(&c->sums[0]);
	if ((status = run_step(c, output_step, n_layers)) == BRISE_OK)
		status = store_input(c, n_layers * CALIBRATION_PER_LAYER, &c->sums[0]);
	return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static brise_status check_ids(const calibrating *c)
{
	uint32_t vocab = c->model->config.vocab;
	size_t i;

	if (c->n == 0)
		return error_set(c->err, BRISE_EINVAL, "no tokens to calibrate with");
	if (c->options->span % 32 != 0 || c->options->span > 1u << 20)
		return error_set(c->err, BRISE_EINVAL,
		                 "a span of %" PRIu32 " columns: a multiple of 32 expected",
		                 c->options->span);
	for (i = 0; i < c->n; i++)
		if (c->ids[i] < 0 || (uint32_t)c->ids[i] >= vocab)
			return error_set(c->err, BRISE_EINVAL,
			                 "token %zu: id %" PRId32
			                 " outside the vocabulary of %" PRIu32,
			                 i, c->ids[i], vocab);
	return BRISE_OK;
}

/* A model without a window attends to all tokens before, so its cache holds them all. */
static brise_status open_engine(calibrating *c)
{
	const brise_engine_options engine = { .size = sizeof engine,
		                              .threads = c->options->threads,
		                              .arch = c->options->arch };
	const brise_sequence_options sequence = {
		.size = sizeof sequence,
		.context = (uint32_t)(c->n < UINT32_MAX ? c->n : UINT32_MAX)
	};
	brise_status status;
	unsigned i;

	if ((status = brise_new_engine(&c->engine, c->model, &engine, c->err)) != BRISE_OK ||
	    (status = brise_new_sequence(&c->sequence, c->model, &sequence, c->err)) != BRISE_OK ||
	    (status = sequence_check_room(c->sequence, c->n, c->err)) != BRISE_OK)
		return status;
	arch_find_tools(&c->tools, c->engine->kernels.name);
	for (i = 0; i < CALIBRATION_PER_LAYER && status == BRISE_OK; i++)
		status = moments_new(&c->sums[i], c->file.inputs[i].cols, c->options->span, c->err);
	return status;
}

static brise_status calibrate(const brise_model *model, const int32_t *ids, size_t n,
                              const char *out, const calibrate_options *options,
                              calibrate_result *result, brise_error *err)
{
	calibrating c = { .model = model,
		          .ids = ids,
		          .n = n,
		          .options = options,
		          .file = { .file = { .descriptor = -1 } },
		          .err = err };
	double start = os_clock();
	uint32_t resumed;
	brise_status status;
	unsigned i;

	if ((status = check_ids(&c)) != BRISE_OK ||
	    (status = unfinished_plan(&c.file, out, &model->config, options->span, n,
	                              take_fingerprint(&c), err)) != BRISE_OK ||
	    (status = open_engine(&c)) != BRISE_OK ||
	    (status = unfinished_open(&c.file, options->note, options->cancel, options->user,
	                              err)) != BRISE_OK)
		goto done;
	resumed = c.file.header.done < model->config.n_layers ? c.file.header.done
	                                                      : model->config.n_layers;
	status = run_layers(&c);
	if (status == BRISE_EFORMAT) /* again in every run of this model: nothing to resume */
		c.file.header.done = 0;
	if (status == BRISE_OK) {
		memcpy(c.file.file.bytes + calibration_ids_at(&c.file.header), ids,
		       n * sizeof *ids);
		c.file.header.ids_crc = crc32_update(0, ids, n * sizeof *ids);
		status = unfinished_finish(&c.file, err);
	}
	if (status == BRISE_OK && result)
		*result =
		        (calibrate_result){ c.file.header.file_bytes, resumed, os_clock() - start };
done:
	for (i = 0; i < CALIBRATION_PER_LAYER; i++)
		moments_free(&c.sums[i]);
	brise_free_sequence(c.sequence);
	brise_free_engine(c.engine);
	unfinished_close(&c.file);
	return status;
}

brise_status calibrate_model(const brise_model *model, const int32_t *ids, size_t n,
                             const char *out, const calibrate_options *options,
                             calibrate_result *result, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = calibrate(model, ids, n, out, options, result, err);

	float_env_leave(host);
	return status;
}
