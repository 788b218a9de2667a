/* forward.c - the forward pass: tokens in, logits out */
#include <inttypes.h>
#include <string.h>

#include "runtime/eval/context.h"
#include "runtime/error.h"
#include "runtime/eval/rope.h"

/* ---- matrices: several with the same input are one loop ------------------------------------- */

#define TOGETHER_MAX 3

typedef struct product {
	const model_matrix *w;
	float *y; /* [n][stride] */
	size_t stride;
} product;

typedef struct matmul_job {
	brise_context *ctx;
	product products[TOGETHER_MAX];
	unsigned n_products;
	size_t tiles; /* of all products */
	size_t unit;  /* tiles that are never parted */
} matmul_job;

static arch_matmul *matmul_of(const arch_kernels *kernels, uint32_t type)
{
	return type == TYPE_Q4   ? kernels->matmul_q4
	       : type == TYPE_Q8 ? kernels->matmul_q8
	                         : kernels->matmul_f16;
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
			matmul_of(&job->ctx->kernels,
			          p->w->type)(p->y, p->stride, &p->w->view, &job->ctx->vectors,
			                      first, stop, job->ctx->scratch[worker].products);
		first = first > tiles ? first - tiles : 0;
		end = end > tiles ? end - tiles : 0;
	}
}

/* y = W x for each product; the input stands in ctx->vectors. */
static void multiply(brise_context *ctx, const product *products, unsigned n_products)
{
	matmul_job job = { ctx, { { 0 } }, n_products, 0, ctx->vectors.n > 1 ? ARCH_GRAIN : 1 };
	unsigned i;

	for (i = 0; i < n_products; i++) {
		job.products[i] = products[i];
		job.tiles += tile_count(products[i].w->rows);
	}
	pool_run(ctx->pool, matmul_piece, &job, (job.tiles + job.unit - 1) / job.unit, ARCH_GRAIN);
}

/* ---- steps that go token by token ----------------------------------------------------------- */

typedef struct token_job {
	brise_context *ctx;
	float *rows; /* what is made the matrices' input, [n][stride] */
	size_t stride;
	const float *weight; /* norm: [dim] */
	const float *add;    /* norm: added to x first, [n][stride]; NULL: nothing */
	bool quantized;      /* some matrix wants int8 */
} token_job;

static void quantize_row(const token_job *job, size_t token)
{
	if (job->quantized)
		arch_quantize(&job->ctx->kernels, &job->ctx->vectors, token);
}

static void norm_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const token_job *job = argument;
	brise_context *ctx = job->ctx;
	const format_config *c = &ctx->model->config;

	(void)worker;
	for (; first < end; first++) {
		float *x = ctx->x + first * job->stride;

		if (job->add)
			ctx->kernels.add(x, job->add + first * job->stride, job->stride);
		ctx->kernels.norm(job->rows + first * job->stride, x, job->weight, c->dim,
		                  c->norm_eps);
		quantize_row(job, first);
	}
}

static void silu_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const token_job *job = argument;

	(void)worker;
	for (; first < end; first++) {
		job->ctx->kernels.silu(job->rows + first * job->stride,
		                       job->ctx->up + first * job->stride, job->stride);
		quantize_row(job, first);
	}
}

static void quantize_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	(void)worker;
	for (; first < end; first++)
		quantize_row(argument, first);
}

/* Makes rows [n][stride] the input of the next multiply. */
static void set_input(brise_context *ctx, float *rows, size_t stride, uint32_t n)
{
	ctx->vectors.floats = rows;
	ctx->vectors.blocks = stride / TILE_BLOCK;
	ctx->vectors.n = n;
}

static bool wants_int8(const model_matrix *w)
{
	return w->type != TYPE_F16;
}

/* x += add, then RMSNorm of x becomes the input. */
static void norm(brise_context *ctx, const float *weight, const float *add, uint32_t n,
                 bool quantized)
{
	token_job job = { ctx,    ctx->normed, context_stride(ctx->model->config.dim),
		          weight, add,         quantized };

	set_input(ctx, job.rows, job.stride, n);
	pool_run(ctx->pool, norm_piece, &job, n, 1);
}

/* The input just set, for who wants to see it. */
static void show_input(const brise_context *ctx, uint32_t kind, uint32_t layer)
{
	if (ctx->observe)
		ctx->observe(ctx->observer, kind, layer, ctx->vectors.floats,
		             ctx->vectors.blocks * TILE_BLOCK, (uint32_t)ctx->vectors.n);
}

/* ---- the layers ----------------------------------------------------------------------------- */

static void attention(brise_context *ctx, const model_layer *layer, uint32_t index, uint32_t n)
{
	const format_config *c = &ctx->model->config;
	size_t heads = context_stride(c->n_heads * c->head_dim),
	       kv = context_stride(c->n_kv_heads * c->head_dim);
	token_job job = { ctx, ctx->mixed, heads, NULL, NULL, wants_int8(&layer->wo) };

	show_input(ctx, TENSOR_WQ, index);
	multiply(ctx,
	         (product[]){ { &layer->wq, ctx->q, heads },
	                      { &layer->wk, ctx->k, kv },
	                      { &layer->wv, ctx->v, kv } },
	         3);
	attention_run(ctx, index, n);
	set_input(ctx, ctx->mixed, heads, n);
	pool_run(ctx->pool, quantize_piece, &job, n, 1);
	show_input(ctx, TENSOR_WO, index);
	multiply(ctx, (product[]){ { &layer->wo, ctx->branch, context_stride(c->dim) } }, 1);
}

/* w2(silu(w1 x) * w3 x) */
static void feed_forward(brise_context *ctx, const model_layer *layer, uint32_t index, uint32_t n)
{
	const format_config *c = &ctx->model->config;
	size_t hidden = context_stride(c->hidden_dim);
	token_job job = { ctx, ctx->gate, hidden, NULL, NULL, wants_int8(&layer->w2) };

	show_input(ctx, TENSOR_W1, index);
	multiply(ctx,
	         (product[]){ { &layer->w1, ctx->gate, hidden }, { &layer->w3, ctx->up, hidden } },
	         2);
	set_input(ctx, ctx->gate, hidden, n);
	pool_run(ctx->pool, silu_piece, &job, n, 1);
	show_input(ctx, TENSOR_W2, index);
	multiply(ctx, (product[]){ { &layer->w2, ctx->branch, context_stride(c->dim) } }, 1);
}

/* x += add (NULL: nothing), then the layer; what its feed-forward adds is left in ctx->branch. */
static void run_layer(brise_context *ctx, uint32_t index, const float *add, uint32_t n)
{
	const model_layer *layer = &ctx->model->layers[index];

	norm(ctx, layer->attention_norm, add, n,
	     wants_int8(&layer->wq) || wants_int8(&layer->wk) || wants_int8(&layer->wv));
	attention(ctx, layer, index, n);
	norm(ctx, layer->ffn_norm, ctx->branch, n,
	     wants_int8(&layer->w1) || wants_int8(&layer->w3));
	feed_forward(ctx, layer, index, n);
}

void forward_embed(brise_context *ctx, const int32_t *tokens, uint32_t n)
{
	uint32_t t;

	for (t = 0; t < n; t++)
		model_decode_row(&ctx->model->embedding, (uint32_t)tokens[t],
		                 ctx->x + t * context_stride(ctx->model->config.dim));
}

/* The chunk's place in the cache, and the angles of its positions. */
static void begin_chunk(brise_context *ctx, uint32_t n)
{
	const format_config *c = &ctx->model->config;
	uint32_t t;

	kv_ring_begin(&ctx->ring, ctx->position);
	for (t = 0; t < n; t++)
		rope_fill_angles(ctx->cosines + (size_t)t * (c->head_dim / 2),
		                 ctx->sines + (size_t)t * (c->head_dim / 2), ctx->frequencies,
		                 c->head_dim, ctx->position + t);
}

static void end_chunk(brise_context *ctx, uint32_t n)
{
	kv_ring_commit(&ctx->ring, n);
	ctx->position += n;
}

/* Evaluates one chunk up to the last layer's branch, which is still to be added to x. The cache and
 * position move at its end. */
static brise_status forward(brise_context *ctx, const int32_t *tokens, uint32_t n, brise_error *err)
{
	uint32_t i;

	begin_chunk(ctx, n);
	forward_embed(ctx, tokens, n);
	for (i = 0; i < ctx->model->config.n_layers; i++) {
		if (ctx->cancel && ctx->cancel(ctx->user))
			return error_set(err, BRISE_ECANCELED, "cancelled at position %" PRIu64,
			                 ctx->position);
		run_layer(ctx, i, i > 0 ? ctx->branch : NULL, n);
	}
	end_chunk(ctx, n);
	return BRISE_OK;
}

void forward_layer(brise_context *ctx, uint32_t layer, uint32_t n)
{
	begin_chunk(ctx, n);
	run_layer(ctx, layer, NULL, n);
	ctx->kernels.add(ctx->x, ctx->branch, n * context_stride(ctx->model->config.dim));
	end_chunk(ctx, n);
}

void forward_final_norm(brise_context *ctx, uint32_t n)
{
	norm(ctx, ctx->model->final_norm, NULL, n, false);
	show_input(ctx, TENSOR_OUTPUT, 0);
}

/* Logits of tokens [first, first + n) of the chunk just evaluated, n <= LOGITS_ROWS, into
 * ctx->logits; once per token. */
static void output(brise_context *ctx, uint32_t first, uint32_t n)
{
	const brise_model *model = ctx->model;
	size_t stride = context_stride(model->config.dim);

	/* The tokens wanted move to the front of x and branch, where norm expects them; those
	 * behind stay for the next call. */
	if (first > 0) {
		memmove(ctx->x, ctx->x + first * stride, n * stride * sizeof(float));
		memmove(ctx->branch, ctx->branch + first * stride, n * stride * sizeof(float));
	}
	norm(ctx, model->final_norm, ctx->branch, n, wants_int8(&model->output));
	multiply(ctx,
	         (product[]){ { &model->output, ctx->logits,
	                        tile_count(model->config.vocab) * TILE_ROWS } },
	         1);
}

static brise_status check_tokens(const brise_context *ctx, const int32_t *tokens, size_t n,
                                 brise_error *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (tokens[i] < 0 || (uint32_t)tokens[i] >= ctx->model->config.vocab)
			return error_set(err, BRISE_EINVAL,
			                 "token %zu: id %" PRId32
			                 " outside the vocabulary of %" PRIu32,
			                 i, tokens[i], ctx->model->config.vocab);
	if (ctx->model->config.window == 0 && n > ctx->slots - ctx->position)
		return error_set(err, BRISE_EFULL,
		                 "context full: %" PRIu64 " of %" PRIu64
		                 " positions used, %zu more wanted; this model has no window",
		                 ctx->position, ctx->slots, n);
	return BRISE_OK;
}

brise_status brise_eval(brise_context *ctx, const int32_t *tokens, size_t n, const float **logits,
                        brise_error *err)
{
	brise_status status = check_tokens(ctx, tokens, n, err);
	size_t done = 0;

	if (status == BRISE_OK && n == 0 && logits)
		status = error_set(err, BRISE_EINVAL, "no token to evaluate");
	while (status == BRISE_OK && done < n) {
		uint32_t step = n - done < ctx->chunk ? (uint32_t)(n - done) : ctx->chunk;

		status = forward(ctx, tokens + done, step, err);
		done += step;
		if (status == BRISE_OK && done == n && logits) {
			output(ctx, step - 1, 1);
			*logits = ctx->logits;
		}
	}
	return status;
}

/* Hands out the logits of the chunk of n tokens just evaluated. */
static brise_status give_logits(brise_context *ctx, size_t index, uint32_t n, brise_logits_fn *each,
                                void *user, brise_error *err)
{
	size_t stride = tile_count(ctx->model->config.vocab) * TILE_ROWS;
	uint32_t first, t;

	for (first = 0; first < n; first += LOGITS_ROWS) {
		uint32_t rows = n - first < LOGITS_ROWS ? n - first : LOGITS_ROWS;

		output(ctx, first, rows);
		for (t = 0; t < rows; t++)
			if (each(user, index + first + t, ctx->logits + t * stride))
				return error_set(err, BRISE_ECANCELED, "cancelled at token %zu",
				                 index + first + t);
	}
	return BRISE_OK;
}

brise_status brise_eval_all(brise_context *ctx, const int32_t *tokens, size_t n,
                            brise_logits_fn *each, void *user, brise_error *err)
{
	brise_status status = check_tokens(ctx, tokens, n, err);
	size_t done = 0;

	while (status == BRISE_OK && done < n) {
		uint32_t step = n - done < ctx->chunk ? (uint32_t)(n - done) : ctx->chunk;

		status = forward(ctx, tokens + done, step, err);
		if (status == BRISE_OK)
			status = give_logits(ctx, done, step, each, user, err);
		done += step;
	}
	return status;
}
