/* lockstep.c - pieces of text through both models in turn */
#include "bench/lockstep.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

/* of the reference's logits: 512 positions of 32,768 tokens, so that the usual pass of 256 is not
 * cut */
#define KEPT_BYTES ((size_t)64 << 20)

typedef struct walker {
	const lockstep_job *job;
	divergence *d;
	const int32_t *next; /* next[i]: the token after position i of the piece at hand */
	float *kept;         /* [piece][vocab] the reference's logits */
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

/* tokens [n] from an empty cache; those from index `first` on are scored. The last is only
 * predicted, never evaluated. */
static brise_status walk_passage(walker *w, const int32_t *tokens, size_t n, size_t first,
                                 brise_error *err)
{
	const lockstep_job *job = w->job;
	size_t at = first - 1, step;
	brise_status status;

	brise_reset_context(job->model);
	status = brise_eval(job->model, tokens, at, NULL, err);
	if (job->reference && status == BRISE_OK) {
		brise_reset_context(job->reference);
		status = brise_eval(job->reference, tokens, at, NULL, err);
	}
	for (; at + 1 < n && status == BRISE_OK; at += step) {
		step = n - 1 - at < w->piece ? n - 1 - at : w->piece;
		w->next = tokens + at + 1;
		if (job->reference)
			status = brise_eval_all(job->reference, tokens + at, step, keep_position, w,
			                        err);
		if (status == BRISE_OK)
			status = brise_eval_all(job->model, tokens + at, step, score_position, w,
			                        err);
	}
	return status;
}

static brise_status walk_chunks(walker *w, brise_error *err)
{
	const lockstep_job *job = w->job;
	size_t chunks = lockstep_count_chunks(job), i;
	int32_t *chunk = malloc(job->context * sizeof *chunk);
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
	free(chunk);
	return status;
}

brise_status lockstep_measure(divergence *d, const lockstep_job *job, brise_error *err)
{
	walker w = { .job = job, .d = d, .piece = job->n, .total = lockstep_count_scored(job) };
	brise_context_facts facts;
	brise_status status = divergence_prepare(d, job->vocab, job->reference ? w.total : 0, err);

	if (status != BRISE_OK || w.total == 0)
		return status;
	if (job->reference) {
		brise_get_context(job->model, &facts);
		w.piece = KEPT_BYTES / (job->vocab * sizeof *w.kept);
		w.piece = w.piece > facts.chunk ? facts.chunk : w.piece > 0 ? w.piece : 1;
		if (!(w.kept = malloc(w.piece * job->vocab * sizeof *w.kept)))
			return error_set(err, BRISE_ENOMEM,
			                 "no memory for the logits of %zu positions of %zu tokens",
			                 w.piece, job->vocab);
	}
	status = job->context ? walk_chunks(&w, err) : walk_passage(&w, job->ids, job->n, 1, err);
	free(w.kept);
	return status;
}
