/* perplexity.c - brise perplexity: how well a model predicts a text, in one stream without resets
 *
 * exp of the mean negative log-likelihood of tokens 2..n, each predicted from all before it that the window holds. Sums are in double and in order of
 * position, so the figure is the same for every chunk size and thread count.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/input.h"
#include "runtime/cli/terminal.h"

typedef struct perplexity_settings {
	engine_settings engine;
	const char *ids, *text;
	bool json;
} perplexity_settings;

#define AT(member) offsetof(perplexity_settings, member)

static const options_entry entries[] = {
	{ .name = "ids", .type = OPTION_STRING, .offset = AT(ids), .value = "FILE", .help = "token ids as they are, the begin token among them" },
	{ .name = "text", .type = OPTION_STRING, .offset = AT(text), .value = "FILE", .help = "text; the begin token is put before it" },
	{ .name = "json", .type = OPTION_FLAG, .offset = AT(json), .help = "one JSON object" },
	ENGINE_OPTIONS(perplexity_settings, engine),
};

static const options_command command = {
	.name = "perplexity",
	.operands = "MODEL --ids FILE | --text FILE",
	.summary = "exp of the mean negative log-likelihood of tokens 2..n, as one stream.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 1,
};

typedef struct score {
	const int32_t *ids;
	size_t n, vocab, counted;
	double sum, sum_of_squares, start;
	terminal_line line;
} score;

/* log of the sum of exponentials, minus the token's logit. */
static double surprise(const float *logits, size_t vocab, int32_t token)
{
	double sum = 0, largest = logits[0];
	size_t i;

	for (i = 1; i < vocab; i++)
		largest = logits[i] > largest ? logits[i] : largest;
	for (i = 0; i < vocab; i++)
		sum += exp(logits[i] - largest);
	return log(sum) + largest - logits[token];
}

static bool add_position(void *user, size_t index, const float *logits)
{
	score *s = user;
	double nll;

	if (index + 1 == s->n)
		return false; /* nothing follows the last */
	nll = surprise(logits, s->vocab, s->ids[index + 1]);
	s->sum += nll;
	s->sum_of_squares += nll * nll;
	s->counted++;
	if (terminal_is_due(&s->line)) {
		double rate = (double)s->counted / (terminal_clock() - s->start);
		char left[32];

		terminal_format_duration((double)(s->n - index) / rate, left, sizeof left);
		terminal_draw_line(&s->line, "%zu of %zu tokens, %.0f tokens/s, %s left: perplexity %.4f", index + 1, s->n, rate, left, exp(s->sum / (double)s->counted));
	}
	return terminal_was_interrupted(NULL);
}

static int measure(engine *e, const perplexity_settings *settings, const int32_t *ids, size_t n)
{
	score s = { .ids = ids, .n = n, .vocab = e->facts->vocab, .start = terminal_clock() };
	double mean, variance, perplexity;
	brise_status status;
	brise_error err;

	terminal_open_line(&s.line);
	status = brise_eval_all(e->ctx, ids, n, add_position, &s, &err);
	terminal_erase_line(&s.line);
	if (status != BRISE_OK)
		return report_status("perplexity", &err);
	mean = s.sum / (double)s.counted;
	variance = s.sum_of_squares / (double)s.counted - mean * mean;
	perplexity = exp(mean);
	if (settings->json)
		printf("{\"perplexity\":%.6f,\"tokens\":%zu}\n", perplexity, n);
	else
		printf("perplexity %.4f +- %.4f, %zu tokens\n", perplexity, perplexity * sqrt(variance > 0 ? variance / (double)s.counted : 0), n);
	return 0;
}

static int read_ids(engine *e, const perplexity_settings *settings, int32_t **ids, size_t *n)
{
	brise_error err;
	size_t bytes;
	char *text;
	int status;

	if (settings->ids)
		return input_read_ids(settings->ids, e->facts->vocab, ids, n, &err) == BRISE_OK ? COMMANDS_READY : report_status("perplexity", &err);
	if (input_read_text(settings->text, &text, &bytes, &err) != BRISE_OK)
		return report_status("perplexity", &err);
	status = engine_encode_text(e, "perplexity", text, bytes, ids, n);
	free(text);
	return status;
}

int cli_perplexity(int argc, char **argv)
{
	perplexity_settings settings = { .ids = NULL };
	engine e = { .model = NULL };
	options_result result;
	int32_t *ids = NULL;
	size_t n = 0;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY || (status = engine_check_settings("perplexity", &settings.engine)) != COMMANDS_READY)
		return status;
	if (!settings.ids == !settings.text)
		return report_usage("perplexity", "either --ids FILE or --text FILE expected");
	terminal_catch_signals();
	if ((status = engine_open_model(&e, "perplexity", result.operands[0])) == COMMANDS_READY)
		status = read_ids(&e, &settings, &ids, &n);
	if (status == COMMANDS_READY && n < 2)
		status = report_error("perplexity", "at least two tokens expected, found %zu", n);
	if (status == COMMANDS_READY)
		status = engine_open_context_for(&e, "perplexity", &settings.engine, n);
	if (status == COMMANDS_READY)
		status = measure(&e, &settings, ids, n);
	free(ids);
	engine_close(&e);
	return commands_end("perplexity", status);
}
