/* evaluator.h - an engine and one sequence, for tests that evaluate one text */
#ifndef TEST_EVALUATOR_H
#define TEST_EVALUATOR_H

#include "runtime/brise.h"

typedef struct evaluator {
	brise_engine *engine;
	brise_sequence *sequence;
} evaluator;

typedef struct evaluator_options {
	brise_kv_type kv;
	uint32_t context, chunk, threads; /* chunk: rows of a pass, and slack */
	const char *arch;
} evaluator_options;

/* Both are NULL after an error. */
static inline brise_status evaluator_open(evaluator *e, const brise_model *model,
                                          evaluator_options options, brise_error *err)
{
	const brise_engine_options engine = { .size = sizeof engine,
		                              .rows = options.chunk,
		                              .threads = options.threads,
		                              .arch = options.arch };
	const brise_sequence_options sequence = { .size = sizeof sequence,
		                                  .kv = options.kv,
		                                  .context = options.context,
		                                  .slack = options.chunk };
	brise_status status = brise_new_engine(&e->engine, model, &engine, err);

	e->sequence = NULL;
	if (status == BRISE_OK)
		status = brise_new_sequence(&e->sequence, model, &sequence, err);
	if (status != BRISE_OK) {
		brise_free_engine(e->engine);
		e->engine = NULL;
	}
	return status;
}

static inline void evaluator_close(evaluator *e)
{
	brise_free_sequence(e->sequence);
	brise_free_engine(e->engine);
}

static inline brise_status evaluator_eval(evaluator *e, const int32_t *tokens, size_t n,
                                          const float **logits, brise_error *err)
{
	return brise_eval_tokens(e->engine, e->sequence, tokens, n, logits, NULL, NULL, err);
}

static inline uint64_t evaluator_position(const evaluator *e)
{
	return brise_get_sequence_facts(e->sequence)->position;
}

#endif
