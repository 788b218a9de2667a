/* engine.c - making and freeing an engine: one arena for all activations, so nothing is allocated
 * per token */
#include "runtime/eval/engine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/float_env.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/eval/rope_scaling.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/sized.h"

#define ARENA_MAX ((uint64_t)1 << 40)

void brise_init_engine_options(brise_engine_options *options, size_t size)
{
	brise_engine_options defaults = { .size = sizeof defaults };

	sized_write(options, size, &defaults, sizeof defaults);
}

const char *brise_get_arch(size_t index, bool *supported)
{
	const arch_kernels *set = arch_list(index);
	arch_cpu cpu;

	if (!set)
		return NULL;
	arch_detect(&cpu);
	if (supported)
		*supported = set->supported && set->supported(&cpu);
	return set->name;
}

/* Hands out 64-byte aligned pieces of the arena; run once with base NULL to learn the size. Sizes:
 * every factor is bounded by model_check_config and the options, and the sum is checked against
 * ARENA_MAX. */
typedef struct arena {
	uint8_t *base;
	uint64_t used;
} arena;

static void *arena_take(arena *a, uint64_t count, size_t size)
{
	void *piece = a->base ? a->base + a->used : NULL;

	a->used += round_up(count * size, TILE_ALIGN);
	return piece;
}

static void lay_out_pass(pass *p, arena *a, uint64_t n)
{
	p->runs = arena_take(a, n, sizeof *p->runs);
	p->blocks = arena_take(a, n, sizeof *p->blocks);
	p->tokens = arena_take(a, n, sizeof *p->tokens);
	p->rows = arena_take(a, n, sizeof *p->rows);
}

static void lay_out(brise_engine *e, arena *a)
{
	const format_config *c = &e->model->config;
	size_t dim = engine_stride(c->dim), hidden = engine_stride(c->hidden_dim),
	       heads = engine_stride(c->n_heads * c->head_dim);
	size_t kv = engine_stride(c->n_kv_heads * c->head_dim),
	       widest = dim > hidden ? dim : hidden;
	uint64_t n = e->facts.rows, blocks, queries = ATTEND_QUERIES * span_dim(c->head_dim);
	unsigned i;

	widest = heads > widest ? heads : widest;
	e->x = arena_take(a, n * dim, sizeof(float));
	e->normed = arena_take(a, (n > LOGITS_ROWS ? n : LOGITS_ROWS) * dim, sizeof(float));
	e->branch = arena_take(a, n * dim, sizeof(float));
	e->q = arena_take(a, n * heads, sizeof(float));
	e->k = arena_take(a, n * kv, sizeof(float));
	e->v = arena_take(a, n * kv, sizeof(float));
	e->mixed = arena_take(a, n * heads, sizeof(float));
	e->gate = arena_take(a, n * hidden, sizeof(float));
	e->up = arena_take(a, n * hidden, sizeof(float));
	e->logits = arena_take(a, LOGITS_ROWS * engine_logits_stride(e), sizeof(float));
	e->cosines = arena_take(a, n * (c->head_dim / 2), sizeof(float));
	e->sines = arena_take(a, n * (c->head_dim / 2), sizeof(float));
	e->frequencies = arena_take(a, c->head_dim / 2, sizeof *e->frequencies);
	if (c->query_beta > 0)
		e->query_factors = arena_take(a, n, sizeof(float));
	blocks = n * vectors_slabs(widest / TILE_BLOCK) * SLAB_BLOCKS;
	e->quantized.codes = arena_take(a, blocks * TILE_BLOCK, 1);
	e->quantized.scales = arena_take(a, blocks, sizeof(float));
	e->quantized.sums = arena_take(a, blocks, sizeof(int32_t));
	lay_out_pass(&e->pass, a, n);
	e->cut.runs = arena_take(a, n, sizeof *e->cut.runs);
	e->cut.tokens = arena_take(a, n, sizeof *e->cut.tokens);
	for (i = 0; i < e->facts.threads; i++) {
		engine_scratch s;

		s.products = arena_take(a, ARCH_SCRATCH, sizeof(float));
		s.scores = arena_take(a, ATTEND_QUERIES * SEGMENT_POSITIONS, sizeof(float));
		s.sums = arena_take(a, queries, sizeof(float));
		s.queries = arena_take(a, queries, 1);
		if (a->base)
			e->scratch[i] = s;
	}
}

static brise_status allocate(brise_engine *e, brise_error *err)
{
	arena a = { NULL, 0 };

	e->scratch = memory_new(e->facts.threads, sizeof *e->scratch);
	lay_out(e, &a);
	e->facts.work_bytes = a.used;
	/* Zeroed: padding must be zero, and pages that a short prompt never touches cost
	 * nothing. */
	if (a.used < ARENA_MAX && a.used < SIZE_MAX - TILE_ALIGN)
		e->arena = memory_new((size_t)a.used + TILE_ALIGN, 1);
	if (!e->arena || !e->scratch)
		return error_set(err, BRISE_ENOMEM,
		                 "no memory for the activations of %" PRIu32
		                 " rows a pass (%" PRIu64 " bytes)",
		                 e->facts.rows, a.used);
	/* Rows of activations are multiples of 4 KB apart, so products touch one page per token.
	 * Huge pages make prefill of 7B 4 % faster. */
	os_advise_huge(e->arena, (size_t)a.used);
	a.base = (uint8_t *)e->arena + (TILE_ALIGN - (uintptr_t)e->arena % TILE_ALIGN) % TILE_ALIGN;
	a.used = 0;
	lay_out(e, &a);
	return BRISE_OK;
}

brise_status engine_choose_kernels(arch_kernels *kernels, const char *name, brise_error *err)
{
	const char *wanted = name && *name ? name : NULL;
	arch_cpu cpu;
	size_t i;

	arch_detect(&cpu);
	if (arch_choose(kernels, wanted, &cpu))
		return BRISE_OK;
	for (i = 0; arch_list(i); i++)
		if (wanted && !strcmp(arch_list(i)->name, wanted))
			return error_set(
			        err, BRISE_EUNSUPPORTED,
			        "kernel set %s: this processor or system does not support it",
			        wanted);
	return error_set(err, BRISE_EINVAL,
	                 "kernel set \"%s\" is unknown; brise info lists those there are",
	                 wanted ? wanted : "");
}

/* Rows and threads of the options. */
static brise_status read_options(brise_engine *e, const brise_engine_options *o, brise_error *err)
{
	unsigned threads = o->threads ? o->threads : threads_available();

	if (o->rows > PASS_ROWS_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "engine options: %" PRIu32 " rows, expected at most %u", o->rows,
		                 PASS_ROWS_MAX);
	if (threads > THREADS_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "engine options: %u threads, expected at most %u", threads,
		                 THREADS_MAX);
	e->facts.rows = o->rows ? o->rows : PASS_ROWS_DEFAULT;
	e->facts.threads = threads;
	return BRISE_OK;
}

brise_status brise_get_engine_bytes(const brise_model *model, const brise_engine_options *options,
                                    uint64_t *bytes, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(model), ERROR_ARGUMENT(bytes) };
	brise_engine_options o = { .size = sizeof o };
	brise_engine e = { .model = model };
	arena a = { NULL, 0 };
	brise_status status;

	if ((status = error_check_pointers(err, "brise_get_engine_bytes", needed, 2)) != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "engine options", err)) != BRISE_OK ||
	    (status = read_options(&e, &o, err)) != BRISE_OK)
		return status;
	lay_out(&e, &a);
	*bytes = a.used;
	return BRISE_OK;
}

brise_status engine_count(const brise_model *model, const brise_engine_options *options,
                          uint64_t *needed, brise_error *err)
{
	brise_engine_options o = { .size = sizeof o };
	uint64_t work;
	brise_status status = brise_get_engine_bytes(model, options, &work, err);

	if (status != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "engine options", err)) != BRISE_OK)
		return status;
	if (o.threads == 0)
		o.threads = threads_available();
	memory_count(needed, 1, sizeof(brise_engine));
	pool_count(o.threads, needed);
	memory_count(needed, o.threads, sizeof(engine_scratch));
	memory_count(needed, work + TILE_ALIGN, 1);
	weights_count(needed);
	return BRISE_OK;
}

static brise_status make(brise_engine *e, const brise_engine_options *o, brise_error *err)
{
	const format_config *c = &e->model->config;
	brise_status status = read_options(e, o, err);

	if (status != BRISE_OK)
		return status;
	if ((status = engine_choose_kernels(&e->kernels, o->arch, err)) != BRISE_OK ||
	    (status = pool_new(&e->pool, e->facts.threads, err)) != BRISE_OK)
		return status;
	e->facts.arch = e->kernels.name;
	e->facts.threads = pool_threads(e->pool);
	if ((status = allocate(e, err)) != BRISE_OK)
		return status;
	rope_scaling_fill(e->frequencies, c);
	return weights_new_reader(&e->weights, e->model, err);
}

brise_status brise_new_engine(brise_engine **out, const brise_model *model,
                              const brise_engine_options *options, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(model) };
	brise_engine_options o = { .size = sizeof o };
	brise_engine *e;
	brise_status status;
	float_env host;

	if (out)
		*out = NULL;
	if ((status = error_check_pointers(err, "brise_new_engine", needed, 2)) != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "engine options", err)) != BRISE_OK)
		return status;
	if (!(e = memory_new(1, sizeof *e)))
		return error_set(err, BRISE_ENOMEM, "no memory for an engine");
	e->model = model;
	host = float_env_enter(); /* threads inherit it */
	status = make(e, &o, err);
	float_env_leave(host);
	if (status != BRISE_OK)
		brise_free_engine(e);
	else
		*out = e;
	return status;
}

void brise_free_engine(brise_engine *engine)
{
	if (!engine)
		return;
	pool_free(engine->pool);
	weights_free_reader(engine->weights);
	memory_free(engine->scratch);
	memory_free(engine->arena);
	memory_free(engine);
}

uint64_t brise_get_engine_bytes_read(const brise_engine *engine)
{
	return engine ? weights_bytes_read(engine->weights) : 0;
}

const brise_engine_facts *brise_get_engine_facts(const brise_engine *engine)
{
	return engine ? &engine->facts : NULL;
}
