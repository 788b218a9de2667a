/* model.c - measuring a model the way it is used
 *
 * Decode speed is the median over tokens, prefill the whole prompt. The fractions relate them to
 * limits measured right before with the same threads and instruction set: decode to what the best
 * plain loop reads from the same mapping, after both have been warmed up. The start is that of a
 * fresh process, so it includes exec, mapping, allocation and a pass over all weights.
 */
#include "bench/model.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/replay.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"
#include "runtime/os/ram.h"

#define POLL_MS 2

/* Page tables settle over the first three or four passes. */
#define WARM_UP_LEAST 5u
#define WARM_UP_MOST  24u
#define WARM_UP_AGREE 0.02 /* of the time of a pass */

/* Ids that exist in any vocabulary worth measuring; which ones does not matter for speed. */
static void fill_tokens(int32_t *tokens, size_t n, uint32_t vocab)
{
	size_t i;

	for (i = 0; i < n; i++)
		tokens[i] = (int32_t)(i * 7919 % vocab);
}

/* What is measured. */
typedef struct evaluator {
	brise_engine *engine;
	brise_sequence *sequence;
	const bench_model_options *options;
} evaluator;

static brise_status evaluate(const evaluator *e, const int32_t *tokens, size_t n,
                             const float **logits, brise_error *err)
{
	return brise_eval_tokens(e->engine, e->sequence, tokens, n, logits, e->options->cancel,
	                         e->options->user, err);
}

static brise_status measure_prefill(const evaluator *e, uint32_t n, uint32_t vocab,
                                    double *tokens_per_s, brise_error *err)
{
	int32_t *tokens = memory_new(n, sizeof *tokens);
	brise_status status;
	double start;

	if (!tokens)
		return error_set(err, BRISE_ENOMEM, "no memory for %u ids", n);
	fill_tokens(tokens, n, vocab);
	start = bench_clock();
	status = evaluate(e, tokens, n, NULL, err);
	*tokens_per_s = n / (bench_clock() - start);
	memory_free(tokens);
	return status;
}

static brise_status measure_decode(const evaluator *e, uint32_t n, uint32_t vocab,
                                   double *tokens_per_s, brise_error *err)
{
	double *seconds = memory_new(n, sizeof *seconds);
	brise_status status = BRISE_OK;
	const float *logits;
	uint32_t i;

	if (!seconds)
		return error_set(err, BRISE_ENOMEM, "no memory for %u times", n);
	for (i = 0; i < n && status == BRISE_OK; i++) {
		int32_t token = (int32_t)(i * 104729 % vocab);
		double start = bench_clock();

		status = evaluate(e, &token, 1, &logits, err);
		seconds[i] = bench_clock() - start;
	}
	if (status == BRISE_OK)
		*tokens_per_s = 1 / bench_median(seconds, n);
	memory_free(seconds);
	return status;
}

/* The text that is measured with drafts. */
#define REPEATED_TOKENS 192u
#define REPEATED_CHANGE 24u /* one in so many is another than in the prompt */

static brise_status measure_drafts(bench_model_result *result, const evaluator *e,
                                   const brise_model *model, brise_error *err)
{
	int32_t prompt[REPEATED_TOKENS], text[REPEATED_TOKENS];
	const bench_replay replay = { .prompt = prompt,
		                      .text = text,
		                      .n_prompt = REPEATED_TOKENS,
		                      .n = REPEATED_TOKENS,
		                      .drafts = true,
		                      .cancel = e->options->cancel,
		                      .user = e->options->user };
	bench_replay_result replayed;
	brise_status status = brise_rewind_sequence(e->sequence, 0, err);

	bench_make_edit(prompt, text, REPEATED_TOKENS, REPEATED_CHANGE,
	                brise_get_model_facts(model)->vocab);
	if (status == BRISE_OK)
		status = bench_replay_text(&replayed, &replay, model, e->engine, e->sequence, err);
	if (status != BRISE_OK)
		return status;
	/* The first token is drawn from the prompt's logits. */
	result->drafts_tokens_per_s = (REPEATED_TOKENS - 1) / replayed.seconds;
	result->drafts_tokens_per_pass = (REPEATED_TOKENS - 1) / (double)replayed.passes;
	return BRISE_OK;
}

/* The child: standard output into the pipe, a short prompt of ids, one token. */
static void run_child(const bench_model_options *o, int out, int ids)
{
	char threads[16], prompt[32];
	const char *arguments[] = { "brise",    "run",       o->path, "--prompt-ids",
		                    prompt,     "-n",        "1",     "--print-ids",
		                    "--greedy", "--threads", threads, "--arch",
		                    o->arch,    NULL };

	(void)snprintf(threads, sizeof threads, "%u", o->threads);
	(void)snprintf(prompt, sizeof prompt, "/dev/fd/%d", ids);
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	execv(o->program, (char *const *)(uintptr_t)arguments);
	_exit(127);
}

/* Reads until the pipe closes; notes when the first byte came and the most anonymous memory
 * seen. */
static void watch_child(bench_model_result *result, pid_t child, int in, double start)
{
	struct pollfd wait = { in, POLLIN, 0 };
	char bytes[256];

	for (;;) {
		uint64_t memory = ram_read_process(child, "RssAnon");
		int ready;

		result->anon_bytes = memory > result->anon_bytes ? memory : result->anon_bytes;
		ready = poll(&wait, 1, POLL_MS);
		if (ready < 0 && errno != EINTR)
			return;
		if (ready > 0) {
			ssize_t n = read(in, bytes, sizeof bytes);

			if (n <= 0)
				return;
			if (result->first_token_s == 0)
				result->first_token_s = bench_clock() - start;
		}
	}
}

static brise_status measure_start(bench_model_result *result, const bench_model_options *o,
                                  brise_error *err)
{
	int out[2] = { -1, -1 }, ids[2] = { -1, -1 }, status = 0;
	brise_status outcome = BRISE_OK;
	double start;
	pid_t child;

	if (pipe(out) != 0 || pipe(ids) != 0 || write(ids[1], "1\n", 2) != 2) {
		outcome = error_errno(err, "a pipe for the fresh process");
		goto done;
	}
	close(ids[1]);
	ids[1] = -1;
	fcntl(out[0], F_SETFD, FD_CLOEXEC);
	start = bench_clock();
	child = fork();
	if (child == 0)
		run_child(o, out[1], ids[0]);
	if (child < 0) {
		outcome = error_errno(err, "a fresh process");
		goto done;
	}
	close(out[1]);
	out[1] = -1;
	watch_child(result, child, out[0], start);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || result->first_token_s == 0)
		outcome = error_set(err, BRISE_EIO,
		                    "%s: a fresh process did not give a token (wait status %d)",
		                    o->path, status);
done:
	if (out[0] >= 0)
		close(out[0]);
	if (out[1] >= 0)
		close(out[1]);
	if (ids[0] >= 0)
		close(ids[0]);
	if (ids[1] >= 0)
		close(ids[1]);
	return outcome;
}

/* Passes over the weights until two in succession take the same time: the first read the file into
 * memory, the next fill the page table, which the host of a virtual machine may have to shadow page
 * by page. */
static brise_status warm_up(bench_model_result *result, const evaluator *e, brise_error *err)
{
	brise_status status = BRISE_OK;
	double before = 0, seconds = 0;
	int32_t token = 0;

	while (status == BRISE_OK && result->warm_up < WARM_UP_MOST &&
	       (result->warm_up < WARM_UP_LEAST ||
	        fabs(seconds - before) > WARM_UP_AGREE * before)) {
		double start = bench_clock();

		before = seconds;
		status = evaluate(e, &token, 1, NULL, err);
		seconds = bench_clock() - start;
		result->warm_up++;
	}
	return status == BRISE_OK ? brise_rewind_sequence(e->sequence, 0, err) : status;
}

/* What plain loops read from the very mapping that decode reads. */
static brise_status measure_mapping(bench_model_result *result, const brise_model *model,
                                    brise_error *err)
{
	size_t most = bench_read_bytes(model->size);
	pool *threads;
	brise_status status = pool_new(&threads, result->threads, err);

	if (status != BRISE_OK)
		return status;
	bench_examine_pages(&result->pages, model->bytes, model->size);
	result->file_gbps =
	        bench_measure_reads(threads, model->bytes, model->size < most ? model->size : most);
	pool_free(threads);
	return BRISE_OK;
}

static brise_status measure_speeds(bench_model_result *result, const evaluator *e,
                                   const brise_model *model, brise_error *err)
{
	const brise_model_facts *facts = brise_get_model_facts(model);
	const bench_model_options *o = e->options;
	const brise_sequence_facts *now = brise_get_sequence_facts(e->sequence);
	brise_status status = warm_up(result, e, err);

	if (status == BRISE_OK)
		status = measure_mapping(result, model, err);
	if (status == BRISE_OK && o->prompt > 0)
		status = measure_prefill(e, o->prompt, facts->vocab, &result->prefill_tokens_per_s,
		                         err);
	if (status == BRISE_OK && o->generate > 0) {
		uint64_t attended;

		status = measure_decode(e, o->generate, facts->vocab, &result->decode_tokens_per_s,
		                        err);
		attended = now->window > 0 && now->position > now->window ? now->window
		                                                          : now->position;
		result->token_bytes = facts->token_bytes + attended * facts->n_layers *
		                                                   facts->n_kv_heads *
		                                                   (2 * facts->head_dim + 8);
	}
	return status == BRISE_OK && o->drafts ? measure_drafts(result, e, model, err) : status;
}

static brise_status measure_evaluation(bench_model_result *result, const bench_model_options *o,
                                       const brise_model *model, brise_error *err)
{
	brise_engine_options engine = { .size = sizeof engine,
		                        .threads = o->threads,
		                        .arch = o->arch };
	brise_sequence_options sequence = { .size = sizeof sequence };
	evaluator e = { NULL, NULL, o };
	brise_status status = brise_new_engine(&e.engine, model, &engine, err);

	if (o->prompt + o->generate + 1 > 4096)
		sequence.context = o->prompt + o->generate + 1;
	if (status == BRISE_OK)
		status = brise_new_sequence(&e.sequence, model, &sequence, err);
	if (status == BRISE_OK)
		status = measure_speeds(result, &e, model, err);
	brise_free_sequence(e.sequence);
	brise_free_engine(e.engine);
	return status;
}

static brise_status measure_limits(bench_model_result *result, const bench_model_options *o,
                                   uint64_t file_bytes, brise_error *err)
{
	arch_cpu cpu;
	arch_kernels kernels;
	brise_status status;
	pool *threads;

	arch_detect(&cpu);
	if (!arch_choose(&kernels, o->arch, &cpu))
		return error_set(err, BRISE_EUNSUPPORTED, "kernel set %s is not available here",
		                 o->arch ? o->arch : "");
	result->arch = kernels.name;
	status = pool_new(&threads, o->threads, err);
	if (status != BRISE_OK)
		return status;
	status = bench_measure_limits(&result->limits, &kernels, threads,
	                              bench_read_bytes(file_bytes), err);
	pool_free(threads);
	return status;
}

brise_status bench_measure_model(bench_model_result *result, const bench_model_options *options,
                                 brise_error *err)
{
	bench_model_options o = *options;
	const brise_model_facts *facts;
	brise_model *model;
	brise_status status;

	memset(result, 0, sizeof *result);
	o.threads = o.threads ? o.threads : threads_available();
	result->threads = o.threads;
	status = brise_open_model(&model, o.path, NULL, err);
	if (status != BRISE_OK)
		return status;
	facts = brise_get_model_facts(model);
	(void)snprintf(result->type, sizeof result->type, "%s", facts->type);
	status = measure_limits(result, &o, facts->file_bytes, err);
	o.arch = result->arch;
	if (status == BRISE_OK)
		status = measure_evaluation(result, &o, model, err);
	if (status == BRISE_OK && o.program)
		status = measure_start(result, &o, err);
	result->decode_fraction =
	        (double)result->token_bytes * result->decode_tokens_per_s /
	        (1e9 * (result->file_gbps > 0 ? result->file_gbps : result->limits.read_gbps));
	/* Prefill multiplies with the output matrix once, not once per token. */
	result->prefill_fraction =
	        2.0 * (double)(facts->token_weights - (uint64_t)facts->vocab * facts->dim) *
	        result->prefill_tokens_per_s / (result->limits.int8_gops * 1e9);
	brise_close_model(model);
	return status;
}
