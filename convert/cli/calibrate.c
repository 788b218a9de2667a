/* calibrate.c - brise calibrate: runs a model over a text and keeps the moments of its matrices'
 * inputs for the converter */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/calibration/calibrate.h"
#include "convert/calibration/calibration.h"
#include "convert/calibration/self_text.h"
#include "convert/convert.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/input.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"
#include "runtime/os/target_part.h"

#define TOKENS_DEFAULT 49152u

/* What the model writes itself where no text is given: what a conversion in a closed loop uses of
 * any text. */
#define SELF_DEFAULT 16384u

/* Fewer tokens than the largest inputs have columns leave their moments singular, and feedback then
 * fits the text instead of the model. */
#define TOKENS_FEW 4096u

typedef struct calibrate_settings {
	const char *ids, *text, *output, *arch;
	uint32_t threads, tokens, span, self, seed;
	terminal_line line;
	double start;
	uint64_t before; /* tokens times layers that were done at the start */
	bool counted;
} calibrate_settings;

#define AT(member) offsetof(calibrate_settings, member)

static const options_entry entries[] = {
	STRING(0, "text", text, "FILE", "a text of the kind that the model is used for"),
	STRING(0, "ids", ids, "FILE", "token ids as they are, instead of a text"),
	NUMBER(0, "self", self, "N", 1, 1 << 24, NULL,
	       "N tokens that the model writes (default: 16384)"),
	NUMBER(0, "seed", seed, "N", 0, UINT32_MAX, NULL, "of what it writes (default 0)"),
	STRING('o', "output", output, "FILE.cal", "file to write"),
	NUMBER(0, "tokens", tokens, "N", 1, 1 << 24, NULL, "at most N tokens (default 49152)"),
	NUMBER(0, "span", span, "N", 0, 1 << 20, NULL,
	       "columns correlated (default 4096); 0: none"),
	NUMBER('t', "threads", threads, "N", 1, 256, NULL, "threads (default: fast cores)"),
	STRING(0, "arch", arch, "NAME", "kernel set; brise info lists them"),
};

static const options_command command = {
	.name = "calibrate",
	.operands = "MODEL|CHECKPOINT [--text FILE] -o FILE.cal",
	.summary = "Runs a model over a text and keeps the second moments of what each matrix\n"
	           "multiplies. brise convert --calibration FILE.cal weighs errors by them; with\n"
	           "--effort high later columns compensate for the rounding of earlier ones, and\n"
	           "--effort best runs the text itself. Without a text the model writes one.\n"
	           "MODEL is best of type q8 or f16; a checkpoint is converted to a temporary q8\n"
	           "file beside FILE.cal first. The same text gives the same file\n"
	           "for any number of threads. After ctrl-C the layers that are done stay in\n"
	           "FILE.cal.unfinished, and the same command resumes after them.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 1,
};

static void draw_progress(void *user, uint32_t layer, uint32_t n_layers, uint64_t token,
                          uint64_t tokens)
{
	calibrate_settings *s = user;
	double done, seconds = terminal_clock() - s->start;
	char left[32];

	if (!s->counted) {
		s->before = layer * tokens;
		s->counted = true;
	}
	if (!terminal_is_due(&s->line))
		return;
	done = (double)(layer * tokens + token - s->before);
	terminal_format_duration(
	        done > 0 ? ((double)(n_layers * tokens - s->before) - done) * seconds / done : 0,
	        left, sizeof left);
	terminal_draw_line(&s->line,
	                   "layer %" PRIu32 " of %" PRIu32 ": token %" PRIu64 " of %" PRIu64
	                   ", %s left",
	                   layer < n_layers ? layer + 1 : n_layers, n_layers, token, tokens, left);
}

static void draw_conversion(void *user, const char *tensor, uint64_t done, uint64_t total)
{
	calibrate_settings *s = user;

	if (terminal_is_due(&s->line))
		terminal_draw_line(&s->line, "q8 file, %s: %3.0f %%", tensor,
		                   100.0 * (double)done / (double)total);
}

static void print_note(void *user, const char *line)
{
	calibrate_settings *s = user;

	terminal_erase_line(&s->line);
	report_note("calibrate", "%s", line);
}

static void draw_writing(void *user, size_t done, size_t all)
{
	calibrate_settings *s = user;
	double seconds = terminal_clock() - s->start;
	char left[32];

	if (!terminal_is_due(&s->line))
		return;
	terminal_format_duration(done > 0 ? (double)(all - done) * seconds / (double)done : 0, left,
	                         sizeof left);
	terminal_draw_line(&s->line, "writing a text: token %zu of %zu, %s left", done, all, left);
}

/* Ids that the model writes itself. */
static int write_ids(const engine *e, calibrate_settings *s, int32_t **ids, size_t *n)
{
	const self_text_options options = { .tokens = s->self ? s->self : SELF_DEFAULT,
		                            .seed = s->seed,
		                            .threads = s->threads,
		                            .arch = engine_choose_arch(s->arch),
		                            .progress = draw_writing,
		                            .cancel = terminal_was_interrupted,
		                            .user = s };
	brise_status status;
	brise_error err;

	s->start = terminal_clock();
	status = self_text_write(e->model, &options, ids, &err);
	terminal_erase_line(&s->line);
	*n = options.tokens;
	return status == BRISE_OK ? COMMANDS_READY : report_status("calibrate", &err);
}

static int take_ids(const engine *e, const calibrate_settings *s, const char *text, size_t bytes,
                    int32_t **ids, size_t *n)
{
	brise_error err;

	if (!s->ids)
		return engine_encode_text(e, "calibrate", text, bytes, ids, n);
	return input_parse_ids(text, bytes, input_name(s->ids), e->facts->vocab, ids, n, &err) ==
	                       BRISE_OK
	               ? COMMANDS_READY
	               : report_status("calibrate", &err);
}

static int run(const engine *e, calibrate_settings *s, const int32_t *ids, size_t n)
{
	calibrate_options options;
	calibrate_result result;
	brise_status status;
	char bytes[32], duration[32];
	brise_error err;

	calibrate_init_options(&options);
	options.span = s->span;
	options.threads = s->threads;
	options.arch = engine_choose_arch(s->arch);
	options.progress = draw_progress;
	options.note = print_note;
	options.cancel = terminal_was_interrupted;
	options.user = s;
	s->start = terminal_clock();
	status = calibrate_model(e->model, ids, n, s->output, &options, &result, &err);
	terminal_erase_line(&s->line);
	if (status != BRISE_OK)
		return report_status("calibrate", &err);
	terminal_format_bytes((double)result.file_bytes, bytes, sizeof bytes);
	terminal_format_duration(result.seconds, duration, sizeof duration);
	if (result.resumed > 0)
		report_note("calibrate", "resumed after layer %" PRIu32 " of an interrupted run",
		            result.resumed);
	report_note("calibrate", "%s: %s, %zu tokens%s, %s", s->output, bytes, n,
	            n < TOKENS_FEW ? " (few: it may be worse than none; ten thousand are better)"
	                           : "",
	            duration);
	return 0;
}

static bool is_model(const char *path)
{
	size_t length = strlen(path);

	return length > 6 && strcmp(path + length - 6, ".brise") == 0;
}

/* A checkpoint as a q8 file beside the output. q8 instead of f16: half the room, several times as
 * fast, and on the project's model a calibration as good. It is named like a part file; an empty
 * file reserves the name until the model replaces it. *path: memory_free'd by the caller, who
 * removes the file. */
static int make_model(calibrate_settings *s, const char *checkpoint, char **path)
{
	size_t room = strlen(s->output) + 32;
	convert_options options;
	brise_status status;
	brise_error err;
	int reserved;
	char *name = memory_new(room, 1);

	if (!name)
		return report_error("calibrate", "no memory");
	(void)snprintf(name, room, "%s.q8", s->output);
	status = part_open_file(name, name, 0666, NULL, path, &reserved, &err);
	memory_free(name);
	if (status != BRISE_OK)
		return report_status("calibrate", &err);
	convert_init_options(&options);
	options.type = TYPE_Q8;
	options.threads = s->threads;
	options.arch = engine_choose_arch(s->arch);
	options.no_tokenizer = s->ids != NULL;
	options.progress = draw_conversion;
	options.cancel = terminal_was_interrupted;
	options.user = s;
	status = convert_checkpoint(checkpoint, *path, &options, NULL, &err);
	(void)os_close(reserved);
	terminal_erase_line(&s->line);
	return status == BRISE_OK ? COMMANDS_READY : report_status("calibrate", &err);
}

/* Opens the model. One that was made for this run is unlinked at once, so that the file is freed
 * when the process ends, however it ends. */
static int open_model(engine *e, calibrate_settings *s, const char *operand)
{
	char *made = NULL;
	int status = is_model(operand) ? COMMANDS_READY : make_model(s, operand, &made);

	if (status == COMMANDS_READY)
		status = engine_open_model(e, "calibrate", made ? made : operand);
	if (made)
		(void)os_remove(made);
	memory_free(made);
	return status;
}

int cli_calibrate(int argc, char **argv)
{
	calibrate_settings settings = { .tokens = TOKENS_DEFAULT, .span = 4096 };
	engine e = { .model = NULL };
	options_result result;
	int32_t *ids = NULL;
	char *text = NULL;
	size_t bytes = 0, n = 0;
	brise_error err;
	const char *given;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY)
		return status;
	if ((settings.ids != NULL) + (settings.text != NULL) + (settings.self > 0) > 1)
		return report_usage("calibrate",
		                    "one of --text FILE, --ids FILE and --self N expected");
	given = settings.ids ? settings.ids : settings.text;
	if (!settings.output)
		return report_usage("calibrate", "-o FILE expected: where to write");
	if (settings.span % 32 != 0)
		return report_usage("calibrate",
		                    "--span: expected a multiple of 32, found %" PRIu32,
		                    settings.span);
	if (engine_check_name("calibrate", "CHECKPOINT", result.operands[0]) != COMMANDS_READY)
		return EXIT_FAILED;
	terminal_open_line(&settings.line);
	terminal_catch_signals();
	/* Output and text first: errors in them are found before the long work begins. */
	if (target_check(settings.output, &calibration_kind, &err) != BRISE_OK ||
	    (given && input_read_text(given, &text, &bytes, &err) != BRISE_OK))
		status = report_status("calibrate", &err);
	if (status == COMMANDS_READY && given && bytes == 0)
		status = report_error("calibrate", "%s: is empty, expected a text to measure on",
		                      input_name(given));
	if (status == COMMANDS_READY)
		status = open_model(&e, &settings, result.operands[0]);
	if (status == COMMANDS_READY)
		status = given ? take_ids(&e, &settings, text, bytes, &ids, &n)
		               : write_ids(&e, &settings, &ids, &n);
	if (status == COMMANDS_READY)
		status = run(&e, &settings, ids,
		             !given || n < settings.tokens ? n : settings.tokens);
	memory_free(ids);
	memory_free(text);
	engine_close(&e);
	return commands_end("calibrate", status);
}
