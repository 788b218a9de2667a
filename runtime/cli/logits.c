/* logits.c - brise logits: writes the logits of every position, for comparisons between machines
 * and programs */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/fit.h"
#include "runtime/cli/input.h"
#include "runtime/cli/prompt_progress.h"
#include "runtime/cli/result_file.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/memory.h"

typedef struct logits_settings {
	engine_settings engine;
	const char *ids, *out;
} logits_settings;

#define AT(member) offsetof(logits_settings, member)

static const options_entry entries[] = {
	STRING(0, "ids", ids, "FILE", "token ids, separated by white space"),
	STRING('o', "out", out, "FILE", "the logits (-: standard output)"),
	ENGINE_OPTIONS,
};

static const options_command command = {
	.name = "logits",
	.operands = "MODEL --ids FILE --out FILE",
	.summary = "Writes float32 little-endian [tokens][vocab]: what follows each token.\n"
	           "The bits do not depend on threads, chunk or kernel set.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 1
};

typedef struct writer {
	result_file file;
	prompt_progress progress;
	size_t vocab;
	int failed; /* errno of the write that failed */
} writer;

/* Logits have no mark: whole rows, and numbers of the size that logits have. The bytes of texts and
 * of most other files, taken as floats, are of any size. */
static bool are_logits(const void *head, size_t n, uint64_t file_bytes, uint64_t row_bytes)
{
	bool has_other_than_zero = false;
	float value;
	size_t i;

	for (i = 0; i + sizeof value <= n; i += sizeof value) {
		memcpy(&value, (const char *)head + i, sizeof value);
		has_other_than_zero = has_other_than_zero || value != 0;
		if (!(fabsf(value) < 1e6f) || (value != 0 && fabsf(value) < 1e-12f))
			return false;
	}
	return has_other_than_zero && file_bytes % row_bytes == 0;
}

/* Machines that open models are little-endian, so the floats are written as they are in memory. */
static bool write_logits(void *user, size_t index, const float *logits)
{
	writer *w = user;

	(void)index;
	errno = 0;
	if (fwrite(logits, sizeof *logits, w->vocab, w->file.stream) != w->vocab) {
		w->failed = errno ? errno : EIO;
		return true;
	}
	return terminal_was_interrupted(NULL);
}

/* A brise_cancel_fn, for the progress line and ctrl-C. */
static bool was_interrupted(void *user)
{
	return prompt_progress_layer(&((writer *)user)->progress);
}

static int write_file(engine *e, const logits_settings *s, const int32_t *ids, size_t n)
{
	writer w = { .vocab = e->facts->vocab };
	const result_kind kind = { "logits of this model", are_logits, w.vocab * sizeof(float) };
	brise_status status;
	brise_error err;

	if (result_open(&w.file, s->out, &kind, &err) != BRISE_OK)
		return report_status("logits", &err);
	prompt_progress_begin(&w.progress, "", n, e);
	status = brise_eval_all(e->engine, e->sequence, ids, n, write_logits, was_interrupted, &w,
	                        &err);
	prompt_progress_end(&w.progress);
	if (w.failed) {
		errno = w.failed;
		status = result_write_error(&w.file, &err);
	}
	if (status == BRISE_OK)
		status = result_commit(&w.file, &err);
	result_discard(&w.file);
	if (w.failed == EPIPE)
		return EXIT_READER_LEFT;
	return status == BRISE_OK ? 0 : report_status("logits", &err);
}

int cli_logits(int argc, char **argv)
{
	logits_settings settings = { .ids = NULL };
	engine e = { .model = NULL };
	options_result result;
	int32_t *ids = NULL;
	brise_error err;
	size_t n = 0;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY ||
	    (status = engine_check_settings("logits", &settings.engine)) != COMMANDS_READY)
		return status;
	if (!settings.ids || !settings.out)
		return report_usage("logits", "--ids FILE and --out FILE expected");
	if (input_is_same_file(settings.out, result.operands[0]) ||
	    input_is_same_file(settings.out, settings.ids))
		return report_error("logits", "%s: is also read: name another file for --out",
		                    settings.out);
	terminal_catch_signals();
	if ((status = engine_open_model(&e, "logits", result.operands[0])) != COMMANDS_READY)
		goto done;
	if (input_read_ids(settings.ids, e.facts->vocab, &ids, &n, &err) != BRISE_OK) {
		status = report_status("logits", &err);
		goto done;
	}
	status = engine_open_sequence_for(&e, "logits", &settings.engine, n);
	if (status == COMMANDS_READY)
		status = fit_check_prompt("logits", brise_get_sequence_facts(e.sequence), n, 0);
	if (status == COMMANDS_READY)
		status = write_file(&e, &settings, ids, n);
done:
	memory_free(ids);
	engine_close(&e);
	return commands_end("logits", status);
}
