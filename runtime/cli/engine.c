/* engine.c - a model, its engine and a sequence, opened from a command's options */
#include "runtime/cli/engine.h"
#include "bench/disk.h"
#include "bench/scaling.h"
#include "runtime/cli/balance.h"
#include "runtime/cli/budget.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/fit.h"
#include "runtime/cli/nearest.h"
#include "runtime/cli/terminal.h"
#include "runtime/eval/sequence.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/threads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const engine_kv_choices[] = { "int8", "f32", NULL };

const char *engine_choose_arch(const char *option)
{
	const char *variable = getenv("BRISE_ARCH");

	return option ? option : variable && *variable ? variable : NULL;
}

int engine_check_settings(const char *command, const engine_settings *settings)
{
	const char *source = settings->arch ? "--arch" : "BRISE_ARCH",
	           *wanted = engine_choose_arch(settings->arch);
	nearest_match match = { NULL, 0 };
	const char *name, *meant;
	char list[160] = "";
	budget memory;
	size_t i;

	if (!budget_read(settings->memory, &memory))
		return report_usage(command,
		                    "--memory: expected a size such as 3G or 512MiB (a number "
		                    "alone: bytes), auto, all or "
		                    "min, found '%.40s'",
		                    settings->memory);
	if (!wanted)
		return COMMANDS_READY;
	for (i = 0; (name = brise_get_arch(i, NULL)) != NULL; i++) {
		if (strcmp(name, wanted) == 0)
			return COMMANDS_READY;
		nearest_offer(&match, wanted, name);
		if (strlen(list) + strlen(name) + 3 < sizeof list) {
			(void)strcat(list, i ? ", " : "");
			(void)strcat(list, name);
		}
	}
	meant = nearest_choose(&match, wanted);
	if (meant)
		return report_usage(command,
		                    "%s: expected one of %s, found '%.40s'; did you mean %s?",
		                    source, list, wanted, meant);
	return report_usage(command, "%s: expected one of %s, found '%.40s'", source, list, wanted);
}

/* Whether a name has an extension: letters after a dot, so that "v0.1" has none. */
static bool has_extension(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && !(dot[1] >= '0' && dot[1] <= '9');
}

int engine_check_name(const char *command, const char *what, const char *path)
{
	const char *slash = strchr(path, '/');
	char owner[64];
	os_facts facts;
	bool is_name;

	if (os_examine(path, &facts) || errno != ENOENT || has_extension(path))
		return COMMANDS_READY;
	is_name = !slash;
	if (slash && slash > path && slash[1] && !strchr(slash + 1, '/') && path[0] != '.' &&
	    path[0] != '~') {
		(void)snprintf(owner, sizeof owner, "%.*s", (int)(slash - path), path);
		is_name = !os_examine(owner, &facts);
	}
	if (!is_name)
		return COMMANDS_READY;
	return report_error(command,
	                    "%s: no such file or folder; %s is a path: brise downloads nothing and "
	                    "keeps no list of models",
	                    path, what);
}

int engine_open_model(engine *e, const char *command, const char *path)
{
	os_facts facts;
	brise_error err;

	if (os_examine(path, &facts) && facts.kind == OS_FOLDER)
		return report_error(command,
		                    "%s: expected a .brise file, found a folder; brise convert "
		                    "makes one of a checkpoint",
		                    path);
	if (engine_check_name(command, "MODEL", path) != COMMANDS_READY)
		return EXIT_FAILED;
	if (brise_open_model(&e->model, path, NULL, &err) != BRISE_OK)
		return report_status(command, &err);
	e->facts = brise_get_model_facts(e->model);
	return COMMANDS_READY;
}

int engine_measure_threads(uint32_t *threads, const char *command, const engine_settings *settings)
{
	const char *name = engine_choose_arch(settings->arch);
	arch_kernels kernels;
	unsigned chosen = 1;
	brise_error err;
	arch_cpu cpu;

	arch_detect(&cpu);
	if (!arch_choose(&kernels, name, &cpu))
		return report_error(command,
		                    "kernel set %s: this processor or system does not support it",
		                    name ? name : "");
	if (scaling_choose_here(&chosen, &kernels, &err) != BRISE_OK)
		return report_status(command, &err);
	*threads = chosen;
	return COMMANDS_READY;
}

static void note_context(const char *command, const engine_settings *settings,
                         const brise_sequence_facts *facts)
{
	if (settings->context != 0 && facts->window > 0)
		report_note(command,
		            "--context has no effect with a window: the last %" PRIu64
		            " positions are kept of a text of any length; --window N changes that",
		            facts->window);
}

/* What is about to be made. */
typedef struct making {
	const char *command;
	brise_engine_options engine;
	brise_sequence_options sequence;
	budget memory;
	uint64_t own_bytes; /* of both */
} making;

static brise_status make_sequence(engine *e, making *m, brise_error *err)
{
	brise_status status;

	brise_free_sequence(e->sequence);
	if ((status = brise_new_sequence(&e->sequence, e->model, &m->sequence, err)) != BRISE_OK ||
	    (status = brise_get_engine_bytes(e->model, &m->engine, &m->own_bytes, err)) != BRISE_OK)
		return status;
	m->own_bytes += brise_get_sequence_facts(e->sequence)->kv_bytes;
	e->options = m->sequence;
	return BRISE_OK;
}

/* Memory that another row of a pass takes: activations, and a position of a window's slack. */
static uint64_t row_bytes(const engine *e, const brise_engine_options *options)
{
	const brise_sequence_facts *s = brise_get_sequence_facts(e->sequence);
	brise_engine_options one = *options, two = *options;
	uint64_t bytes_one = 0, bytes_two = 0;

	one.rows = 1;
	two.rows = 257;
	if (brise_get_engine_bytes(e->model, &one, &bytes_one, NULL) != BRISE_OK ||
	    brise_get_engine_bytes(e->model, &two, &bytes_two, NULL) != BRISE_OK)
		return 0;
	return (bytes_two - bytes_one) / 256 +
	       (s->window > 0 || s->slack > 0 ? s->kv_bytes / s->slots : 0);
}

/* Seconds of the arithmetic of one token of a long pass. */
static double measure_arithmetic(const engine *e, const brise_engine_options *options)
{
	const brise_model_facts *f = e->facts;
	scaling_row row = { .int8_gops = 0 };
	arch_kernels kernels;
	arch_cpu cpu;

	arch_detect(&cpu);
	if (!arch_choose(&kernels, options->arch, &cpu) ||
	    scaling_measure(&row, &kernels,
	                    options->threads ? options->threads : threads_available(), false,
	                    NULL) != BRISE_OK ||
	    row.int8_gops <= 0)
		return 0;
	return 2.0 * (double)(f->token_weights - (uint64_t)f->vocab * f->dim) /
	       (row.int8_gops * 1e9);
}

/* Makes passes longer where weights are streamed and that makes the prompt faster. */
static int lengthen_passes(engine *e, making *m, size_t prompt)
{
	balance b = { .tokens = prompt };
	brise_memory_facts plan;
	brise_error err;
	uint32_t rows;
	double disk;
	int status = budget_choose(&m->memory, m->command, e->model, m->own_bytes, &b.weight_bytes);

	if (status != COMMANDS_READY || b.weight_bytes == UINT64_MAX)
		return status;
	if (brise_plan_memory(e->model, b.weight_bytes, &plan, sizeof plan, &err) != BRISE_OK)
		return report_status(m->command, &err);
	if (plan.streamed_bytes == 0 || (disk = bench_measure_disk(e->model)) <= 0)
		return COMMANDS_READY;
	b.least_bytes = plan.least;
	b.row_bytes = row_bytes(e, &m->engine);
	b.read_seconds = (double)plan.streamed_bytes / disk;
	b.token_seconds = measure_arithmetic(e, &m->engine);
	if ((rows = balance_choose(&b, PASS_ROWS_DEFAULT, PASS_ROWS_MAX)) == PASS_ROWS_DEFAULT)
		return COMMANDS_READY;
	m->engine.rows = m->sequence.slack = rows;
	report_note(m->command,
	            "passes take %" PRIu32
	            " tokens of the prompt, so that computing with weights takes "
	            "as long as reading them (--chunk N sets another number)",
	            rows);
	return make_sequence(e, m, &err) == BRISE_OK ? COMMANDS_READY
	                                             : report_status(m->command, &err);
}

int engine_choose_options(const engine *e, const char *command, const engine_settings *settings,
                          brise_engine_options *engine_options,
                          brise_sequence_options *sequence_options)
{
	*engine_options = (brise_engine_options){ .size = sizeof *engine_options,
		                                  .rows = settings->chunk,
		                                  .threads = settings->threads,
		                                  .arch = engine_choose_arch(settings->arch) };
	*sequence_options =
	        (brise_sequence_options){ .size = sizeof *sequence_options,
		                          .kv = settings->kv == 0 ? BRISE_KV_INT8 : BRISE_KV_F32,
		                          .context = settings->context == ENGINE_CONTEXT_TRAINED
		                                             ? e->facts->max_context
		                                             : settings->context,
		                          .window = settings->window,
		                          .slack = settings->chunk,
		                          .sinks = settings->sinks };
	if (settings->sinks > 0 && settings->window == 0 && e->facts->window == 0)
		return report_error(command,
		                    "--sinks: expected together with --window N, since the model "
		                    "has no window");
	if (settings->threads == ENGINE_THREADS_AUTO)
		return engine_measure_threads(&engine_options->threads, command, settings);
	return COMMANDS_READY;
}

int engine_open_sequence(engine *e, const char *command, const engine_settings *settings)
{
	making m = { .command = command };
	brise_error err;
	int status = engine_choose_options(e, command, settings, &m.engine, &m.sequence);

	if (status != COMMANDS_READY)
		return status;
	if (make_sequence(e, &m, &err) != BRISE_OK)
		return report_status(command, &err);
	note_context(command, settings, brise_get_sequence_facts(e->sequence));
	(void)budget_read(settings->memory, &m.memory);
	m.memory.share = settings->share;
	m.memory.available = settings->available;
	if (settings->chunk == 0 && settings->prompt > PASS_ROWS_DEFAULT &&
	    m.memory.kind != BUDGET_MIN &&
	    (status = lengthen_passes(e, &m, settings->prompt)) != COMMANDS_READY)
		return status;
	if ((status = budget_apply(&m.memory, command, e->model, m.own_bytes)) != COMMANDS_READY)
		return status;
	if (brise_new_engine(&e->engine, e->model, &m.engine, &err) != BRISE_OK)
		return report_status(command, &err);
	fit_note_limits(command, e->model, brise_get_sequence_facts(e->sequence), m.own_bytes);
	return COMMANDS_READY;
}

int engine_open_sequence_for(engine *e, const char *command, const engine_settings *settings,
                             size_t n)
{
	engine_settings fitting = *settings;

	fitting.prompt = n;
	if (fitting.context == 0 && e->facts->window == 0 && fitting.window == 0 && n > 0)
		fitting.context = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	return engine_open_sequence(e, command, &fitting);
}

int engine_encode_text(const engine *e, const char *command, const char *text, size_t bytes,
                       int32_t **ids, size_t *n)
{
	const brise_tokenizer *tokenizer = brise_get_tokenizer(e->model);
	size_t begin = e->facts->bos >= 0, n_text;
	int32_t *encoded;
	brise_error err;

	*ids = NULL;
	*n = 0;
	if (!tokenizer)
		return report_error(
		        command, "the file holds no tokenizer, so it takes token ids only (--ids)");
	if (brise_encode_text(tokenizer, text, bytes, false, &encoded, &n_text, &err) != BRISE_OK)
		return report_status(command, &err);
	if ((*ids = memory_new(n_text + 1, sizeof **ids)) != NULL) {
		(*ids)[0] = e->facts->bos;
		if (n_text > 0)
			memcpy(*ids + begin, encoded, n_text * sizeof *encoded);
		*n = begin + n_text;
	}
	brise_free(encoded);
	return *ids ? COMMANDS_READY : report_error(command, "no memory for %zu token ids", n_text);
}

void engine_name_model(const char *path, char *name, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	path = slash ? slash + 1 : path;
	n = strlen(path);
	if (n > 6 && strcmp(path + n - 6, ".brise") == 0)
		n -= 6;
	n = n < size ? n : size - 1;
	memcpy(name, path, n);
	name[n] = 0;
}

void engine_close(engine *e)
{
	brise_free_sequence(e->sequence);
	brise_free_engine(e->engine);
	brise_close_model(e->model);
	memset(e, 0, sizeof *e);
}
