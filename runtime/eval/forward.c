/* forward.c - the forward pass: tokens in, logits out */
#include "runtime/eval/forward.h"

#include <inttypes.h>

#include "arch/math.h"
#include "runtime/error.h"
#include "runtime/eval/attention.h"
#include "runtime/eval/rope_scaling.h"
#include "runtime/model/weights.h"

/* ---- matrices: several with the same input are one loop ------------------------------------- */

#define TOGETHER_MAX 3

typedef struct product {
	const weights_matrix *w;
	float *y; /* [n][stride] */
	size_t stride;
	float *sum; /* [n][stride] to which y is added; NULL: none */
} product;

typedef struct matmul_job {
	brise_engine *e;
	const arch_vectors *input;
	product products[TOGETHER_MAX];
	unsigned n_products;
	size_t tiles; /* of all products */
	size_t unit;  /* tiles that one thread takes together */
} matmul_job;

static void multiply_tiles(const matmul_job *job, const product *p, size_t first, size_t end,
                           unsigned worker)
{
	const arch_kernels *kernels = &job->e->kernels;
	size_t t, at = first * TILE_ROWS;

	arch_matmul_for(kernels, p->w->type, job->e->met)(p->y, p->stride, &p->w->view, job->input,
	                                                  first, end,
	                                                  job->e->scratch[worker].products);
	for (t = 0; p->sum && t < job->input->n; t++, at += p->stride)
		kernels->add(p->sum + at, p->y + at, (end - first) * TILE_ROWS);
}

static void matmul_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const matmul_job *job = argument;
	unsigned i;

	first *= job->unit;
	end = end * job->unit < job->tiles ? end * job->unit : job->tiles;
	for (i = 0; i < job->n_products && first < end; i++) {
		const product *p = &job->products[i];
		size_t tiles = tile_count(p->w->rows), stop = end < tiles ? end : tiles;

		if (first < stop)
			multiply_tiles(job, p, first, stop, worker);
		first = first > tiles ? first - tiles : 0;
		end = end > tiles ? end - tiles : 0;
	}
}

/* y = W input, and then sum += y, for each product. */
static void multiply_together(brise_engine *e, const arch_vectors *input, const product *products,
                              unsigned n_products)
{
	matmul_job job = { e, input, { { 0 } }, n_products, 0, input->n > 1 ? ARCH_GRAIN : 1 };
	unsigned i;

	for (i = 0; i < n_products; i++) {
		job.products[i] = products[i];
		job.tiles += tile_count(products[i].w->rows);
	}
	pool_run(e->pool, matmul_piece, &job, (job.tiles + job.unit - 1) / job.unit, ARCH_GRAIN);
}

/* The same with one matrix, piece by piece as it comes in. */
static brise_status multiply_streamed(brise_engine *e, const weights_unit *unit, uint32_t index,
                                      const arch_vectors *input, const product *whole,
                                      brise_error *err)
{
	const size_t tiles = tile_count(whole->w->rows);
	weights_piece piece;
	size_t first;

	for (first = 0; first < tiles; first += tile_count(piece.matrix.rows)) {
		const size_t at = first * TILE_ROWS;
		brise_status status =
		        weights_acquire_piece(e->weights, unit, index, first, &piece, err);

		if (status != BRISE_OK)
			return status;
		multiply_together(e, input,
		                  &(product){ &piece.matrix, whole->y + at, whole->stride,
		                              whole->sum ? whole->sum + at : NULL },
		                  1);
		weights_release_piece(e->weights);
	}
	return BRISE_OK;
}

/* Products with all matrices of a unit. */
static brise_status multiply(brise_engine *e, const weights_unit *unit, const arch_vectors *input,
                             const product *products, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t i;

	if (!unit->streamed)
		multiply_together(e, input, products, unit->n_matrices);
	for (i = 0; i < unit->n_matrices && unit->streamed && status == BRISE_OK; i++)
		status = multiply_streamed(e, unit, i, input, &products[i], err);
	return status;
}

/* ---- steps that go row by row --------------------------------------------------------------- */

/* rows [n][stride] as the input of matrices; as int8, once quantize_row has seen each of them. */
static arch_vectors input_of(const brise_engine *e, float *rows, size_t stride, uint32_t n)
{
	arch_vectors input = e->quantized;

	input.floats = rows;
	input.blocks = stride / TILE_BLOCK;
	input.n = n;
	return input;
}

typedef struct row_job {
	brise_engine *e;
	arch_vectors input;   /* what is made */
	bool quantized;       /* some matrix takes it as int8 */
	const float *weight;  /* norm: [dim] */
	const uint32_t *rows; /* norm: row of x that becomes row i; NULL: i */
	const float *up;      /* silu: [n][stride] */
} row_job;

static float *row_of(const row_job *job, size_t row)
{
	return job->input.floats + row * job->input.blocks * TILE_BLOCK;
}

static void quantize_row(const row_job *job, size_t row)
{
	if (job->quantized)
		arch_quantize(&job->e->kernels, &job->input, row);
}

static void norm_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const row_job *job = argument;
	brise_engine *e = job->e;
	const format_config *c = &e->model->config;

	(void)worker;
	for (; first < end; first++) {
		size_t row = job->rows ? job->rows[first] : first;

		e->kernels.norm(row_of(job, first), e->x + row * engine_stride(c->dim), job->weight,
		                c->dim, c->norm_eps);
		quantize_row(job, first);
	}
}

static void silu_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const row_job *job = argument;
	size_t stride = job->input.blocks * TILE_BLOCK;

	(void)worker;
	for (; first < end; first++) {
		job->e->kernels.silu(row_of(job, first), job->up + first * stride, stride);
		quantize_row(job, first);
	}
}

static void quantize_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	(void)worker;
	for (; first < end; first++)
		quantize_row(argument, first);
}

/* Some matrix of the unit takes its input as int8. */
static bool unit_wants_int8(const weights_unit *unit)
{
	uint32_t i;

	for (i = 0; i < unit->n_matrices; i++)
		if (type_find(unit->matrices[i].type)->takes_int8)
			return true;
	return false;
}

/* RMSNorm of n rows of x, those that `rows` names or the first. */
static arch_vectors norm(brise_engine *e, const float *weight, const uint32_t *rows, uint32_t n,
                         bool quantized)
{
	row_job job = { .e = e, .quantized = quantized, .weight = weight, .rows = rows };

	job.input = input_of(e, e->normed, engine_stride(e->model->config.dim), n);
	pool_run(e->pool, norm_piece, &job, n, 1);
	return job.input;
}

static void show(forward_observer observer, const arch_vectors *input, uint32_t kind,
                 uint32_t layer)
{
	if (observer.observe)
		observer.observe(observer.user, kind, layer, input->floats,
		                 input->blocks * TILE_BLOCK, (uint32_t)input->n);
}

/* ---- the layers ----------------------------------------------------------------------------- */

/* Gives the unit back; the first failure counts. */
static brise_status release(brise_engine *e, brise_status status, brise_error *err)
{
	brise_status released = weights_release(e->weights, status == BRISE_OK ? err : NULL);

	return status == BRISE_OK ? released : status;
}

/* q, k, v = wq, wk, wv norm(x) */
static brise_status multiply_qkv(brise_engine *e, uint32_t n, uint32_t layer,
                                 forward_observer observer, brise_error *err)
{
	const format_config *c = &e->model->config;
	size_t kv = engine_stride(c->n_kv_heads * c->head_dim);
	weights_unit unit;
	arch_vectors input;
	brise_status status = weights_acquire(e->weights, layer, RESIDENCY_QKV, &unit, err);

	if (status != BRISE_OK)
		return status;
	input = norm(e, weights_norm(e->model, TENSOR_ATTENTION_NORM, layer), NULL, n,
	             unit_wants_int8(&unit));
	show(observer, &input, TENSOR_WQ, layer);
	status = multiply(e, &unit, &input,
	                  (product[]){ { &unit.matrices[0], e->q,
	                                 engine_stride(c->n_heads * c->head_dim), NULL },
	                               { &unit.matrices[1], e->k, kv, NULL },
	                               { &unit.matrices[2], e->v, kv, NULL } },
	                  err);
	return release(e, status, err);
}

/* x += wo mixed */
static brise_status multiply_o(brise_engine *e, uint32_t n, uint32_t layer,
                               forward_observer observer, brise_error *err)
{
	const format_config *c = &e->model->config;
	row_job job = { .e = e };
	weights_unit unit;
	brise_status status = weights_acquire(e->weights, layer, RESIDENCY_O, &unit, err);

	if (status != BRISE_OK)
		return status;
	job.quantized = unit_wants_int8(&unit);
	job.input = input_of(e, e->mixed, engine_stride(c->n_heads * c->head_dim), n);
	pool_run(e->pool, quantize_piece, &job, n, 1);
	show(observer, &job.input, TENSOR_WO, layer);
	status = multiply(e, &unit, &job.input,
	                  &(product){ &unit.matrices[0], e->branch, engine_stride(c->dim), e->x },
	                  err);
	return release(e, status, err);
}

/* gate, up = w1, w3 norm(x) */
static brise_status multiply_up(brise_engine *e, uint32_t n, uint32_t layer,
                                forward_observer observer, brise_error *err)
{
	size_t hidden = engine_stride(e->model->config.hidden_dim);
	weights_unit unit;
	arch_vectors input;
	brise_status status = weights_acquire(e->weights, layer, RESIDENCY_UP, &unit, err);

	if (status != BRISE_OK)
		return status;
	input = norm(e, weights_norm(e->model, TENSOR_FFN_NORM, layer), NULL, n,
	             unit_wants_int8(&unit));
	show(observer, &input, TENSOR_W1, layer);
	status = multiply(e, &unit, &input,
	                  (product[]){ { &unit.matrices[0], e->gate, hidden, NULL },
	                               { &unit.matrices[1], e->up, hidden, NULL } },
	                  err);
	return release(e, status, err);
}

/* x += w2(silu(gate) * up) */
static brise_status multiply_down(brise_engine *e, uint32_t n, uint32_t layer,
                                  forward_observer observer, brise_error *err)
{
	const format_config *c = &e->model->config;
	row_job job = { .e = e, .up = e->up };
	weights_unit unit;
	brise_status status = weights_acquire(e->weights, layer, RESIDENCY_DOWN, &unit, err);

	if (status != BRISE_OK)
		return status;
	job.quantized = unit_wants_int8(&unit);
	job.input = input_of(e, e->gate, engine_stride(c->hidden_dim), n);
	pool_run(e->pool, silu_piece, &job, n, 1);
	show(observer, &job.input, TENSOR_W2, layer);
	status = multiply(e, &unit, &job.input,
	                  &(product){ &unit.matrices[0], e->branch, engine_stride(c->dim), e->x },
	                  err);
	return release(e, status, err);
}

void forward_angles(brise_engine *e, const pass *p)
{
	const format_config *c = &e->model->config;
	double magnitude = rope_scaling_magnitude(c);
	uint32_t i, k;

	for (i = 0; i < p->n_runs; i++)
		for (k = 0; k < p->runs[i].n; k++) {
			uint32_t row = p->runs[i].row + k;
			uint64_t position = p->runs[i].position + k;
			size_t at = (size_t)row * (c->head_dim / 2);

			rope_fill_angles(e->cosines + at, e->sines + at, e->frequencies,
			                 c->head_dim, position, magnitude);
			if (e->query_factors)
				e->query_factors[row] = rope_scaling_query(c, position);
		}
}

brise_status forward_embed(brise_engine *e, const pass *p, brise_error *err)
{
	e->cut.n = 0;
	return weights_read_embedding(e->weights, p->tokens, p->n, e->x,
	                              engine_stride(e->model->config.dim), err);
}

brise_status forward_part(brise_engine *e, const pass *p, uint32_t layer, residency_part part,
                          forward_observer observer, brise_error *err)
{
	brise_status status;

	switch (part) {
	case RESIDENCY_QKV:
		status = multiply_qkv(e, p->n, layer, observer, err);
		if (status == BRISE_OK)
			attention_run(e, p, layer);
		return status;
	case RESIDENCY_O:
		return multiply_o(e, p->n, layer, observer, err);
	case RESIDENCY_UP:
		return multiply_up(e, p->n, layer, observer, err);
	default:
		return multiply_down(e, p->n, layer, observer, err);
	}
}

const float *forward_input(brise_engine *e, uint32_t n, uint32_t layer, residency_part part)
{
	const format_config *c = &e->model->config;
	row_job job = { .e = e, .up = e->up };

	switch (part) {
	case RESIDENCY_QKV:
		return norm(e, weights_norm(e->model, TENSOR_ATTENTION_NORM, layer), NULL, n, false)
		        .floats;
	case RESIDENCY_O:
		return e->mixed;
	case RESIDENCY_UP:
		return norm(e, weights_norm(e->model, TENSOR_FFN_NORM, layer), NULL, n, false)
		        .floats;
	case RESIDENCY_DOWN:
		job.input = input_of(e, e->gate, engine_stride(c->hidden_dim), n);
		pool_run(e->pool, silu_piece, &job, n, 1);
		return e->gate;
	default:
		return norm(e, weights_norm(e->model, TENSOR_FINAL_NORM, 0), NULL, n, false).floats;
	}
}

brise_status forward_layer(brise_engine *e, const pass *p, uint32_t layer,
                           forward_observer observer, brise_error *err)
{
	brise_status status = BRISE_OK;
	unsigned part;

	for (part = RESIDENCY_QKV; part < RESIDENCY_PARTS && status == BRISE_OK; part++)
		status = forward_part(e, p, layer, (residency_part)part, observer, err);
	return status;
}

/* Whether p is the pass that was cut. Weights that are streamed come from the first layer on. */
static bool is_cut(const brise_engine *e, const pass *p)
{
	uint32_t i;

	if (e->cut.n == 0 || !pass_equals(&e->cut, p) || e->model->residency.streamed_bytes > 0)
		return false;
	for (i = 0; i < p->n_runs; i++)
		if (p->runs[i].sequence->cut_by != e)
			return false;
	return true;
}

static brise_status cut(brise_engine *e, const pass *p, uint32_t layer, brise_error *err)
{
	uint32_t i;

	pass_remember(&e->cut, p);
	e->cut_layer = layer;
	for (i = 0; i < p->n_runs; i++)
		p->runs[i].sequence->cut_by = e;
	return error_set(err, BRISE_ECANCELED, "cancelled at position %" PRIu64,
	                 p->runs[0].position);
}

brise_status forward_pass(brise_engine *e, const pass *p, bool output, forward_observer observer,
                          brise_cancel_fn *cancel, void *user, brise_error *err)
{
	uint32_t layer = is_cut(e, p) ? e->cut_layer : 0;
	brise_status status = weights_begin_pass(e->weights, output, err);

	if (status != BRISE_OK)
		return status;
	if (layer == 0) {
		forward_angles(e, p);
		status = forward_embed(e, p, err);
	}
	e->cut.n = 0;
	pass_begin(p);
	for (; layer < e->model->config.n_layers && status == BRISE_OK; layer++) {
		if (cancel && cancel(user))
			return cut(e, p, layer, err);
		status = forward_layer(e, p, layer, observer, err);
	}
	if (status == BRISE_OK)
		status = pass_check(p, err);
	if (status == BRISE_OK)
		pass_end(p);
	return status;
}

/* ---- the output ----------------------------------------------------------------------------- */

brise_status forward_acquire_output(brise_engine *e, weights_unit *output, brise_error *err)
{
	return weights_acquire(e->weights, e->model->config.n_layers, 0, output, err);
}

brise_status forward_release_output(brise_engine *e, brise_status status, brise_error *err)
{
	e->met = true;
	return release(e, status, err);
}

brise_status forward_logits(brise_engine *e, const weights_unit *output, const uint32_t *rows,
                            uint32_t n, brise_error *err)
{
	arch_vectors input = norm(e, weights_norm(e->model, TENSOR_FINAL_NORM, 0), rows, n,
	                          unit_wants_int8(output));
	brise_status status = multiply(
	        e, output, &input,
	        &(product){ &output->matrices[0], e->logits, engine_logits_stride(e), NULL }, err);

	math_unify_nans(e->logits, n * engine_logits_stride(e)); /* of damaged weights */
	return status;
}

void forward_state(brise_engine *e, uint32_t row, float *state)
{
	arch_vectors input = norm(e, weights_norm(e->model, TENSOR_FINAL_NORM, 0), &row, 1, false);

	memcpy(state, input.floats, e->model->config.dim * sizeof *state);
	math_unify_nans(state, e->model->config.dim);
}

void forward_show_output(brise_engine *e, uint32_t n, forward_observer observer)
{
	arch_vectors input = norm(e, weights_norm(e->model, TENSOR_FINAL_NORM, 0), NULL, n, false);

	show(observer, &input, TENSOR_OUTPUT, 0);
}
