/* convert.c - brise convert: the converter's command line; convert/ does the work */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/convert.h"
#include "runtime/cli/budget.h"
#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/terminal.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

static const char *const type_choices[] = { "q4", "q3", "q8", "f16", NULL };
static const char *const effort_choices[] = { "fast", "normal", "high", "best", NULL };

#define LORAS_MAX        16u
#define TENSOR_TYPES_MAX 32u

/* Of all matrices of one kind. */
typedef struct kind_loss {
	double sum, worst;
	uint32_t n, worst_layer;
} kind_loss;

typedef struct convert_settings {
	int type, effort; /* type -1: not said */
	uint32_t threads, window;
	float bits;
	const char *calibration, *chat_format, *size;
	bool no_tokenizer;
	const char *loras[LORAS_MAX];
	size_t n_loras;
	const char *tensor_types[TENSOR_TYPES_MAX];
	size_t n_tensor_types;
	terminal_line line;
	double start;
	uint64_t before, total; /* bytes that were done at the first call, and in all */
	kind_loss losses[TENSOR_KINDS];
} convert_settings;

static const char *take_lora(void *settings, const char *value)
{
	convert_settings *s = settings;

	if (s->n_loras == LORAS_MAX)
		return "at most 16 adapters";
	s->loras[s->n_loras++] = value;
	return NULL;
}

static const char *take_tensor_type(void *settings, const char *value)
{
	convert_settings *s = settings;

	if (!strchr(value, '='))
		return "PATTERN=TYPE";
	if (s->n_tensor_types == TENSOR_TYPES_MAX)
		return "at most 32 patterns";
	s->tensor_types[s->n_tensor_types++] = value;
	return NULL;
}

#define AT(member) offsetof(convert_settings, member)

static const options_entry entries[] = {
	CHOICE(0, "type", type, type_choices, "format of the matrices (default q4)"),
	REAL(0, "bits", bits, "N", 3.25, 8.25, "q3, q4, q8 by what they lose: N bits per weight"),
	STRING(0, "size", size, "SIZE", "the same: most memory to run the file in, as 3G"),
	TAKE(0, "tensor-type", take_tensor_type, "PATTERN=TYPE",
	     "another type for some, as wv=q8; repeatable"),
	CHOICE(0, "effort", effort, effort_choices, "search for scales (default normal)"),
	STRING(0, "calibration", calibration, "FILE",
	       "from brise calibrate: weighs errors of q4, q3"),
	NUMBER('t', "threads", threads, "N", 1, 256, NULL, "threads (default: fast cores)"),
	TAKE(0, "lora", take_lora, "DIR[:SCALE]", "add SCALE times this LoRA adapter; repeatable"),
	NUMBER(0, "window", window, "N", 0, 1 << 24, NULL,
	       "attention window instead of the file's; 0: none"),
	STRING(0, "chat-format", chat_format, CHAT_FORMAT_VALUE, CHAT_FORMAT_HELP),
	FLAG(0, "no-tokenizer", no_tokenizer, "convert a checkpoint that has none"),
};

static const options_command command = {
	.name = "convert",
	.operands = "CHECKPOINT OUT.brise",
	.summary =
	        "Turns a checkpoint of fp16, bf16, fp32 or fp8, or a GGUF file, into one file\n"
	        "to run: a folder as Hugging Face has it (config.json, safetensors, tokenizer)\n"
	        "or Mistral (params.json, consolidated.*, tokenizer.model or tekken.json), a\n"
	        "file in it, a models--org--name folder of Hugging Face's cache, a folder with\n"
	        "one GGUF model; of a GGUF in parts, any part. q4 takes 4.25 bits per weight, q3\n"
	        "3.25, q8 8.25, f16 16. The same input gives the same file, which appears when\n"
	        "it is complete or not at all. Adapters are folders of PEFT's or\n"
	        "mistral-finetune's.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 2,
	.max_operands = 2,
};

static void draw_progress(void *user, const char *tensor, uint64_t done, uint64_t total)
{
	convert_settings *s = user;
	double now = terminal_clock(), rate;
	char left[32];

	if (total != s->total) { /* measuring ends, and encoding begins */
		s->before = done;
		s->start = now;
		s->total = total;
	}
	rate = (double)(done - s->before) / (now > s->start ? now - s->start : 1);
	if (!terminal_is_due(&s->line))
		return;
	terminal_format_duration(rate > 0 ? (double)(total - done) / rate : 0, left, sizeof left);
	terminal_draw_line(&s->line, "%s: %3.0f %%, %.0f MB/s, %s left", tensor,
	                   100.0 * (double)done / (double)total, rate / 1e6, left);
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

/* The error that quantizing quantized weights added, a line for each kind of matrix; brise info
 * --tensors lists every one. */
static void print_losses(const convert_settings *s)
{
	const char *name;
	char worst[48];
	uint32_t kind;

	report_note("convert", "the second rounding adds a relative squared error of (brise info "
	                       "--tensors lists every matrix)");
	for (kind = 1; kind < TENSOR_KINDS; kind++) {
		const kind_loss *l = &s->losses[kind];

		if (l->n == 0)
			continue;
		model_tensor_name(worst, kind, l->worst_layer);
		name = strrchr(worst, '.') ? strrchr(worst, '.') + 1 : worst;
		if (l->n == 1)
			report_note("convert", "  %-9s %.5f", name, l->worst);
		else
			report_note("convert", "  %-9s mean %.5f, largest %.5f (%s)", name,
			            l->sum / l->n, l->worst, worst);
	}
}

static void print_result(const char *out, const convert_result *r, bool calibrated)
{
	double rate = r->seconds > 0 ? (double)r->source_bytes / r->seconds / 1e6 : 0;
	char bytes[32], duration[32];

	terminal_format_bytes((double)r->file_bytes, bytes, sizeof bytes);
	terminal_format_duration(r->seconds, duration, sizeof duration);
	report_note("convert",
	            "%s: %s, %.3f bits per weight, relative squared error %.5f%s, %s (%.*f MB/s of "
	            "fp16)",
	            out, bytes, r->bits_per_weight, r->relative_error,
	            calibrated
	                    ? " (larger than without calibration: errors are moved to where inputs "
	                      "are small)"
	                    : "",
	            duration, rate < 10, rate);
}

/* OUT's extension if it belongs to a format that convert does not write; NULL: it does not. */
static const char *foreign_extension(const char *out)
{
	static const char *const foreign[] = { ".gguf", ".ggml",  ".safetensors", ".bin",
		                               ".pt",   ".pth",   ".ckpt",        ".onnx",
		                               ".npz",  ".model", ".json",        ".cal",
		                               ".txt",  ".md",    ".zip",         ".jsonl",
		                               ".tar",  ".gz",    ".unfinished" };
	const char *dot = strrchr(out, '.');
	size_t i;

	for (i = 0; dot && i < sizeof foreign / sizeof *foreign; i++)
		if (strcmp(dot, foreign[i]) == 0)
			return foreign[i];
	return NULL;
}

int cli_convert(int argc, char **argv)
{
	static const uint32_t types[] = { TYPE_Q4, TYPE_Q3, TYPE_Q8, TYPE_F16 };
	static const enum book_effort efforts[] = { EFFORT_FAST, EFFORT_NORMAL, EFFORT_HIGH,
		                                    EFFORT_BEST };
	convert_settings settings = { .type = -1, .effort = 1, .window = CONVERT_WINDOW_AS_FOUND };
	budget memory = { .bytes = 0 };
	options_result result;
	convert_options options;
	convert_result outcome;
	brise_status done;
	const char *foreign;
	char *chat_format = NULL;
	os_facts facts;
	brise_error err;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	/* "convert mistral" is short of more than OUT. */
	if (status == EXIT_USAGE && result.n_operands == 1)
		(void)engine_check_name("convert", "CHECKPOINT", result.operands[0]);
	if (status != COMMANDS_READY)
		return status;
	if (settings.bits > 0 && settings.size)
		return report_usage("convert", "--bits and --size: one of them, found both");
	if ((settings.bits > 0 || settings.size) && settings.type >= 0)
		return report_usage(
		        "convert", "--%s: chooses q3, q4 or q8 for each matrix, found --type %s",
		        settings.bits > 0 ? "bits" : "size", type_choices[settings.type]);
	if (settings.type < 0)
		settings.type = 0;
	if (settings.size && (!budget_read(settings.size, &memory) || memory.kind != BUDGET_BYTES))
		return report_usage("convert", "--size: expected a size such as 3G, found '%s'",
		                    settings.size);
	if (settings.calibration && !type_book(types[settings.type]))
		return report_usage("convert",
		                    "--calibration: works with --type q4 and q3, found --type %s",
		                    type_choices[settings.type]);
	/* An existing file is checked by its contents, whatever its name. */
	foreign = foreign_extension(result.operands[1]);
	if (foreign && !os_examine(result.operands[1], &facts))
		return report_usage(
		        "convert",
		        "OUT '%s': convert writes a .brise file, expected a name without "
		        "%s%s",
		        result.operands[1], foreign,
		        strcmp(foreign, ".gguf") == 0 || strcmp(foreign, ".safetensors") == 0
		                ? "; brise export makes such files of it"
		                : "");
	if (engine_check_name("convert", "CHECKPOINT", result.operands[0]) != COMMANDS_READY)
		return EXIT_FAILED;
	convert_init_options(&options);
	options.type = types[settings.type];
	options.effort = efforts[settings.effort];
	options.threads = settings.threads;
	options.arch = engine_choose_arch(NULL);
	options.calibration = settings.calibration;
	options.no_tokenizer = settings.no_tokenizer;
	options.loras = settings.loras;
	options.bits = (double)settings.bits;
	options.memory = memory.bytes;
	options.tensor_types = settings.tensor_types;
	options.n_tensor_types = settings.n_tensor_types;
	options.n_loras = settings.n_loras;
	options.window = settings.window;
	options.progress = draw_progress;
	options.decision = print_decision;
	options.loss = add_loss;
	options.cancel = terminal_was_interrupted;
	options.user = &settings;
	if (settings.chat_format &&
	    chat_format_read(&chat_format, settings.chat_format, &err) != BRISE_OK)
		return commands_end("convert", report_status("convert", &err));
	options.chat_format = chat_format;
	terminal_open_line(&settings.line);
	terminal_catch_signals();
	settings.start = terminal_clock();
	done = convert_checkpoint(result.operands[0], result.operands[1], &options, &outcome, &err);
	terminal_erase_line(&settings.line);
	memory_free(chat_format);
	if (done == BRISE_OK && outcome.requantized)
		print_losses(&settings);
	if (done == BRISE_OK)
		print_result(result.operands[1], &outcome, settings.calibration != NULL);
	else
		status = report_status("convert", &err);
	return commands_end("convert", done == BRISE_OK ? 0 : status);
}
