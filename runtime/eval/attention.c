/* attention.c - grouped-query attention (arXiv 2305.13245) over the last W positions
 *
 * The window is applied in one place, sequence.h. A head vector of keys or values is
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

/* Rotates a head vector by the angles of a row's position. */
static void rotate(const brise_engine *e, float *head, uint32_t row)
{
	uint32_t half = e->model->config.head_dim / 2;

	e->kernels.turn(head, e->cosines + (size_t)row * half, e->sines + (size_t)row * half, half);
}

/* What the products of a row's queries with keys are multiplied by. */
static float score_scale(const brise_engine *e, uint32_t row)
{
	float by = 1 / sqrtf((float)e->model->config.head_dim);

	return e->query_factors ? by * e->query_factors[row] : by;
}

/* Rotates and stores the keys and values of one key/value head for a run of rows. */
static void prepare_head(const attention_job *job, const pass_run *run, uint32_t kv_head)
{
	brise_engine *e = job->e;
	const format_config *c = &e->model->config;
	brise_sequence *sequence = run->sequence;
	uint32_t i;

	for (i = 0; i < run->n; i++) {
		uint32_t row = run->row + i;
		uint64_t past = run->position + i - sequence->facts.start;
		float *key = head_of(e->k, e, c->n_kv_heads, row, kv_head);
		const float *value = head_of(e->v, e, c->n_kv_heads, row, kv_head);

		rotate(e, key, row);
		kv_ring_put(&sequence->ring, e->kernels.quantize_head, job->layer, kv_head,
		            run->position + i, key, value);
		if (past < sequence->sinks)
			kv_ring_put_sink(&sequence->ring, e->kernels.quantize_head, job->layer,
			                 kv_head, (uint32_t)past, key, value);
	}
}

/* A set of queries of one key/value head: heads [head, head + heads) of the rows of a run. Each
 * query belongs to one set. */
typedef struct query_set {
	const pass_run *run;
	uint32_t kv_head, head, heads;
} query_set;

/* Query q of the set, not rotated yet; its row in *row. */
static float *find_query(const attention_job *job, const query_set *set, uint32_t q, uint32_t *row)
{
	*row = set->run->row + q / set->heads;
	return head_of(job->e->q, job->e, job->e->model->config.n_heads, *row,
	               set->head + q % set->heads);
}

/* A copy of a query, rotated as sinks want it. */
static void rotate_for_sinks(float *copy, const float *query, const brise_engine *e,
                             const brise_sequence *sequence)
{
	uint32_t head_dim = e->model->config.head_dim;

	memcpy(copy, query, head_dim * sizeof *copy);
	e->kernels.turn(copy, sequence->sink_cosines, sequence->sink_sines, head_dim / 2);
}

/* What the queries of a set have in common, and their sums so far. */
typedef struct int8_job {
	const attention_job *job;
	const query_set *set;
	const engine_scratch *scratch;
	uint32_t n_queries, dim;
	float scales[ATTEND_QUERIES];
	uint16_t first[ATTEND_QUERIES], end[ATTEND_QUERIES]; /* within the segment */
	arch_attended attended[ATTEND_QUERIES];
} int8_job;

static void quantize_query(int8_job *j, uint32_t q, uint32_t row, const float *query)
{
	const brise_engine *e = j->job->e;

	j->scales[q] = score_scale(e, row) *
	               e->kernels.quantize_head(j->scratch->queries + (size_t)q * j->dim, query,
	                                        e->model->config.head_dim, j->dim);
}

/* Queries [skip, skip + n) attend a segment. */
static void attend_segment(int8_job *j, const uint8_t *const *spans, const uint8_t *next,
                           uint32_t skip, uint32_t n)
{
	j->job->e->kernels.attend(&(arch_attention){
	        j->scratch->queries + (size_t)skip * j->dim, j->scales + skip, spans, next,
	        j->first + skip, j->end + skip, n, j->dim, j->scratch->scores,
	        j->scratch->sums + (size_t)skip * j->dim, j->attended + skip });
}

/* The sinks, a segment of their own before all others, for the rows whose window has left them
 * behind: those at the end. */
static void attend_sinks(int8_job *j)
{
	const pass_run *run = j->set->run;
	const brise_sequence *sequence = run->sequence;
	const uint8_t *span;
	float query[ARCH_HEAD_DIM_MAX];
	uint32_t skip = 0, q, row;

	while (skip < j->n_queries &&
	       !sequence_sees_sinks(sequence, run->position + skip / j->set->heads))
		skip++;
	if (skip == j->n_queries)
		return;
	for (q = skip; q < j->n_queries; q++) {
		rotate_for_sinks(query, find_query(j->job, j->set, q, &row), j->job->e, sequence);
		quantize_query(j, q, row, query);
		j->first[q] = 0;
		j->end[q] = (uint16_t)sequence->sinks;
	}
	span = kv_ring_sinks(&sequence->ring, j->job->layer, j->set->kv_head);
	attend_segment(j, &span, NULL, skip, j->n_queries - skip);
}

static void attend_window(int8_job *j)
{
	const pass_run *run = j->set->run;
	const brise_sequence *sequence = run->sequence;
	const uint8_t *spans[SEGMENT_SPANS + 1]; /* and the one that follows */
	uint64_t from = sequence_attended_from(sequence, j->job->layer, run->position),
	         to = run->position + run->n, segment;

	for (segment = from / SEGMENT_POSITIONS; segment * SEGMENT_POSITIONS < to; segment++) {
		uint64_t start = segment * SEGMENT_POSITIONS, s,
		         last_span = (to - 1) / SPAN_POSITIONS, first_span = start / SPAN_POSITIONS;
		uint32_t skip = 0, n = 0, q;

		/* Skip queries whose window begins after this segment, or whose position is before
		 * it; they are contiguous at one end. */
		for (q = 0; q < j->n_queries; q++) {
			uint64_t position = run->position + q / j->set->heads,
			         low = sequence_attended_from(sequence, j->job->layer, position),
			         high = position + 1;

			low = low > start ? low - start : 0;
			high = high < start + SEGMENT_POSITIONS ? high : start + SEGMENT_POSITIONS;
			if (high <= start + low) {
				skip += n == 0;
				continue;
			}
			j->first[q] = (uint16_t)low;
			j->end[q] = (uint16_t)(high - start);
			n++;
		}
		for (s = 0; s <= SEGMENT_SPANS && first_span + s <= last_span; s++)
			spans[s] = first_span + s < from / SPAN_POSITIONS
			                   ? NULL
			                   : kv_ring_span(&sequence->ring, j->job->layer,
			                                  j->set->kv_head, first_span + s);
		attend_segment(j, spans, s > SEGMENT_SPANS ? spans[SEGMENT_SPANS] : NULL, skip, n);
	}
}

static void attend_int8(const attention_job *job, const query_set *set,
                        const engine_scratch *scratch)
{
	brise_engine *e = job->e;
	const format_config *c = &e->model->config;
	int8_job j = { .job = job,
		       .set = set,
		       .scratch = scratch,
		       .n_queries = set->heads * set->run->n,
		       .dim = set->run->sequence->ring.dim };
	uint32_t q, row, d;

	memset(scratch->sums, 0, j.n_queries * j.dim * sizeof(float));
	attend_sinks(&j);
	for (q = 0; q < j.n_queries; q++) {
		float *query = find_query(job, set, q, &row);

		rotate(e, query, row);
		quantize_query(&j, q, row, query);
	}
	attend_window(&j);
	for (q = 0; q < j.n_queries; q++) {
		float *out = head_of(e->mixed, e, c->n_heads, set->run->row + q / set->heads,
		                     set->head + q % set->heads);
		float inverse = 1 / j.attended[q].weight;

		for (d = 0; d < c->head_dim; d++)
			out[d] = scratch->sums[(size_t)q * j.dim + d] * inverse;
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

/* What a query attends to is counted from 0: the sinks, if it sees them, then the positions from
 * `from` on. */
typedef struct f32_query {
	const kv_ring *ring;
	uint32_t layer, kv_head;
	const float *query, *sink_query;
	uint64_t sinks, from;
	float by; /* 1 / sqrt(head_dim) */
} f32_query;

/* The key (which 0) or value (1) of what is attended to. */
static const float *span_row(const f32_query *f, uint64_t index, uint32_t which)
{
	uint64_t position = index < f->sinks ? index : f->from + (index - f->sinks);
	const float *floats =
	        (const float *)(const void *)(index < f->sinks
	                                              ? kv_ring_sinks(f->ring, f->layer, f->kv_head)
	                                              : kv_ring_span(f->ring, f->layer, f->kv_head,
	                                                             position / SPAN_POSITIONS));

	return floats + (which * SPAN_POSITIONS + position % SPAN_POSITIONS) * (size_t)f->ring->dim;
}

static float score_f32(const f32_query *f, uint64_t index)
{
	return dot_f32(index < f->sinks ? f->sink_query : f->query, span_row(f, index, 0),
	               f->ring->head_dim) *
	       f->by;
}

/* Softmax of the scores of n positions, applied to their values. Scores beyond those the scratch
 * can keep are computed twice. */
static void mix_f32(float *out, const f32_query *f, uint64_t n, const engine_scratch *scratch)
{
	float largest = -INFINITY, weight = 0;
	uint32_t d, head_dim = f->ring->head_dim;
	uint64_t i;

	for (i = 0; i < n; i++) {
		float score = score_f32(f, i);

		if (i < SCORES_KEPT)
			scratch->scores[i] = score;
		largest = score > largest ? score : largest;
	}
	memset(out, 0, head_dim * sizeof *out);
	for (i = 0; i < n; i++) {
		const float *value = span_row(f, i, 1);
		float score = i < SCORES_KEPT ? scratch->scores[i] : score_f32(f, i),
		      power = math_exp(score - largest);

		weight += power;
		for (d = 0; d < head_dim; d++)
			out[d] += power * value[d];
	}
	for (d = 0; d < head_dim; d++)
		out[d] /= weight;
}

static void attend_f32(const attention_job *job, const query_set *set, uint32_t q,
                       const engine_scratch *scratch)
{
	brise_engine *e = job->e;
	const format_config *c = &e->model->config;
	const brise_sequence *sequence = set->run->sequence;
	uint64_t position = set->run->position + q / set->heads;
	uint32_t row;
	float *query = find_query(job, set, q, &row), sink_query[ARCH_HEAD_DIM_MAX];
	f32_query f = { .ring = &sequence->ring,
		        .layer = job->layer,
		        .kv_head = set->kv_head,
		        .query = query,
		        .sink_query = sink_query,
		        .from = sequence_attended_from(sequence, job->layer, position),
		        .by = score_scale(e, row) };

	if (sequence_sees_sinks(sequence, position)) {
		f.sinks = sequence->sinks;
		rotate_for_sinks(sink_query, query, e, sequence);
	}
	rotate(e, query, row);
	mix_f32(head_of(e->mixed, e, c->n_heads, row, set->head + q % set->heads), &f,
	        f.sinks + (position + 1 - f.from), scratch);
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
				attend_f32(job, &set, q, scratch);
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
