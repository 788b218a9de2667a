/* attention.c - grouped-query attention (arXiv 2305.13245) over the last W positions
 *
 * The window is applied in one place, attended_from. A head vector of keys or values is read once
 * for all query heads of its group and several tokens: up to ATTEND_QUERIES queries share a pass.
 * Segments of absolute positions are summed in order, so neither the chunk nor the number of
 * threads shows in the result.
 */
#include <math.h>
#include <string.h>

#include "arch/math.h"
#include "runtime/eval/context.h"
#include "runtime/eval/rope.h"

typedef struct attention_job {
	brise_context *ctx;
	uint32_t layer, n;
	uint32_t group;  /* query heads per key/value head */
	uint32_t tokens; /* tokens of a block */
	uint32_t blocks; /* blocks of the chunk */
} attention_job;

/* A token attends to itself and the W-1 before it. */
static uint64_t attended_from(const brise_context *ctx, uint64_t position)
{
	return position + 1 > ctx->slots ? position + 1 - ctx->slots : 0;
}

static float *head_of(float *rows, const brise_context *ctx, uint32_t n_heads, uint32_t token,
                      uint32_t head)
{
	uint32_t head_dim = ctx->model->config.head_dim;

	return rows + token * context_stride(n_heads * head_dim) + (size_t)head * head_dim;
}

/* Turns and stores the keys and values of one key/value head for the whole chunk, and turns its
 * group's queries. */
static void prepare_head(const attention_job *job, uint32_t kv_head)
{
	brise_context *ctx = job->ctx;
	const format_config *c = &ctx->model->config;
	uint32_t token, i, half = c->head_dim / 2;

	kv_ring_share(&ctx->ring, job->layer, kv_head);
	for (token = 0; token < job->n; token++) {
		const float *cosines = ctx->cosines + (size_t)token * half,
		            *sines = ctx->sines + (size_t)token * half;
		float *key = head_of(ctx->k, ctx, c->n_kv_heads, token, kv_head);

		ctx->kernels.turn(key, cosines, sines, half);
		kv_ring_put(&ctx->ring, job->layer, kv_head, ctx->ring.base + token, key,
		            head_of(ctx->v, ctx, c->n_kv_heads, token, kv_head));
		for (i = 0; i < job->group; i++)
			ctx->kernels.turn(
			        head_of(ctx->q, ctx, c->n_heads, token, kv_head * job->group + i),
			        cosines, sines, half);
	}
}

/* A set of queries of one key/value head: heads [head, head + heads) of tokens [token, token +
 * tokens). */
typedef struct query_set {
	uint32_t kv_head, head, heads, token, tokens;
} query_set;

static void attend_int8(const attention_job *job, const query_set *set,
                        const context_scratch *scratch)
{
	brise_context *ctx = job->ctx;
	const format_config *c = &ctx->model->config;
	uint16_t first[ATTEND_QUERIES], end[ATTEND_QUERIES];
	const uint8_t *spans[SEGMENT_SPANS + 1]; /* and the one that follows */
	float scales[ATTEND_QUERIES], by = 1 / sqrtf((float)c->head_dim);
	arch_attended attended[ATTEND_QUERIES] = { { 0, 0 } };
	uint32_t n_queries = set->heads * set->tokens, q, dim = ctx->ring.dim;
	uint64_t from = attended_from(ctx, ctx->ring.base + set->token),
	         to = ctx->ring.base + set->token + set->tokens, segment;

	memset(scratch->sums, 0, n_queries * dim * sizeof(float));
	for (q = 0; q < n_queries; q++)
		scales[q] = by * ctx->kernels.quantize_head(scratch->queries + (size_t)q * dim,
		                                            head_of(ctx->q, ctx, c->n_heads,
		                                                    set->token + q / set->heads,
		                                                    set->head + q % set->heads),
		                                            c->head_dim, dim);
	for (segment = from / SEGMENT_POSITIONS; segment * SEGMENT_POSITIONS < to; segment++) {
		uint64_t start = segment * SEGMENT_POSITIONS, s,
		         last_span = (to - 1) / SPAN_POSITIONS, first_span = start / SPAN_POSITIONS;
		uint32_t skip = 0, n = 0;

		/* Tokens of the set whose window begins after this segment, or that stand before
		 * it, sit it out; they are at one end. */
		for (q = 0; q < n_queries; q++) {
			uint64_t position = ctx->ring.base + set->token + q / set->heads,
			         low = attended_from(ctx, position), high = position + 1;

			low = low > start ? low - start : 0;
			high = high < start + SEGMENT_POSITIONS ? high : start + SEGMENT_POSITIONS;
			if (high <= start + low) {
				skip += n == 0;
				continue;
			}
			first[q] = (uint16_t)low;
			end[q] = (uint16_t)(high - start);
			n++;
		}
		for (s = 0; s <= SEGMENT_SPANS && first_span + s <= last_span; s++)
			spans[s] = first_span + s < from / SPAN_POSITIONS
			                   ? NULL
			                   : kv_ring_span(&ctx->ring, job->layer, set->kv_head,
			                                  first_span + s);
		ctx->kernels.attend(
		        &(arch_attention){ scratch->queries + (size_t)skip * dim, scales + skip,
		                           spans, s > SEGMENT_SPANS ? spans[SEGMENT_SPANS] : NULL,
		                           first + skip, end + skip, n, dim, scratch->scores,
		                           scratch->sums + (size_t)skip * dim, attended + skip });
	}
	for (q = 0; q < n_queries; q++) {
		float *out = head_of(ctx->mixed, ctx, c->n_heads, set->token + q / set->heads,
		                     set->head + q % set->heads);
		float inverse = 1 / attended[q].weight;
		uint32_t d;

		for (d = 0; d < c->head_dim; d++)
			out[d] = scratch->sums[(size_t)q * dim + d] * inverse;
	}
}

/* The reference path for f32 caches: plain two-pass softmax. Sixteen lanes, so that compilers may
 * vectorize. */
static float dot_f32(const float *a, const float *b, uint32_t n)
{
	float lanes[16] = { 0 };
	uint32_t i, k;

	for (i = 0; i + 16 <= n; i += 16)
		for (k = 0; k < 16; k++)
			lanes[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		lanes[i % 16] += a[i] * b[i];
	for (k = 8; k > 0; k /= 2)
		for (i = 0; i < k; i++)
			lanes[i] += lanes[i + k];
	return lanes[0];
}

static const float *span_row(const brise_context *ctx, const attention_job *job, uint32_t kv_head,
                             uint64_t position, uint32_t which)
{
	const float *floats = (const float *)(const void *)kv_ring_span(
	        &ctx->ring, job->layer, kv_head, position / SPAN_POSITIONS);

	return floats +
	       (which * SPAN_POSITIONS + position % SPAN_POSITIONS) * (size_t)ctx->ring.dim;
}

static void attend_f32(const attention_job *job, const query_set *set, uint32_t q,
                       const context_scratch *scratch)
{
	brise_context *ctx = job->ctx;
	const format_config *c = &ctx->model->config;
	uint32_t token = set->token + q / set->heads, head = set->head + q % set->heads, d;
	uint64_t position = ctx->ring.base + token, from = attended_from(ctx, position), p;
	const float *query = head_of(ctx->q, ctx, c->n_heads, token, head);
	float *out = head_of(ctx->mixed, ctx, c->n_heads, token, head);
	float *scores = scratch->scores, largest = -INFINITY, weight = 0,
	      by = 1 / sqrtf((float)c->head_dim);

	for (p = from; p <= position; p++) {
		float score =
		        dot_f32(query, span_row(ctx, job, set->kv_head, p, 0), c->head_dim) * by;

		scores[p - from] = score;
		largest = score > largest ? score : largest;
	}
	memset(out, 0, c->head_dim * sizeof *out);
	for (p = from; p <= position; p++) {
		const float *value = span_row(ctx, job, set->kv_head, p, 1);
		float e = math_exp(scores[p - from] - largest);

		weight += e;
		for (d = 0; d < c->head_dim; d++)
			out[d] += e * value[d];
	}
	for (d = 0; d < c->head_dim; d++)
		out[d] /= weight;
}

/* One block of tokens of one key/value head. Groups of more than ATTEND_QUERIES heads take several
 * sets. */
static void attend_block(const attention_job *job, uint32_t kv_head, uint32_t block,
                         unsigned worker)
{
	const context_scratch *scratch = &job->ctx->scratch[worker];
	query_set set = { kv_head, 0, 0, block * job->tokens, job->tokens };
	uint32_t done, q;

	if (set.tokens > job->n - set.token)
		set.tokens = job->n - set.token;
	for (done = 0; done < job->group; done += set.heads) {
		set.head = kv_head * job->group + done;
		set.heads = job->group - done < ATTEND_QUERIES ? job->group - done : ATTEND_QUERIES;
		if (job->ctx->ring.type == BRISE_KV_INT8)
			attend_int8(job, &set, scratch);
		else
			for (q = 0; q < set.heads * set.tokens; q++)
				attend_f32(job, &set, q, scratch);
	}
}

static void prepare_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	(void)worker;
	for (; first < end; first++)
		prepare_head(argument, (uint32_t)first);
}

static void attend_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const attention_job *job = argument;

	for (; first < end; first++)
		attend_block(job, (uint32_t)(first / job->blocks), (uint32_t)(first % job->blocks),
		             worker);
}

static void decode_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	for (; first < end; first++) {
		prepare_head(argument, (uint32_t)first);
		attend_block(argument, (uint32_t)first, 0, worker);
	}
}

void attention_run(brise_context *ctx, uint32_t layer, uint32_t n)
{
	const format_config *c = &ctx->model->config;
	attention_job job = { ctx, layer, n, c->n_heads / c->n_kv_heads, 1, n };

	if (job.group < ATTEND_QUERIES)
		job.tokens = ATTEND_QUERIES / job.group;
	job.blocks = (n + job.tokens - 1) / job.tokens;
	if (n == 1) {
		pool_run(ctx->pool, decode_piece, &job, c->n_kv_heads, 1);
		return;
	}
	pool_run(ctx->pool, prepare_piece, &job, c->n_kv_heads, 1);
	pool_run(ctx->pool, attend_piece, &job, (size_t)c->n_kv_heads * job.blocks, 1);
}
