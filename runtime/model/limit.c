/* limit.c - reading what is kept, once, before anything is evaluated
 *
 * What is kept gets memory of its own instead of locked pages of the file: huge pages where the
 * system has them, whatever the file system does, and the system's cache is left out altogether, so
 * that nothing is in memory twice.
 */
#include "runtime/model/limit.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "quant/checked.h"
#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/model/storage.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/threads.h"
#include "runtime/sized.h"

#define BATCH 32u /* chunks between two looks at cancel */

static uint64_t vector_stride(const brise_model *m)
{
	return round_up((uint64_t)m->config.dim * sizeof(float), 64);
}

uint64_t limit_vector_at(const brise_model *m, uint32_t kind, uint32_t layer)
{
	uint64_t index = kind == TENSOR_FINAL_NORM
	                         ? 2 * (uint64_t)m->config.n_layers
	                         : 2 * (uint64_t)layer + (kind == TENSOR_FFN_NORM);

	return m->residency.kept_bytes + index * vector_stride(m);
}

static uint64_t kept_size(const brise_model *m)
{
	return m->residency.kept_bytes + (2 * (uint64_t)m->config.n_layers + 1) * vector_stride(m);
}

static void fill_facts(brise_memory_facts *facts, const residency_plan *plan)
{
	facts->budget = plan->budget;
	facts->least = plan->least;
	facts->kept_bytes = plan->kept_bytes + plan->vector_bytes;
	facts->streamed_bytes = plan->streamed_bytes;
	facts->buffer_bytes = plan->ring_bytes;
}

brise_status brise_plan_memory(const brise_model *model, uint64_t bytes, brise_memory_facts *facts,
                               size_t size, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(model), ERROR_ARGUMENT(facts) };
	brise_memory_facts all = { 0 };
	residency_plan plan;
	brise_status status = error_check_pointers(err, "brise_plan_memory", needed, 2);

	if (status != BRISE_OK || (status = residency_make(&plan, model, bytes, err)) != BRISE_OK)
		return status;
	fill_facts(&all, &plan);
	residency_free(&plan);
	sized_fill(facts, size, &all, sizeof all);
	return BRISE_OK;
}

/* ---- reading what is kept ------------------------------------------------------------------- */

typedef struct chunk {
	const format_tensor *tensor;
	uint64_t offset; /* in the tensor */
	uint64_t at;     /* in kept_weights */
} chunk;

typedef struct kept_job {
	brise_model *model;
	const chunk *chunks; /* [BATCH] */
	atomic_int failed;   /* index + 1 of one that could not be read */
	brise_error error;   /* of that one */
} kept_job;

static void read_chunks(void *argument, unsigned worker, size_t first, size_t end)
{
	kept_job *job = argument;
	brise_error error;

	(void)worker;
	for (; first < end; first++) {
		const chunk *c = &job->chunks[first];
		int none = 0;

		if (storage_read(job->model, c->tensor, c->offset,
		                 storage_chunk_bytes(c->tensor, c->offset),
		                 job->model->kept_weights + c->at, &error) != BRISE_OK &&
		    atomic_compare_exchange_strong(&job->failed, &none, (int)first + 1))
			job->error = error;
	}
}

/* Where reading has come to. */
typedef struct kept_cursor {
	uint32_t unit, matrix;
	uint64_t offset, at;
} kept_cursor;

/* The next chunk of what is kept; false: none. */
static bool next_chunk(const residency_plan *plan, kept_cursor *c, chunk *out)
{
	const residency_unit *unit;

	while (c->unit < plan->n_units &&
	       (!plan->units[c->unit].kept || c->matrix == plan->units[c->unit].n_matrices)) {
		c->unit++;
		c->matrix = 0;
		c->offset = 0;
		if (c->unit < plan->n_units)
			c->at = plan->units[c->unit].at;
	}
	if (c->unit == plan->n_units)
		return false;
	unit = &plan->units[c->unit];
	*out = (chunk){ unit->matrices[c->matrix], c->offset, c->at + c->offset };
	c->offset += STORAGE_CHUNK;
	if (c->offset >= out->tensor->bytes) {
		c->at += round_up(out->tensor->bytes, FORMAT_PAGE);
		c->offset = 0;
		c->matrix++;
	}
	return true;
}

static brise_status read_kept(brise_model *m, pool *readers, brise_progress_fn *progress,
                              brise_cancel_fn *cancel, void *user, brise_error *err)
{
	const residency_plan *plan = &m->residency;
	kept_cursor cursor = { .at = plan->units[0].at };
	chunk chunks[BATCH];
	kept_job job = { .model = m, .chunks = chunks };
	uint64_t done = 0;
	unsigned n;

	do {
		for (n = 0; n < BATCH && next_chunk(plan, &cursor, &chunks[n]); n++)
			done += storage_chunk_bytes(chunks[n].tensor, chunks[n].offset);
		if (cancel && cancel(user))
			return error_set(err, BRISE_ECANCELED, "%s: cancelled while it was read",
			                 m->name);
		pool_run(readers, read_chunks, &job, n, 1);
		if (atomic_load(&job.failed) != 0)
			return error_set(err, job.error.code, "%s", job.error.message);
		if (progress)
			progress(user, done < plan->kept_bytes ? done : plan->kept_bytes,
			         plan->kept_bytes);
	} while (n == BATCH);
	return BRISE_OK;
}

static brise_status copy_vectors(brise_model *m, brise_error *err)
{
	uint32_t layer, kind;

	for (layer = 0; layer < m->config.n_layers; layer++)
		for (kind = 1; kind < TENSOR_KINDS; kind++)
			if (order_is_vector(kind) && m->places[layer].kinds[kind])
				memcpy(m->kept_weights + limit_vector_at(m, kind, layer),
				       m->bytes + m->places[layer].kinds[kind]->offset,
				       (size_t)m->places[layer].kinds[kind]->bytes);
	return map_check(&m->map, m->name, err);
}

/* Whether this file can be read past the cache: a file system may take the flag and refuse to
 * read. */
static bool try_direct(const brise_model *m, uint8_t *page)
{
	const format_tensor *t = m->places[0].kinds[TENSOR_WQ];

	if (os_set_direct(m->map.file, true) &&
	    os_read_at(m->map.file, page, OS_DIRECT_ALIGN, t->offset) >= 0)
		return true;
	(void)os_set_direct(m->map.file, false);
	return false;
}

static brise_status keep(brise_model *m, brise_progress_fn *progress, brise_cancel_fn *cancel,
                         void *user, brise_error *err)
{
	brise_status status;
	pool *readers;
	size_t size;

	if (!checked_size(kept_size(m), &size) || !(m->kept_weights = os_new_pages(size)))
		return error_set(err, BRISE_ENOMEM,
		                 "%s: no memory for the %" PRIu64 " bytes of weights to keep",
		                 m->name, kept_size(m));
	m->direct = try_direct(m, m->kept_weights);
	if ((status = copy_vectors(m, err)) != BRISE_OK ||
	    (status = pool_new(&readers, STORAGE_READERS, err)) != BRISE_OK)
		return status;
	status = read_kept(m, readers, progress, cancel, user, err);
	pool_free(readers);
	if (status != BRISE_OK)
		return status;
	m->locked = os_lock_pages(m->kept_weights, size);
	os_advise_random(m->bytes, m->size); /* rows of the embedding are read here and there */
	os_drop_cached(m->map.file, 0, m->size);
	return BRISE_OK;
}

brise_status brise_limit_memory(brise_model *model, uint64_t bytes, brise_progress_fn *progress,
                                brise_cancel_fn *cancel, void *user, brise_error *err)
{
	residency_plan plan, all;
	brise_status status;

	if (!model)
		return error_set(err, BRISE_EINVAL, "brise_limit_memory: model is NULL");
	if (model->map.file < 0)
		return error_set(err, BRISE_EINVAL,
		                 "%s: weights in the caller's memory cannot be limited",
		                 model->name);
	if (model->kept_weights)
		return error_set(err, BRISE_EINVAL, "%s: has a limit already", model->name);
	if ((status = residency_make(&plan, model, bytes, err)) != BRISE_OK)
		return status;
	all = model->residency;
	model->residency = plan;
	status = keep(model, progress, cancel, user, err);
	if (status != BRISE_OK) {
		limit_free(model);
		plan = model->residency;
		model->residency = all;
		all = plan;
	}
	residency_free(&all);
	return status;
}

brise_status brise_get_memory_facts(const brise_model *model, brise_memory_facts *facts,
                                    size_t size, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(model), ERROR_ARGUMENT(facts) };
	brise_status status = error_check_pointers(err, "brise_get_memory_facts", needed, 2);
	brise_memory_facts all = { 0 };

	if (status != BRISE_OK)
		return status;
	if (model->kept_weights) {
		fill_facts(&all, &model->residency);
		all.limited = true;
		all.locked = model->locked;
		all.direct = model->direct;
	}
	sized_fill(facts, size, &all, sizeof all);
	return BRISE_OK;
}

void limit_free(brise_model *m)
{
	if (!m->kept_weights)
		return;
	os_free_pages(m->kept_weights, (size_t)kept_size(m));
	(void)os_set_direct(m->map.file, false);
	m->kept_weights = NULL;
}
