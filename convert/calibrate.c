/* calibrate.c - all tokens through one layer, then the next: so memory holds one layer's moments only, and an interrupted run loses one layer at most
 *
 * The file under way is the calibration file with the states of all tokens behind it, twice: a layer reads one and writes the other, so that the states
 * it began with survive until it is complete. The end is to cut the states off.
 */
#include "convert/calibrate.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "convert/calibration.h"
#include "convert/moments.h"
#include "quant/checked.h"
#include "runtime/context.h"
#include "runtime/crc32.h"
#include "runtime/error.h"

#define SPAN_DEFAULT 4096u

typedef struct calibrating {
	const brise_model *model;
	const int32_t *ids;
	size_t n;
	const calibrate_options *options;
	char *path; /* of the unfinished file */
	int descriptor;
	uint8_t *bytes; /* the whole file, mapped and shared */
	size_t size, states_at, state_floats;
	calibration_header header; /* as it will stand in the file */
	calibration_input *inputs;
	brise_context *ctx;
	moments sums[CALIBRATION_PER_LAYER]; /* of the layer under way; the first also of the output's */
	uint32_t resumed;
	brise_error *err;
} calibrating;

void calibrate_init_options(calibrate_options *options)
{
	memset(options, 0, sizeof *options);
	options->span = SPAN_DEFAULT;
}

static float *states_of(const calibrating *c, uint32_t layer)
{
	return (float *)(void *)(c->bytes + c->states_at) + layer % 2 * c->state_floats;
}

/* ---- the file under way ------------------------------------------------------------------------------------------- */

/* What must be the same for an interrupted run to go on. */
static uint32_t take_fingerprint(const calibrating *c)
{
	const brise_model *m = c->model;
	uint32_t crc = crc32_update(0, &m->config, sizeof m->config);

	crc = crc32_update(crc, m->tensors, m->n_tensors * sizeof *m->tensors);
	crc = crc32_update(crc, &c->options->span, sizeof c->options->span);
	return crc32_update(crc, c->ids, c->n * sizeof *c->ids);
}

static brise_status plan(calibrating *c)
{
	uint64_t floats, bytes;
	brise_status status = calibration_plan(&c->header, &c->inputs, &c->model->config, c->options->span, c->err);

	if (status != BRISE_OK)
		return status;
	c->header.tokens = c->n;
	c->header.fingerprint = take_fingerprint(c);
	if (!checked_mul(c->n, context_stride(c->model->config.dim), &floats) || !checked_mul(floats, 2 * sizeof(float), &bytes) ||
	    !checked_add(bytes, c->header.file_bytes / 64 * 64 + 64, &bytes) || !checked_size(bytes, &c->size))
		return error_set(c->err, BRISE_EINVAL, "a text of %zu tokens is too long to calibrate with", c->n);
	c->state_floats = (size_t)floats;
	c->states_at = (size_t)(c->header.file_bytes / 64 * 64 + 64);
	return BRISE_OK;
}

/* Takes over the checksums of inputs [0, n) from the unfinished file, and nothing else; whether their data fit them. */
static bool take_inputs(calibrating *c, uint32_t n)
{
	const calibration_input *inputs = (const calibration_input *)(const void *)(c->bytes + sizeof c->header);
	uint32_t i;

	for (i = 0; i < n; i++) {
		c->inputs[i].crc = inputs[i].crc;
		if (crc32_update(0, c->bytes + c->inputs[i].offset, (size_t)c->inputs[i].bytes) != c->inputs[i].crc)
			return false;
	}
	return true;
}

/* An unfinished file of the same model, text and options: how many layers it has; 0 for any other. */
static uint32_t find_done(calibrating *c)
{
	const calibration_header *h = (const calibration_header *)(const void *)c->bytes;

	if (memcmp(h->magic, CALIBRATION_MAGIC, sizeof h->magic) != 0 || h->version != CALIBRATION_VERSION || h->fingerprint != c->header.fingerprint ||
	    h->tokens != c->n || h->file_bytes != c->header.file_bytes || h->done > c->header.n_layers)
		return 0;
	if (crc32_update(0, h, sizeof *h - sizeof h->header_crc) != h->header_crc || !take_inputs(c, h->done * CALIBRATION_PER_LAYER))
		return 0;
	return h->done;
}

/* The file's size on disk, taken now: a full disk shows here, not as a signal from the mapping. A file of another size is of another run. */
static brise_status take_room(calibrating *c)
{
	struct stat facts;
	int failure;

	if (fstat(c->descriptor, &facts) != 0 || ((uint64_t)facts.st_size != c->size && ftruncate(c->descriptor, 0) != 0))
		return error_errno(c->err, "%s: cannot be emptied", c->path);
	failure = posix_fallocate(c->descriptor, 0, (off_t)c->size);
	if (failure == 0)
		return BRISE_OK;
	(void)unlink(c->path);
	errno = failure;
	return error_errno(c->err, "%s: no room for %zu MB", c->path, c->size / 1000000 + 1);
}

static brise_status open_unfinished(calibrating *c, const char *out)
{
	size_t room = strlen(out) + 16;
	struct stat facts;
	brise_status status;
	void *map;

	if (stat(out, &facts) == 0 && !S_ISREG(facts.st_mode))
		return error_set(c->err, BRISE_EIO, "%s: exists and is not a regular file", out);
	if (!(c->path = malloc(room)))
		return error_set(c->err, BRISE_ENOMEM, "%s: no memory", out);
	(void)snprintf(c->path, room, "%s.unfinished", out);
	c->descriptor = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (c->descriptor < 0)
		return error_errno(c->err, "%s: cannot be created", c->path);
	if (flock(c->descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return error_set(c->err, BRISE_EIO, "%s: another calibration is at work on it", c->path);
	if ((status = take_room(c)) != BRISE_OK)
		return status;
	map = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, c->descriptor, 0);
	if (map == MAP_FAILED)
		return error_errno(c->err, "%s: cannot be mapped", c->path);
	c->bytes = map;
	c->header.done = c->resumed = find_done(c);
	if (c->resumed > 0)
		return BRISE_OK;
	/* From here on the states of whatever run this was are lost: its header must not say otherwise. */
	return ftruncate(c->descriptor, 0) == 0 ? take_room(c) : error_errno(c->err, "%s: cannot be emptied", c->path);
}

/* The layers done so far, on disk: their data first, then the header that says so. */
static brise_status save(calibrating *c, uint32_t done)
{
	size_t table = c->header.n_inputs * sizeof *c->inputs;

	if (msync(c->bytes, c->size, MS_SYNC) != 0)
		return error_errno(c->err, "%s: cannot be brought to disk", c->path);
	c->header.done = done;
	c->header.inputs_crc = crc32_update(0, c->inputs, table);
	c->header.header_crc = crc32_update(0, &c->header, sizeof c->header - sizeof c->header.header_crc);
	memcpy(c->bytes + sizeof c->header, c->inputs, table);
	memcpy(c->bytes, &c->header, sizeof c->header);
	return msync(c->bytes, sizeof c->header + table, MS_SYNC) == 0 ? BRISE_OK : error_errno(c->err, "%s: cannot be brought to disk", c->path);
}

static brise_status finish(calibrating *c, const char *out)
{
	brise_status status = save(c, c->header.n_layers + 1);

	if (status != BRISE_OK)
		return status;
	if (ftruncate(c->descriptor, (off_t)c->header.file_bytes) != 0 || fsync(c->descriptor) != 0 || rename(c->path, out) != 0)
		return error_errno(c->err, "%s: cannot be completed", out);
	return BRISE_OK;
}

/* ---- the layers ---------------------------------------------------------------------------------------------------- */

static void add_inputs(void *user, uint32_t kind, uint32_t layer, const float *rows, size_t stride, uint32_t n)
{
	calibrating *c = user;

	(void)layer;
	moments_add(&c->sums[kind == TENSOR_OUTPUT ? 0 : calibration_index(&c->model->config, kind, 0)], rows, stride, n, &c->ctx->kernels, c->ctx->pool);
}

static brise_status store_input(calibrating *c, uint32_t index, const moments *m)
{
	calibration_input *in = &c->inputs[index];
	uint32_t i;

	for (i = 0; i < in->cols; i++)
		if (!(m->squares[i] / (double)c->n <= (double)FLT_MAX))
			return error_set(c->err, BRISE_EFORMAT, "%s: what the matrices of layer %" PRIu32 " multiply is not finite", c->model->name, in->layer);
	moments_store(m, c->n, c->bytes + in->offset, c->ctx->pool);
	in->crc = crc32_update(0, c->bytes + in->offset, (size_t)in->bytes);
	return BRISE_OK;
}

typedef void step_fn(calibrating *c, uint32_t layer, size_t first, uint32_t n);

static void embed_step(calibrating *c, uint32_t layer, size_t first, uint32_t n)
{
	size_t stride = context_stride(c->model->config.dim);

	forward_embed(c->ctx, c->ids + first, n);
	memcpy(states_of(c, layer) + first * stride, c->ctx->x, n * stride * sizeof(float));
}

static void layer_step(calibrating *c, uint32_t layer, size_t first, uint32_t n)
{
	size_t stride = context_stride(c->model->config.dim);

	memcpy(c->ctx->x, states_of(c, layer) + first * stride, n * stride * sizeof(float));
	forward_layer(c->ctx, layer, n);
	memcpy(states_of(c, layer + 1) + first * stride, c->ctx->x, n * stride * sizeof(float));
}

static void output_step(calibrating *c, uint32_t layer, size_t first, uint32_t n)
{
	size_t stride = context_stride(c->model->config.dim);

	memcpy(c->ctx->x, states_of(c, layer) + first * stride, n * stride * sizeof(float));
	forward_final_norm(c->ctx, n);
}

/* All tokens through one step. */
static brise_status run_step(calibrating *c, step_fn *step, uint32_t layer)
{
	const calibrate_options *o = c->options;
	size_t first;

	brise_reset_context(c->ctx);
	for (first = 0; first < c->n; first += c->ctx->chunk) {
		if (o->cancel && o->cancel(o->user))
			return error_set(c->err, BRISE_ECANCELED, "%s: %" PRIu32 " of %" PRIu32 " layers are done; the same command goes on there", c->path, c->header.done,
			                 c->header.n_layers);
		if (o->progress)
			o->progress(o->user, layer, c->header.n_layers, first, c->n);
		step(c, layer, first, c->n - first < c->ctx->chunk ? (uint32_t)(c->n - first) : c->ctx->chunk);
	}
	return BRISE_OK;
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
	return status == BRISE_OK ? save(c, layer + 1) : status;
}

static brise_status run_layers(calibrating *c)
{
	brise_status status = c->resumed > 0 ? BRISE_OK : run_step(c, embed_step, 0);
	uint32_t layer;

	for (layer = c->resumed; layer < c->header.n_layers && status == BRISE_OK; layer++)
		status = run_layer(c, layer);
	if (status != BRISE_OK)
		return status;
	moments_clear(&c->sums[0]);
	if ((status = run_step(c, output_step, c->header.n_layers)) == BRISE_OK)
		status = store_input(c, c->header.n_layers * CALIBRATION_PER_LAYER, &c->sums[0]);
	return status;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

static brise_status check_ids(const calibrating *c)
{
	uint32_t vocab = c->model->config.vocab;
	size_t i;

	if (c->n == 0)
		return error_set(c->err, BRISE_EINVAL, "no tokens to calibrate with");
	if (c->options->span % 32 != 0 || c->options->span > 1u << 20)
		return error_set(c->err, BRISE_EINVAL, "a span of %" PRIu32 " columns: a multiple of 32 expected", c->options->span);
	for (i = 0; i < c->n; i++)
		if (c->ids[i] < 0 || (uint32_t)c->ids[i] >= vocab)
			return error_set(c->err, BRISE_EINVAL, "token %zu: id %" PRId32 " outside the vocabulary of %" PRIu32, i, c->ids[i], vocab);
	return BRISE_OK;
}

/* A model without a window attends to all tokens before: its cache takes them all. */
static brise_status open_context(calibrating *c)
{
	brise_options o;
	brise_status status;
	unsigned i;

	brise_init_options(&o);
	o.threads = c->options->threads;
	o.arch = c->options->arch;
	o.context = (uint32_t)(c->n < UINT32_MAX ? c->n : UINT32_MAX);
	if ((status = brise_new_context(&c->ctx, c->model, &o, c->err)) != BRISE_OK)
		return status;
	c->ctx->observe = add_inputs;
	c->ctx->observer = c;
	for (i = 0; i < CALIBRATION_PER_LAYER && status == BRISE_OK; i++)
		status = moments_new(&c->sums[i], c->inputs[i].cols, c->options->span, c->err);
	return status;
}

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

brise_status calibrate_model(const brise_model *model, const int32_t *ids, size_t n, const char *out, const calibrate_options *options, calibrate_result *result,
                             brise_error *err)
{
	calibrating c = { .model = model, .ids = ids, .n = n, .options = options, .descriptor = -1, .err = err };
	double start = now_seconds();
	brise_status status;
	unsigned i;

	if ((status = check_ids(&c)) != BRISE_OK || (status = plan(&c)) != BRISE_OK || (status = open_context(&c)) != BRISE_OK ||
	    (status = open_unfinished(&c, out)) != BRISE_OK || (status = run_layers(&c)) != BRISE_OK)
		goto done;
	status = finish(&c, out);
	if (status == BRISE_OK && result)
		*result = (calibrate_result){ c.header.file_bytes, c.resumed, now_seconds() - start };
done:
	for (i = 0; i < CALIBRATION_PER_LAYER; i++)
		moments_free(&c.sums[i]);
	brise_free_context(c.ctx);
	if (c.bytes)
		(void)munmap(c.bytes, c.size);
	if (c.descriptor >= 0)
		(void)close(c.descriptor);
	free(c.path);
	free(c.inputs);
	return status;
}
