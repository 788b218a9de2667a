/* perplexity.c - brise perplexity: how well a model predicts a text, and how far it is from a
 * reference on it
 *
 * lockstep.h says which tokens are scored, divergence.h what the figures are.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/report.h"
#include "runtime/text/json_writer.h"
#include "runtime/cli/budget.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/input.h"
#include "bench/lockstep.h"
#include "runtime/cli/prompt_progress.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/memory.h"

typedef struct perplexity_settings {
	engine_settings engine;
	const char *ids, *text, *against;
	uint32_t context, stride; /* 0: not given */
	int reference_kv;
	bool json;
	terminal_line line;
	double start;
	const divergence *scored; /* what has been measured so far */
	size_t total;             /* positions to score */
} perplexity_settings;

#define AT(member) offsetof(perplexity_settings, member)

static const options_entry entries[] = {
	STRING(0, "ids", ids, "FILE", "token ids as they are, the begin token among them"),
	STRING(0, "text", text, "FILE", "text; the begin token is put before it"),
	STRING(0, "against", against, "MODEL", "adds the divergence from this reference"),
	CHOICE(0, "reference-kv", reference_kv, engine_kv_choices,
	       "its keys and values (default f32)"),
	NUMBER(0, "context", context, "N", LOCKSTEP_CONTEXT_MIN, 1 << 24, NULL,
	       "score the second halves of chunks of N tokens"),
	NUMBER(0, "stride", stride, "N", 1, 1 << 24, NULL,
	       "tokens from one chunk to the next (default: all)"),
	FLAG(0, "json", json, "one JSON object"),
	ENGINE_OPTIONS_BUT_CONTEXT,
};

static const options_command command = {
	.name = "perplexity",
	.operands = "MODEL --ids FILE | --text FILE",
	.summary =
	        "exp of the mean negative log-likelihood of tokens 2..n, as one stream.\n"
	        "With --context N: of tokens N/2+1..N-1 (counted from 0) of chunks of N tokens,\n"
	        "the first of each replaced by the begin token; where chunks overlap, no token\n"
	        "counts twice. Tokens after the last chunk are left out. +-: one standard error.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 1,
};

/* A first pass, of up to 4096 tokens through two models, may take minutes before anything is
 * scored. */
static void draw_progress(perplexity_settings *s)
{
	const divergence *d = s->scored;
	double seconds = terminal_clock() - s->start, rate = (double)d->n / seconds;
	char time[32], kld[48] = "";

	if (d->n == 0) {
		terminal_format_duration(seconds, time, sizeof time);
		terminal_draw_line(&s->line, "0 of %zu tokens, %s", s->total, time);
		return;
	}
	terminal_format_duration((double)(s->total - d->n) / rate, time, sizeof time);
	if (s->against)
		(void)snprintf(kld, sizeof kld, ", KLD %.5f", divergence_mean(d).value);
	terminal_draw_line(&s->line, "%zu of %zu tokens, %.0f tokens/s, %s left: perplexity %.4f%s",
	                   d->n, s->total, rate, time, divergence_perplexity(d).value, kld);
}

/* A brise_cancel_fn, for the progress line and ctrl-C: called before each layer. */
static bool was_interrupted(void *user)
{
	perplexity_settings *s = user;

	if (terminal_is_due(&s->line))
		draw_progress(s);
	return terminal_was_interrupted(NULL);
}

/* The same after each position. */
static bool after_position(void *user, const divergence *d, size_t total)
{
	(void)d, (void)total;
	return was_interrupted(user);
}

/* ---- results --------------------------------------------------------------------------------- */

/* "name": value, "name_error": error */
static void print_json_estimate(json_writer *w, const char *name, divergence_estimate e)
{
	char error[48];

	(void)snprintf(error, sizeof error, "%s_error", name);
	json_put_number(w, name, e.value, 9);
	json_put_number(w, error, e.error, 9);
}

static void print_json(divergence *d, const lockstep_job *job)
{
	json_writer w = { .sink = report_json, .user = stdout };

	json_open(&w, NULL, '{');
	print_json_estimate(&w, "perplexity", divergence_perplexity(d));
	if (job->reference.engine) {
		print_json_estimate(&w, "reference_perplexity", divergence_reference_perplexity(d));
		print_json_estimate(&w, "perplexity_ratio", divergence_perplexity_ratio(d));
		print_json_estimate(&w, "kld_mean", divergence_mean(d));
		print_json_estimate(&w, "kld_p99", divergence_percentile(d, 0.99));
		print_json_estimate(&w, "same_top", divergence_same_top(d));
	}
	json_put_unsigned(&w, "tokens", job->n);
	json_put_unsigned(&w, "scored", d->n);
	json_put_unsigned(&w, "chunks", lockstep_count_chunks(job));
	json_close(&w);
	(void)putchar('\n');
}

/* One figure; without an error where there is none. */
static void print_estimate(const char *name, divergence_estimate e, double factor, int digits,
                           const char *unit)
{
	printf("%-16s %.*f", name, digits, factor * e.value);
	if (isfinite(e.error))
		printf(" +- %.*f", digits, factor * e.error);
	printf("%s\n", unit);
}

static void print_scored(const divergence *d, const lockstep_job *job)
{
	if (job->context)
		printf("%zu tokens, %zu of them scored in %zu chunks of %zu\n", job->n, d->n,
		       lockstep_count_chunks(job), job->context);
	else
		printf("%zu tokens\n", job->n);
}

static void print_lines(divergence *d, const lockstep_job *job)
{
	divergence_estimate perplexity = divergence_perplexity(d),
	                    ratio = divergence_perplexity_ratio(d);

	if (!job->reference.engine) {
		printf("perplexity %.4f", perplexity.value);
		if (isfinite(perplexity.error))
			printf(" +- %.4f", perplexity.error);
		printf(", ");
		print_scored(d, job);
		return;
	}
	print_estimate("perplexity", perplexity, 1, 4, "");
	print_estimate("of the reference", divergence_reference_perplexity(d), 1, 4, "");
	ratio.value -= 1;
	print_estimate("difference", ratio, 100, 3, " %");
	print_estimate("KLD, mean", divergence_mean(d), 1, 6, " nats per token");
	print_estimate("KLD, 99 % below", divergence_percentile(d, 0.99), 1, 5, "");
	print_estimate("same top token", divergence_same_top(d), 100, 2, " %");
	printf("%-16s ", "text");
	print_scored(d, job);
}

/* ---- the work -------------------------------------------------------------------------------- */

static int measure(const engine *e, const engine *reference, perplexity_settings *settings,
                   const int32_t *ids, size_t n)
{
	lockstep_job job = { .model = { e->engine, e->sequence },
		             .reference = { reference->engine, reference->sequence },
		             .vocab = e->facts->vocab,
		             .ids = ids,
		             .n = n,
		             .context = settings->context,
		             .stride = settings->stride ? settings->stride : settings->context,
		             .bos = e->facts->bos,
		             .progress = after_position,
		             .user = settings,
		             .cancel = was_interrupted,
		             .cancel_user = settings };
	divergence d = { .n = 0 };
	brise_status status;
	brise_error err;

	if (lockstep_count_chunks(&job) == 0)
		return settings->context
		               ? report_error("perplexity",
		                              "at least one chunk of %" PRIu32
		                              " tokens expected, found %zu",
		                              settings->context, n)
		               : report_error("perplexity",
		                              "at least two tokens expected, found %zu", n);
	settings->start = terminal_clock();
	settings->scored = &d;
	settings->total = lockstep_count_scored(&job);
	terminal_open_line(&settings->line);
	if (prompt_progress_is_slow(e, n))
		settings->line.next = settings->start;
	status = lockstep_measure(&d, &job, &err);
	terminal_erase_line(&settings->line);
	if (status == BRISE_OK && settings->json)
		print_json(&d, &job);
	else if (status == BRISE_OK)
		print_lines(&d, &job);
	divergence_free(&d);
	return status == BRISE_OK ? 0 : report_status("perplexity", &err);
}

static int read_ids(engine *e, const perplexity_settings *settings, int32_t **ids, size_t *n)
{
	brise_error err;
	size_t bytes;
	char *text;
	int status;

	if (settings->ids)
		return input_read_ids(settings->ids, e->facts->vocab, ids, n, &err) == BRISE_OK
		               ? COMMANDS_READY
		               : report_status("perplexity", &err);
	if (input_read_text(settings->text, &text, &bytes, &err) != BRISE_OK)
		return report_status("perplexity", &err);
	status = engine_encode_text(e, "perplexity", text, bytes, ids, n);
	memory_free(text);
	return status;
}

/* Token ids must mean the same to both: as many, and the same pieces as far as both files hold a
 * tokenizer. */
static int check_vocabularies(const engine *e, const engine *reference, const char *path,
                              const char *reference_path)
{
	const brise_tokenizer *a = brise_get_tokenizer(e->model),
	                      *b = brise_get_tokenizer(reference->model);
	brise_tokenizer_facts a_facts, b_facts;
	const char *a_piece, *b_piece;
	size_t a_bytes, b_bytes;
	uint32_t id;

	if (e->facts->vocab != reference->facts->vocab)
		return report_error("perplexity",
		                    "%s: expected the vocabulary of %s, %" PRIu32
		                    " tokens, found %" PRIu32,
		                    reference_path, path, e->facts->vocab, reference->facts->vocab);
	if (!a || !b)
		return COMMANDS_READY;
	brise_get_tokenizer_facts(a, &a_facts, sizeof a_facts);
	brise_get_tokenizer_facts(b, &b_facts, sizeof b_facts);
	for (id = 0; id < a_facts.vocab && id < b_facts.vocab; id++)
		if (brise_get_piece(a, (int32_t)id, &a_piece, &a_bytes, NULL) != BRISE_OK ||
		    brise_get_piece(b, (int32_t)id, &b_piece, &b_bytes, NULL) != BRISE_OK ||
		    a_bytes != b_bytes || memcmp(a_piece, b_piece, a_bytes) != 0)
			return report_error("perplexity",
			                    "%s: expected the vocabulary of %s, but token %" PRIu32
			                    " is another piece",
			                    reference_path, path, id);
	return COMMANDS_READY;
}

/* Both with the same threads and kernels, and memory in proportion to their files. One stream needs
 * room for the whole text in models without a window, a chunk only for itself. */
static int open_sequences(engine *e, engine *reference, const perplexity_settings *settings,
                          size_t n)
{
	engine_settings fitting = settings->engine;
	size_t positions = settings->context && settings->context < n ? settings->context : n;
	int status = COMMANDS_READY;

	if (reference->model) {
		fitting.share =
		        (double)e->facts->file_bytes /
		        ((double)e->facts->file_bytes + (double)reference->facts->file_bytes);
		fitting.available = budget_read_available();
	}
	if (fitting.threads == ENGINE_THREADS_AUTO)
		status = engine_measure_threads(&fitting.threads, "perplexity", &settings->engine);
	if (status == COMMANDS_READY)
		status = engine_open_sequence_for(e, "perplexity", &fitting, positions);
	if (status != COMMANDS_READY || !reference->model)
		return status;
	fitting.kv = settings->reference_kv;
	fitting.share = 1 - fitting.share;
	fitting.window = fitting.sinks = 0; /* the reference attends as it was trained to */
	return engine_open_sequence_for(reference, "perplexity", &fitting, positions);
}

int cli_perplexity(int argc, char **argv)
{
	perplexity_settings settings = { .reference_kv = BRISE_KV_F32 };
	engine e = { .model = NULL }, reference = { .model = NULL };
	options_result result;
	int32_t *ids = NULL;
	size_t n = 0;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY ||
	    (status = engine_check_settings("perplexity", &settings.engine)) != COMMANDS_READY)
		return status;
	if (!settings.ids == !settings.text)
		return report_usage("perplexity", "either --ids FILE or --text FILE expected");
	if (settings.stride && !settings.context)
		return report_usage(
		        "perplexity",
		        "--stride: expected together with --context N, the chunks it moves");
	terminal_catch_signals();
	status = engine_open_model(&e, "perplexity", result.operands[0]);
	if (status == COMMANDS_READY && settings.against)
		status = engine_open_model(&reference, "perplexity", settings.against);
	if (status == COMMANDS_READY && settings.against)
		status = check_vocabularies(&e, &reference, result.operands[0], settings.against);
	if (status == COMMANDS_READY)
		status = read_ids(&e, &settings, &ids, &n);
	if (status == COMMANDS_READY)
		status = open_sequences(&e, &reference, &settings, n);
	if (status == COMMANDS_READY)
		status = measure(&e, &reference, &settings, ids, n);
	memory_free(ids);
	engine_close(&e);
	engine_close(&reference);
	return commands_end("perplexity", status);
}
