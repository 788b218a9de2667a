/* forward.c - the forward pass: tokens in, logits out */
#include "runtime/eval/forward.h"

#include <inttypes.h>

#include "arch/math.h"
#include "runtime/error.h"
#include "runtime/eval/attention.h"
#include "runtime/eval/rope.h"
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
static void multiply(brise_engine *e, const arch_vectors *input, const product *products,
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

static bool wants_int8(const weights_matrix *w)
{
	return type_find(w->type)->takes_int8;
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

/* x += wo(attention of norm(x)) */
static void attention(brise_engine *e, const pass *p, const weights_layer *layer, uint32_t index,
                      forward_observer observer)
{
	const format_config *c = &e->model->config;
	size_t dim = engine_stride(c->dim), heads = engine_stride(c->n_heads * c->head_dim),
	       kv = engine_stride(c->n_kv_heads * c->head_dim);
	row_job job = { .e = e, .quantized = wants_int8(&layer->wo) };
	arch_vectors input =
	        norm(e, layer->attention_norm, NULL, p->n,
	             wants_int8(&layer->wq) || wants_int8(&layer->wk) || wants_int8(&layer->wv));

	show(observer, &input, TENSOR_WQ, index);
	multiply(e, &input,
	         (product[]){ { &layer->wq, e->q, heads, NULL },
	                      { &layer->wk, e->k, kv, NULL },
	                      { &layer->wv, e->v, kv, NULL } },
	         3);
	attention_run(e, p, index);
	job.input = input_of(e, e->mixed, heads, p->n);
	pool_run(e->pool, quantize_piece, &job, p->n, 1);
	show(observer, &job.input, TENSOR_WO, index);
	multiply(e, &job.input, &(product){ &layer->wo, e->branch, dim, e->x }, 1);
}

/* x += w2(silu(w1 norm(x)) * w3 norm(x)) */
static void feed_forward(brise_engine *e, const pass *p, const weights_layer *layer, uint32_t index,
                         forward_observer observer)
{
	const format_config *c = &e->model->config;
	size_t dim = engine_stride(c->dim), hidden = engine_stride(c->hidden_dim);
	row_job job = { .e = e, .quantized = wants_int8(&layer->w2), .up = e->up };
	arch_vectors input = norm(e, layer->ffn_norm, NULL, p->n,
	                          wants_int8(&layer->w1) || wants_int8(&layer->w3));

	show(observer, &input, TENSOR_W1, index);
	multiply(e, &input,
	         (product[]){ { &layer->w1, e->gate, hidden, NULL },
	                      { &layer->w3, e->up, hidden, NULL } },
	         2);
	job.input = input_of(e, e->gate, hidden, p->n);
	pool_run(e->pool, silu_piece, &job, p->n, 1);
	show(observer, &job.input, TENSOR_W2, index);
	multiply(e, &job.input, &(product){ &layer->w2, e->branch, dim, e->x }, 1);
}

void forward_angles(brise_engine *e, const pass *p)
{
	uint32_t head_dim = e->model->config.head_dim, i, k;

	for (i = 0; i < p->n_runs; i++)
		for (k = 0; k < p->runs[i].n; k++) {
			size_t at = (size_t)(p->runs[i].row + k) * (head_dim / 2);

			rope_fill_angles(e->cosines + at, e->sines + at, e->frequencies, head_dim,
			                 p->runs[i].position + k);
		}
}

brise_status forward_embed(brise_engine *e, const pass *p, brise_error *err)
{
	return weights_read_embedding(e->model, p->tokens, p->n, e->x,
	                              engine_stride(e->model->config.dim), err);
}

brise_status forward_layer(brise_engine *e, const pass *p, uint32_t layer,
                           forward_observer observer, brise_error *err)
{
	weights_layer weights;
	brise_status status = weights_acquire_layer(&weights, e->model, layer, err);

	if (status != BRISE_OK)
		return status;
	attention(e, p, &weights, layer, observer);
	feed_forward(e, p, &weights, layer, observer);
	return weights_release_layer(e->model, layer, err);
}

brise_status forward_pass(brise_engine *e, const pass *p, forward_observer observer,
                          brise_cancel_fn *cancel, void *user, brise_error *err)
{
	brise_status status;
	uint32_t layer;

	forward_angles(e, p);
	status = forward_embed(e, p, err);
	pass_begin(p);
	for (layer = 0; layer < e->model->config.n_layers && status == BRISE_OK; layer++) {
		if (cancel && cancel(user))
			return error_set(err, BRISE_ECANCELED, "cancelled at position %" PRIu64,
			                 p->runs[0].position);
		status = forward_layer(e, p, layer, observer, err);
	}
	if (status == BRISE_OK)
		pass_end(p);
	return status;
}

brise_status forward_logits(brise_engine *e, const uint32_t *rows, uint32_t n, brise_error *err)
{
	weights_output weights;
	brise_status status = weights_acquire_output(&weights, e->model, err);
	arch_vectors input;

	if (status != BRISE_OK)
		return status;
	input = norm(e, weights.final_norm, rows, n, wants_int8(&weights.output));
	multiply(e, &input, &(product){ &weights.output, e->logits, engine_logits_stride(e), NULL },
	         1);
	math_unify_nans(e->logits, n * engine_logits_stride(e)); /* of damaged weights */
	e->met = true;
	return weights_release_output(e->model, err);
}

brise_status forward_show_output(brise_engine *e, uint32_t n, forward_observer observer,
                                 brise_error *err)
{
	weights_output weights;
	brise_status status = weights_acquire_output(&weights, e->model, err);
	arch_vectors input;

	if (status != BRISE_OK)
		return status;
	input = norm(e, weights.final_norm, NULL, n, false);
	show(observer, &input, TENSOR_OUTPUT, 0);
	return weights_release_output(e->model, err);
}
