/* context.h - what one evaluation owns: cache, activations, scratch of each thread */
#ifndef RUNTIME_CONTEXT_H
#define RUNTIME_CONTEXT_H

#include "runtime/eval/kv_ring.h"
#include "runtime/model/model.h"
#include "runtime/os/threads.h"

/* Rows of logits computed together by brise_eval_all. */
#define LOGITS_ROWS 16u

/* Scratch of one thread. */
typedef struct context_scratch {
	float *products; /* [ARCH_SCRATCH]: partial sums of a matrix product */
	float *scores;   /* [ATTEND_QUERIES][SEGMENT_POSITIONS], or [slots + chunk] for f32 */
	float *sums;     /* [ATTEND_QUERIES][dim] */
	int8_t *queries; /* [ATTEND_QUERIES][dim] */
} context_scratch;

/* Told what matrices multiply: rows [n][stride], the input of the matrix of that kind and layer and
 * of all that share it. */
typedef void context_observe_fn(void *user, uint32_t kind, uint32_t layer, const float *rows,
                                size_t stride, uint32_t n);

struct brise_context {
	const brise_model *model;
	arch_kernels kernels;
	pool *pool;
	kv_ring ring;
	uint64_t position;
	uint64_t slots; /* positions that may be attended: W, or the room of a model without window
	                 */
	uint32_t chunk;
	brise_cancel_fn *cancel;
	void *user;
	context_observe_fn *observe; /* NULL: nobody looks */
	void *observer;

	/* Activations of a chunk. Each row is padded as matrices want their input; padding stays
	 * zero. */
	float *x;                 /* [chunk][dim] the residual stream */
	float *normed;            /* [chunk][dim] */
	float *branch;            /* [chunk][dim] what attention or feed-forward adds */
	float *q, *k, *v;         /* [chunk][heads * head_dim] */
	float *mixed;             /* [chunk][heads * head_dim] attention's result */
	float *gate, *up;         /* [chunk][hidden_dim] */
	float *logits;            /* [LOGITS_ROWS][vocab padded to 16] */
	float *cosines, *sines;   /* [chunk][head_dim / 2] */
	double *frequencies;      /* [head_dim / 2] */
	arch_vectors vectors;     /* quantized input of the matrix at hand */
	context_scratch *scratch; /* [threads] */
	uint64_t work_bytes;
	void *arena; /* all of the above */
};

/* Row lengths: input of a matrix of that many columns. */
static inline size_t context_stride(uint32_t cols)
{
	return tile_padded(cols);
}

/* The kernel set called `name`; NULL: BRISE_ARCH from the environment, else the best supported.
 * Errors: BRISE_EINVAL, BRISE_EUNSUPPORTED. */
brise_status context_choose_kernels(arch_kernels *kernels, const char *name, brise_error *err);

/* forward.c: the pass taken apart, for callers that keep the states of all their tokens and take
 * them through layer after layer. ctx->x holds the states [n][context_stride(dim)] of tokens at
 * position, position + 1, ...: they become those behind the layer, and the position moves. n <=
 * chunk. */
void forward_embed(brise_context *ctx, const int32_t *tokens, uint32_t n);
void forward_layer(brise_context *ctx, uint32_t layer, uint32_t n);
void forward_final_norm(brise_context *ctx,
                        uint32_t n); /* shows the observer what the output matrix multiplies */

/* attention.c: q, k, v of n tokens at ring->base -> mixed. Reads ctx->q, k, v (turned in place). */
void attention_run(brise_context *ctx, uint32_t layer, uint32_t n);

#endif
