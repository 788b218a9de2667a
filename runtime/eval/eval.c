/* eval.c - the public ways to evaluate: rows of any sequences, or tokens of one */
#include <inttypes.h>

#include "arch/float_env.h"
#include "runtime/error.h"
#include "runtime/eval/attention.h"
#include "runtime/eval/forward.h"

typedef struct eval_callbacks {
	brise_logits_fn *each;
	brise_cancel_fn *cancel;
	void *user;
} eval_callbacks;

static uint32_t block_rows(const brise_engine *e)
{
	return attention_block_rows(&e->model->config);
}

static brise_status run_pass(brise_engine *e, bool output, const eval_callbacks *calls,
                             brise_error *err)
{
	const forward_observer no_observer = { NULL, NULL };

	return forward_pass(e, &e->pass, output, no_observer, calls->cancel, calls->user, err);
}

/* Weights that cannot be read leave positions as they were, also if only the output's are missing:
 * the same call again then evaluates the same. */
static brise_status undo_failed(brise_engine *e, brise_status status)
{
	if (status == BRISE_EIO)
		pass_undo(&e->pass);
	return status;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Computes and hands out the logits of the caller's rows index [n]. */
static brise_status give_logits(brise_engine *e, const weights_unit *output, const size_t *index,
                                uint32_t n, const eval_callbacks *calls, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t rows[LOGITS_ROWS], i;

	for (i = 0; i < n; i++)
		rows[i] = e->pass.rows[index[i]];
	if (n > 0)
		status = forward_logits(e, output, rows, n, err);
	for (i = 0; i < n && status == BRISE_OK; i++)
		if (calls->each(calls->user, index[i], e->logits + i * engine_logits_stride(e)))
			return error_set(err, BRISE_ECANCELED, "cancelled at the logits of row %zu",
			                 index[i]);
	return status;
}

/* The same for all rows [n] that want it. */
static brise_status give_wanted(brise_engine *e, const brise_row *rows, size_t n,
                                const eval_callbacks *calls, brise_error *err)
{
	size_t index[LOGITS_ROWS], i;
	uint32_t wanted = 0;
	weights_unit output;
	brise_status status = forward_acquire_output(e, &output, err);

	if (status != BRISE_OK)
		return status;
	for (i = 0; i < n && status == BRISE_OK; i++) {
		if (rows[i].logits)
			index[wanted++] = i;
		if (wanted == LOGITS_ROWS || i + 1 == n) {
			status = give_logits(e, &output, index, wanted, calls, err);
			wanted = 0;
		}
	}
	return forward_release_output(e, status, err);
}

static bool wants_logits(const brise_row *rows, size_t n)
{
	while (n > 0)
		if (rows[--n].logits)
			return true;
	return false;
}

static brise_status eval_rows(brise_engine *engine, const brise_row *rows, size_t n,
                              brise_logits_fn *each, brise_cancel_fn *cancel, void *user,
                              brise_error *err)
{
	const eval_callbacks calls = { each, cancel, user };
	brise_status status;
	bool output;

	if (!engine || (!rows && n > 0))
		return error_set(err, BRISE_EINVAL, "brise_eval_rows: %s is NULL",
		                 engine ? "rows" : "engine");
	if (n > engine->facts.rows)
		return error_set(err, BRISE_EINVAL,
		                 "%zu rows in a pass; the engine was made for %" PRIu32, n,
		                 engine->facts.rows);
	status = pass_plan(&engine->pass, engine->model, rows, n, block_rows(engine), err);
	output = each && wants_logits(rows, n);
	if (status == BRISE_OK && n > 0)
		status = run_pass(engine, output, &calls, err);
	if (status == BRISE_OK && output)
		status = give_wanted(engine, rows, n, &calls, err);
	return undo_failed(engine, status);
}

brise_status brise_eval_rows(brise_engine *engine, const brise_row *rows, size_t n,
                             brise_logits_fn *each, brise_cancel_fn *cancel, void *user,
                             brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = eval_rows(engine, rows, n, each, cancel, user, err);

	float_env_leave(host);
	return status;
}

brise_status brise_get_state(brise_engine *engine, size_t index, float *state, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(engine), ERROR_ARGUMENT(state) };
	brise_status status = error_check_pointers(err, "brise_get_state", needed, 2);
	float_env host;

	if (status != BRISE_OK)
		return status;
	if (index >= engine->pass.n)
		return error_set(err, BRISE_EINVAL,
		                 "state of row %zu; the last pass had %" PRIu32 " rows", index,
		                 engine->pass.n);
	host = float_env_enter();
	forward_state(engine, engine->pass.rows[index], state);
	float_env_leave(host);
	return BRISE_OK;
}

/* ---- tokens of one sequence ----------------------------------------------------------------- */

static brise_status check_tokens(const char *function, const brise_engine *e,
                                 const brise_sequence *sequence, const int32_t *tokens, size_t n,
                                 brise_error *err)
{
	size_t i;

	if (!e || !sequence || (!tokens && n > 0))
		return error_set(err, BRISE_EINVAL, "%s: %s is NULL", function,
		                 !e          ? "engine"
		                 : !sequence ? "sequence"
		                             : "tokens");
	if (sequence->model != e->model)
		return error_set(err, BRISE_EINVAL,
		                 "the sequence belongs to another model than the engine");
	for (i = 0; i < n; i++)
		if (tokens[i] < 0 || (uint32_t)tokens[i] >= e->model->config.vocab)
			return error_set(err, BRISE_EINVAL,
			                 "token %zu: id %" PRId32
			                 " outside the vocabulary of %" PRIu32,
			                 i, tokens[i], e->model->config.vocab);
	return sequence_check_room(sequence, n, err);
}

/* Tokens of the next pass, of those left. */
static uint32_t next_step(const brise_engine *e, const brise_sequence *sequence, size_t left)
{
	uint32_t most = e->facts.rows < sequence->facts.pass_rows ? e->facts.rows
	                                                          : sequence->facts.pass_rows;

	return left < most ? (uint32_t)left : most;
}

static brise_status eval_tokens(brise_engine *engine, brise_sequence *sequence,
                                const int32_t *tokens, size_t n, const float **logits,
                                brise_cancel_fn *cancel, void *user, brise_error *err)
{
	const eval_callbacks calls = { NULL, cancel, user };
	brise_status status = check_tokens("brise_eval_tokens", engine, sequence, tokens, n, err);
	weights_unit output;
	size_t done = 0;
	uint32_t step = 0;

	if (status == BRISE_OK && n == 0 && logits)
		status = error_set(err, BRISE_EINVAL, "no token to evaluate, but logits wanted");
	for (; status == BRISE_OK && done < n; done += step) {
		step = next_step(engine, sequence, n - done);
		pass_plan_run(&engine->pass, sequence, tokens + done, step, block_rows(engine));
		status = run_pass(engine, logits && done + step == n, &calls, err);
	}
	if (status != BRISE_OK || !logits)
		return status;
	status = forward_acquire_output(engine, &output, err);
	if (status == BRISE_OK) {
		status = forward_logits(engine, &output, &(uint32_t){ step - 1 }, 1, err);
		status = forward_release_output(engine, status, err);
	}
	if (status == BRISE_OK)
		*logits = engine->logits;
	return undo_failed(engine, status);
}

brise_status brise_eval_tokens(brise_engine *engine, brise_sequence *sequence,
                               const int32_t *tokens, size_t n, const float **logits,
                               brise_cancel_fn *cancel, void *user, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = eval_tokens(engine, sequence, tokens, n, logits, cancel, user, err);

	float_env_leave(host);
	return status;
}

/* Computes and hands out the logits of the pass of n tokens just run; `first` is the index of its
 * first token. */
static brise_status give_all_logits(brise_engine *e, const weights_unit *output, size_t first,
                                    uint32_t n, const eval_callbacks *calls, brise_error *err)
{
	uint32_t rows[LOGITS_ROWS], done, i;
	brise_status status;

	for (done = 0; done < n; done += LOGITS_ROWS) {
		uint32_t step = n - done < LOGITS_ROWS ? n - done : LOGITS_ROWS;

		for (i = 0; i < step; i++)
			rows[i] = done + i;
		if ((status = forward_logits(e, output, rows, step, err)) != BRISE_OK)
			return status;
		for (i = 0; i < step; i++)
			if (calls->each(calls->user, first + done + i,
			                e->logits + i * engine_logits_stride(e)))
				return error_set(err, BRISE_ECANCELED, "cancelled at token %zu",
				                 first + done + i);
	}
	return BRISE_OK;
}

/* The pass just planned, and all its logits. */
static brise_status run_all(brise_engine *e, size_t first, uint32_t n, const eval_callbacks *calls,
                            brise_error *err)
{
	brise_status status = run_pass(e, true, calls, err);
	weights_unit output;

	if (status != BRISE_OK || (status = forward_acquire_output(e, &output, err)) != BRISE_OK)
		return status;
	status = give_all_logits(e, &output, first, n, calls, err);
	return forward_release_output(e, status, err);
}

static brise_status eval_all(brise_engine *engine, brise_sequence *sequence, const int32_t *tokens,
                             size_t n, brise_logits_fn *each, brise_cancel_fn *cancel, void *user,
                             brise_error *err)
{
	const eval_callbacks calls = { each, cancel, user };
	brise_status status = check_tokens("brise_eval_all", engine, sequence, tokens, n, err);
	size_t done = 0;

	if (status == BRISE_OK && !each)
		status = error_set(err, BRISE_EINVAL, "brise_eval_all: each is NULL");
	while (status == BRISE_OK && done < n) {
		uint32_t step = next_step(engine, sequence, n - done);

		pass_plan_run(&engine->pass, sequence, tokens + done, step, block_rows(engine));
		status = undo_failed(engine, run_all(engine, done, step, &calls, err));
		done += step;
	}
	return status;
}

brise_status brise_eval_all(brise_engine *engine, brise_sequence *sequence, const int32_t *tokens,
                            size_t n, brise_logits_fn *each, brise_cancel_fn *cancel, void *user,
                            brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = eval_all(engine, sequence, tokens, n, each, cancel, user, err);

	float_env_leave(host);
	return status;
}
