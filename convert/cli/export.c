/* export.c - brise export: writes a model in other programs' formats; convert/ does the work */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/export.h"
#include "convert/formats/files.h"
#include "convert/tokenizer/sentencepiece.h"
#include "convert/tokenizer/tokenizer_json.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/memory.h"

static const char *const format_choices[] = { "gguf", "safetensors", NULL };
static const char *const type_choices[] = { "f16", "q8_0", "q4_0", NULL };
static const enum ggml_type types[] = { GGML_F16, GGML_Q8_0, GGML_Q4_0 };

typedef struct export_settings {
	int format; /* enum export_format; -1: by the name of OUT */
	int type;
	uint32_t threads;
	const char *name, *tokenizer;
	terminal_line line;
} export_settings;

#define AT(member) offsetof(export_settings, member)

static const options_entry entries[] = {
	CHOICE(0, "to", format, format_choices, "default: gguf if OUT ends in .gguf"),
	CHOICE(0, "type", type, type_choices, "of the matrices (default f16)"),
	STRING(0, "name", name, "NAME", "a GGUF's title (default: from MODEL's name)"),
	STRING(0, "tokenizer", tokenizer, "FILE",
	       "a tokenizer.model or .json instead of MODEL's own"),
	NUMBER('t', "threads", threads, "N", 1, 256, NULL, "threads (default: fast cores)"),
};

static const options_command command = {
	.name = "export",
	.operands = "MODEL.brise OUT",
	.summary = "Writes a model as a GGUF file for llama.cpp and other ggml programs, or as a\n"
	           "folder as Hugging Face has it (config.json, model.safetensors in f16,\n"
	           "tokenizer.model or tekken.json). From an f16 one, convert makes the same\n"
	           "weights and tokenizer again.\n"
	           "f16 keeps the weights as they are but for rounding; q8_0 and q4_0, of a GGUF,\n"
	           "lose as much as a conversion does, on top of what MODEL has lost. OUT appears\n"
	           "when it is complete, or not at all.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 2,
	.max_operands = 2,
};

static void draw_progress(void *user, const char *what, uint64_t done, uint64_t total)
{
	export_settings *s = user;

	if (terminal_is_due(&s->line))
		terminal_draw_line(&s->line, "%s: %3.0f %%", what,
		                   100.0 * (double)done / (double)total);
}

static void print_remark(void *user, const char *line)
{
	export_settings *s = user;

	terminal_erase_line(&s->line);
	report_note("export", "%s", line);
}

static void print_result(const char *out, int type, const export_result *r)
{
	char size[32], duration[32];

	terminal_format_bytes((double)r->file_bytes, size, sizeof size);
	terminal_format_duration(r->seconds, duration, sizeof duration);
	report_note("export", "%s: %s, %.3f bits per weight, %s", out, size, r->bits_per_weight,
	            duration);
	if (r->relative_error > 0)
		report_note("export",
		            "%s loses %.3g of the squared norm (most in %s: %.3g), beside the %.3g "
		            "that MODEL has lost",
		            type_choices[type], r->relative_error, r->worst_name, r->worst_error,
		            r->source_error);
	else
		report_note("export", "%s holds every weight exactly", type_choices[type]);
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && strcmp(text + n - m, end) == 0;
}

/* ".bin" of "out.bin"; "" for names without one, as "mistral-7b-v0.1": an extension begins with a
 * letter. */
static const char *extension_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return dot && dot > name && isalpha((unsigned char)dot[1]) ? dot : "";
}

/* Returns COMMANDS_READY or EXIT_USAGE. */
static int check_settings(export_settings *s, const char *out)
{
	const char *extension = extension_of(out);

	if (s->format < 0 && *extension && !ends_in(out, ".gguf") && !ends_in(out, ".safetensors"))
		return report_usage(
		        "export",
		        "'%s': %s names no format: --to gguf writes a GGUF file of that "
		        "name, --to safetensors makes a folder",
		        out, extension);
	if (s->format < 0)
		s->format = ends_in(out, ".gguf") ? EXPORT_GGUF : EXPORT_SAFETENSORS;
	if (s->format == EXPORT_SAFETENSORS && s->type != 0)
		return report_usage("export",
		                    "--type %s works with GGUF only; safetensors hold f16",
		                    type_choices[s->type]);
	if (s->format == EXPORT_SAFETENSORS && ends_in(out, ".safetensors"))
		return report_usage("export",
		                    "OUT is a folder for safetensors: expected a name without "
		                    ".safetensors, found '%s'",
		                    out);
	return COMMANDS_READY;
}

/* "mistral-7b" of "models/mistral-7b.brise": from memory_new. */
static char *title_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *title = memory_copy_text(slash ? slash + 1 : path);

	if (title && ends_in(title, ".brise"))
		title[strlen(title) - strlen(".brise")] = '\0';
	return title;
}

/* The tokenizer that --tokenizer names; both are freed by the caller. */
static brise_status open_tokenizer(const char *path, void **section, brise_tokenizer **tokenizer,
                                   brise_error *err)
{
	brise_status status;
	contents found;
	size_t size;

	if (!path)
		return BRISE_OK;
	if ((status = files_look(&found, path, err)) != BRISE_OK)
		return status;
	status = found == CONTENTS_JSON ? tokenizer_json_read_model(path, TOKENIZER_JSON_ALL, NULL,
	                                                            section, &size, err)
	                                : sentencepiece_read_model(path, section, &size, err);
	return status == BRISE_OK ? brise_open_tokenizer(tokenizer, *section, size, path, err)
	                          : status;
}

static brise_status export_file(export_settings *s, const char *in, const char *out,
                                export_result *outcome, brise_error *err)
{
	brise_tokenizer *tokenizer = NULL;
	brise_model *model = NULL;
	char *title = title_of(in);
	void *section = NULL;
	export_options options;
	brise_status status;

	if ((status = brise_open_model(&model, in, NULL, err)) != BRISE_OK ||
	    (status = open_tokenizer(s->tokenizer, &section, &tokenizer, err)) != BRISE_OK)
		goto done;
	export_init_options(&options);
	options.format = (enum export_format)s->format;
	options.type = types[s->type];
	options.threads = s->threads;
	options.name = s->name ? s->name : title;
	options.tokenizer = tokenizer;
	options.progress = draw_progress;
	options.decision = print_remark;
	options.cancel = terminal_was_interrupted;
	options.user = s;
	status = export_model(model, out, &options, outcome, err);
done:
	brise_close_tokenizer(tokenizer);
	brise_close_model(model);
	memory_free(section);
	memory_free(title);
	return status;
}

int cli_export(int argc, char **argv)
{
	export_settings settings = { .format = -1 };
	options_result result;
	export_result outcome;
	brise_status done;
	brise_error err;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY ||
	    (status = check_settings(&settings, result.operands[1])) != COMMANDS_READY)
		return status;
	if (engine_check_name("export", "MODEL", result.operands[0]) != COMMANDS_READY)
		return EXIT_FAILED;
	terminal_open_line(&settings.line);
	terminal_catch_signals();
	done = export_file(&settings, result.operands[0], result.operands[1], &outcome, &err);
	terminal_erase_line(&settings.line);
	if (done == BRISE_OK)
		print_result(result.operands[1], settings.type, &outcome);
	else
		status = report_status("export", &err);
	return commands_end("export", done == BRISE_OK ? 0 : status);
}
