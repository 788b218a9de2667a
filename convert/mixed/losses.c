/* losses.c - see losses.h
 *
 * The original is q8, as in the closed loop: half the room of f16, several times as fast, and as
 * good. A replaced matrix has q3's errors, EXAGGERATION times as large, and is q8 as well. A
 * single matrix's errors change predictions little more than the int8 of activations does, whose
 * rounding differs as soon as anything before it does; the divergence grows with the square of the
 * error, and what the rounding adds stays as it is.
 */
#include "convert/mixed/losses.h"

#include <math.h>
#include <string.h>

#include "convert/calibration/factor.h"
#include "convert/closed/layer.h"
#include "convert/closed/rounding.h"
#include "convert/mixed/divergence.h"
#include "convert/mixed/exaggerated.h"
#include "convert/mixed/losses_progress.h"
#include "convert/mixed/parts.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/eval/attention.h"
#include "runtime/eval/engine.h"
#include "runtime/eval/forward.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define EXAGGERATION 3.0f

/* Columns whose errors are fed back together. In profiles of a layer of 7B's shape, factoring was
 * two thirds of the time with 4,096, and a twentieth with these. */
#define SPAN_MOST 1024u

#define TOKENS_MOST  1024u
#define TOKENS_LEAST 32u
#define STATES_MOST  ((uint64_t)1 << 30)

/* With fewer tokens for each of all matrices, layers are measured instead, on more of them. */
#define TOKENS_ENOUGH 128u

typedef struct measurement {
	const encode_job *job;
	const format_config *config;
	encode_job original_job, replaced_job;
	convert_options options; /* of both: without the caller's effort */
	file_plan replaced_plan;
	convert_source replaced_source;
	exaggerated exaggerated;
	book_feedback feedback; /* factors of the input of the matrix that is replaced */
	uint32_t factored;      /* that input; UINT32_MAX: none */

	layer_model layer;
	brise_engine *engine;
	brise_sequence *sequence;
	format_tensor tensors[LAYER_TENSORS]; /* of the current layer, in storage */
	uint8_t *storage;
	uint64_t replaced_at; /* offset of the replaced matrix */

	const int32_t *ids; /* [n] */
	size_t n;
	float *states;   /* [n_streams][n][engine_stride(dim)]; stream 0 is the original's */
	bool by_layer;   /* a stream has all matrices of a layer replaced (convert/mixed/parts.h) */
	uint32_t *which; /* [n_streams] index of the replaced matrix, the first of several */
	size_t n_streams; /* begun */
	float *reference; /* [n][vocab] logarithms of the original's probabilities */
	double *losses;
	losses_progress progress;
} measurement;

/* ---- weights -------------------------------------------------------------------------------- */

/* The embedding is the output matrix as well. */
static bool is_tied(const measurement *m)
{
	return m->config->flags & FORMAT_TIED;
}

static bool is_outside(uint32_t kind)
{
	return !order_is_in_layer(kind) && kind != TENSOR_EMBEDDING;
}

/* Plans the tensors of a layer, or those outside; *bytes: what they take, with room for one of them
 * replaced. */
static brise_status plan_tensors(measurement *m, uint32_t layer, bool inside, uint64_t *bytes,
                                 brise_error *err)
{
	layer_has_fn *has = inside ? order_is_in_layer : is_outside;
	brise_status status =
	        layer_plan_original(m->tensors, m->config, layer, has, &m->replaced_at, err);
	uint64_t largest = 0;
	uint32_t i;

	for (i = 0; i < LAYER_TENSORS; i++)
		if (has(m->tensors[i].kind) && m->tensors[i].bytes > largest)
			largest = m->tensors[i].bytes;
	*bytes = m->replaced_at + largest;
	return status;
}

static brise_status encode(measurement *m, const encode_job *job, const format_tensor *t,
                           uint64_t at, brise_error *err)
{
	const rounding r = { .job = job, .tell = losses_tell_share, .user = &m->progress };
	format_tensor read = *t;
	tile_error sum;

	if (t->kind == TENSOR_OUTPUT && is_tied(m))
		read.kind = TENSOR_EMBEDDING;
	return rounding_encode(&r, &read, m->storage + at, &sum, m->engine->pool, err);
}

static brise_status encode_original(measurement *m, bool inside, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < LAYER_TENSORS && status == BRISE_OK; i++) {
		const format_tensor *t = &m->tensors[i];

		if (order_is_in_layer(t->kind) == inside && t->kind != TENSOR_EMBEDDING)
			status = encode(m, &m->original_job, t, t->offset, err);
	}
	return status;
}

/* Where the file's errors are fed back, the measured ones are: inputs of w1 are correlated, so that
 * its loss falls by more than that of w2. */
static brise_status prepare_feedback(measurement *m, const format_tensor *t, brise_error *err)
{
	const encode_job *job = m->job;
	uint32_t input = calibration_index(m->config, t->kind, t->layer),
	         all = job->calibration->header.span, span = all % SPAN_MOST == 0 ? SPAN_MOST : all;
	brise_status status;

	m->exaggerated.feedback = NULL;
	if (input == UINT32_MAX || job->options->effort < EFFORT_HIGH || all == 0)
		return BRISE_OK;
	m->exaggerated.feedback = &m->feedback;
	if (input == m->factored)
		return BRISE_OK;
	factor_free(&m->feedback);
	status = factor_new(&m->feedback, t->cols, span, false, job->tools->add_products, err);
	if (status == BRISE_OK)
		status = factor_input(&m->feedback, job->calibration, input, m->engine->pool,
		                      job->options->cancel, job->options->user, err);
	if (status == BRISE_ECANCELED)
		status = encode_say_cancelled(job->name, err);
	m->factored = input;
	return status;
}

/* The engine's layer becomes the current one, with the matrix of one kind replaced; 0: none. */
static brise_status set_layer(measurement *m, uint32_t layer, uint32_t replaced, brise_error *err)
{
	format_tensor tensors[LAYER_TENSORS];
	brise_status status = BRISE_OK;
	uint32_t i;

	memcpy(tensors, m->tensors, sizeof tensors);
	for (i = 0; i < LAYER_TENSORS && status == BRISE_OK; i++)
		if (tensors[i].kind == replaced) {
			tensors[i].offset = m->replaced_at;
			if ((status = prepare_feedback(m, &tensors[i], err)) == BRISE_OK)
				status = encode(m, &m->replaced_job, &tensors[i], m->replaced_at,
				                err);
		}
	return status == BRISE_OK
	               ? layer_set(&m->layer, tensors, LAYER_TENSORS, layer, m->storage, err)
	               : status;
}

/* ---- streams -------------------------------------------------------------------------------- */

static float *states_of(const measurement *m, size_t stream)
{
	return m->states + stream * m->n * engine_stride(m->config->dim);
}

/* One layer of one stream. */
static brise_status run_stream(measurement *m, const float *from, float *to, brise_error *err)
{
	brise_engine *e = m->engine;
	size_t stride = engine_stride(m->config->dim), first;
	double start = os_clock();
	brise_status status = brise_rewind_sequence(m->sequence, 0, err);

	for (first = 0; first < m->n && status == BRISE_OK; first += e->facts.rows) {
		uint32_t n =
		        m->n - first < e->facts.rows ? (uint32_t)(m->n - first) : e->facts.rows;

		pass_plan_run(&e->pass, m->sequence, m->ids + first, n,
		              attention_block_rows(&e->model->config));
		memcpy(e->x, from + first * stride, n * stride * sizeof(float));
		forward_angles(e, &e->pass);
		pass_begin(&e->pass);
		status = forward_layer(e, &e->pass, 0, (forward_observer){ NULL, NULL }, err);
		pass_end(&e->pass);
		memcpy(to + first * stride, e->x, n * stride * sizeof(float));
	}
	losses_pass_done(&m->progress, os_clock() - start);
	return status == BRISE_OK ? losses_report(&m->progress, err) : status;
}

/* Index of a wanted matrix; UINT32_MAX: it is not. */
static uint32_t find_wanted(const measurement *m, uint32_t kind, uint32_t layer)
{
	const file_plan *plan = m->job->plan;
	uint32_t i;

	for (i = 0; i < plan->n_tensors; i++)
		if (plan->tensors[i].kind == kind && plan->tensors[i].layer == layer &&
		    parts_is_wanted(&plan->tensors[i]))
			return i;
	return UINT32_MAX;
}

/* The new streams begin with the states of the original before the layer. */
static brise_status begin_matrices(measurement *m, uint32_t layer, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t kind, index;

	for (kind = TENSOR_ATTENTION_NORM; kind <= TENSOR_W2 && status == BRISE_OK; kind++) {
		if ((index = find_wanted(m, kind, layer)) == UINT32_MAX)
			continue;
		if ((status = set_layer(m, layer, kind, err)) == BRISE_OK)
			status = run_stream(m, states_of(m, 0), states_of(m, m->n_streams), err);
		m->which[m->n_streams++] = index;
	}
	return status;
}

/* The layer's wanted matrices become those that replace them. */
static brise_status replace_layer(measurement *m, uint32_t layer, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < LAYER_TENSORS && status == BRISE_OK; i++) {
		const format_tensor *t = &m->tensors[i];

		if (order_is_in_layer(t->kind) && find_wanted(m, t->kind, layer) != UINT32_MAX &&
		    (status = prepare_feedback(m, t, err)) == BRISE_OK)
			status = encode(m, &m->replaced_job, t, t->offset, err);
	}
	return status == BRISE_OK ? set_layer(m, layer, 0, err) : status;
}

/* The first wanted matrix of a layer; UINT32_MAX: there is none. */
static uint32_t find_first(const measurement *m, uint32_t layer)
{
	const file_plan *plan = m->job->plan;
	uint32_t i;

	for (i = 0; i < plan->n_tensors; i++)
		if (order_is_in_layer(plan->tensors[i].kind) && plan->tensors[i].layer == layer &&
		    parts_is_wanted(&plan->tensors[i]))
			return i;
	return UINT32_MAX;
}

/* One new stream, whose layer replaces the original's once the earlier streams are through. */
static brise_status run_whole_layer(measurement *m, uint32_t layer, brise_error *err)
{
	size_t earlier = m->n_streams, i;
	uint32_t first = find_first(m, layer);
	float *states = first == UINT32_MAX ? NULL : states_of(m, earlier);
	brise_status status = set_layer(m, layer, 0, err);

	if (states)
		memcpy(states, states_of(m, 0),
		       m->n * engine_stride(m->config->dim) * sizeof *states);
	for (i = 0; i < earlier && status == BRISE_OK; i++)
		status = run_stream(m, states_of(m, i), states_of(m, i), err);
	if (!states || status != BRISE_OK)
		return status;
	m->which[m->n_streams++] = first;
	status = replace_layer(m, layer, err);
	return status == BRISE_OK ? run_stream(m, states, states, err) : status;
}

static brise_status run_matrices(measurement *m, uint32_t layer, brise_error *err)
{
	size_t earlier = m->n_streams, i;
	brise_status status = begin_matrices(m, layer, err);

	if (status == BRISE_OK)
		status = set_layer(m, layer, 0, err);
	for (i = 0; i < earlier && status == BRISE_OK; i++)
		status = run_stream(m, states_of(m, i), states_of(m, i), err);
	return status;
}

static brise_status run_layer(measurement *m, uint32_t layer, brise_error *err)
{
	brise_status status;
	uint64_t bytes;

	losses_name_layer(&m->progress, layer);
	layer_set_window(m->sequence, m->job->plan->source->windows, layer);
	if ((status = plan_tensors(m, layer, true, &bytes, err)) != BRISE_OK ||
	    (status = encode_original(m, true, err)) != BRISE_OK)
		return status;
	status = m->by_layer ? run_whole_layer(m, layer, err) : run_matrices(m, layer, err);
	losses_layer_encoded(&m->progress);
	return status;
}

static brise_status embed(measurement *m, brise_error *err)
{
	const convert_source *source = m->job->plan->source, *replaced = &m->replaced_source;
	uint32_t index = find_wanted(m, TENSOR_EMBEDDING, 0);
	size_t stride = engine_stride(m->config->dim), i;
	float *raw = memory_new((size_t)m->config->dim, sizeof *raw);
	brise_status status = raw ? BRISE_OK : error_set(err, BRISE_ENOMEM, "no memory for a row");

	if (status == BRISE_OK && index != UINT32_MAX)
		status = prepare_feedback(m, &m->job->plan->tensors[index], err);
	m->n_streams = index == UINT32_MAX ? 1 : 2;
	m->which[1] = index;
	for (i = 0; i < m->n && status == BRISE_OK; i++) {
		uint32_t row = (uint32_t)m->ids[i];

		status = source->read(source->self, TENSOR_EMBEDDING, 0, row, 1,
		                      states_of(m, 0) + i * stride, raw, err);
		if (status == BRISE_OK && index != UINT32_MAX)
			status = replaced->read(replaced->self, TENSOR_EMBEDDING, 0, row, 1,
			                        states_of(m, 1) + i * stride, raw, err);
	}
	memory_free(raw);
	return status;
}

/* ---- predictions ---------------------------------------------------------------------------- */

/* All predictions of a stream: stream 0's become the reference, those of others are compared. The
 * sequence's place is of no matter here. */
static brise_status predict(measurement *m, size_t stream, const weights_unit *output, double *mean,
                            brise_error *err)
{
	brise_engine *e = m->engine;
	size_t stride = engine_stride(m->config->dim), vocab = m->config->vocab, at;
	brise_status status = BRISE_OK;
	double sum = 0;

	for (at = 0; at < m->n && status == BRISE_OK;) {
		uint32_t rows[LOGITS_ROWS],
		        room = e->facts.rows < LOGITS_ROWS ? e->facts.rows : LOGITS_ROWS,
		        n = m->n - at < room ? (uint32_t)(m->n - at) : room, i;

		for (i = 0; i < n; i++)
			rows[i] = i;
		memcpy(e->x, states_of(m, stream) + at * stride, n * stride * sizeof(float));
		status = forward_logits(e, output, rows, n, err);
		for (i = 0; i < n && status == BRISE_OK; i++, at++) {
			const float *logits = e->logits + i * engine_logits_stride(e);
			float *reference = m->reference + at * vocab;

			if (!mean)
				divergence_keep(logits, reference, vocab);
			else
				sum += divergence_of(logits, reference, vocab);
		}
	}
	if (mean)
		*mean = sum / (double)m->n / (double)(EXAGGERATION * EXAGGERATION);
	if (status == BRISE_OK && !isfinite(sum))
		return error_set(err, BRISE_EFORMAT, "%s: its predictions are not finite",
		                 m->job->name);
	losses_prediction_done(&m->progress);
	return status == BRISE_OK ? losses_report(&m->progress, err) : status;
}

/* The replaced output is for the original's stream; of tied matrices, for that of the replaced
 * embedding. */
static brise_status run_output(measurement *m, brise_error *err)
{
	uint32_t index = find_wanted(m, is_tied(m) ? TENSOR_EMBEDDING : TENSOR_OUTPUT, 0);
	size_t replaced = is_tied(m) && index != UINT32_MAX ? 1 : 0;
	weights_unit output;
	double loss = 0;
	brise_status status;
	uint64_t bytes;
	size_t i;

	losses_name_output(&m->progress);
	if ((status = plan_tensors(m, 0, false, &bytes, err)) != BRISE_OK ||
	    (status = encode_original(m, false, err)) != BRISE_OK ||
	    (status = set_layer(m, 0, 0, err)) != BRISE_OK ||
	    (status = forward_acquire_output(m->engine, &output, err)) != BRISE_OK)
		return status;
	losses_output_encoded(&m->progress);
	for (i = 0; i < m->n_streams && status == BRISE_OK; i++) {
		if (i == 0 || i != replaced)
			status = predict(m, i, &output, i == 0 ? NULL : &loss, err);
		if (i > 0 && i != replaced && status == BRISE_OK)
			parts_set_loss(m->job->plan, m->by_layer, m->which[i], loss, m->losses);
	}
	status = forward_release_output(m->engine, status, err);
	if (index == UINT32_MAX || status != BRISE_OK ||
	    (status = set_layer(m, 0, TENSOR_OUTPUT, err)) != BRISE_OK ||
	    (status = forward_acquire_output(m->engine, &output, err)) != BRISE_OK)
		return status;
	status = predict(m, replaced, &output, &m->losses[index], err);
	return forward_release_output(m->engine, status, err);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static size_t count_streams(const measurement *m)
{
	return 1 + parts_count(m->job->plan, m->by_layer);
}

/* Tokens whose states fit. */
static uint64_t count_tokens(const measurement *m)
{
	uint64_t per_token = count_streams(m) * engine_stride(m->config->dim) * sizeof(float) +
	                     m->config->vocab * sizeof(float),
	         most = STATES_MOST / per_token;

	most = most > TOKENS_MOST ? TOKENS_MOST : most < TOKENS_LEAST ? TOKENS_LEAST : most;
	return most < m->n ? most : m->n;
}

/* Single matrices tell more, but where conversion is to be fast they would take most of its time.
 */
static void choose_parts(measurement *m)
{
	m->by_layer = m->job->options->effort == EFFORT_FAST ||
	              (count_tokens(m) < TOKENS_ENOUGH && count_tokens(m) < m->n);
	m->n = (size_t)count_tokens(m);
}

static brise_status allocate(measurement *m, brise_error *err)
{
	uint64_t inside, outside, all;
	size_t size, floats, logits, streams;
	brise_status status;

	if ((status = plan_tensors(m, 0, true, &inside, err)) != BRISE_OK ||
	    (status = plan_tensors(m, 0, false, &outside, err)) != BRISE_OK)
		return status;
	choose_parts(m);
	streams = count_streams(m);
	if (!checked_size(inside > outside ? inside : outside, &size) ||
	    !checked_mul(streams * engine_stride(m->config->dim), m->n, &all) ||
	    !checked_size(all, &floats) || !checked_mul(m->config->vocab, m->n, &all) ||
	    !checked_size(all, &logits))
		return error_set(err, BRISE_ENOMEM, "a model too large to measure here");
	losses_tell_needs(m->job, m->n, streams - 1, m->by_layer,
	                  (double)size + 4.0 * (double)(floats + logits));
	m->storage = memory_new_aligned(size, 1);
	m->states = memory_new_aligned(floats, sizeof(float));
	m->reference = memory_new(logits, sizeof(float));
	m->which = memory_new(streams, sizeof *m->which);
	return m->storage && m->states && m->reference && m->which
	               ? BRISE_OK
	               : error_set(err, BRISE_ENOMEM,
	                           "no memory to measure losses: %.0f MB are needed",
	                           ((double)size + 4.0 * (double)(floats + logits)) / 1e6);
}

static brise_status open_engine(measurement *m, brise_error *err)
{
	const brise_engine_options engine = { .size = sizeof engine,
		                              .threads = m->job->threads,
		                              .arch = m->job->options->arch };
	const brise_sequence_options sequence = { .size = sizeof sequence,
		                                  .context = (uint32_t)m->n };
	brise_status status;

	layer_init(&m->layer, m->config, m->job->name);
	if ((status = brise_new_engine(&m->engine, &m->layer.model, &engine, err)) != BRISE_OK ||
	    (status = brise_new_sequence(&m->sequence, &m->layer.model, &sequence, err)) !=
	            BRISE_OK)
		return status;
	return sequence_check_room(m->sequence, m->n, err);
}

/* Jobs of the original and of what replaces it. */
static void make_jobs(measurement *m)
{
	const encode_job *job = m->job;

	m->options = *job->options;
	m->options.effort = EFFORT_FAST;
	m->exaggerated = (exaggerated){ .source = job->plan->source,
		                        .calibration = job->calibration,
		                        .errors = job->tools->book_errors,
		                        .type = TYPE_Q3,
		                        .factor = EXAGGERATION };
	m->replaced_source = exaggerated_source(&m->exaggerated);
	m->replaced_plan = *job->plan;
	m->replaced_plan.source = &m->replaced_source;
	m->original_job = m->replaced_job = *job;
	m->original_job.options = m->replaced_job.options = &m->options;
	m->replaced_job.plan = &m->replaced_plan;
}

static brise_status run(measurement *m, brise_error *err)
{
	brise_status status;
	uint32_t layer;

	if ((status = allocate(m, err)) != BRISE_OK || (status = open_engine(m, err)) != BRISE_OK)
		return status;
	make_jobs(m);
	losses_begin(&m->progress, m->job, m->by_layer, m->n);
	status = embed(m, err);
	for (layer = 0; layer < m->config->n_layers && status == BRISE_OK; layer++) {
		status = run_layer(m, layer, err);
		if (layer == 0 && status == BRISE_OK)
			losses_tell_time(&m->progress);
	}
	return status == BRISE_OK ? run_output(m, err) : status;
}

brise_status losses_measure(const encode_job *job, double *losses, losses_how *how,
                            brise_error *err)
{
	measurement m = { .job = job,
		          .config = &job->plan->source->config,
		          .losses = losses,
		          .factored = UINT32_MAX,
		          .n = (size_t)(job->calibration->header.tokens < TOKENS_MOST
		                                ? job->calibration->header.tokens
		                                : TOKENS_MOST) };
	brise_status status = calibration_take_ids(job->calibration, m.config->vocab, &m.ids, err);
	uint32_t i;

	for (i = 0; i < job->plan->n_tensors; i++)
		if (!parts_is_wanted(&job->plan->tensors[i]))
			losses[i] = 0;
	if (status == BRISE_OK)
		status = run(&m, err);
	if (status == BRISE_OK)
		status = calibration_check_read(job->calibration, err);
	*how = (losses_how){ m.n, m.by_layer };
	brise_free_sequence(m.sequence);
	brise_free_engine(m.engine);
	layer_free(&m.layer);
	factor_free(&m.feedback);
	memory_free(m.which);
	memory_free(m.reference);
	memory_free_aligned(m.states);
	memory_free_aligned(m.storage);
	return status;
}
