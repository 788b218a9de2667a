/* attention.c - grouped-query attention (arXiv 2305.13245) over the last W positions
 *
 * The window is applied in one place, sequence_attended_from. A head vector of keys or values is
 * read once for all query heads of its group and several rows of its sequence: up to ATTEND_QUERIES
 * queries share a pass. Segments of absolute positions are summed in order, so the result depends
 * neither on the rows of the pass nor on the number of threads.
 */
#include "runtime/eval/attention.h"

#include <math.h>
#include <string.h>

#include "arch/math.h"

typedef struct attention_job {
	brise_engine *e;
	const pass *pass;
	uint32_t layer;
	uint32_t group; /* query heads per key/value head */
} attention_job;

uint32_t attention_block_rows(const format_config *config)
{
	uint32_t group = config->n_heads / config->n_kv_heads;

	return group < ATTEND_QUERIES ? ATTEND_QUERIES / group : 1;
}

static float *head_of(float *rows, const brise_engine *e, uint32_t n_heads, uint32_t row,
                      uint32_t head)
{
	uint32_t head_dim = e->model->config.head_dim;

	return rows + row * engine_stride(n_heads * head_dim) + (size_t)head * head_dim;
}

/* Rotates and stores the keys and values of one key/value head for a run of rows, and rotates its
 * group's queries. */
static void prepare_head(const attention_job *job, const pass_run *run, uint32_t kv_head)
{
	brise_engine *e = job->e;
	const format_config *c = &e->model->config;
	uint32_t i, h, half = c->head_dim / 2;

	for (i = 0; i < run->n; i++) {
		uint32_t row = run->row + i;
		const float *cosines = e->cosines + (size_t)row * half,
		            *sines = e->sines + (size_t)row * half;
		float *key = head_of(e->k, e, c->n_kv_heads, row, kv_head);

		e->kernels.turn(key, cosines, sines, half);
		kv_ring_put(&run->sequence->ring, e->kernels.quantize_head, job->layer, kv_head,
		            run->position + i, key, head_of(e->v, e, c->n_kv_heads, row, kv_head));
		for (h = 0; h < job->group; h++)
			e->kernels.turn(head_of(e->q, e, c->n_heads, row, kv_head * job->group + h),
			                cosines, sines, half);
	}
}

/* A set of queries of one key/value head: heads [head, head + heads) of the rows of a run. */
typedef struct query_set {
	const pass_run *run;
	uint32_t kv_head, head, heads;
} query_set;

static void attend_int8(const attention_job *job, const query_set *set,
                        const engine_scratch *scratch)
{
	brise_engine *e = job->e;
	const format_config *c = &e->model->config;
	const pass_run *run = set->run;
	const brise_sequence *sequence = run->sequence;
	uint16_t first[ATTEND_QUERIES], end[ATTEND_QUERIES];
	const uint8_t *spans[SEGMENT_SPANS + 1]; /* and the one that follows */
	float scales[ATTEND_QUERIES], by = 1 / sqrtf((float)c->head_dim);
	arch_attended attended[ATTEND_QUERIES] = { { 0, 0 } };
	uint32_t n_queries = set->heads * run->n, q, dim = sequence->ring.dim;
	uint64_t from = sequence_attended_from(sequence, run->position),
	         to = run->position + run->n, segment;

	memset(scratch->sums, 0, n_queries * dim * sizeof(float));
	for (q = 0; q < n_queries; q++)
		scales[q] = by * e->kernels.quantize_head(scratch->queries + (size_t)q * dim,
		                                          head_of(e->q, e, c->n_heads,
		                                                  run->row + q / set->heads,
		                                                  set->head + q % set->heads),
		                                          c->head_dim, dim);
	for (segment = from / SEGMENT_POSITIONS; segment * SEGMENT_POSITIONS < to; segment++) {
		uint64_t start = segment * SEGMENT_POSITIONS, s,
		         last_span = (to - 1) / SPAN_POSITIONS, first_span = start / SPAN_POSITIONS;
		uint32_t skip = 0, n = 0;

		/* Skip queries whose window begins after this segment, or whose position is before
		 * it; they are contiguous at one end. */
		for (q = 0; q < n_queries; q++) {
			uint64_t position = run->position + q / set->heads,
			         low = sequence_attended_from(sequence, position),
			         high = position + 1;

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
			                   : kv_ring_span(&sequence->ring, job->layer, set->kv_head,
			                                  first_span + s);
		e->kernels.attend(
		        &(arch_attention){ scratch->queries + (size_t)skip * dim, scales + skip,
		                           spans, s > SEGMENT_SPANS ? spans[SEGMENT_SPANS] : NULL,
		                           first + skip, end + skip, n, dim, scratch->scores,
		                           scratch->sums + (size_t)skip * dim, attended + skip });
	}
	for (q = 0; q < n_queries; q++) {
		float *out = head_of(e->mixed, e, c->n_heads, run->row + q / set->heads,
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

#define SCORES_KEPT (ATTEND_QUERIES * SEGMENT_POSITIONS)

typedef struct f32_query {
	const kv_ring *ring;
	uint32_t layer, kv_head;
	const float *query;
	float by; /* 1 / sqrt(head_dim) */
} f32_query;

/* The key (which 0) or value (1) of a position. */
static const float *span_row(const f32_query *f, uint64_t position, uint32_t which)
{
	const float *floats = (const float *)(const void *)kv_ring_span(
	        f->ring, f->layer, f->kv_head, position / SPAN_POSITIONS);

	return floats + (which * SPAN_POSITIONS + position % SPAN_POSITIONS) * (size_t)f->ring->dim;
}

static float score_f32(const f32_query *f, uint64_t position)
{
	return dot_f32(f->query, span_row(f, position, 0), f->ring->head_dim) * f->by;
}

/* Head `head` of row `at` of the run. Scores beyond those the scratch can keep are computed
 * twice. */
static void attend_f32(const attention_job *job, const query_set *set, uint32_t at, uint32_t head,
                       const engine_scratch *scratch)
{
	brise_engine *e = job->e;
	const format_config *c = &e->model->config;
	uint64_t position = set->run->position + at,
	         from = sequence_attended_from(set->run->sequence, position), p;
	f32_query f = { &set->run->sequence->ring, job->layer, set->kv_head,
		        head_of(e->q, e, c->n_heads, set->run->row + at, head),
		        1 / sqrtf((float)c->head_dim) };
	float *out = head_of(e->mixed, e, c->n_heads, set->run->row + at, head),
	      largest = -INFINITY, weight = 0;
	uint32_t d;

	for (p = from; p <= position; p++) {
		float score = score_f32(&f, p);

		if (p - from < SCORES_KEPT)
			scratch->scores[p - from] = score;
		largest = score > largest ? score : largest;
	}
	memset(out, 0, c->head_dim * sizeof *out);
	for (p = from; p <= position; p++) {
		const float *value = span_row(&f, p, 1);
		float score = p - from < SCORES_KEPT ? scratch->scores[p - from] : score_f32(&f, p),
		      power = math_exp(score - largest);

		weight += power;
		for (d = 0; d < c->head_dim; d++)
			out[d] += power * value[d];
	}
	for (d = 0; d < c->head_dim; d++)
		out[d] /= weight;
}

/* One block of rows of one key/value head. Groups of more than ATTEND_QUERIES heads take several
 * sets. */
static void attend_block(const attention_job *job, const pass_run *block, uint32_t kv_head,
                         unsigned worker)
{
	const engine_scratch *scratch = &job->e->scratch[worker];
	query_set set = { block, kv_head, 0, 0 };
	uint32_t done, q;

	for (done = 0; done < job->group; done += set.heads) {
		set.head = kv_head * job->group + done;
		set.heads = job->group - done < ATTEND_QUERIES ? job->group - done : ATTEND_QUERIES;
		if (block->sequence->ring.type == BRISE_KV_INT8)
			attend_int8(job, &set, scratch);
		else
			for (q = 0; q < set.heads * block->n; q++)
				attend_f32(job, &set, q / set.heads, set.head + q % set.heads,
				           scratch);
	}
}

static void prepare_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const attention_job *job = argument;

	(void)worker;
	for (; first < end; first++)
		prepare_head(job, &job->pass->runs[first % job->pass->n_runs],
		             (uint32_t)(first / job->pass->n_runs));
}

static void attend_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	const attention_job *job = argument;

	for (; first < end; first++)
		attend_block(job, &job->pass->blocks[first % job->pass->n_blocks],
		             (uint32_t)(first / job->pass->n_blocks), worker);
}

/* Both steps in one loop, for passes with one row of each sequence: then no head needs keys that
 * another item writes. */
static void single_piece(void *argument, unsigned worker, size_t first, size_t end)
{
	for (; first < end; first++) {
		prepare_piece(argument, worker, first, first + 1);
		attend_piece(argument, worker, first, first + 1);
	}
}

void attention_run(brise_engine *e, const pass *p, uint32_t layer)
{
	const format_config *c = &e->model->config;
	attention_job job = { e, p, layer, c->n_heads / c->n_kv_heads };

	if (p->n_runs == p->n) {
		pool_run(e->pool, single_piece, &job, (size_t)c->n_kv_heads * p->n, 1);
		return;
	}
	pool_run(e->pool, prepare_piece, &job, (size_t)c->n_kv_heads * p->n_runs, 1);
	pool_run(e->pool, attend_piece, &job, (size_t)c->n_kv_heads * p->n_blocks, 1);
}
