/* convert.c - brise convert: the converter's face; convert/ does the work */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/convert.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/terminal.h"
#include "runtime/model.h"

static const char *const type_choices[] = { "q4", "q8", "f16", NULL };
static const char *const effort_choices[] = { "fast", "normal", "high", NULL };

/* Of all matrices of one kind. */
typedef struct kind_loss {
	double sum, worst;
	uint32_t n, worst_layer;
} kind_loss;

typedef struct convert_settings {
	int type, effort;
	uint32_t threads;
	bool no_tokenizer;
	terminal_line line;
	double start;
	kind_loss losses[TENSOR_KINDS];
} convert_settings;

#define AT(member) offsetof(convert_settings, member)

static const options_entry entries[] = {
	{ .name = "type", .type = OPTION_CHOICE, .offset = AT(type), .help = "format of the matrices (default q4)", .choices = type_choices },
	{ .name = "effort", .type = OPTION_CHOICE, .offset = AT(effort), .help = "search for q4's scales (default normal)", .choices = effort_choices },
	{ .name = "threads", .alias = 't', .type = OPTION_U32, .offset = AT(threads), .value = "N", .help = "threads (default: fast cores)", .low = 1, .high = 256 },
	{ .name = "no-tokenizer", .type = OPTION_FLAG, .offset = AT(no_tokenizer), .help = "convert a checkpoint that has none" },
};

static const options_command command = {
	.name = "convert",
	.operands = "CHECKPOINT OUT.brise",
	.summary = "Turns a folder with an fp16, bf16 or fp32 checkpoint, or a GGUF file, into one\n"
	           "file to run.\n"
	           "Hugging Face's folders: config.json, model.safetensors or shards with their\n"
	           "index, tokenizer.model. Mistral's: params.json, consolidated.safetensors or\n"
	           "consolidated.00.pth, tokenizer.model or tokenizer.model.v3. GGUF: F32, F16,\n"
	           "BF16, Q8_0, Q4_0 to Q6_K, IQ4_NL, IQ4_XS; of one in parts, any part.\n"
	           "q4 takes 4.25 bits per weight, q8 8.25, f16 16. The same input gives the same\n"
	           "file; OUT.brise appears when it is complete, or not at all.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 2,
	.max_operands = 2,
};

static void draw_progress(void *user, const char *tensor, uint64_t done, uint64_t total)
{
	convert_settings *s = user;
	double seconds = terminal_clock() - s->start, rate = (double)done / (seconds > 0 ? seconds : 1);
	char left[32];

	if (!terminal_is_due(&s->line))
		return;
	terminal_format_duration(rate > 0 ? (double)(total - done) / rate : 0, left, sizeof left);
	terminal_draw_line(&s->line, "%s: %3.0f %%, %.0f MB/s, %s left", tensor, 100.0 * (double)done / (double)total, rate / 1e6, left);
}

static void print_decision(void *user, const char *line)
{
	convert_settings *s = user;

	terminal_erase_line(&s->line);
	report_note("convert", "%s", line);
}

static void add_loss(void *user, uint32_t kind, uint32_t layer, double relative_error)
{
	kind_loss *l = &((convert_settings *)user)->losses[kind];

	l->sum += relative_error;
	l->n++;
	if (l->n == 1 || relative_error > l->worst) {
		l->worst = relative_error;
		l->worst_layer = layer;
	}
}

/* What rounding already rounded weights added: a line for each kind. */
static void print_losses(const convert_settings *s)
{
	char worst[48];
	uint32_t kind;

	for (kind = 1; kind < TENSOR_KINDS; kind++) {
		const kind_loss *l = &s->losses[kind];

		if (l->n == 0)
			continue;
		model_tensor_name(worst, kind, l->worst_layer);
		if (l->n == 1)
			report_note("convert", "second rounding: %s adds a relative squared error of %.5f", worst, l->worst);
		else
			report_note("convert", "second rounding: %" PRIu32 " like %s, its worst, add %.5f in the mean, %.5f there", l->n, worst, l->sum / l->n, l->worst);
	}
	report_note("convert", "second rounding: brise info --tensors lists it for each matrix");
}

static void print_result(const char *out, const convert_result *r)
{
	char bytes[32], duration[32];

	terminal_format_bytes((double)r->file_bytes, bytes, sizeof bytes);
	terminal_format_duration(r->seconds, duration, sizeof duration);
	report_note("convert", "%s: %s, %.3f bits per weight, relative squared error %.5f, %s (%.0f MB/s of fp16)", out, bytes, r->bits_per_weight, r->relative_error,
	            duration, r->seconds > 0 ? (double)r->source_bytes / r->seconds / 1e6 : 0.0);
}

int cli_convert(int argc, char **argv)
{
	static const uint32_t types[] = { TYPE_Q4, TYPE_Q8, TYPE_F16 };
	static const enum q4_effort efforts[] = { Q4_FAST, Q4_NORMAL, Q4_HIGH };
	convert_settings settings = { .effort = 1 };
	options_result result;
	convert_options options;
	convert_result outcome;
	brise_status done;
	brise_error err;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY)
		return status;
	convert_init_options(&options);
	options.type = types[settings.type];
	options.effort = efforts[settings.effort];
	options.threads = settings.threads;
	options.no_tokenizer = settings.no_tokenizer;
	options.progress = draw_progress;
	options.decision = print_decision;
	options.loss = add_loss;
	options.cancel = terminal_was_interrupted;
	options.user = &settings;
	terminal_open_line(&settings.line);
	terminal_catch_signals();
	settings.start = terminal_clock();
	done = convert_checkpoint(result.operands[0], result.operands[1], &options, &outcome, &err);
	terminal_erase_line(&settings.line);
	if (done == BRISE_OK && outcome.requantized)
		print_losses(&settings);
	if (done == BRISE_OK)
		print_result(result.operands[1], &outcome);
	else
		status = report_status("convert", &err);
	return commands_end("convert", done == BRISE_OK ? 0 : status);
}
