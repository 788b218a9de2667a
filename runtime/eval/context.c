/* context.c - making and freeing an evaluation context: one arena for all activations, so nothing
 * is allocated per token */
#include "runtime/eval/context.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/map.h"
#include "runtime/eval/rope.h"

#define CHUNK_DEFAULT   256u
#define CHUNK_MAX       4096u
#define CONTEXT_DEFAULT 4096u
#define CONTEXT_MAX     (1u << 24)
#define ARENA_MAX       ((uint64_t)1 << 40)

void brise_init_options(brise_options *options)
{
	memset(options, 0, sizeof *options);
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

	a->used += (count * size + TILE_ALIGN - 1) / TILE_ALIGN * TILE_ALIGN;
	return piece;
}

static void lay_out(brise_context *ctx, arena *a)
{
	const format_config *c = &ctx->model->config;
	size_t dim = context_stride(c->dim), hidden = context_stride(c->hidden_dim),
	       heads = context_stride(c->n_heads * c->head_dim);
	size_t kv = context_stride(c->n_kv_heads * c->head_dim),
	       widest = dim > hidden ? dim : hidden;
	uint64_t n = ctx->chunk, blocks, scores = (uint64_t)ATTEND_QUERIES * SEGMENT_POSITIONS;
	unsigned i, threads = pool_threads(ctx->pool);

	widest = heads > widest ? heads : widest;
	if (ctx->ring.type == BRISE_KV_F32 && ctx->slots + n > scores)
		scores = ctx->slots + n;
	ctx->x = arena_take(a, n * dim, sizeof(float));
	ctx->normed = arena_take(a, n * dim, sizeof(float));
	ctx->branch = arena_take(a, n * dim, sizeof(float));
	ctx->q = arena_take(a, n * heads, sizeof(float));
	ctx->k = arena_take(a, n * kv, sizeof(float));
	ctx->v = arena_take(a, n * kv, sizeof(float));
	ctx->mixed = arena_take(a, n * heads, sizeof(float));
	ctx->gate = arena_take(a, n * hidden, sizeof(float));
	ctx->up = arena_take(a, n * hidden, sizeof(float));
	ctx->logits = arena_take(a, (uint64_t)LOGITS_ROWS * tile_count(c->vocab) * TILE_ROWS,
	                         sizeof(float));
	ctx->cosines = arena_take(a, n * (c->head_dim / 2), sizeof(float));
	ctx->sines = arena_take(a, n * (c->head_dim / 2), sizeof(float));
	ctx->frequencies = arena_take(a, c->head_dim / 2, sizeof(double));
	blocks = n * vectors_slabs(widest / TILE_BLOCK) * SLAB_BLOCKS;
	ctx->vectors.codes = arena_take(a, blocks * TILE_BLOCK, 1);
	ctx->vectors.scales = arena_take(a, blocks, sizeof(float));
	ctx->vectors.sums = arena_take(a, blocks, sizeof(int32_t));
	for (i = 0; i < threads; i++) {
		context_scratch s;

		s.products = arena_take(a, ARCH_SCRATCH, sizeof(float));
		s.scores = arena_take(a, scores, sizeof(float));
		s.sums = arena_take(a, (uint64_t)ATTEND_QUERIES * ctx->ring.dim, sizeof(float));
		s.queries = arena_take(a, (uint64_t)ATTEND_QUERIES * ctx->ring.dim, 1);
		if (a->base)
			ctx->scratch[i] = s;
	}
}

static brise_status allocate(brise_context *ctx, brise_error *err)
{
	arena a = { NULL, 0 };

	ctx->scratch = calloc(pool_threads(ctx->pool), sizeof *ctx->scratch);
	lay_out(ctx, &a);
	ctx->work_bytes = a.used;
	/* calloc: padding must be zero, and pages that a short prompt never touches cost nothing.
	 */
	if (a.used < ARENA_MAX && a.used < SIZE_MAX - TILE_ALIGN)
		ctx->arena = calloc(1, (size_t)a.used + TILE_ALIGN);
	if (!ctx->arena || !ctx->scratch)
		return error_set(err, BRISE_ENOMEM,
		                 "no memory for the activations of %" PRIu32
		                 " tokens a chunk (%" PRIu64 " bytes)",
		                 ctx->chunk, a.used);
	/* Rows of activations are multiples of 4 KB apart, so that products touch a page per token:
	 * 4 % of prefill of 7B. */
	map_wish_huge(ctx->arena, (size_t)a.used);
	a.base = (uint8_t *)ctx->arena +
	         (TILE_ALIGN - (uintptr_t)ctx->arena % TILE_ALIGN) % TILE_ALIGN;
	a.used = 0;
	lay_out(ctx, &a);
	return BRISE_OK;
}

brise_status context_choose_kernels(arch_kernels *kernels, const char *name, brise_error *err)
{
	const char *wanted = name ? name : getenv("BRISE_ARCH");
	arch_cpu cpu;
	size_t i;

	if (wanted && !*wanted)
		wanted = NULL;
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

static uint64_t choose_slots(const format_config *c, uint32_t context)
{
	if (c->window > 0)
		return c->window;
	if (context > 0)
		return context;
	return c->max_context > 0 && c->max_context < CONTEXT_DEFAULT ? c->max_context
	                                                              : CONTEXT_DEFAULT;
}

static brise_status make(brise_context *ctx, const brise_options *o, brise_error *err)
{
	const format_config *c = &ctx->model->config;
	unsigned threads = o->threads ? o->threads : threads_available();
	brise_status status;

	if (o->chunk > CHUNK_MAX || threads > THREADS_MAX ||
	    (o->kv != BRISE_KV_INT8 && o->kv != BRISE_KV_F32))
		return error_set(
		        err, BRISE_EINVAL,
		        "options: chunk %" PRIu32
		        " (at most %u), threads %u (at most %u) or key/value type out of range",
		        o->chunk, CHUNK_MAX, threads, THREADS_MAX);
	ctx->chunk = o->chunk ? o->chunk : CHUNK_DEFAULT;
	ctx->slots = choose_slots(c, o->context);
	if (ctx->slots > CONTEXT_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "a context of %" PRIu64 " positions is more than %u", ctx->slots,
		                 CONTEXT_MAX);
	ctx->cancel = o->cancel;
	ctx->user = o->user;
	if ((status = context_choose_kernels(&ctx->kernels, o->arch, err)) != BRISE_OK ||
	    (status = pool_new(&ctx->pool, threads, err)) != BRISE_OK ||
	    (status = kv_ring_new(&ctx->ring, &ctx->kernels, o->kv, c->n_layers, c->n_kv_heads,
	                          c->head_dim, ctx->slots, ctx->chunk, err)) != BRISE_OK ||
	    (status = allocate(ctx, err)) != BRISE_OK)
		return status;
	rope_fill_frequencies(ctx->frequencies, c->head_dim, c->rope_theta);
	return BRISE_OK;
}

brise_status brise_new_context(brise_context **out, const brise_model *model,
                               const brise_options *options, brise_error *err)
{
	brise_context *ctx = calloc(1, sizeof *ctx);
	brise_options defaults;
	brise_status status;

	*out = NULL;
	if (!ctx)
		return error_set(err, BRISE_ENOMEM, "no memory for a context");
	brise_init_options(&defaults);
	ctx->model = model;
	status = make(ctx, options ? options : &defaults, err);
	if (status != BRISE_OK)
		brise_free_context(ctx);
	else
		*out = ctx;
	return status;
}

void brise_free_context(brise_context *ctx)
{
	if (!ctx)
		return;
	pool_free(ctx->pool);
	kv_ring_free(&ctx->ring);
	free(ctx->scratch);
	free(ctx->arena);
	free(ctx);
}

void brise_reset_context(brise_context *ctx)
{
	ctx->position = 0;
}

void brise_get_context(const brise_context *ctx, brise_context_facts *facts)
{
	memset(facts, 0, sizeof *facts);
	facts->position = ctx->position;
	facts->slots = ctx->slots;
	facts->chunk = ctx->chunk;
	facts->threads = pool_threads(ctx->pool);
	facts->kv_bytes = kv_ring_bytes(&ctx->ring);
	facts->work_bytes = ctx->work_bytes;
	facts->arch = ctx->kernels.name;
}
