/* model.c - measuring a model the way it is used
 *
 * Decode speed is the median over tokens, prefill the whole prompt. The fractions relate them to
 * limits measured right before with the same threads and instruction set: decode to what the best
 * plain loop reads from the same mapping, after both have been warmed up, or to what disk and
 * memory allow where some of the weights are read from the disk in each pass. The start is that of
 * a fresh process, so it includes exec, mapping, allocation and a pass over all weights.
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

#include "bench/disk.h"
#include "bench/replay.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"
#include "runtime/os/ram.h"
#include "runtime/os/threads.h"

#define POLL_MS 2

/* Page tables settle over the first three or four passes. */
#define WARM_UP_LEAST   5u
#define WARM_UP_MOST    24u
#define WARM_UP_LIMITED 2u   /* weights in memory of the process's own are there from the start */
#define WARM_UP_AGREE   0.02 /* of the time of a pass */

/* ---- the machine ------------------------------------------------------------------------------
 */

brise_status bench_measure_machine(bench_model_result *result, const char *arch, uint32_t threads,
                                   size_t bytes, brise_error *err)
{
	arch_cpu cpu;
	arch_kernels kernels;
	brise_status status;
	pool *workers;

	arch_detect(&cpu);
	if (!arch_choose(&kernels, arch, &cpu))
		return error_set(err, BRISE_EUNSUPPORTED, "kernel set %s is not available here",
		                 arch ? arch : "");
	result->arch = kernels.name;
	result->threads = threads ? threads : threads_available();
	if ((status = pool_new(&workers, result->threads, err)) != BRISE_OK)
		return status;
	status = bench_measure_limits(&result->limits, &kernels, workers, bytes, err);
	pool_free(workers);
	return status;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

/* Ids that exist in any vocabulary worth measuring; which ones does not matter for speed. */
static void fill_tokens(int32_t *tokens, size_t n, uint32_t vocab)
{
	size_t i;

	for (i = 0; i < n; i++)
		tokens[i] = (int32_t)(i * 7919 % vocab);
}

static brise_status evaluate(const bench_model_options *o, const int32_t *tokens, size_t n,
                             const float **logits, brise_error *err)
{
	return brise_eval_tokens(o->engine, o->sequence, tokens, n, logits, o->cancel, o->user,
	                         err);
}

static void begin(const bench_model_options *o, const char *what)
{
	if (o->begin)
		o->begin(o->user, what);
}

static brise_status measure_prefill(bench_model_result *result, const bench_model_options *o,
                                    uint32_t vocab, brise_error *err)
{
	const uint32_t n = o->prompt;
	int32_t *tokens = memory_new(n, sizeof *tokens);
	brise_status status;
	uint64_t read = brise_get_engine_bytes_read(o->engine);
	double start;

	if (!tokens)
		return error_set(err, BRISE_ENOMEM, "no memory for %u ids", n);
	begin(o, "the prompt");
	fill_tokens(tokens, n, vocab);
	start = bench_clock();
	status = evaluate(o, tokens, n, NULL, err);
	result->prefill_tokens_per_s = n / (bench_clock() - start);
	result->prompt_bytes = brise_get_engine_bytes_read(o->engine) - read;
	memory_free(tokens);
	return status;
}

static brise_status measure_decode(bench_model_result *result, const bench_model_options *o,
                                   uint32_t vocab, brise_error *err)
{
	const uint32_t n = o->generate;
	double *seconds = memory_new(n, sizeof *seconds);
	brise_status status = BRISE_OK;
	uint64_t read = brise_get_engine_bytes_read(o->engine);
	const float *logits;
	uint32_t i;

	if (!seconds)
		return error_set(err, BRISE_ENOMEM, "no memory for %u times", n);
	begin(o, "decode");
	for (i = 0; i < n && status == BRISE_OK; i++) {
		int32_t token = (int32_t)(i * 104729 % vocab);
		double start = bench_clock();

		status = evaluate(o, &token, 1, &logits, err);
		seconds[i] = bench_clock() - start;
	}
	if (status == BRISE_OK)
		result->decode_tokens_per_s = 1 / bench_median(seconds, n);
	result->pass_bytes = (double)(brise_get_engine_bytes_read(o->engine) - read) / n;
	memory_free(seconds);
	return status;
}

/* The text that is measured with drafts. */
#define REPEATED_TOKENS 192u
#define REPEATED_CHANGE 24u /* one in so many is another than in the prompt */

static brise_status measure_drafts(bench_model_result *result, const bench_model_options *o,
                                   brise_error *err)
{
	int32_t prompt[REPEATED_TOKENS], text[REPEATED_TOKENS];
	const bench_replay replay = { .prompt = prompt,
		                      .text = text,
		                      .n_prompt = REPEATED_TOKENS,
		                      .n = REPEATED_TOKENS,
		                      .drafts = true,
		                      .cancel = o->cancel,
		                      .user = o->user };
	bench_replay_result replayed;
	brise_status status = brise_rewind_sequence(o->sequence, 0, err);

	bench_make_edit(prompt, text, REPEATED_TOKENS, REPEATED_CHANGE,
	                brise_get_model_facts(o->model)->vocab);
	begin(o, "a text with drafts");
	if (status == BRISE_OK)
		status = bench_replay_text(&replayed, &replay, o->model, o->engine, o->sequence,
		                           err);
	if (status != BRISE_OK)
		return status;
	/* The first token is drawn from the prompt's logits. */
	result->drafts_tokens_per_s = (REPEATED_TOKENS - 1) / replayed.seconds;
	result->drafts_tokens_per_pass = (REPEATED_TOKENS - 1) / (double)replayed.passes;
	return BRISE_OK;
}

/* Passes over the weights until two in succession take the same time: the first read the file into
 * memory, the next fill the page table, which the host of a virtual machine may have to shadow page
 * by page. */
static brise_status warm_up(bench_model_result *result, const bench_model_options *o,
                            brise_error *err)
{
	brise_status status = BRISE_OK;
	double before = 0, seconds = 0;
	uint32_t at_least;
	int32_t token = 0;

	status = brise_get_memory_facts(o->model, &result->memory, sizeof result->memory, err);
	at_least = result->memory.limited ? WARM_UP_LIMITED : WARM_UP_LEAST;
	begin(o, "warming up");
	while (status == BRISE_OK && result->warm_up < WARM_UP_MOST &&
	       (result->warm_up < at_least || fabs(seconds - before) > WARM_UP_AGREE * before)) {
		double start = bench_clock();

		before = seconds;
		status = evaluate(o, &token, 1, NULL, err);
		seconds = bench_clock() - start;
		result->warm_up++;
	}
	return status == BRISE_OK ? brise_rewind_sequence(o->sequence, 0, err) : status;
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

/* Bytes of weights and of keys and values that are read for one more token. */
static uint64_t token_bytes(const bench_model_options *o)
{
	const brise_model_facts *f = brise_get_model_facts(o->model);
	const brise_sequence_facts *now = brise_get_sequence_facts(o->sequence);
	uint64_t attended =
	        now->window > 0 && now->position > now->window ? now->window : now->position;

	return f->token_bytes + attended * f->n_layers * f->n_kv_heads * (2 * f->head_dim + 8);
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

brise_status bench_measure_model(bench_model_result *result, const bench_model_options *o,
                                 brise_error *err)
{
	const brise_model_facts *facts = brise_get_model_facts(o->model);
	brise_status status = warm_up(result, o, err);

	(void)snprintf(result->type, sizeof result->type, "%s", facts->type);
	result->rows = brise_get_engine_facts(o->engine)->rows;
	if (status == BRISE_OK && !result->memory.limited)
		status = measure_mapping(result, o->model, err);
	if (status == BRISE_OK && o->prompt > 0)
		status = measure_prefill(result, o, facts->vocab, err);
	if (status == BRISE_OK && o->generate > 0) {
		status = measure_decode(result, o, facts->vocab, err);
		result->token_bytes = token_bytes(o);
	}
	if (status == BRISE_OK && o->drafts)
		status = measure_drafts(result, o, err);
	return status;
}

void bench_relate_model(bench_model_result *r, const brise_model *model)
{
	const brise_model_facts *f = brise_get_model_facts(model);
	double memory = r->file_gbps > 0 ? r->file_gbps : r->limits.read_gbps,
	       tokens = 1e9 * memory / (double)r->token_bytes;

	if (r->memory.streamed_bytes > 0)
		r->disk_gbps = bench_measure_disk(model) / 1e9;
	if (r->disk_gbps > 0)
		tokens = least(tokens, 1e9 * r->disk_gbps / (double)r->memory.streamed_bytes);
	if (r->token_bytes > 0)
		r->decode_fraction = r->decode_tokens_per_s / tokens;
	/* Prefill multiplies with the output matrix once, not once per token. */
	r->prefill_fraction = 2.0 * (double)(f->token_weights - (uint64_t)f->vocab * f->dim) *
	                      r->prefill_tokens_per_s / (r->limits.int8_gops * 1e9);
}

/* ---- the start ------------------------------------------------------------------------------- */

/* The child: standard output into the pipe, a short prompt of ids, one token. */
static void run_child(const bench_start_options *o, int out, int ids)
{
	char threads[16], prompt[32];
	const char *arguments[] = { "brise",    "run",       o->path,   "--prompt-ids",
		                    prompt,     "-n",        "1",       "--print-ids",
		                    "--greedy", "--threads", threads,   "--arch",
		                    o->arch,    "--memory",  o->memory, NULL };

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

brise_status bench_measure_start(bench_model_result *result, const bench_start_options *o,
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
