/* lockstep.c - evaluates passages of a text with both models in turn */
#include "bench/lockstep.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

/* of the reference's logits: 512 positions of 32,768 tokens, so that the usual pass of 256 is not
 * cut */
#define KEPT_BYTES ((size_t)64 << 20)

typedef struct walker {
	const lockstep_job *job;
	divergence *d;
	const int32_t *next; /* next[i]: the token after position i of the current passage */
	float *kept;         /* [passage][vocab] the reference's logits */
	size_t piece, total;
} walker;

size_t lockstep_count_chunks(const lockstep_job *job)
{
	if (job->context == 0)
		return job->n >= 2;
	return job->n >= job->context ? (job->n - job->context) / job->stride + 1 : 0;
}

/* Index of the first scored token within a chunk. */
static size_t first_scored(const lockstep_job *job, size_t chunk)
{
	size_t half = job->context / 2 + 1,
	       scored_before = job->context > job->stride ? job->context - job->stride : 0;

	if (job->context == 0)
		return 1;
	return chunk > 0 && scored_before > half ? scored_before : half;
}

size_t lockstep_count_scored(const lockstep_job *job)
{
	size_t length = job->context ? job->context : job->n, chunks = lockstep_count_chunks(job);

	return chunks == 0 ? 0
	                   : length - first_scored(job, 0) +
	                             (chunks - 1) * (length - first_scored(job, 1));
}

static bool keep_position(void *user, size_t index, const float *logits)
{
	walker *w = user;

	memcpy(w->kept + index * w->job->vocab, logits, w->job->vocab * sizeof *logits);
	return false;
}

static bool score_position(void *user, size_t index, const float *logits)
{
	walker *w = user;

	divergence_add(w->d, logits, w->kept ? w->kept + index * w->job->vocab : NULL,
	               w->next[index]);
	return w->job->progress && w->job->progress(w->job->user, w->d, w->total);
}

/* The first n tokens of a passage, from an empty cache. */
static brise_status begin_passage(const lockstep_job *job, const lockstep_model *m,
                                  const int32_t *tokens, size_t n, brise_error *err)
{
	brise_status status = brise_rewind_sequence(m->sequence, 0, err);

	return status == BRISE_OK ? brise_eval_tokens(m->engine, m->sequence, tokens, n, NULL,
	                                              job->cancel, job->cancel_user, err)
	                          : status;
}

static bool is_cancelled(void *user)
{
	const walker *w = user;

	return w->job->cancel && w->job->cancel(w->job->cancel_user);
}

static brise_status eval_piece(walker *w, const lockstep_model *m, const int32_t *tokens, size_t n,
                               brise_logits_fn *each, brise_error *err)
{
	return brise_eval_all(m->engine, m->sequence, tokens, n, each, is_cancelled, w, err);
}

/* tokens [n] from an empty cache; those from index `first` on are scored. The last is only
 * predicted, never evaluated. */
static brise_status walk_passage(walker *w, const int32_t *tokens, size_t n, size_t first,
                                 brise_error *err)
{
	const lockstep_job *job = w->job;
	size_t at = first - 1, step;
	brise_status status = begin_passage(job, &job->model, tokens, at, err);

	if (job->reference.engine && status == BRISE_OK)
		status = begin_passage(job, &job->reference, tokens, at, err);
	for (; at + 1 < n && status == BRISE_OK; at += step) {
		step = n - 1 - at < w->piece ? n - 1 - at : w->piece;
		w->next = tokens + at + 1;
		if (job->reference.engine)
			status = eval_piece(w, &job->reference, tokens + at, step, keep_position,
			                    err);
		if (status == BRISE_OK)
			status = eval_piece(w, &job->model, tokens + at, step, score_position, err);
	}
	return status;
}

static brise_status walk_chunks(walker *w, brise_error *err)
{
	const lockstep_job *job = w->job;
	size_t chunks = lockstep_count_chunks(job), i;
	int32_t *chunk = memory_new(job->context, sizeof *chunk);
	brise_status status = BRISE_OK;

	if (!chunk)
		return error_set(err, BRISE_ENOMEM, "no memory for chunks of %zu tokens",
		                 job->context);
	for (i = 0; i < chunks && status == BRISE_OK; i++) {
		memcpy(chunk, job->ids + i * job->stride, job->context * sizeof *chunk);
		if (job->bos >= 0)
			chunk[0] = job->bos;
		status = walk_passage(w, chunk, job->context, first_scored(job, i), err);
	}
	memory_free(chunk);
	return status;
}

brise_status lockstep_measure(divergence *d, const lockstep_job *job, brise_error *err)
{
	walker w = { .job = job, .d = d, .piece = job->n, .total = lockstep_count_scored(job) };
	brise_status status =
	        divergence_prepare(d, job->vocab, job->reference.engine ? w.total : 0, err);

	if (status != BRISE_OK || w.total == 0)
		return status;
	if (job->reference.engine) {
		size_t rows = brise_get_engine_facts(job->model.engine)->rows;

		w.piece = KEPT_BYTES / (job->vocab * sizeof *w.kept);
		w.piece = w.piece > rows ? rows : w.piece > 0 ? w.piece : 1;
		if (!(w.kept = memory_new(w.piece * job->vocab, sizeof *w.kept)))
			return error_set(err, BRISE_ENOMEM,
			                 "no memory for the logits of %zu positions of %zu tokens",
			                 w.piece, job->vocab);
	}
	status = job->context ? walk_chunks(&w, err) : walk_passage(&w, job->ids, job->n, 1, err);
	memory_free(w.kept);
	return status;
}
