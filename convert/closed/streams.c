/* streams.c - see streams.h */
#include "convert/closed/streams.h"

#include <string.h>

#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/eval/attention.h"
#include "runtime/eval/forward.h"

bool streams_state_floats(const format_config *config, size_t n, size_t *floats)
{
	uint64_t all;

	return checked_mul(n, engine_stride(config->dim), &all) && all <= SIZE_MAX / 64 &&
	       checked_size(all, floats);
}

/* A model without a window attends to all tokens before, so its cache holds them all: of one
 * layer. */
static brise_status open_stream(streams *s, unsigned which, unsigned threads, const char *arch,
                                brise_error *err)
{
	const brise_engine_options engine = { .size = sizeof engine,
		                              .threads = threads,
		                              .arch = arch };
	const brise_sequence_options sequence = {
		.size = sizeof sequence,
		.context = (uint32_t)(s->n < UINT32_MAX ? s->n : UINT32_MAX)
	};
	const brise_model *model = &s->layers[which].model;
	brise_status status;

	if ((status = brise_new_engine(&s->engines[which], model, &engine, err)) != BRISE_OK ||
	    (status = brise_new_sequence(&s->sequences[which], model, &sequence, err)) != BRISE_OK)
		return status;
	return sequence_check_room(s->sequences[which], s->n, err);
}

static bool share(const streams *s)
{
	return s->engines[0] && s->engines[1] && s->engines[0]->pool == s->engines[1]->pool;
}

/* The engines take turns: one pool for both keeps the other's threads from running idle beside
 * it. */
static void share_threads(streams *s)
{
	brise_engine *first = s->engines[0], *second = s->engines[1];

	if (first->facts.threads != second->facts.threads)
		return;
	pool_free(second->pool);
	second->pool = first->pool;
}

brise_status streams_new(streams *s, const format_config *config, const char *name,
                         const int32_t *ids, size_t n, unsigned threads, const char *arch,
                         brise_error *err)
{
	brise_status status = BRISE_OK;
	unsigned i;

	*s = (streams){ .ids = ids, .n = n };
	for (i = 0; i < STREAMS && status == BRISE_OK; i++) {
		layer_init(&s->layers[i], config, name);
		status = open_stream(s, i, threads, arch, err);
	}
	if (status == BRISE_OK)
		share_threads(s);
	return status;
}

void streams_free(streams *s)
{
	unsigned i;

	if (share(s))
		s->engines[1]->pool = NULL;
	for (i = 0; i < STREAMS; i++) {
		brise_free_sequence(s->sequences[i]);
		brise_free_engine(s->engines[i]);
		layer_free(&s->layers[i]);
	}
}

static float *states_of(const streams *s, unsigned which, unsigned generation, size_t first)
{
	return s->states[which][generation] +
	       first * engine_stride(s->layers[which].model.config.dim);
}

static size_t state_bytes(const streams *s, uint32_t n)
{
	return n * engine_stride(s->layers[0].model.config.dim) * sizeof(float);
}

/* One stream's chunk of n tokens; *shown: the inputs, if any are. */
static brise_status run_chunk(streams *s, unsigned which, const streams_step *step, size_t first,
                              uint32_t n, const float **shown, brise_error *err)
{
	brise_engine *e = s->engines[which];
	brise_status status = BRISE_OK;
	unsigned part;

	pass_plan_run(&e->pass, s->sequences[which], s->ids + first, n,
	              attention_block_rows(&e->model->config));
	memcpy(e->x, states_of(s, which, step->behind_attention, first), state_bytes(s, n));
	forward_angles(e, &e->pass);
	pass_begin(&e->pass);
	for (part = step->first; part < step->end && status == BRISE_OK; part++)
		status = forward_part(e, &e->pass, 0, (residency_part)part,
		                      (forward_observer){ NULL, NULL }, err);
	pass_end(&e->pass);
	if (step->to >= 0)
		memcpy(states_of(s, which, (unsigned)step->to, first), e->x, state_bytes(s, n));
	if (step->show >= 0)
		*shown = forward_input(e, n, 0, (residency_part)step->show);
	return status;
}

uint32_t streams_columns(const format_config *c, unsigned part)
{
	return part == RESIDENCY_O      ? c->n_heads * c->head_dim
	       : part == RESIDENCY_DOWN ? c->hidden_dim
	                                : c->dim;
}

brise_status streams_run(streams *s, const streams_step *step, streams_observe_fn *observe,
                         void *user, brise_error *err)
{
	const format_config *config = &s->layers[0].model.config;
	uint32_t rows = s->engines[0]->facts.rows;
	brise_status status = BRISE_OK;
	const float *shown[STREAMS] = { NULL, NULL };
	unsigned i;
	size_t first;

	for (i = 0; i < STREAMS && status == BRISE_OK; i++)
		status = brise_rewind_sequence(s->sequences[i], 0, err);
	for (first = 0; first < s->n && status == BRISE_OK; first += rows) {
		uint32_t n = s->n - first < rows ? (uint32_t)(s->n - first) : rows;
		correction_rows seen;

		for (i = 0; i < STREAMS && status == BRISE_OK; i++)
			status = run_chunk(s, i, step, first, n, &shown[i], err);
		seen = (correction_rows){ shown[STREAM_ORIGINAL],
			                  shown[STREAM_QUANTIZED],
			                  engine_stride(
			                          streams_columns(config, (unsigned)step->show)),
			                  s->engines[STREAM_ORIGINAL]->x,
			                  s->engines[STREAM_QUANTIZED]->x,
			                  engine_stride(config->dim),
			                  n };
		if (status == BRISE_OK)
			status = observe(user, &seen, first, err);
	}
	return status;
}
