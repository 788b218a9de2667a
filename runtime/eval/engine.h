/* engine.h - what evaluation needs besides sequences: kernels, threads, activations, scratch */
#ifndef RUNTIME_ENGINE_H
#define RUNTIME_ENGINE_H

#include "runtime/eval/pass.h"
#include "runtime/eval/rope.h"
#include "runtime/model/weights.h"
#include "runtime/os/threads.h"

/* Rows whose logits are computed together. */
#define LOGITS_ROWS 16u

/* Scratch of one thread. */
typedef struct engine_scratch {
	float *products; /* [ARCH_SCRATCH]: partial sums of a matrix product */
	float *scores;   /* [ATTEND_QUERIES * SEGMENT_POSITIONS] */
	float *sums;     /* [ATTEND_QUERIES][dim] */
	int8_t *queries; /* [ATTEND_QUERIES][dim] */
} engine_scratch;

struct brise_engine {
	const brise_model *model;
	arch_kernels kernels;
	pool *pool;
	weights_reader *weights;
	brise_engine_facts facts; /* rows among them */
	bool met;                 /* all weights have been read once, so their pages are mapped */

	/* Activations of a pass. Each row is padded as matrices want their input; padding stays
	 * zero. */
	float *x;               /* [rows][dim] the residual stream */
	float *normed;          /* [rows][dim] */
	float *branch;          /* [rows][dim] what attention or feed-forward adds to x */
	float *q, *k, *v;       /* [rows][heads * head_dim] */
	float *mixed;           /* [rows][heads * head_dim] attention's result */
	float *gate, *up;       /* [rows][hidden_dim] */
	float *logits;          /* [LOGITS_ROWS][vocab padded to 16] */
	float *cosines, *sines; /* [rows][head_dim / 2] of the rows' positions */
	arch_vectors quantized; /* room for the input of any matrix as int8 */
	/* [head_dim / 2] */
	rope_frequency *frequencies;
	float *query_factors; /* [rows] by which queries are multiplied; NULL: they are not */
	pass pass;
	/* A pass that was cancelled: while nothing else has been evaluated, x holds the states
	 * before cut_layer, and the same pass continues there. n is 0 if there is none. */
	struct pass cut;
	uint32_t cut_layer;
	engine_scratch *scratch; /* [threads] */
	void *arena;             /* all of the above */
};

/* Row lengths: input of a matrix of that many columns. */
static inline size_t engine_stride(uint32_t cols)
{
	return tile_padded(cols);
}

/* Floats from one row of logits to the next. */
static inline size_t engine_logits_stride(const brise_engine *e)
{
	return tile_count(e->model->config.vocab) * TILE_ROWS;
}

/* Adds what brise_new_engine will take to *needed; of the model its configuration is enough.
 * Errors: BRISE_EINVAL. */
brise_status engine_count(const brise_model *model, const brise_engine_options *options,
                          uint64_t *needed, brise_error *err);

/* The kernel set called `name`; NULL or "": the best supported.
 * Errors: BRISE_EINVAL, BRISE_EUNSUPPORTED. */
brise_status engine_choose_kernels(arch_kernels *kernels, const char *name, brise_error *err);

#endif
